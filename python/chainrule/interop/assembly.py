# SPDX-License-Identifier: Apache-2.0
"""Layers with their arrays, put together to a network as another program's graph gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.affine import moments_of
from chainrule.interop.nodes import NetworkNode, Shape, network_of, shape_made
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import (
    BatchNormalization,
    Dense,
    Dot,
    Flatten,
    GlobalAveragePooling,
    Layer,
    LayerNormalization,
    Normalization,
    Permute,
    Rescaling,
    Reshape,
    Take,
)
from chainrule.network.network import Network

__all__ = ["Assembly", "Tensor", "by_columns"]

Array = NDArray[Any]

_ONE, _ZERO = np.array(1.0), np.array(0.0)


@dataclass(eq=False)
class Tensor:
    """What a node of the network gives, times `scale` plus `offset`.

    Both are of shape (), or (columns,), or that of the rows, `shape`. `stored` is the shape in
    which the node gives the same numbers in the same order. `node` is None for an input, which has
    `name`. What is `shared` by several readers is not to be changed for one of them. `origin` is
    what scaled it or gave it its shape, which may become a layer later.
    """

    shape: Shape
    stored: Shape
    node: NetworkNode | None = None
    name: str = ""
    scale: Array = field(default_factory=lambda: _ONE)
    offset: Array = field(default_factory=lambda: _ZERO)
    shared: bool = False
    origin: str = ""

    @property
    def columns(self) -> int:
        """The last extent."""
        return self.shape[-1]

    def spread(self) -> tuple[Array, Array]:
        """Return scale and offset of each column."""
        shape = (self.columns,)
        return np.broadcast_to(self.scale, shape), np.broadcast_to(self.offset, shape)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but what the node gives."""
        return bool(np.all(self.scale == 1.0) and np.all(self.offset == 0.0))

    @property
    def by_columns(self) -> bool:
        """Whether all positions have the same scale and offset."""
        return max(np.ndim(self.scale), np.ndim(self.offset)) <= 1


