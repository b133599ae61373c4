# SPDX-License-Identifier: Apache-2.0
"""The operations that a network becomes in C, each a call of one C function."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule import activations, layers
from chainrule.c_export.literals import number

if TYPE_CHECKING:
    from chainrule.network.sequential import Sequential

__all__ = ["Activation", "Affine", "Array", "Copy", "Dense", "LayerNormalization", "Operation"]
__all__ += ["Clip", "FillMissing", "MissingIndicators", "PReLU", "Product", "SmoothClip", "call"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Operation(ABC):
    """One step from rows of numbers to the next; all of its arrays become constants in C.

    Attributes
    ----------
    made : str
        The name of what it gives.
    read : tuple of str
        The names of what it takes.
    nodes : tuple of str
        The nodes of the network that it is, the one that names it first.
    inputs, outputs : int
        Columns of the first that it takes, and of what it gives.
    positions : int
        How often the C function is called, on one position of a row after the other.
    streams : bool
        Whether a call is one frame of a sequence, and goes on from the frames before.
    name : str
        What to call it.
    sizes, options : tuple of str
        Which of its numbers the C function takes before its arrays, and which behind them.
    in_place : bool
        Whether it can write over what it reads.
    reads, writes : {"float", "int8"}
        Types of its values.
    """

    made: str
    read: tuple[str, ...]
    nodes: tuple[str, ...]
    inputs: int
    outputs: int
    positions: int = field(default=1, kw_only=True)
    streams: bool = field(default=False, kw_only=True)
    name: ClassVar[str]
    sizes: ClassVar[tuple[str, ...]] = ("inputs",)
    options: ClassVar[tuple[str, ...]] = ()
    in_place: ClassVar[bool] = True
    reads: ClassVar[str] = "float"
    writes: ClassVar[str] = "float"

    @abstractmethod
    def run(self, *args: Any, **kwargs: Any) -> Array:
        """Return what the C function gives for each row of what it takes, to rounding."""

    @property
    def function(self) -> str:
        """The C function."""
        return self.name.replace(" ", "_")

    @property
    def size(self) -> int:
        """How many numbers it gives for a row."""
        return self.outputs * self.positions

    @property
    def columns_read(self) -> list[int]:
        """The columns of each that it takes."""
        return [self.inputs] * len(self.read)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays by name."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: each for name, each in values.items() if isinstance(each, np.ndarray)}

    @property
    def constants(self) -> dict[str, Array]:
        """The constants of the C file, as it lays them out."""
        return {f"{name}_{self.nodes[0]}": values for name, values in self.arrays.items()}

    @property
    def arguments(self) -> list[str]:
        """The arguments of the C function behind those that it reads and writes."""
        before, behind = (
            [number(getattr(self, name)) for name in names] for names in (self.sizes, self.options)
        )
        return [*before, *self.constants, *behind]

    @property
    def work(self) -> int:
        """How many floats it works with besides."""
        return 0

    @property
    def kept(self) -> dict[str, tuple[str, int]]:
        """C type and length by name of what it keeps from one frame to the next."""
        return {}

    def statements(self, places: Sequence[str], arguments: Sequence[str], memory: str) -> list[str]:
        """Return the C statements, by the places of what it reads and makes.

        `memory` points to what it keeps and, as `work`, what it works with besides.
        """
        if self.positions == 1:
            return [call(self.function, *places, *arguments)]
        steps = (*self.columns_read, self.outputs)
        at = [f"{place} + i * {n}" for place, n in zip(places, steps, strict=True)]
        return [
            f"for (size_t i = 0; i < {self.positions}; ++i) {{",
            f"  {call(self.function, *at, *arguments)}",
            "}",
        ]

    def in_float32(self) -> Operation:
        """Return it with numbers of float32, which may be infinite; integers stay as they are."""
        with np.errstate(over="ignore"):
            arrays: dict[str, Any] = {
                name: values.astype(np.float32)
                for name, values in self.arrays.items()
                if values.dtype.kind == "f"
            }
        return replace(self, **arrays)


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
        """Whether all features have the same scale and shift, and two numbers are enough."""
        return bool((self.scale == self.scale[0]).all() and (self.shift == self.shift[0]).all())

    @property
    def function(self) -> str:
        """The C function."""
        return "rescale" if self.uniform else "affine"

    @property
    def constants(self) -> dict[str, Array]:
        """None where two numbers are enough."""
        return {} if self.uniform else super().constants

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with scale and shift where each is one number."""
        numbers = [number(self.scale[0]), number(self.shift[0])] if self.uniform else []
        return [*super().arguments, *numbers]

    def run(self, x: Array) -> Array:
        """Return the scaled rows."""
        return x * self.scale + self.shift


