# SPDX-License-Identifier: Apache-2.0
"""Training on a table of categories such as logs of clicks make it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.workloads.training import Training
from harness.workloads.zipf import Zipf

_SMALLEST_COLUMN = 3
_EXPONENT = 1.1
_NOISE = 0.5
_POSITIVE = 0.25


@dataclass(frozen=True)
class CategoricalTraining(Training):
    """A network trained on integer columns, of the shape of Criteo's click logs.

    Sizes of the columns are a geometric sequence from 3, in an order that is drawn, with as many
    values in all as the network has inputs: one-hot encoded, value v of column c is input
    ``offsets[c] + v``. Values of a column are drawn from a Zipf law of exponent 1.1; which value
    has which rank is drawn too. Each value of a column has a normal weight; the target is 1 for the
    quarter of the rows whose sum of weights, plus normal noise of half its standard deviation, is
    largest.

    Attributes
    ----------
    columns : int
        Of the table.
    """

    columns: int = 26

    @property
    def name(self) -> str:
        """Columns, network, batch size and optimizer."""
        return f"{self.columns} categories {super().name}"

    @property
    def flops_per_sample(self) -> int:
        """Operations: two of each weight that a value has in the first layer, then products."""
        first, *rest = self.network.multiply_adds
        return 2 * self.columns * first // self.network.sizes[0] + 6 * sum(rest)

    @property
    def column_sizes(self) -> tuple[int, ...]:
        """Number of values of each column.

        Examples
        --------
        >>> from harness.workloads import Network
        >>> network = Network((100_000, 256, 128, 1))
        >>> work = CategoricalTraining(network, 1024, "adagrad", 0.01, rows=1024)
        >>> sum(work.column_sizes), min(work.column_sizes), max(work.column_sizes)
        (100000, 3, 30911)
        """
        total = self.network.sizes[0]
        low, high = 1.0, float(total)
        exponents = np.arange(self.columns)
        for _ in range(60):
            ratio = (low + high) / 2
            over = _SMALLEST_COLUMN * (ratio**exponents).sum() > total
            low, high = (low, ratio) if over else (ratio, high)
        sizes = (_SMALLEST_COLUMN * low**exponents).astype(np.int64)
        sizes[-1] += total - sizes.sum()
        return tuple(np.random.default_rng(0).permutation(sizes).tolist())

    @property
    def offsets(self) -> NDArray[np.int32]:
        """First input of each column, shape (columns,)."""
        return np.cumsum((0, *self.column_sizes[:-1])).astype(np.int32)

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return table and targets; both depend on the attributes only.

        Returns
        -------
        x : ndarray of int32, shape (rows, columns)
            Values of each column from 0.
        y : ndarray of float32, shape (rows, 1)
            0 or 1.
        """
        rng = np.random.default_rng(3)
        x = np.empty((self.rows, self.columns), np.int32)
        scores = np.zeros(self.rows, np.float32)
        for column, size in enumerate(self.column_sizes):
            x[:, column] = Zipf(size, _EXPONENT, rng).draw(self.rows, rng)
            scores += rng.standard_normal(size, np.float32)[x[:, column]]
        scores += _NOISE * scores.std() * rng.standard_normal(self.rows, np.float32)
        threshold = np.quantile(scores, 1 - _POSITIVE)
        return x, (scores > threshold).astype(np.float32)[:, np.newaxis]

    def matrix(self) -> tuple[Any, NDArray[Any]]:
        """Return the table one-hot encoded, and the targets."""
        x, y = self.data()
        return self.one_hot(x), y

    def one_hot(self, x: NDArray[Any]) -> Any:
        """Return a table of categories as a CSR array with an input for each value."""
        sparse: Any = importlib.import_module("scipy.sparse")
        ends = np.arange(0, x.size + 1, self.columns, dtype=np.int32)
        entries = np.ones(x.size, np.float32), (x + self.offsets).ravel(), ends
        return sparse.csr_array(entries, (len(x), self.network.sizes[0]))
