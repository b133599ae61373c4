# SPDX-License-Identifier: Apache-2.0
"""A matrix of a table's rows made ready for a network: scaled numbers, and codes to embed.

Numbers are centred on the median, divided by the distance of the quartiles and clipped smoothly at
3, which keeps outliers from mattering and their order from being lost. Text of few values is a
column for each value, text of many is embedded by the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.description import Column, TableDescription

__all__ = ["Preparation"]

MOST_ONE_HOT = 9
_CLIP = 3.0


@dataclass(frozen=True)
class _Source:
    """A number that the network sees: what it is made of, and how it is scaled."""

    column: int
    what: str  # "value", "sign" (-1 and 1 of two values), "is" (a category), "missing"
    code: int = 0  # of "is"
    median: float = 0.0
    factor: float = 1.0

    def unscaled(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the number of each row, NaN where it is missing."""
        values: NDArray[np.float64] = matrix[:, self.column]
        if self.what == "sign":
            return np.where((values == 0.0) | (values == 1.0), 2.0 * values - 1.0, 0.0)
        if self.what == "is":
            return np.asarray(values == self.code, dtype=np.float64)
        if self.what == "missing":
            return np.asarray(np.isnan(values), dtype=np.float64)
        return values

    def scaled(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what the network sees: 0 where the value is missing, within -3 and 3."""
        with np.errstate(over="ignore"):
            z = self.factor * (self.unscaled(matrix) - self.median)
        z = np.clip(np.where(np.isnan(z), 0.0, z), -1e100, 1e100)
        clipped: NDArray[np.float64] = z / np.sqrt(1.0 + (z / _CLIP) ** 2)
        return clipped


@dataclass(frozen=True)
class Preparation:
    """How a matrix becomes the inputs of a network.

    Attributes
    ----------
    embedded : tuple of int
        Columns of categories that are embedded.
    embeddings : tuple of int
        Rows of the table of each of them: one more than there are categories, since 0 is for
        missing and unknown ones.
    sources : tuple
        The numbers.
    """

    embedded: tuple[int, ...]
    embeddings: tuple[int, ...]
    sources: tuple[_Source, ...]

    @classmethod
    def of(
        cls,
        description: TableDescription,
        matrix: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
    ) -> Preparation:
        """Return the preparation that fits training rows.

        Parameters
        ----------
        description : TableDescription
        matrix : ndarray of float64, shape (rows, columns)
        weights : ndarray, shape (rows,), optional
            A row of weight 2 counts as two rows.
        """
        embedded = [
            place
            for place, column in enumerate(description.columns)
            if len(column.categories) > MOST_ONE_HOT
        ]
        sources = []
        for place, column in enumerate(description.columns):
            if place not in embedded:
                for source in _sources(place, column, matrix):
                    sources += _fitted(source, matrix, weights)
        tables = [len(description.columns[place].categories) + 1 for place in embedded]
        return cls(tuple(embedded), tuple(tables), tuple(sources))

    @property
    def numbers(self) -> int:
        """How many numbers the network sees; one that is always 0 where there are none."""
        return max(1, len(self.sources))

    def inputs(self, matrix: NDArray[np.float64]) -> Any:
        """Return what a network reads: numbers, or a list of codes and numbers."""
        numbers = np.zeros((len(matrix), self.numbers), dtype=np.float32)
        for place, source in enumerate(self.sources):
            numbers[:, place] = source.scaled(matrix)
        if not self.embedded:
            return numbers
        codes = matrix[:, self.embedded] + 1.0
        known = np.isfinite(codes) & (codes < np.array(self.embeddings))
        return [np.where(known, codes, 0.0).astype(np.int64), numbers]

    def to_config(self) -> dict[str, Any]:
        """Return this as what JSON can hold."""
        return {
            "embedded": list(self.embedded),
            "embeddings": list(self.embeddings),
            "sources": [asdict(source) for source in self.sources],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preparation:
        """Return the preparation that `to_config` gave."""
        sources = tuple(_Source(**source) for source in config["sources"])
        return cls(tuple(config["embedded"]), tuple(config["embeddings"]), sources)


def _sources(place: int, column: Column, matrix: NDArray[np.float64]) -> Sequence[_Source]:
    """Return what the network is to see of a column, unscaled."""
    if column.kind == "empty":
        return []
    if column.kind == "boolean" or len(column.categories) == 2:
        return [_Source(place, "sign")]
    if column.kind == "category":
        return [_Source(place, "is", code) for code in range(len(column.categories))]
    sources = [_Source(place, "value")]
    if np.isnan(matrix[:, place]).any():
        sources.append(_Source(place, "missing"))
    return sources


def _fitted(
    source: _Source, matrix: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> list[_Source]:
    """Return the source with its scale, or nothing of one that never varies."""
    values = source.unscaled(matrix)
    present = ~np.isnan(values)
    values = values[present]
    lowest, highest = float(values.min()), float(values.max())
    if lowest == highest:
        return []
    counts = np.ones(len(values)) if weights is None else weights[present]
    low, median, high = _quantiles(values, counts, (0.25, 0.5, 0.75))
    # In halves, since the difference of two finite numbers may be none.
    spread = 2.0 * (high / 2.0 - low / 2.0)
    if not spread > 0.0 or not np.isfinite(1.0 / spread):
        spread = highest / 2.0 - lowest / 2.0
    if not np.isfinite(spread) or not np.isfinite(1.0 / spread):
        return []
    return [_Source(source.column, source.what, source.code, median, 1.0 / spread)]


def _quantiles(
    values: NDArray[np.float64], counts: NDArray[np.float64], shares: Sequence[float]
) -> list[float]:
    """Return the smallest values below or at which there are these shares of the counts."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(counts[order])
    places = np.searchsorted(sums, np.array(shares) * sums[-1])
    found: list[float] = values[order][np.minimum(places, len(values) - 1)].tolist()
    return found
