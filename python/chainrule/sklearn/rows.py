# SPDX-License-Identifier: Apache-2.0
"""Training rows with their targets and weights, in the order in which they are trained on.

A row of weight 0 is as if it were not there. Where all rows fit one batch, equal rows become one
with the sum of their weights, in an order that depends on their numbers alone. That changes neither
the objective nor its gradient, and then, as sums run in the order of the rows, a row of weight 3
gives the same bits as three equal rows, and rows in another order the same bits too.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

__all__ = ["Rows", "row_weights"]

# Copies of what is not 0 are of as many rows.
_ROWS_AT_ONCE = 4096


class Rows(NamedTuple):
    """Rows, what they are to be, and what they count.

    Attributes
    ----------
    x : ndarray or csr_matrix, shape (rows, features)
    y : ndarray, shape (rows,) or (rows, outputs)
        Labels as counted from 0, or numbers.
    weights : ndarray of float64, shape (rows,), optional
    """

    x: Any
    y: NDArray[Any]
    weights: NDArray[np.float64] | None = None

    @property
    def size(self) -> int:
        """The number of rows."""
        return int(self.x.shape[0])

    @property
    def weight_of_a_row(self) -> float:
        """The mean of the weights."""
        return 1.0 if self.weights is None else float(np.mean(self.weights))

    def take(self, which: NDArray[Any]) -> Rows:
        """Return some of the rows, by mask or index."""
        weights = None if self.weights is None else self.weights[which]
        return Rows(self.x[which], self.y[which], weights)

    def counted(self) -> Rows:
        """Return the rows whose weight is not 0."""
        if self.weights is None or self.weights.all():
            return self
        return self.take(self.weights > 0.0)

    def in_one_order(self) -> Rows:
        """Return each row once, with the weights of its equals, in the order of their keys."""
        places: dict[bytes, list[int]] = {}
        for place, key in enumerate(self._keys()):
            places.setdefault(key, []).append(place)
        equals = [places[key] for key in sorted(places)]
        first = self.take(np.array([group[0] for group in equals]))
        weights = self.weights
        sums = np.array(
            [
                len(group) if weights is None else math.fsum(weights[i] for i in group)
                for group in equals
            ],
            dtype=np.float64,
        )
        return first._replace(weights=None if (sums == 1.0).all() else sums)

    def _keys(self) -> Iterator[bytes]:
        """Yield bytes for each row, the same for equal rows, dense or sparse."""
        rows = self.size
        y = _pieces(np.reshape(self.y, (rows, -1)), range(rows + 1))
        for first in range(0, rows, _ROWS_AT_ONCE):
            starts, columns, values = _entries(self.x[first : first + _ROWS_AT_ONCE])
            columns_of = _pieces(columns.astype("<i8", copy=False), starts)
            for columns_of_row, values_of_row in zip(
                columns_of, _pieces(values, starts), strict=True
            ):
                # A hash, since the bytes of all rows would be as many as the table's.
                key = hashlib.blake2b(columns_of_row, digest_size=16)
                key.update(values_of_row)
                key.update(next(y))
                yield key.digest()


def _entries(x: Any) -> tuple[list[int], NDArray[Any], NDArray[Any]]:
    """Return where each row's entries begin, and columns and values of all that are not 0."""
    if sparse.issparse(x):
        x = sparse.csr_matrix(x, copy=True)
        x.sum_duplicates()
        x.eliminate_zeros()
        return x.indptr.tolist(), x.indices, x.data
    rows, columns = np.nonzero(x)
    return np.searchsorted(rows, np.arange(len(x) + 1)).tolist(), columns, x[rows, columns]


def _pieces(array: NDArray[Any], starts: Sequence[int]) -> Iterator[memoryview]:
    """Yield the bytes, in one order on all machines, between each start and the next."""
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    size = array.dtype.itemsize * math.prod(array.shape[1:])
    numbers = array.reshape(-1).view(np.uint8).data
    for begin, end in pairwise(starts):
        yield numbers[begin * size : end * size]


def row_weights(given: Any, x: Any) -> NDArray[np.float64] | None:
    """Return weights of rows; ValueError where one is negative or all are 0."""
    if given is None:
        return None
    weights: NDArray[np.float64] = _check_sample_weight(given, x, dtype=np.float64)
    if (weights < 0.0).any():
        raise ValueError("Negative values in data passed to `sample_weight`")
    if not weights.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weights