class Product(Operation):
    """What has a weight of shape (inputs, outputs), and a number more for each output."""

    name = "dense"
    sizes = ("inputs", "outputs")
    in_place = False

    @property
    def constants(self) -> dict[str, Array]:
        """The weight with a row for each output, so that sums read one value after the other."""
        return {
            name: values.T if values.ndim == 2 else values
            for name, values in super().constants.items()
        }


@dataclass(frozen=True, eq=False)
class Dense(Product):
    """y = x weight + bias, of shapes (inputs, outputs) and (outputs,)."""

    weight: Array
    bias: Array

    def run(self, x: Array) -> Array:
        """Return the sums."""
        return x @ self.weight + self.bias


@dataclass(frozen=True, eq=False)
class Activation(Operation):
    """A non-linearity."""

    activation: activations.Activation
    name = "activation"

    @property
    def function(self) -> str:
        """The activation's own."""
        return self.activation.c_function

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the activation's options."""
        return [str(self.inputs), *map(number, self.activation.c_arguments)]

    def run(self, x: Array) -> Array:
        """Return what the library makes of `x`."""
        outputs: Array = self._network.predict(x)
        return outputs

    @cached_property
    def _network(self) -> Sequential:
        return _one_layer(self.inputs, layers.Activation(self.activation))


@dataclass(frozen=True, eq=False)
class PReLU(Operation):
    """y = x where x > 0, else slope * x, of a slope of shape (inputs,)."""

    slope: Array
    name = "prelu"

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
    options = ("epsilon",)

    def run(self, x: Array) -> Array:
        """Return what the library makes of `x`."""
        outputs: Array = self._network.predict(x)
        return outputs

    @cached_property
    def _network(self) -> Sequential:
        net = _one_layer(self.inputs, layers.LayerNormalization(epsilon=self.epsilon))
        net.set_weights({"0.gamma": self.gamma, "0.beta": self.beta})
        return net


@dataclass(frozen=True, eq=False)
class Clip(Operation):
    """y = x within low .. high."""

    low: float
    high: float
    name = "clip"
    options = ("low", "high")

    def run(self, x: Array) -> Array:
        """Return the limited rows."""
        return np.clip(x, np.float32(self.low), np.float32(self.high))


@dataclass(frozen=True, eq=False)
class SmoothClip(Operation):
    """y = x / sqrt(1 + (rate * x)^2), of a rate of shape (inputs,)."""

    rate: Array
    name = "smooth clip"

    def run(self, x: Array) -> Array:
        """Return the limited rows."""
        y: Array = x / np.hypot(1.0, self.rate * x)
        return y


class OfMissing(Operation):
    """What looks for NaN in some columns, whose places are its only array."""

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the number of columns."""
        ((name, columns),) = self.constants.items()
        return [str(self.inputs), str(len(columns)), name]


@dataclass(frozen=True, eq=False)
class MissingIndicators(OfMissing):
    """y = x, and behind it 1 or 0 for each of some columns: whether its number is missing."""

    indicated: Array
    name = "missing indicators"
    in_place = False

    def run(self, x: Array) -> Array:
        """Return the rows with their indicators."""
        return np.concatenate([x, np.isnan(x[:, self.indicated]).astype(x.dtype)], axis=1)


@dataclass(frozen=True, eq=False)
class FillMissing(OfMissing):
    """y = x, with 0 for NaN in some columns."""

    filled: Array
    name = "fill missing"

    def run(self, x: Array) -> Array:
        """Return the filled rows."""
        y = x.copy()
        y[:, self.filled] = np.where(np.isnan(x), 0.0, x)[:, self.filled]
        return y


def call(function: str, *arguments: object) -> str:
    """Return the C statement that calls a function."""
    return f"{function}({', '.join(map(str, arguments))});"


def _one_layer(inputs: int, layer: layers.Layer) -> Sequential:
    from chainrule.network.sequential import Sequential

    return Sequential([layers.Input(inputs), layer], seed=0)
