# SPDX-License-Identifier: Apache-2.0
"""Layers with their arrays, put together to a network as another program's graph gives them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.affine import moments_of
from chainrule.interop.nodes import NetworkNode, Shape, network_of, shape_made
from chainrule.interop.tensor import (
    ONE,
    ZERO,
    Tensor,
    by_columns,
    folded,
    is_permuted,
    is_sums,
    lacks_bias,
    unpermuted,
)
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
)
from chainrule.network.network import Network

__all__ = ["Assembly"]

Array = NDArray[Any]


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
    shared : mapping of str to str
        Origins that use the parameters of another one, with that one.
    """

    def __init__(self, dtype: str, *, fold: bool = False) -> None:
        self.dtype = dtype
        self.origin = ""
        self.frozen: Collection[str] = ()
        self.shared: Mapping[str, str] = {}
        self._fold = fold
        self._inputs: list[Tensor] = []
        self._nodes: list[NetworkNode] = []
        self._count = -1
        self._read: dict[int, Tensor] = {}  # what nodes of one input read

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
        under = self._under_permute(x)
        if under is None and x.shared and x.is_plain and is_permuted(x):
            assert x.node is not None  # others read it, so that what it reads has two readers
            before = self._read[id(x.node)] = replace(self._read[id(x.node)], shared=True)
            under = before, x.node.layer.dims
        if under is not None:
            before, inner = under
            return self.permute(before, [inner[d - 1] for d in dims])
        return self.layer(Permute(tuple(dims)), {}, x)

    def read_by(self, x: Tensor) -> Tensor:
        """Return what the node of a tensor reads, of several tensors the first."""
        assert x.node is not None
        return self._read[id(x.node)]

    def undo(self, x: Tensor) -> Tensor:
        """Return what the node of a tensor reads; the node, which nothing else reads, is gone."""
        assert x.node is not None
        self._nodes.remove(x.node)
        return self._read[id(x.node)]

    def maker(self, x: Tensor) -> NetworkNode | None:
        """Return the node that makes the numbers of a tensor, which a `Permute` only moves."""
        node = x.node
        while node is not None and node.layer.kind == "permute":
            node = self._read[id(node)].node
        return node

    def elementwise(self, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """Return what a function of single numbers makes of x.

        It moves before a `Permute`, which so may meet another one.
        """
        under = self._under_permute(x)
        if under is None:
            return function(x)
        before, dims = under
        return self.permute(function(before), dims)

    def _under_permute(self, x: Tensor) -> tuple[Tensor, Sequence[int]] | None:
        """Take away a `Permute` that nothing else reads; return what it read, and its dims."""
        # What x is scaled by stays with what is returned, where that is a scaling of columns.
        if x.node is None or x.shared or not is_permuted(x):
            return None
        before = unpermuted(x, self._read[id(x.node)])
        if before is None:
            return None
        self._nodes.remove(x.node)
        return before, x.node.layer.dims

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
        transposed = self.permute(x, [axis + 1 for axis in (*sorted(axes), *kept)])
        made = self.layer(layer or GlobalAveragePooling(), {}, transposed)
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
                weight, bias = folded(x, weight, bias)
            x = made or replace(x, scale=ONE, offset=ZERO)
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.layer(Dense(weight.shape[1], use_bias=bias is not None), arrays, x)

    def activation(self, x: Tensor, activation: Activation) -> Tensor:
        """Return f(x); directly behind sums that nothing else reads it is their `Dense`'s own."""
        x = self._placed(x)
        if activation.kind == "softmax":
            return self._activated(x, activation)
        return self.elementwise(x, lambda x: self._activated(x, activation))

    def _activated(self, x: Tensor, activation: Activation) -> Tensor:
        over_columns = activation.kind == "softmax"
        if is_sums(x) and (not over_columns or x.shape == x.stored):
            assert x.node is not None
            config = {**x.node.layer.config, "activation": activation}
            x.node.layer = Layer.from_config(config)
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
        self._read[id(node)] = placed[0]
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

    @property
    def count(self) -> int:
        """How many nodes there have been."""
        return self._count + 1

    def same(self, count: int, layers: Sequence[Layer] | None) -> list[Layer]:
        """Return the layers with parameters that have come since there were `count` nodes.

        Where others are given, from an earlier call, these are taken instead of the new ones, so
        that both share parameters. ValueError if they have other options.
        """
        nodes = [node for node in self._nodes if int(node.name) >= count and node.arrays]
        if layers is not None:
            if [node.layer for node in nodes] != [*layers]:
                raise ValueError("is called several times, as layers of other options")
            for node, layer in zip(nodes, layers, strict=True):
                node.layer, node.arrays = layer, {}
        return [node.layer for node in nodes]

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
        return network_of(inputs, self._nodes, names, self.dtype, self.shared)

    def _shaped(self, x: Tensor) -> Tensor:
        """Return a tensor whose node gives the shape."""
        if x.stored == (x.shape or (1,)):
            return x
        layer = Flatten() if len(x.shape) < 2 else Reshape(x.shape)
        plain = replace(x, scale=ONE, offset=ZERO)
        made = self.layer(layer, {}, plain, elementwise=True, origin=x.origin)
        return replace(made, shape=x.shape, scale=x.scale, offset=x.offset)

    def _placed(self, x: Tensor) -> Tensor:
        """Return a tensor whose scaling has become a node, or a part of the one before."""
        if not x.is_plain and not x.by_columns:
            under = self._under_permute(x)
            if under is not None:
                before, dims = under
                return self.permute(self._placed(before), dims)
        on_node = self.reshape(x, x.stored)
        if not on_node.by_columns:
            on_node = self._shaped(self.reshape(x, (math.prod(x.shape),)))
        return replace(self._placed_by_columns(on_node), shape=x.shape)

    def _placed_by_columns(self, x: Tensor) -> Tensor:
        """Place a scaling of the node's own columns."""
        if x.is_plain:
            # A bias of zeros is a bias to be trained.
            made = self._fold_backward(x) if np.ndim(x.offset) and lacks_bias(x) else None
            return made or replace(x, scale=ONE, offset=ZERO)
        plain = replace(x, scale=ONE, offset=ZERO)
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
        return not (float(x.scale) == 1.0 and lacks_bias(x))

    def _fold_backward(self, x: Tensor) -> Tensor | None:
        """Return a tensor whose node scales instead, if it can."""
        node = x.node
        if node is None or x.shared or not x.by_columns or x.shape != x.stored:
            return None
        scale, offset = x.spread()
        ones, zeros = np.ones(x.columns), np.zeros(x.columns)
        with np.errstate(all="ignore"):
            if is_sums(x):
                weight = node.arrays["weight"]
                if np.any(scale != 1.0):
                    factors = scale.astype(weight.dtype)
                    # A transposed convolution has its filters before its channels.
                    of_rows = node.layer.kind in ("conv1d_transpose", "conv2d_transpose")
                    weight = weight * (factors[:, None] if of_rows else factors)
                bias = node.arrays.get("bias", zeros) * scale + offset
                node.layer = Layer.from_config({**node.layer.config, "use_bias": True})
                node.arrays = {"weight": weight, "bias": bias}
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
        plain = replace(x, scale=ONE, offset=ZERO)
        return self.layer(Normalization(), arrays, plain, origin=x.origin)