class Assembly:
    """A network in the making, node by node.

    Scaling and shifting is kept back until what follows is known: it becomes a `Rescaling` or a
    `Normalization` where these fit, and else a part of the weights beside it; with `fold` always
    the latter, as far as there are weights.

    Attributes
    ----------
    origin : str
        What is being read is called there; nodes keep it.
    frozen : collection of str
        The origins whose parameters training leaves as they are.
    """

    def __init__(self, dtype: str, *, fold: bool = False) -> None:
        self.dtype = dtype
        self.origin = ""
        self.frozen: Collection[str] = ()
        self._fold = fold
        self._inputs: list[Tensor] = []
        self._nodes: list[NetworkNode] = []
        self._count = -1
        self._permuted: dict[int, Tensor] = {}  # what layers that permute read

    def input(self, shape: Shape, name: str = "x", stored: Shape | None = None) -> Tensor:
        """Return an input; the network's own rows may have another shape, `stored`."""
        self._inputs.append(Tensor(shape, stored or shape, name=name))
        return self._inputs[-1]

    def affine(self, x: Tensor, scale: Array, offset: Array) -> Tensor:
        """Return x * scale + offset, both of shape () or (columns,) or that of the rows."""
        with np.errstate(all="ignore"):
            offset = by_columns(x.offset * scale + offset)
            scaled = by_columns(x.scale * scale)
            return replace(x, scale=scaled, offset=offset, origin=self.origin)

    def reshape(self, x: Tensor, shape: Shape) -> Tensor:
        """Return the same numbers in rows of another shape.

        A layer does that where what reads it needs it.
        """
        if shape == x.shape:
            return x
        scale, offset = (
            by_columns(np.broadcast_to(each, x.shape).reshape(shape)) if np.ndim(each) else each
            for each in (x.scale, x.offset)
        )
        return replace(x, shape=shape, scale=scale, offset=offset, origin=self.origin)

    def permute(self, x: Tensor, dims: Sequence[int]) -> Tensor:
        """Return x with axis ``dims[i]``, counted from 1, as axis i; two in a row become one."""
        if list(dims) == sorted(dims):
            return x
        x = self._shaped(self._placed(x))
        if x.node is not None and x.node.layer.kind == "permute" and not x.shared:
            before = self._permuted[id(x.node)]
            self._nodes.remove(x.node)
            return self.permute(before, [x.node.layer.dims[d - 1] for d in dims])
        made = self.layer(Permute(tuple(dims)), {}, x)
        self._permuted[id(made.node)] = x
        return made

    def over_axis(self, x: Tensor, axis: int, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what a function of rows makes that takes one of their axes for the columns."""
        if axis == 0:
            return self.over_positions(x, function)
        return self.swapped(function(self.swapped(x, axis)), axis)

    def over_positions(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what a function makes of rows whose channels, the first axis, it takes last."""
        last = len(x.shape)
        made = function(self.permute(x, [*range(2, last + 1), 1]))
        return self.permute(made, [last, *range(1, last)])

    def take(self, x: Tensor, axis: int, indices: Array) -> Tensor:
        """Return entries of an axis of rows, negative indices counting from its end."""
        size = x.shape[axis]
        places = [int(i) + size * (i < 0) for i in indices]
        if not places or not all(0 <= place < size for place in places):
            raise ValueError(f"takes {indices.tolist()} of {size}")
        return self.over_axis(x, axis, lambda x: self.layer(Take(tuple(places)), {}, x))

    def swapped(self, x: Tensor, axis: int) -> Tensor:
        """Return x with an axis of its rows and the columns in each other's place."""
        axes = [*range(1, len(x.shape) + 1)]
        axes[axis], axes[-1] = axes[-1], axes[axis]
        return self.permute(x, axes)

    def pool(
        self, x: Tensor, axes: Collection[int], keepdims: bool, layer: Layer | None = None
    ) -> Tensor:
        """Return the mean over axes of a row, all but one, or what another global pool makes.

        ValueError if there are others.
        """
        kept = [axis for axis in range(len(x.shape)) if axis not in axes]
        if len(kept) != 1 or len(x.shape) < 2:
            raise ValueError(f"does not pool all axes but one of rows of shape {x.shape}")
        turned = self.permute(x, [axis + 1 for axis in (*sorted(axes), *kept)])
        made = self.layer(layer or GlobalAveragePooling(), {}, turned)
        shape = tuple(n if axis in kept else 1 for axis, n in enumerate(x.shape))
        return self.reshape(made, shape) if keepdims else made

    def dense(self, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
        """Return x W + b, with a weight of (columns, units) and a bias of (units,) or none."""
        x = self._shaped(x)
        if not (x.is_plain or self._is_rescaling(x)):
            made = self._fold_backward(x) or self._standardize(x)
            if made is None and not x.by_columns:
                made = self._placed(x)
            if made is None:
                weight, bias = _folded(x, weight, bias)
            x = made or replace(x, scale=_ONE, offset=_ZERO)
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.layer(Dense(weight.shape[1], use_bias=bias is not None), arrays, x)

    def activation(self, x: Tensor, activation: Activation) -> Tensor:
        """Return f(x); directly behind sums that nothing else reads it is their `Dense`'s own."""
        x = self._placed(x)
        over_columns = activation.kind == "softmax"
        if _is_sums(x) and (not over_columns or x.shape == x.stored):
            assert x.node is not None
            use_bias = "bias" in x.node.arrays
            x.node.layer = Dense(x.stored[-1], activation, use_bias=use_bias)
            return x
        if activation.kind == "linear":
            return x
        return self.layer(ActivationLayer(activation), {}, x, elementwise=not over_columns)

    def sigmoid_to_softmax(self, x: Tensor) -> Tensor | None:
        """Return the columns 1 - p and p of p = sigmoid(z) as the softmax of 0 and z, if it can."""
        node = x.node
        if node is None or not isinstance(node.layer, Dense) or x.shape != (1,) or not x.is_plain:
            return None
        if node.layer.activation.kind != "sigmoid":
            return None
        for name, array in node.arrays.items():
            node.arrays[name] = np.concatenate([np.zeros_like(array), array], axis=-1)
        node.layer = Dense(2, "softmax", use_bias=node.layer.use_bias)
        node.shape = (2,)
        return replace(x, shape=(2,), stored=(2,))

    def layer(
        self,
        layer: Layer,
        arrays: Mapping[str, Array],
        *inputs: Tensor,
        elementwise: bool = False,
        origin: str | None = None,
    ) -> Tensor:
        """Return what a layer with its arrays by name makes of tensors.

        One that works `elementwise` takes its rows in whatever shape they are.
        """
        origin = self.origin if origin is None else origin
        # A tensor that is read twice is placed once: its node must not be scaled twice.
        once = {id(x): x for x in inputs}
        once = {key: self._placed(x) for key, x in once.items()}
        if not elementwise:
            once = {key: self._shaped(x) for key, x in once.items()}
        placed = [once[id(x)] for x in inputs]
        names = [x.name if x.node is None else x.node.name for x in placed]
        reads = tuple(x.stored for x in placed)
        made = shape_made(layer, reads)
        self._count += 1
        node = NetworkNode(str(self._count), layer, names, dict(arrays), reads, made, origin)
        node.frozen = origin in self.frozen
        self._nodes.append(node)
        return Tensor(placed[0].shape if elementwise else made, made, node)

    def dot(self, x: Tensor) -> Tensor | None:
        """Return the sum of x over the columns where it is a product of two tensors, else None."""
        node = x.node
        if node is None or x.shared or not x.is_plain or len(x.shape) > 1 or x.shape != x.stored:
            return None
        if node.layer.kind != "multiply" or len(node.inputs) != 2:
            return None
        node.layer, node.shape = Dot(), (1,)
        return Tensor((1,), (1,), node)

    def again(self, first: Tensor, x: Tensor) -> Tensor:
        """Return what the layer that gave a tensor makes of another one, with its parameters."""
        assert first.node is not None
        return self.layer(first.node.layer, {}, x)

    def share(self, x: Tensor) -> Tensor:
        """Return a tensor that several nodes read."""
        return replace(self._placed(x), shared=True)

    def network(self, outputs: Mapping[str, Tensor]) -> Network:
        """Return the network; ValueError if an array has a wrong shape or is not finite.

        Several outputs keep their names.
        """
        names = {}
        for name, x in outputs.items():
            placed = self._shaped(self._placed(x))
            if placed.node is None:
                placed = self.layer(ActivationLayer("linear"), {}, placed)
            assert placed.node is not None
            names[name] = placed.node.name
        inputs = {x.name: x.stored for x in self._inputs}
        return network_of(inputs, self._nodes, names, self.dtype)

    def _shaped(self, x: Tensor) -> Tensor:
        """Return a tensor whose node gives the shape."""
        if x.shape == x.stored:
            return x
        layer = Flatten() if len(x.shape) == 1 else Reshape(x.shape)
        plain = replace(x, scale=_ONE, offset=_ZERO)
        made = self.layer(layer, {}, plain, elementwise=True, origin=x.origin)
        return replace(made, shape=x.shape, scale=x.scale, offset=x.offset)

    def _placed(self, x: Tensor) -> Tensor:
        """Return a tensor whose scaling has become a node, or a part of the one before."""
        on_node = self.reshape(x, x.stored)
        if not on_node.by_columns:
            on_node = self._shaped(self.reshape(x, (math.prod(x.shape),)))
        return replace(self._placed_by_columns(on_node), shape=x.shape)

    def _placed_by_columns(self, x: Tensor) -> Tensor:
        """Place a scaling of the node's own columns."""
        if x.is_plain:
            # A bias of zeros is a bias to be trained.
            made = self._fold_backward(x) if np.ndim(x.offset) and _lacks_bias(x) else None
            return made or replace(x, scale=_ONE, offset=_ZERO)
        plain = replace(x, scale=_ONE, offset=_ZERO)
        if self._is_rescaling(x):
            layer: Layer = Rescaling(float(x.scale), float(x.offset))
            return self.layer(layer, {}, plain, elementwise=True, origin=x.origin)
        made = self._fold_backward(x) or self._standardize(x)
        if made is not None:
            return made
        # A `BatchNormalization` that has never seen a batch.
        scale, offset = x.spread()
        layer = BatchNormalization()
        arrays = {
            "gamma": scale * np.sqrt(1.0 + layer.epsilon),
            "beta": offset,
            "running_mean": np.zeros(x.columns),
            "running_variance": np.ones(x.columns),
        }
        return self.layer(layer, arrays, plain, origin=x.origin)

    def _is_rescaling(self, x: Tensor) -> bool:
        """Whether the scaling is, or may become, a `Rescaling`."""
        if self._fold or np.ndim(x.scale) or np.ndim(x.offset):
            return False
        return not (float(x.scale) == 1.0 and _lacks_bias(x))

    def _fold_backward(self, x: Tensor) -> Tensor | None:
        """Return a tensor whose node scales instead, if it can."""
        node = x.node
        if node is None or x.shared or not x.by_columns or x.shape != x.stored:
            return None
        scale, offset = x.spread()
        ones, zeros = np.ones(x.columns), np.zeros(x.columns)
        with np.errstate(all="ignore"):
            if _is_sums(x):
                weight = node.arrays["weight"]
                if np.any(scale != 1.0):
                    weight = weight * scale.astype(weight.dtype)
                bias = node.arrays.get("bias", zeros) * scale + offset
                node.layer, node.arrays = Dense(x.columns), {"weight": weight, "bias": bias}
            elif isinstance(node.layer, BatchNormalization | LayerNormalization):
                node.arrays["gamma"] = node.arrays.get("gamma", ones) * scale
                node.arrays["beta"] = node.arrays.get("beta", zeros) * scale + offset
                config = {**node.layer.config, "scale": True, "center": True}
                node.layer = Layer.from_config(config)
            else:
                return None
        return Tensor(x.shape, x.stored, node)

    def _standardize(self, x: Tensor) -> Tensor | None:
        """Return a `Normalization` that scales instead, if it can: of an input."""
        fits = x.node is None and not self._fold and x.by_columns and x.shape == x.stored
        moments = moments_of(*x.spread(), self.dtype) if fits else None
        if moments is None:
            return None
        arrays = {"mean": moments[0], "variance": moments[1]}
        plain = replace(x, scale=_ONE, offset=_ZERO)
        return self.layer(Normalization(), arrays, plain, origin=x.origin)


def by_columns(array: Array) -> Array:
    """Return an array of the rows' shape as one of columns, if all positions have the same."""
    array = np.asarray(array)
    if array.ndim <= 1:
        return array
    positions = array.reshape(-1, array.shape[-1])
    return positions[0] if bool((positions == positions[:1]).all()) else array


def _is_sums(x: Tensor) -> bool:
    """Whether a tensor is what a linear `Dense` gives, which may be changed."""
    layer = None if x.node is None or x.shared else x.node.layer
    return isinstance(layer, Dense) and layer.activation.kind == "linear"


def _lacks_bias(x: Tensor) -> bool:
    return _is_sums(x) and x.node is not None and "bias" not in x.node.arrays


def _folded(x: Tensor, weight: Array, bias: Array | None) -> tuple[Array, Array | None]:
    """Return weights that scale and shift their own inputs."""
    scale, offset = x.spread()
    with np.errstate(all="ignore"):
        shift = np.einsum("i,ij->j", offset, weight, dtype=np.float64, casting="same_kind")
        weight = weight * scale.astype(weight.dtype)[:, None]
    return weight, shift if bias is None else bias + shift
