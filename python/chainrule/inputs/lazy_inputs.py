# SPDX-License-Identifier: Apache-2.0
"""Rows of several inputs of which some are not in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import Several, check_parts, core_rows

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["LazyInputs"]


class LazyInputs(LazyRows):
    """As many rows of each input, which are read together, a piece at a time.

    Parameters
    ----------
    names : sequence of str
        The inputs.
    parts : sequence of LazyRows or ndarray
        The rows of each; those in memory are tables.
    """

    def __init__(self, names: Sequence[str], parts: Sequence[LazyRows | NDArray[Any]]) -> None:
        self._names = list(names)
        self._parts = list(parts)
        self._name = "x"
        self._rows = range(len(parts[0]))
        self.shape = (len(self._rows), sum(columns for _, columns in self.shapes))

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each input."""
        return [(len(part), part.shape[1]) for part in self._parts]

    def __getitem__(self, rows: slice) -> LazyInputs:
        """Return a part of the rows, still unread."""
        return LazyInputs(self._names, [part[rows] for part in self._parts])

    def read(self, rows: slice) -> Any:
        """Return some rows that follow each other, of each input."""
        parts = self._parts
        return Several([p.read(rows) if isinstance(p, LazyRows) else p[rows] for p in parts])

    def pieces(self, size: int) -> Iterator[tuple[slice, Any]]:
        """Yield all rows in their order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            rows = slice(start, min(start + size, len(self)))
            yield rows, core_rows(self.read(rows))

    def check(self, core: CoreNetwork, rows: slice, piece: Any) -> None:
        """Raise ValueError, naming the input, where the network cannot take rows that were read."""
        names = [
            part.name_of(rows) if isinstance(part, LazyRows) else f"x[{name!r}]{_text(rows)}"
            for name, part in zip(self._names, self._parts, strict=True)
        ]
        check_parts(core, core_rows(piece), names)

    def gather(self, rows: NDArray[np.int64], longest: int | None = None) -> Any:
        """Return rows in any order, each once, of each input."""
        return [
            part.gather(rows, longest) if isinstance(part, LazyRows) else part[rows]
            for part in self._parts
        ]


def _text(rows: slice) -> str:
    return f"[{rows.start}:{rows.stop}]"
