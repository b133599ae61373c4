# SPDX-License-Identifier: Apache-2.0
"""Layers with their arrays, put together to a network as another program's graph gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.affine import moments_of
from chainrule.interop.nodes import NetworkNode, columns_made, network_of
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import (
    BatchNormalization,
    Dense,
    Layer,
    LayerNormalization,
    Normalization,
    Rescaling,
)
from chainrule.network.network import Network

__all__ = ["Assembly", "Tensor"]

Array = NDArray[Any]

_ONE, _ZERO = np.array(1.0), np.array(0.0)


@dataclass(eq=False)
class Tensor:
    """What a node of the network gives, times `scale` plus `offset`, both of () or (columns,).

    `node` is None for an input, which has `name`. What is `shared` by several readers is not to be
    changed for one of them. `axes` are those of a row that has several.
    """

    columns: int
    node: NetworkNode | None = None
    name: str = ""
    scale: Array = field(default_factory=lambda: _ONE)
    offset: Array = field(default_factory=lambda: _ZERO)
    shared: bool = False
    axes: tuple[int, ...] = ()

    def spread(self) -> tuple[Array, Array]:
        """Return scale and offset of each column."""
        shape = (self.columns,)
        return np.broadcast_to(self.scale, shape), np.broadcast_to(self.offset, shape)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but what the node gives."""
        return bool(np.all(self.scale == 1.0) and np.all(self.offset == 0.0))


class Assembly:
    """A network in the making, node by node.

    Scaling and shifting is kept back until what follows is known: it becomes a `Rescaling` or a
    `Normalization` where these fit, and else a part of the weights beside it; with `fold` always
    the latter, as far as there are weights.
    """

    def __init__(self, dtype: str, *, fold: bool = False) -> None:
        self.dtype = dtype
        self._fold = fold
        self._inputs: list[Tensor] = []
        self._nodes: list[NetworkNode] = []

    def input(self, columns: int, name: str = "x", axes: tuple[int, ...] = ()) -> Tensor:
        """Return an input."""
        self._inputs.append(Tensor(columns, name=name, axes=axes))
        return self._inputs[-1]

    def affine(self, x: Tensor, scale: Array, offset: Array) -> Tensor:
        """Return x * scale + offset, both of shape () or (columns,)."""
        with np.errstate(all="ignore"):
            offset = np.asarray(x.offset * scale + offset)
            return replace(x, scale=np.asarray(x.scale * scale), offset=offset)

    def dense(self, x: Tensor, weight: Array, bias: Array | None = None) -> Tensor:
        """Return x W + b, with a weight of (columns, units) and a bias of (units,) or none."""
        if not (x.is_plain or self._is_rescaling(x)):
            made = self._fold_backward(x) or self._standardize(x)
            if made is None:
                weight, bias = _folded(x, weight, bias)
            x = made or replace(x, scale=_ONE, offset=_ZERO)
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        return self.layer(Dense(weight.shape[1], use_bias=bias is not None), arrays, x)

    def activation(self, x: Tensor, activation: Activation) -> Tensor:
        """Return f(x); directly behind sums that nothing else reads it is their `Dense`'s own."""
        x = self._placed(x)
        if _is_sums(x):
            assert x.node is not None
            x.node.layer = Dense(x.columns, activation, use_bias="bias" in x.node.arrays)
            return x
        return x if activation.kind == "linear" else self.layer(ActivationLayer(activation), {}, x)

    def sigmoid_to_softmax(self, x: Tensor) -> Tensor | None:
        """Return the columns 1 - p and p of p = sigmoid(z) as the softmax of 0 and z, if it can."""
        node = x.node
        if node is None or not isinstance(node.layer, Dense) or x.columns != 1 or not x.is_plain:
            return None
        if node.layer.activation.kind != "sigmoid":
            return None
        for name, array in node.arrays.items():
            node.arrays[name] = np.concatenate([np.zeros_like(array), array], axis=-1)
        node.layer = Dense(2, "softmax", use_bias=node.layer.use_bias)
        return replace(x, columns=2)

    def layer(self, layer: Layer, arrays: Mapping[str, Array], *inputs: Tensor) -> Tensor:
        """Return what a layer with its arrays by name makes of tensors."""
        placed = [self._placed(x) for x in inputs]
        names = [x.name if x.node is None else x.node.name for x in placed]
        columns = columns_made(layer, [x.columns for x in placed])
        node = NetworkNode(str(len(self._nodes)), layer, names, dict(arrays), columns)
        self._nodes.append(node)
        return Tensor(columns, node, axes=placed[0].axes if columns == placed[0].columns else ())

    def again(self, first: Tensor, x: Tensor) -> Tensor:
        """Return what the layer that gave a tensor makes of another one, with its parameters."""
        assert first.node is not None
        return self.layer(first.node.layer, {}, x)

    def share(self, x: Tensor) -> Tensor:
        """Return a tensor that several nodes read."""
        return replace(self._placed(x), shared=True)

    def network(self, outputs: Mapping[str, Tensor]) -> Network:
        """Return the network; ValueError if an array has a wrong shape or is not finite.

        Of several outputs the names are kept.
        """
        names = {}
        for name, x in outputs.items():
            placed = self._placed(x)
            if placed.node is None:
                placed = self.layer(ActivationLayer("linear"), {}, placed)
            assert placed.node is not None
            names[name] = placed.node.name
        inputs = {x.name: x.columns for x in self._inputs}
        return network_of(inputs, self._nodes, names, self.dtype)

    def _placed(self, x: Tensor) -> Tensor:
        """Return a tensor whose scaling has become a node, or a part of the one before."""
        if x.is_plain:
            # A bias of zeros is a bias to be trained.
            made = self._fold_backward(x) if np.ndim(x.offset) and _lacks_bias(x) else None
            return made or replace(x, scale=_ONE, offset=_ZERO)
        plain = replace(x, scale=_ONE, offset=_ZERO)
        if self._is_rescaling(x):
            return self.layer(Rescaling(float(x.scale), float(x.offset)), {}, plain)
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
        return self.layer(layer, arrays, plain)

    def _is_rescaling(self, x: Tensor) -> bool:
        """Whether the scaling is, or may become, a `Rescaling`."""
        if self._fold or np.ndim(x.scale) or np.ndim(x.offset):
            return False
        return not (float(x.scale) == 1.0 and _lacks_bias(x))

    def _fold_backward(self, x: Tensor) -> Tensor | None:
        """Return a tensor whose node scales instead, if it can."""
        node = x.node
        if node is None or x.shared:
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
        return Tensor(x.columns, node, axes=x.axes)

    def _standardize(self, x: Tensor) -> Tensor | None:
        """Return a `Normalization` that scales instead, if it can: of an input."""
        moments = None if x.node or self._fold else moments_of(*x.spread(), self.dtype)
        if moments is None:
            return None
        arrays = {"mean": moments[0], "variance": moments[1]}
        return self.layer(Normalization(), arrays, replace(x, scale=_ONE, offset=_ZERO))


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
