# SPDX-License-Identifier: Apache-2.0
"""Draws from a Zipf law, as words of a text and values of a category follow it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Zipf"]

_CELLS = 1 << 20


class Zipf:
    """The k-th most frequent of some things comes with probability proportional to 1 / k^exponent.

    Parameters
    ----------
    count : int
        How many things there are.
    exponent : float
        Of the law.
    rng : numpy.random.Generator
        Draws which thing has which rank.

    Attributes
    ----------
    probabilities : ndarray of shape (count,)
        Of each thing, within 2^-20 of the law.

    Examples
    --------
    >>> law = Zipf(3, 1.0, np.random.default_rng(0))
    >>> np.sort(law.probabilities).round(4)
    array([0.1818, 0.2727, 0.5455])
    >>> law.draw(4, np.random.default_rng(1)).dtype
    dtype('int32')
    """

    def __init__(self, count: int, exponent: float, rng: np.random.Generator) -> None:
        ranked = np.arange(1, count + 1, dtype=np.float64) ** -exponent
        edges = np.cumsum(ranked / ranked.sum())
        ranks = np.searchsorted(edges[:-1], (np.arange(_CELLS) + 0.5) / _CELLS, side="right")
        # A thing has as many cells as its probability says, so a draw is one look at the table.
        self._cells: NDArray[np.int32] = rng.permutation(count).astype(np.int32)[ranks]
        self.probabilities: NDArray[Any] = np.bincount(self._cells, minlength=count) / _CELLS

    def draw(self, size: int, rng: np.random.Generator) -> NDArray[np.int32]:
        """Return things, drawn independently."""
        things: NDArray[np.int32] = self._cells[rng.integers(0, _CELLS, size, np.int32)]
        return things
