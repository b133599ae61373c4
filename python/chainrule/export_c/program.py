# SPDX-License-Identifier: Apache-2.0
"""What a network becomes in C: a list of operations, each a call of one C function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule import activations, layers

if TYPE_CHECKING:
    from chainrule.sequential import Sequential

__all__ = [
    "Activation",
    "Affine",
    "Copy",
    "Dense",
    "LayerNormalization",
    "Operation",
    "lower",
    "pieces",
    "refuse",
    "run",
]

Array = NDArray[Any]
_LARGEST = float(np.finfo(np.float32).max)
# Weights times a factor beyond these could leave the range in which floats have all their digits.
_MODERATE = (1e-6, 1e6)
_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, eq=False)
class Operation(ABC):
    """One step from a row of numbers to the next.

    Attributes
    ----------
    layer : int
        The layer of the network that it is, or the first of several.
    merged : tuple of int
        Further layers that have become part of it.
    inputs, outputs : int
        Columns read and written.
    name : str
        What to call it.
    in_place : bool
        Whether it can write over what it reads.
    reads, writes : {"float", "int8"}
        Types of its values.
    """

    layer: int
    merged: tuple[int, ...]
    inputs: int
    outputs: int
    name: ClassVar[str]
    in_place: ClassVar[bool] = True
    reads: ClassVar[str] = "float"
    writes: ClassVar[str] = "float"

    @abstractmethod
    def run(self, x: Array) -> Array:
        """Return what the C function gives for each row of `x`, to rounding."""

    @property
    def constants(self) -> tuple[Array, ...]:
        """The arrays that become constants of the C file."""
        return ()


@dataclass(frozen=True, eq=False)
class Copy(Operation):
    """y = x, of a network that does nothing in inference."""

    name = "copy"

    def run(self, x: Array) -> Array:
        """Return `x`."""
        return x


@dataclass(frozen=True, eq=False)
class Affine(Operation):
    """y = scale * x + shift, of arrays of shape (inputs,)."""

    scale: Array
    shift: Array
    name = "scaling"

    @property
    def uniform(self) -> bool:
        """Whether all features have the same scale and shift."""
        return bool((self.scale == self.scale[0]).all() and (self.shift == self.shift[0]).all())

    @property
    def constants(self) -> tuple[Array, ...]:
        """None where two numbers are enough."""
        return () if self.uniform else (self.scale, self.shift)

    def run(self, x: Array) -> Array:
        """Return the scaled rows."""
        return x * self.scale + self.shift


@dataclass(frozen=True, eq=False)
class Dense(Operation):
    """y = x weight + bias, of shapes (inputs, outputs) and (outputs,)."""

    weight: Array
    bias: Array
    name = "dense"
    in_place = False

    @property
    def constants(self) -> tuple[Array, ...]:
        """Weight and bias."""
        return self.weight, self.bias

    def run(self, x: Array) -> Array:
        """Return the sums."""
        return x @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class Activation(Operation):
    """A non-linearity."""

    activation: activations.Activation
    name = "activation"

    def run(self, x: Array) -> Array:
        """Return what the library makes of `x`."""
        return self._network.predict(x)

    @cached_property
    def _network(self) -> Sequential:
        return _one_layer(self.inputs, layers.Activation(self.activation))


@dataclass(frozen=True, eq=False)
class LayerNormalization(Operation):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta over the row."""

    gamma: Array
    beta: Array
    epsilon: float
    name = "layer normalization"

    @property
    def constants(self) -> tuple[Array, ...]:
        """Factors and offsets."""
        return self.gamma, self.beta

    def run(self, x: Array) -> Array:
        """Return what the library makes of `x`."""
        return self._network.predict(x)

    @cached_property
    def _network(self) -> Sequential:
        net = _one_layer(self.inputs, layers.LayerNormalization(epsilon=self.epsilon))
        net.set_weights({"0.gamma": self.gamma, "0.beta": self.beta})
        return net


def lower(net: Sequential, *, into_weights: bool) -> list[Operation]:
    """Return the operations of a network in inference.

    Dropout and linear activations vanish; neighbouring scalings become one; a scaling behind a
    linear dense layer becomes part of its weights.

    Parameters
    ----------
    net : Sequential
        A built network.
    into_weights : bool
        Whether a factor before a dense layer becomes part of its weights too. Weights that will be
        rounded to int8 should not take over the features' different sizes.

    Returns
    -------
    list of Operation
        At least one, with arrays of float32.

    Raises
    ------
    ValueError
        If the network has no form in C; the text lists all reasons.
    """
    parameters: dict[int, dict[str, Array]] = {}
    for name, values in net.parameters.items():
        layer, array = name.split(".")
        parameters.setdefault(int(layer), {})[array] = values.astype(np.float64)
    operations: list[Operation] = []
    reasons = []
    columns = inputs = net._need_core().inputs
    for index, layer in enumerate(net.layers):
        own = parameters.get(index, {})
        beyond = [name for name, values in own.items() if not _fits(values)]
        if beyond:
            listed = " and ".join(beyond)
            reasons.append(f"layer {index} ({layer.kind}): {listed} beyond the range of float")
        elif layer.kind not in _OPERATIONS_OF:
            reasons.append(f"layer {index} ({layer.kind}) has no form in C")
        else:
            operations += _OPERATIONS_OF[layer.kind](layer, index, columns, own)
        columns = layer.outputs(columns)
    refuse(reasons)
    operations = _merged(operations)
    if into_weights:
        operations = _factors_in_weights(operations)
    operations = [_in_float32(operation) for operation in operations]
    refuse(
        f"layer {operation.layer} ({net.layers[operation.layer].kind}) together with its "
        "neighbouring scaling is beyond the range of float"
        for operation in operations
        if not all(np.isfinite(array).all() for array in operation.constants)
    )
    return operations or [Copy(0, (), inputs, inputs)]


