# SPDX-License-Identifier: Apache-2.0
"""Operations in order, what they read and make, and where that lies in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.c_export.operations import Array, Operation

__all__ = ["Model", "Program", "apply"]

_ROWS_AT_A_TIME = 4096
_BUFFERS = {"float": "abcdefghijklm", "int8": "pqrstuvw"}
_C_TYPES = {"float": "float", "int8": "int8_t"}


@dataclass(frozen=True)
class Program:
    """What computes outputs of inputs.

    Attributes
    ----------
    inputs : dict of str to int
        Columns by name.
    operations : list of Operation
        Each behind those that make what it reads.
    outputs : list of str
        Names of what operations make.
    """

    inputs: dict[str, int]
    operations: list[Operation]
    outputs: list[str]

    @property
    def readers(self) -> Counter[str]:
        """How often each value is read, outputs included."""
        return Counter([*self.outputs, *(name for each in self.operations for name in each.read)])

    @property
    def makers(self) -> dict[str, Operation]:
        """The operation that makes each value."""
        return {operation.made: operation for operation in self.operations}

    def run(self, x: Array) -> Array:
        """Return the outputs for rows of the input, as the C code computes them."""
        return np.concatenate([values[self.outputs[0]] for values in self.values(x)])

    def values(self, x: Array) -> Iterator[dict[str, Array]]:
        """Yield all values for the rows of `x` as float32, not too many rows at a time."""
        (name,) = self.inputs
        for start in range(0, len(x), _ROWS_AT_A_TIME):
            with np.errstate(over="ignore"):
                values = {name: x[start : start + _ROWS_AT_A_TIME].astype(np.float32)}
            for operation in self.operations:
                values[operation.made] = apply(operation, values)
            yield values


def apply(operation: Operation, values: dict[str, Array]) -> Array:
    """Return what an operation makes of values, which may overflow as C does."""
    with np.errstate(over="ignore", invalid="ignore"):
        return operation.run(*(values[name] for name in operation.read))


@dataclass(frozen=True)
class Model:
    """What the C text is made from.

    Attributes
    ----------
    name : str
        First part of all names.
    layers : tuple of str
        The network's layers as text.
    program : Program
        What they have become.
    link : str or None
        The function between outputs and probabilities; None if there are no probabilities.
    linked : bool
        Whether the last operation is that link already.
    """

    name: str
    layers: tuple[str, ...]
    program: Program
    link: str | None
    linked: bool

    @property
    def macro(self) -> str:
        """First part of the names of macros, another one for each name: of ``Net`` and ``net``."""
        single_case = self.name in (self.name.lower(), self.name.upper())
        return self.name.swapcase() if single_case else self.name

    @property
    def local(self) -> str:
        """First part of the names that no other file sees."""
        return f"{self.name}_local_"

    @property
    def inputs(self) -> int:
        """Columns read."""
        (columns,) = self.program.inputs.values()
        return columns

    @property
    def outputs(self) -> int:
        """Columns written."""
        return self.program.makers[self.program.outputs[0]].outputs

    @property
    def weight_bytes(self) -> int:
        """Size of all constants."""
        constants = (each.constants.values() for each in self.program.operations)
        return sum(array.nbytes for arrays in constants for array in arrays)

    @property
    def scratch(self) -> dict[str, tuple[str, int]]:
        """C type and length of the buffers between operations, by name."""
        sizes: dict[str, tuple[str, int]] = {}
        places = self.places
        for operation in self.program.operations:
            place = places[operation.made]
            if place != "y":
                length = max(operation.outputs, sizes.get(place, ("", 0))[1])
                sizes[place] = (_C_TYPES[operation.writes], length)
        return dict(sorted(sizes.items()))

    @property
    def scratch_bytes(self) -> int:
        """Size of the scratch memory as C lays it out."""
        floats = sum(length for kind, length in self.scratch.values() if kind == "float")
        bytes_ = sum(length for kind, length in self.scratch.values() if kind != "float")
        return 4 * (floats + -(-bytes_ // 4)) if floats else max(bytes_, 1)

    @property
    def places(self) -> dict[str, str]:
        """Where each value lies: x, y, or a buffer, which is given back behind its last reader."""
        program, left = self.program, self.program.readers
        (entry,), (last,) = program.inputs, program.outputs
        places = {entry: "x"}
        # What only changes in place on its way to the output lies there already.
        while last not in places:
            places[last] = "y"
            maker = program.makers[last]
            if maker.in_place and left[maker.read[0]] == 1:
                last = maker.read[0]
        free = {kind: list(names) for kind, names in _BUFFERS.items()}
        for operation in program.operations:
            left.subtract(operation.read)
            ended = [
                places[name]
                for name in dict.fromkeys(operation.read)
                if not left[name] and places[name] not in ("x", "y")
            ]
            if operation.made not in places:
                own = operation.in_place and ended and ended[0] == places[operation.read[0]]
                kind = free[operation.writes]
                places[operation.made] = ended.pop(0) if own else kind.pop(0)
            for place in ended:
                kind = free["float" if place in _BUFFERS["float"] else "int8"]
                kind.append(place)
                kind.sort()
        return places
