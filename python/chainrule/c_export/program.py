# SPDX-License-Identifier: Apache-2.0
"""Operations in order, what they read and make, and where that lies in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chainrule.c_export.operations import Array, Operation

__all__ = ["Model", "Program", "Value", "apply"]

_ROWS_AT_A_TIME = 4096
_BUFFERS = {"float": "abcdefghijklm", "int8": "pqrstuvw"}
_C_TYPES = {"float": "float", "int8": "int8_t"}
_BYTES = {"float": 4, "uint32_t": 4, "int8_t": 1}


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

    def run(self, x: Mapping[str, Array]) -> list[Array]:
        """Return the outputs for rows of the inputs, as the C code computes them."""
        pieces = []
        for start in range(0, len(next(iter(x.values()))), _ROWS_AT_A_TIME):
            some = slice(start, start + _ROWS_AT_A_TIME)
            with np.errstate(over="ignore"):
                values = {name: rows[some].astype(np.float32) for name, rows in x.items()}
            for operation in self.operations:
                values[operation.made] = apply(operation, values)
            pieces.append([values[name] for name in self.outputs])
        return [np.concatenate(each) for each in zip(*pieces, strict=True)]


def apply(operation: Operation, values: dict[str, Array]) -> Array:
    """Return what an operation makes of values, which may overflow as C does."""
    read = [values[name] for name in operation.read]
    rows = len(read[0])
    with np.errstate(over="ignore", invalid="ignore"):
        columns = operation.columns_read
        made = operation.run(*(x.reshape(-1, n) for x, n in zip(read, columns, strict=True)))
    return made.reshape(rows, -1)


class Value(NamedTuple):
    """An input or output in C: its name, the macro that tells its columns, and these."""

    name: str
    size: str
    columns: int


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
    streaming : bool
        Whether a call is one frame of a sequence, with a state in place of the scratch memory.
    """

    name: str
    layers: tuple[str, ...]
    program: Program
    link: str | None
    linked: bool
    streaming: bool = False

    @property
    def memory(self) -> str:
        """What the memory of a call is called."""
        return "state" if self.streaming else "scratch"

    @property
    def kept(self) -> dict[str, tuple[str, int]]:
        """C type and length by name of what is kept between the frames of a sequence."""
        each = (operation.kept for operation in self.program.operations)
        return {name: field for kept in each for name, field in kept.items()}

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
    def inputs(self) -> list[Value]:
        """What is read."""
        return self._values("x", "INPUTS", self.program.inputs)

    @property
    def outputs(self) -> list[Value]:
        """What is written."""
        makers = self.program.makers
        return self._values("y", "OUTPUTS", {n: makers[n].size for n in self.program.outputs})

    def _values(self, letter: str, size: str, columns: Mapping[str, int]) -> list[Value]:
        """Return the parameters of the C function; the only one is called by the letter alone."""
        if len(columns) == 1:
            return [Value(letter, f"{self.macro}_{size}", *columns.values())]
        return [
            Value(f"{letter}{i}", f"{self.macro}_{size}_{i}", n)
            for i, n in enumerate(columns.values())
        ]

    @property
    def constants(self) -> dict[str, str]:
        """The name under which each constant is written: the first one's that has its values."""
        first: dict[object, str] = {}
        return {
            name: first.setdefault((array.dtype.str, array.shape, array.tobytes()), name)
            for operation in self.program.operations
            for name, array in operation.constants.items()
        }

    @property
    def arrays(self) -> dict[str, Array]:
        """The constants that are written, by name."""
        kept = set(self.constants.values())
        return {
            name: array
            for operation in self.program.operations
            for name, array in operation.constants.items()
            if name in kept
        }

    @property
    def weight_bytes(self) -> int:
        """Size of all constants."""
        return sum(array.nbytes for array in self.arrays.values())

    @property
    def scratch(self) -> dict[str, tuple[str, int]]:
        """C type and length by name of the buffers between operations, and of other memory."""
        sizes: dict[str, tuple[str, int]] = {}
        buffers, kinds = self.buffers, "".join(_BUFFERS.values())
        for operation in self.program.operations:
            place = buffers[operation.made]
            if place in kinds:
                length = max(operation.size, sizes.get(place, ("", 0))[1])
                sizes[place] = (_C_TYPES[operation.writes], length)
        if work := max((operation.work for operation in self.program.operations), default=0):
            sizes["work"] = ("float", work)
        return {**self.kept, **dict(sorted(sizes.items()))}

    @property
    def scratch_bytes(self) -> int:
        """Size of the scratch memory as C lays it out."""
        sizes = [(_BYTES[kind], length) for kind, length in self.scratch.values()]
        total = sum(size * length for size, length in sizes)
        alignment = max((size for size, _ in sizes), default=1)
        return max(-(-total // alignment) * alignment, 1)

    @property
    def buffers(self) -> dict[str, str]:
        """Where each value lies: in an input or output, or a buffer, which has one letter.

        A buffer is given back behind the last reader of what is in it.
        """
        program, left = self.program, self.program.readers
        buffers = {
            name: value.name for name, value in zip(program.inputs, self.inputs, strict=True)
        }
        for last, value in zip(program.outputs, self.outputs, strict=True):
            # What only changes in place on its way to the output lies there already.
            while last not in buffers:
                buffers[last] = value.name
                maker = program.makers[last]
                if maker.in_place and left[maker.read[0]] == 1:
                    last = maker.read[0]
        free = {kind: list(names) for kind, names in _BUFFERS.items()}
        for operation in program.operations:
            left.subtract(operation.read)
            ended = [
                buffers[name]
                for name in dict.fromkeys(operation.read)
                if not left[name] and buffers[name] in "".join(_BUFFERS.values())
            ]
            if operation.made not in buffers:
                own = operation.in_place and ended and ended[0] == buffers[operation.read[0]]
                kind = free[operation.writes]
                buffers[operation.made] = ended.pop(0) if own else kind.pop(0)
            for place in ended:
                kind = free["float" if place in _BUFFERS["float"] else "int8"]
                kind.append(place)
                kind.sort()
        return buffers
