# SPDX-License-Identifier: Apache-2.0
"""The operations that a network becomes in C, each a call of one C function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule import activations, layers

if TYPE_CHECKING:
    from chainrule.network.sequential import Sequential

__all__ = [
    "Activation",
    "Affine",
    "Array",
    "Copy",
    "Dense",
    "LayerNormalization",
    "Operation",
    "PReLU",
    "apply",
    "pieces",
    "run",
]

Array = NDArray[Any]
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
class PReLU(Operation):
    """y = x where x > 0, else slope * x, of a slope of shape (inputs,)."""

    slope: Array
    name = "prelu"

    @property
    def constants(self) -> tuple[Array, ...]:
        """The slopes."""
        return (self.slope,)

    def run(self, x: Array) -> Array:
        """Return the rows with negative values scaled."""
        return np.where(x > 0, x, self.slope * x)


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


def run(operations: Sequence[Operation], x: Array) -> Array:
    """Return the outputs of all operations for the rows of `x`, as the C code computes them."""
    outputs = []
    for rows in pieces(x):
        for operation in operations:
            rows = apply(operation, rows)
        outputs.append(rows)
    return np.concatenate(outputs)


def apply(operation: Operation, x: Array) -> Array:
    """Return ``operation.run(x)``, which may overflow as C does."""
    with np.errstate(over="ignore", invalid="ignore"):
        return operation.run(x)


def pieces(x: Array) -> Iterator[Array]:
    """Yield the rows of `x` as float32, not too many at a time."""
    for start in range(0, len(x), _ROWS_AT_A_TIME):
        yield x[start : start + _ROWS_AT_A_TIME].astype(np.float32)


def _one_layer(inputs: int, layer: layers.Layer) -> Sequential:
    from chainrule.network.sequential import Sequential

    return Sequential([layers.Input(inputs), layer], seed=0)
