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
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import _check_sample_weight

__all__ = ["Rows", "row_weights"]


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
        y = _little_endian(self.y)
        for place, (columns, values) in enumerate(_entries(self.x)):
            # A hash, since the bytes of all rows would be as many as the table's.
            key = hashlib.blake2b(columns.astype("<i8").tobytes(), digest_size=16)
            key.update(_little_endian(values).tobytes())
            key.update(y[place].tobytes())
            yield key.digest()


def _entries(x: Any) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield for each row the columns where it is not 0, and its values there."""
    if not sparse.issparse(x):
        for row in x:
            columns = np.flatnonzero(row)
            yield columns, row[columns]
        return
    x = sparse.csr_matrix(x, copy=True)
    x.sum_duplicates()
    x.eliminate_zeros()
    for begin, end in zip(x.indptr[:-1], x.indptr[1:], strict=True):
        yield x.indices[begin:end], x.data[begin:end]


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


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
