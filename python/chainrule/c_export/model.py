# SPDX-License-Identifier: Apache-2.0
"""What the C text of a network is made from, and where its operations read and write."""

from __future__ import annotations

from dataclasses import dataclass

from chainrule.c_export.operations import Operation

__all__ = ["Model"]

_BUFFERS = {"float": ("a", "b"), "int8": ("p", "q")}
_C_TYPES = {"float": "float", "int8": "int8_t"}


@dataclass(frozen=True)
class Model:
    """What the C text is made from.

    Attributes
    ----------
    name : str
        First part of all names.
    layers : tuple of str
        The network's layers as text.
    operations : tuple of Operation
        What they have become.
    link : str or None
        The function between outputs and probabilities; None if there are no probabilities.
    linked : bool
        Whether the last operation is that link already.
    """

    name: str
    layers: tuple[str, ...]
    operations: tuple[Operation, ...]
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
        return self.operations[0].inputs

    @property
    def outputs(self) -> int:
        """Columns written."""
        return self.operations[-1].outputs

    @property
    def weight_bytes(self) -> int:
        """Size of all constants."""
        return sum(array.nbytes for operation in self.operations for array in operation.constants)

    @property
    def scratch(self) -> dict[str, tuple[str, int]]:
        """C type and length of the buffers between operations, by name."""
        sizes: dict[str, tuple[str, int]] = {}
        for operation, (_, target) in zip(self.operations, self.places, strict=True):
            if target != "y":
                length = max(operation.outputs, sizes.get(target, ("", 0))[1])
                sizes[target] = (_C_TYPES[operation.writes], length)
        return dict(sorted(sizes.items()))

    @property
    def scratch_bytes(self) -> int:
        """Size of the scratch memory as C lays it out."""
        floats = sum(length for kind, length in self.scratch.values() if kind == "float")
        bytes_ = sum(length for kind, length in self.scratch.values() if kind != "float")
        return 4 * (floats + -(-bytes_ // 4)) if floats else max(bytes_, 1)

    @property
    def places(self) -> list[tuple[str, str]]:
        """Where each operation reads and writes: x, y, or a buffer."""
        places = []
        current = "x"
        for index, operation in enumerate(self.operations):
            free = [buffer for buffer in _BUFFERS[operation.writes] if buffer != current]
            target = free[0]
            if operation.in_place and current != "x":
                target = current
            elif all(later.in_place for later in self.operations[index + 1 :]):
                target = "y"
            places.append((current, target))
            current = target
        return places
