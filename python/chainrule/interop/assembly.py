# SPDX-License-Identifier: Apache-2.0
"""Layers with their arrays, put together to a network as another program's file gives them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.affine import moments_of
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import (
    BatchNormalization,
    Dense,
    Input,
    Layer,
    LayerNormalization,
    Normalization,
    Rescaling,
)
from chainrule.network.sequential import Sequential

__all__ = ["Assembly"]

_GAMMA_AND_BETA = BatchNormalization | LayerNormalization


@dataclass
class _Step:
    layer: Layer
    arrays: dict[str, NDArray[Any]]


class Assembly:
    """A network in the making, layer by layer from the input.

    Scaling and shifting is kept back until what follows is known: it becomes a `Rescaling` or a
    `Normalization` where these fit, and else a part of the weights beside it; with `fold` always
    the latter, as far as there are weights. `columns` are those of what was added last.
    """

    def __init__(self, inputs: int, dtype: str, *, fold: bool = False) -> None:
        self.columns = inputs
        self._inputs = inputs
        self._dtype = dtype
        self._fold = fold
        self._steps: list[_Step] = []
        self._scale: NDArray[Any] = np.array(1.0)
        self._offset: NDArray[Any] = np.array(0.0)

    def affine(self, scale: NDArray[Any], offset: NDArray[Any]) -> None:
        """Add x * scale + offset, both of shape () or (columns,)."""
        with np.errstate(all="ignore"):
            self._offset = np.asarray(self._offset * scale + offset)
            self._scale = np.asarray(self._scale * scale)

    def dense(self, weight: NDArray[Any], bias: NDArray[Any] | None = None) -> None:
        """Add x W + b, with a weight of shape (columns, units) and a bias of (units,) or none."""
        if not self._is_plain() and not self._fold_backward() and not self._standardize():
            weight, bias = self._folded(weight, bias)
        self._place_affine()
        arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
        self.columns = weight.shape[1]
        self._steps.append(_Step(Dense(self.columns, use_bias=bias is not None), arrays))

    def activation(self, activation: Activation) -> None:
        """Add an activation; directly after sums it becomes that of their `Dense`."""
        self._place_affine()
        last = self._steps[-1].layer if self._steps else None
        if isinstance(last, Dense) and last.activation.kind == "linear":
            use_bias = "bias" in self._steps[-1].arrays
            self._steps[-1].layer = Dense(last.units, activation, use_bias=use_bias)
        elif activation.kind != "linear":
            self._steps.append(_Step(ActivationLayer(activation), {}))

    def sigmoid_to_softmax(self) -> bool:
        """Make the columns 1 - p and p of p = sigmoid(z) by the softmax of 0 and z, if possible."""
        step = self._steps[-1] if self._steps else None
        if step is None or not isinstance(step.layer, Dense) or self.columns != 1:
            return False
        if step.layer.activation.kind != "sigmoid":
            return False
        for name, array in step.arrays.items():
            step.arrays[name] = np.concatenate([np.zeros_like(array), array], axis=-1)
        self.columns = 2
        step.layer = Dense(2, "softmax", use_bias=step.layer.use_bias)
        return True

    def layer(self, layer: Layer, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add a layer that leaves the number of columns as it is, with its arrays by name."""
        self._place_affine()
        self._steps.append(_Step(layer, dict(arrays)))

    def network(self) -> Sequential:
        """Return the network; ValueError if an array has a wrong shape or is not finite."""
        self._place_affine()
        if not self._steps:
            self._steps.append(_Step(ActivationLayer("linear"), {}))
        layers = [step.layer for step in self._steps]
        net = Sequential([Input(self._inputs), *layers], seed=0, dtype=self._dtype)
        for index, step in enumerate(self._steps):
            for name, values in step.arrays.items():
                # One at a time, so that of all weights only one is there a third time.
                net.set_weights({f"{index}.{name}": values})
        net._built_core().adapted = True
        return net

    def _place_affine(self) -> None:
        """Make a layer, or a part of the one before, of the scaling that was kept back."""
        if np.all(self._scale == 1.0) and np.all(self._offset == 0.0):
            # A bias of zeros is a bias to be trained.
            if not (np.ndim(self._offset) and self._lacks_bias() and self._fold_backward()):
                self._forget_affine()
        elif self._is_plain():
            layer = Rescaling(float(self._scale), float(self._offset))
            self._steps.append(_Step(layer, {}))
            self._forget_affine()
        elif not self._fold_backward() and not self._standardize():
            self._normalize()

    def _is_plain(self) -> bool:
        """Whether what was kept back is, or may become, a `Rescaling`."""
        if self._fold or np.ndim(self._scale) or np.ndim(self._offset):
            return False
        return not (float(self._scale) == 1.0 and self._lacks_bias())

    def _lacks_bias(self) -> bool:
        return bool(self._steps) and self._is_sums() and "bias" not in self._steps[-1].arrays

    def _is_sums(self) -> bool:
        last = self._steps[-1].layer
        return isinstance(last, Dense) and last.activation.kind == "linear"

    def _forget_affine(self) -> None:
        self._scale, self._offset = np.array(1.0), np.array(0.0)

    def _columns(self) -> tuple[NDArray[Any], NDArray[Any]]:
        shape = (self.columns,)
        return np.broadcast_to(self._scale, shape), np.broadcast_to(self._offset, shape)

    def _fold_backward(self) -> bool:
        """Multiply the layer before instead, if that is possible."""
        if not self._steps:
            return False
        step = self._steps[-1]
        scale, offset = self._columns()
        with np.errstate(all="ignore"):
            if self._is_sums():
                bias = step.arrays.get("bias", np.zeros(self.columns))
                weight = step.arrays["weight"]
                if np.any(scale != 1.0):
                    weight = weight * scale.astype(weight.dtype)
                step.arrays = {"weight": weight, "bias": bias * scale + offset}
                step.layer = Dense(self.columns)
            elif isinstance(step.layer, _GAMMA_AND_BETA):
                gamma = step.arrays.get("gamma", np.ones(self.columns)) * scale
                beta = step.arrays.get("beta", np.zeros(self.columns)) * scale + offset
                config = {**step.layer.config, "scale": True, "center": True}
                step.layer = Layer.from_config(config)
                step.arrays |= {"gamma": gamma, "beta": beta}
            else:
                return False
        self._forget_affine()
        return True

    def _standardize(self) -> bool:
        """Make a `Normalization` of the scaling, if that is possible: at the front."""
        if self._steps or self._fold:
            return False
        moments = moments_of(*self._columns(), self._dtype)
        if moments is None:
            return False
        self._steps.append(_Step(Normalization(), {"mean": moments[0], "variance": moments[1]}))
        self._forget_affine()
        return True

    def _folded(
        self, weight: NDArray[Any], bias: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """Return weights that scale and shift their own inputs."""
        scale, offset = self._columns()
        with np.errstate(all="ignore"):
            shift = np.einsum("i,ij->j", offset, weight, dtype=np.float64, casting="same_kind")
            weight = weight * scale.astype(weight.dtype)[:, None]
        self._forget_affine()
        return weight, shift if bias is None else bias + shift

    def _normalize(self) -> None:
        """Make a `BatchNormalization` that has never seen a batch of the scaling."""
        scale, offset = self._columns()
        layer = BatchNormalization()
        zeros = np.zeros(self.columns)
        arrays = {
            "gamma": scale * np.sqrt(1.0 + layer.epsilon),
            "beta": offset,
            "running_mean": zeros,
            "running_variance": zeros + 1.0,
        }
        self._steps.append(_Step(layer, arrays))
        self._forget_affine()
