# SPDX-License-Identifier: Apache-2.0
"""Rows of features that are not in memory: datasets of h5py, arrays of zarr, and their like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.arrays import as_features
from chainrule.inputs.containers import is_plain

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

# Unwanted rows between two wanted ones that are rather read than left out.
_GAP = 8


def is_lazy(value: object) -> bool:
    """Whether `value` has the shape of a table, a dtype and slices, and its numbers elsewhere."""
    if is_plain(value) or isinstance(value, np.ndarray | memoryview | list | tuple):
        return False
    # Sparse matrices, frames and tensors are in memory.
    if any(hasattr(value, name) for name in ("tocsr", "iloc", "__dlpack_device__")):
        return False
    shape = getattr(value, "shape", None)
    return (
        isinstance(shape, tuple)
        and len(shape) >= 2
        and all(isinstance(n, int | np.integer) for n in shape)
        and hasattr(value, "dtype")
        and hasattr(value, "__getitem__")
    )


class LazyRows:
    """Rows of a lazy array, which is asked for slices of rows and nothing else."""

    def __init__(self, source: Any, rows: range | None = None, name: str = "x") -> None:
        self._source = source
        self._name = name
        self._rows = range(source.shape[0]) if rows is None else rows
        self.shape = (len(self._rows), int(np.prod(source.shape[1:], dtype=np.int64)))
        if 0 in self.shape:
            raise ValueError(f"{name} is empty: shape {tuple(source.shape)}")

    streams = False
    """Whether they come in one order only, with their targets."""

    @property
    def batch_rows(self) -> int:
        """Rows of a batch, unless a caller chooses."""
        return 32

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Rows and columns of each input."""
        return [self.shape]

    @contextmanager
    def unchecked(self) -> Iterator[None]:
        """Have rows read without a look at their numbers, while the network is held."""
        yield

    def few(self, rows: int) -> tuple[Any, slice]:
        """Return some of the first rows, and where they are."""
        part = slice(0, min(rows, len(self)))
        return self[part], part

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._rows)

    def __getitem__(self, rows: slice) -> LazyRows:
        """Return a part of the rows, still unread."""
        return LazyRows(self._source, self._rows[rows], self._name)

    def read(self, rows: slice) -> NDArray[Any]:
        """Return some rows that follow each other as `as_features` does."""
        wanted = self._rows[rows]
        name = f"{self._name}[{wanted.start}:{wanted.stop}]"
        piece = as_features(np.asarray(self._source[wanted.start : wanted.stop]), name=name)
        if piece.shape != (len(wanted), self.shape[1]):
            raise ValueError(
                f"{name} gave {piece.shape[0]} rows of {piece.shape[1]} numbers, expected "
                f"{len(wanted)} of {self.shape[1]} from the shape of {self._name}"
            )
        return piece

    def pieces(self, size: int) -> Iterator[tuple[slice, NDArray[Any]]]:
        """Yield all rows in their order, `size` at a time, with their positions."""
        for start in range(0, len(self), size):
            rows = slice(start, min(start + size, len(self)))
            yield rows, self.read(rows)

    def name_of(self, rows: slice) -> str:
        """Return what error messages call some of the rows."""
        wanted = self._rows[rows]
        return f"{self._name}[{wanted.start}:{wanted.stop}]"

    def check(self, core: CoreNetwork, rows: slice, piece: Any) -> None:
        """Raise ValueError where the network cannot take rows that were read."""
        core.check_takes(piece, name=self.name_of(rows))

    def whole(self, core: CoreNetwork) -> Any:
        """Return all rows, read and checked."""
        rows = slice(0, len(self))
        piece = self.read(rows)
        self.check(core, rows, piece)
        return piece

    def gather(self, rows: NDArray[np.int64], longest: int | None = None) -> NDArray[Any]:
        """Return rows in any order, each once, reading them in the order in which they lie."""
        longest = len(rows) if longest is None else longest
        indices = np.argsort(rows)
        ordered = rows[indices]
        gathered: NDArray[Any] | None = None
        start = 0
        while start < len(ordered):
            first = int(ordered[start])
            within = ordered[start : start + longest]
            apart = np.flatnonzero((np.diff(within) > _GAP) | (within[1:] - first >= longest))
            stop = start + (int(apart[0]) + 1 if len(apart) else len(within))
            piece = self.read(slice(first, int(ordered[stop - 1]) + 1))
            if gathered is None:
                gathered = np.empty((len(rows), self.shape[1]), piece.dtype)
            gathered[indices[start:stop]] = piece[ordered[start:stop] - first]
            start = stop
        assert gathered is not None
        return gathered
