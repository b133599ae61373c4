# SPDX-License-Identifier: Apache-2.0
"""Training on a sparse table such as words of texts make it."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.growing_array import GrowingArray
from harness.workloads.training import Training
from harness.workloads.zipf import Zipf

_BLOCK_ROWS = 2000
_EXPONENT = 1.0
_LENGTH_SPREAD = 0.5
_NOISE = 0.5


@dataclass(frozen=True)
class SparseTraining(Training):
    """A network trained on a CSR table, made up as a bag of words with tf-idf is.

    A row is a text. The logarithm of its length in words is normal with a standard deviation of
    0.5; the words are drawn from a Zipf law of exponent 1, and which word has which column is
    drawn too. Values are ``(1 + ln count) (ln((1 + rows) / (1 + rows with the word)) + 1)``, and
    then each row is divided by its Euclidean length. The label is 1 where a linear rule with normal
    weights, plus normal noise of half its standard deviation, exceeds its median.

    Attributes
    ----------
    nonzeros : int
        Different words of a row, on average.
    """

    nonzeros: int = 200

    @property
    def flops_per_sample(self) -> int:
        """Operations on what is not zero: two products of the first layer, three of the others."""
        first, *rest = self.network.multiply_adds
        return 4 * self.nonzeros * first // self.network.sizes[0] + 6 * sum(rest)

    def data(self) -> tuple[Any, NDArray[Any]]:
        """Return table and labels; both depend on the attributes only.

        Returns
        -------
        x : scipy.sparse.csr_array of float32, shape (rows, sizes[0])
            Canonical.
        y : ndarray of int64, shape (rows,)
            0 or 1.

        Examples
        --------
        >>> from harness.workloads import Network
        >>> work = SparseTraining(Network((500, 8, 2)), 16, "adam", 1e-3, rows=64, nonzeros=20)
        >>> x, y = work.data()
        >>> x.shape, x.dtype, x.nnz // 64, int(y.sum())
        ((64, 500), dtype('float32'), 20, 32)
        """
        sparse: Any = importlib.import_module("scipy.sparse")
        rng = np.random.default_rng(0)
        x = sparse.csr_array(self._counts(rng), (self.rows, self.network.sizes[0]))
        self._weigh(x)
        scores = x @ rng.standard_normal(x.shape[1], np.float32)
        scores += _NOISE * scores.std() * rng.standard_normal(len(scores), np.float32)
        return x, (scores > np.median(scores)).astype(np.int64)

    def _counts(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return how often rows have which words: the three arrays of a CSR table."""
        columns = self.network.sizes[0]
        law = Zipf(columns, _EXPONENT, rng)
        spread = np.exp(_LENGTH_SPREAD * rng.standard_normal(self.rows))
        steps = np.quantile(spread, (np.arange(100) + 0.5) / 100)
        lengths = np.rint(_typical_length(law, self.nonzeros, steps) * spread)
        lengths = np.maximum(lengths, 1).astype(np.int64)
        counts, words = GrowingArray(np.float32), GrowingArray(np.int32)
        offsets = np.zeros(self.rows + 1, np.int32)
        for start in range(0, self.rows, _BLOCK_ROWS):
            block = lengths[start : start + _BLOCK_ROWS]
            row = np.repeat(np.arange(len(block)), block)
            places, times = np.unique(row * columns + law.draw(len(row), rng), return_counts=True)
            counts.extend(times.astype(np.float32))
            words.extend((places % columns).astype(np.int32))
            different = np.bincount(places // columns, minlength=len(block))
            offsets[start + 1 : start + 1 + len(block)] = offsets[start] + np.cumsum(different)
        return counts.array(), words.array(), offsets

    def _weigh(self, x: Any) -> None:
        """Turn counts to tf-idf, in place and block by block."""
        rows, columns = x.shape
        starts = range(0, rows, _BLOCK_ROWS)
        offsets = [x.indptr[start : start + _BLOCK_ROWS + 1] for start in starts]
        frequency = np.zeros(columns, np.int64)
        for block in offsets:
            frequency += np.bincount(x.indices[block[0] : block[-1]], minlength=columns)
        rarity = (np.log((1 + rows) / (1 + frequency)) + 1).astype(np.float32)
        for block in offsets:
            values = x.data[block[0] : block[-1]]
            values[...] = (1 + np.log(values)) * rarity[x.indices[block[0] : block[-1]]]
            norms = np.sqrt(np.add.reduceat(np.square(values), block[:-1] - block[0]))
            values /= np.repeat(norms, np.diff(block))


def _typical_length(law: Zipf, different: int, spread: NDArray[Any]) -> float:
    """Return how many words texts need so that `different` of them differ on average."""
    rare = np.log1p(-law.probabilities)
    low, high = 0.0, 1.0

    def expected(length: float) -> float:
        return float(np.mean([-np.expm1(length * s * rare).sum() for s in spread]))

    while expected(high) < different:
        low, high = high, 2 * high
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if expected(middle) < different else (low, middle)
    return high
