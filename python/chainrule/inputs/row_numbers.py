# SPDX-License-Identifier: Apache-2.0
"""Some rows of a table, by their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["row_numbers", "rows_of"]


def row_numbers(rows: Any, count: int, name: str = "rows") -> NDArray[np.int64]:
    """Return the numbers of the rows that are chosen of `count`, as an array of its own.

    Raises
    ------
    TypeError, ValueError
        If these are no numbers of rows, or none at all.
    """
    if isinstance(rows, slice):
        rows = np.arange(count)[rows]
    try:
        given = np.asarray(rows)
    except ValueError:  # ragged
        given = np.empty(1, object)
    if given.ndim != 1:
        raise ValueError(f"{name} must have 1 dimension, got shape {given.shape}")
    if given.size == 0:
        raise ValueError(f"{name} is empty")
    if given.dtype.kind not in "biu":
        raise TypeError(f"{name} must be whole numbers or a mask, got {rows!r:.80}")
    if given.dtype.kind == "b":
        if len(given) != count:
            raise ValueError(f"{name} is a mask of {len(given)} rows, expected one of {count}")
        given = np.flatnonzero(given)
        if given.size == 0:
            raise ValueError(f"{name} is empty: the mask chooses no row")
    wrong = np.flatnonzero((given < 0) | (given >= count))
    if len(wrong) > 0:
        raise ValueError(
            f"{name}[{wrong[0]}] is {given[wrong[0]]}, which is no row: those are 0..{count - 1}"
        )
    return np.array(given, dtype=np.int64)


def rows_of(table: Any, numbers: NDArray[np.int64]) -> Any:
    """Return a copy of some rows, of a frame as a frame."""
    if hasattr(table, "iloc"):
        return table.iloc[numbers]
    if isinstance(table, np.ndarray) or not hasattr(table, "take"):
        return table[numbers]
    return table.take(numbers)