def run(operations: Sequence[Operation], x: Array) -> Array:
    """Return the outputs of all operations for the rows of `x`, as the C code computes them."""
    outputs = []
    for rows in pieces(x):
        for operation in operations:
            rows = operation.run(rows)
        outputs.append(rows)
    return np.concatenate(outputs)


def pieces(x: Array) -> Iterator[Array]:
    """Yield the rows of `x` as float32, not too many at a time."""
    for start in range(0, len(x), _ROWS_AT_A_TIME):
        yield x[start : start + _ROWS_AT_A_TIME].astype(np.float32)


def refuse(reasons: Iterable[str]) -> None:
    """Raise ValueError with all reasons why a network cannot be exported, if there are any."""
    listed = list(reasons)
    if listed:
        raise ValueError(f"the network cannot be exported to C: {'; '.join(listed)}")


def _fits(values: Array) -> bool:
    return bool(np.isfinite(values).all() and (np.abs(values) <= _LARGEST).all())


def _one_layer(inputs: int, layer: layers.Layer) -> Sequential:
    from chainrule.sequential import Sequential

    return Sequential([layers.Input(inputs), layer], seed=0)


def _activation(activation: activations.Activation, index: int, columns: int) -> list[Operation]:
    if activation.kind == "linear":
        return []
    if isinstance(activation, activations.LeakyRelu) and activation.negative_slope == 0:
        activation = activations.Relu()
    return [Activation(index, (), columns, columns, activation)]


def _of_dense(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    bias = own.get("bias", np.zeros(layer.units))
    dense = Dense(index, (), columns, layer.units, own["weight"], bias)
    return [dense, *_activation(layer.activation, index, layer.units)]


def _of_activation(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    return _activation(layer.activation, index, columns)


def _of_dropout(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    return []


def _of_rescaling(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    scale, shift = np.full(columns, layer.scale), np.full(columns, layer.offset)
    return [Affine(index, (), columns, columns, scale, shift)]


def _of_normalization(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    # A feature that never varies is only centred.
    varies = own["variance"] > 0
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, own["variance"], 1.0)), 1.0)
    return [Affine(index, (), columns, columns, scale, -own["mean"] * scale)]


def _of_batch_normalization(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    scale = own.get("gamma", 1.0) / np.sqrt(own["running_variance"] + layer.epsilon)
    shift = own.get("beta", 0.0) - own["running_mean"] * scale
    return [Affine(index, (), columns, columns, scale, shift)]


def _of_layer_normalization(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    gamma, beta = own.get("gamma", np.ones(columns)), own.get("beta", np.zeros(columns))
    return [LayerNormalization(index, (), columns, columns, gamma, beta, layer.epsilon)]


_OPERATIONS_OF = {
    "activation": _of_activation,
    "batch_normalization": _of_batch_normalization,
    "dense": _of_dense,
    "dropout": _of_dropout,
    "layer_normalization": _of_layer_normalization,
    "normalization": _of_normalization,
    "rescaling": _of_rescaling,
}


def _merged(operations: Sequence[Operation]) -> list[Operation]:
    """Make every scaling a part of the scaling or the linear dense layer before it."""
    result: list[Operation] = []
    for operation in operations:
        before = result[-1] if result else None
        if not isinstance(operation, Affine) or not isinstance(before, Affine | Dense):
            result.append(operation)
            continue
        scale, shift = operation.scale, operation.shift
        merged = (*before.merged, operation.layer)
        if isinstance(before, Dense):
            weight, bias = before.weight * scale, before.bias * scale + shift
            result[-1] = replace(before, merged=merged, weight=weight, bias=bias)
        else:
            both, total = before.scale * scale, before.shift * scale + shift
            result[-1] = replace(before, merged=merged, scale=both, shift=total)
    return result


def _factors_in_weights(operations: Sequence[Operation]) -> list[Operation]:
    """Make scalings without a shift a part of the dense layer behind them."""
    result: list[Operation] = []
    for operation in operations:
        before = result[-1] if result else None
        if isinstance(operation, Dense) and isinstance(before, Affine) and _is_factor(before):
            merged = (*operation.merged, before.layer, *before.merged)
            weight = operation.weight * before.scale[:, np.newaxis]
            result[-1] = replace(operation, merged=merged, weight=weight)
        else:
            result.append(operation)
    return result


def _is_factor(affine: Affine) -> bool:
    # With a shift, large means would cancel in the sums.
    size = np.abs(affine.scale)
    return not affine.shift.any() and bool(((_MODERATE[0] <= size) & (size <= _MODERATE[1])).all())


def _in_float32(operation: Operation) -> Operation:
    with np.errstate(over="ignore"):
        if isinstance(operation, Affine):
            scale, shift = operation.scale, operation.shift
            return replace(operation, scale=np.float32(scale), shift=np.float32(shift))
        if isinstance(operation, Dense):
            weight, bias = operation.weight, operation.bias
            return replace(operation, weight=np.float32(weight), bias=np.float32(bias))
        if isinstance(operation, LayerNormalization):
            gamma, beta = operation.gamma, operation.beta
            return replace(operation, gamma=np.float32(gamma), beta=np.float32(beta))
    return operation
