# SPDX-License-Identifier: Apache-2.0
"""An array of a length that is not known beforehand."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["GrowingArray"]

# Share of the length that is allocated beyond it.
_SPARE = 16


class GrowingArray:
    """A 1-D array that grows where it lies, as far as the allocator can move pages.

    Parameters
    ----------
    dtype : dtype-like
        Type of the entries; larger ones make it change to their type.

    Examples
    --------
    >>> growing = GrowingArray("int32")
    >>> growing.extend(np.array([1, 2], "int32"))
    >>> growing.extend(np.array([3], "int32"))
    >>> growing.array()
    array([1, 2, 3], dtype=int32)
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self._array: NDArray[Any] = np.empty(0, dtype)
        self._count = 0

    def extend(self, values: NDArray[Any]) -> None:
        """Append entries."""
        end = self._count + len(values)
        if values.dtype.itemsize > self._array.dtype.itemsize:
            self._array = self._array[: self._count].astype(values.dtype)
        if end > len(self._array):
            self._array.resize(end + end // _SPARE, refcheck=False)
        self._array[self._count : end] = values
        self._count = end

    def array(self) -> NDArray[Any]:
        """Return the array, which must not grow any more."""
        self._array.resize(self._count, refcheck=False)
        return self._array
