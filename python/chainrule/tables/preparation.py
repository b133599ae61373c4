# SPDX-License-Identifier: Apache-2.0
"""What a network sees of the rows of a table, and the layers by which it does.

Numbers are centred on the median, divided by the distance of the quartiles and clipped smoothly at
3, which keeps outliers from mattering and their order from being lost. Text of few values is a
column for each value, text of many is embedded by the network.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule.tables.description import TableDescription

__all__ = ["Preparation"]

_MOST_ONE_HOT = 9
_CLIP = 3.0
# So large a median beside the spread is subtracted in double by the core, from its float32. What
# that leaves of it is subtracted by a second layer where it is more than the spread.
_WIDE = 1024.0
# The steps of that difference, in spreads, from which on there is a warning.
_COARSE = 0.1


@dataclass(frozen=True)
class _Source:
    """A number that the network sees: what it is made of, and how it is scaled."""

    what: str  # "value", "missing", or "code": an output of the encoding
    place: int  # of the column, or of the output
    median: float = 0.0
    spread: float = 1.0
    # In spreads: what the median's float32 leaves of it, where that is much.
    remainder: float = 0.0


@dataclass(frozen=True)
class Preparation:
    """The layers between a matrix of a table's rows and the numbers that a network learns from.

    Attributes
    ----------
    columns : int
        Of the matrix, as `TableDescription.matrix` gives it.
    encoded : dict of int to int
        How many categories the columns have that are one-hot, or -1 and 1 of two.
    embedded : dict of int to int
        The same of those that are embedded.
    sources : tuple
        The numbers.
    """

    columns: int
    encoded: dict[int, int]
    embedded: dict[int, int]
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

        Warns
        -----
        UserWarning
            If the numbers of a column lie too close to each other for their size.
        """
        sizes = [2 if c.kind == "boolean" else len(c.categories) for c in description.columns]
        codes = {place: size for place, size in enumerate(sizes) if size > 0}
        encoded = {place: size for place, size in codes.items() if size <= _MOST_ONE_HOT}
        embedded = {place: size for place, size in codes.items() if size > _MOST_ONE_HOT}
        empty = cls(len(sizes), encoded, embedded, ())
        ones = empty._run(empty._encoding, matrix) if encoded else matrix
        sources, outputs = [], 0
        for place, column in enumerate(description.columns):
            if place in encoded:
                for output in range(outputs, outputs + _width(encoded[place])):
                    sources += _fitted("code", output, ones[:, output], weights)
                outputs += _width(encoded[place])
            elif place not in embedded and column.kind != "empty":
                values = matrix[:, place]
                scaled = _fitted("value", place, values, weights)
                _check_digits(scaled, repr(place if column.name is None else column.name))
                sources += scaled
                sources += _fitted("missing", place, np.isnan(values) * 1.0, weights)
        return cls(len(sizes), encoded, embedded, tuple(sources))

    @property
    def numbers(self) -> int:
        """How many numbers the network sees; one that is always 0 where there are none."""
        return max(1, len(self.sources))

    def layers(self, x: Any) -> Any:
        """Return the numbers as a symbolic tensor, made of one of rows of the matrix."""
        values, missing, codes = (self._of(what) for what in ("value", "missing", "code"))
        read = sorted({source.place for source in values + missing})
        parts = []
        if read or not self.sources:
            indicators = tuple(source.place for source in missing)
            columns, scaled = tuple(read) or None, x
            if self._has_remainders:  # the core subtracts in double in the first layer alone
                scaled = cr.Normalization("robust", columns=columns, name="scaled")(x)
            scaled = cr.Normalization(
                "robust",
                clip=_CLIP,
                missing="indicator" if indicators else "zero",
                columns=columns,
                indicator_columns=indicators or None,
                name="centered" if self._has_remainders else "scaled",
            )(scaled)
            taken = [source.place for source in values] or ([] if self.sources else [0])
            taken += range(self.columns, self.columns + len(missing))
            parts.append(cr.Take(tuple(taken))(scaled))
        if codes:
            parts.append(cr.Take(tuple(s.place for s in codes))(self._encoding(x)))
        h = parts[0] if len(parts) == 1 else cr.Concatenate()(parts)
        made = values + missing + codes
        order = tuple(made.index(source) for source in self.sources)
        if list(order) != sorted(order):
            h = cr.Take(order)(h)
        rest = tuple(i for i, source in enumerate(self.sources) if source.what != "value")
        return cr.Normalization("robust", clip=_CLIP, columns=rest, name="codes")(h) if rest else h

    def statistics(self) -> dict[str, NDArray[np.float64]]:
        """Return the parameters of the layers by name."""
        found: dict[str, NDArray[np.float64]] = {}
        values, missing = self._of("value"), self._of("missing")
        if values or missing or not self.sources:
            center, scale = np.zeros(self.columns), np.ones(self.columns)
            scale[[source.place for source in missing] if self.sources else slice(None)] = 0.0
            for source in values:
                center[source.place], scale[source.place] = source.median, source.spread
            found |= {"scaled.center": center, "scaled.scale": scale}
            if self._has_remainders:
                remainders = np.zeros(self.columns)
                remainders[[source.place for source in values]] = [
                    source.remainder for source in values
                ]
                found |= {"centered.center": remainders, "centered.scale": np.ones(self.columns)}
        if len(values) < len(self.sources):
            rest = [s.what != "value" for s in self.sources]
            center = np.array([s.median for s in self.sources])
            scale = np.array([s.spread for s in self.sources])
            found["codes.center"] = np.where(rest, center, 0.0)
            found["codes.scale"] = np.where(rest, scale, 1.0)
        return found

    def inputs(self, matrix: NDArray[np.float64]) -> Any:
        """Return what a network learns from: numbers, or a list of codes and numbers.

        It is worked out once for all epochs, in double. Code 0 stands for categories that are
        missing or unknown.
        """
        numbers = self._run(self.layers, matrix, self.statistics()).astype(np.float32)
        if not self.embedded:
            return numbers
        codes = matrix[:, [*self.embedded]] + 1.0
        known = np.isfinite(codes) & (codes <= [*self.embedded.values()])
        return [np.where(known, codes, 0.0).astype(np.int64), numbers]

    @property
    def _has_remainders(self) -> bool:
        return any(source.remainder != 0.0 for source in self.sources)

    def _of(self, what: str) -> list[_Source]:
        return [source for source in self.sources if source.what == what]

    def _encoding(self, x: Any) -> Any:
        """Return the outputs of the columns that are encoded."""
        layer = cr.CategoryEncoding(
            tuple(self.encoded.values()),
            columns=tuple(self.encoded),
            unknown="zero",
            missing="zero",
            binary_as_sign=True,
        )
        return cr.Take(self._encoded_outputs)(layer(x))

    @cached_property
    def _encoded_outputs(self) -> tuple[int, ...]:
        outputs: list[int] = []
        first = 0
        for place in range(self.columns):
            width = _width(self.encoded[place]) if place in self.encoded else 1
            if place in self.encoded:
                outputs += range(first, first + width)
            first += width
        return tuple(outputs)

    def _run(self, layers: Any, matrix: NDArray[np.float64], weights: Any = None) -> Any:
        """Return what layers make of rows."""
        x = cr.Input(self.columns)
        net = cr.Network(x, layers(x), dtype="float64")
        net.set_weights(weights or {})
        return net.predict(matrix)


def _width(categories: int) -> int:
    return 1 if categories == 2 else categories


def _fitted(
    what: str, place: int, values: NDArray[np.float64], weights: NDArray[np.float64] | None
) -> list[_Source]:
    """Return a source with its scale, or nothing of one that never varies."""
    present = ~np.isnan(values)
    values = values[present]
    if not len(values) or values.min() == values.max():
        return []
    counts = np.ones(len(values)) if weights is None else weights[present]
    low, median, high = _quantiles(values, counts, (0.25, 0.5, 0.75))
    # In halves, since the difference of two finite numbers may be none.
    spread = 2.0 * (high / 2.0 - low / 2.0)
    if not spread > 0.0 or not np.isfinite(1.0 / spread):
        spread = float(values.max()) / 2.0 - float(values.min()) / 2.0
    if not np.isfinite(spread) or not np.isfinite(1.0 / spread):
        return []
    if abs(median) < _WIDE * spread:
        return [_Source(what, place, median, spread)]
    center = float(np.float32(median))
    # By a power of two the division is exact; the remainder may be many of them.
    power = 2.0 ** round(math.log2(spread))
    if not abs(median - center) > spread or not np.float32(power) > 0.0:
        return [_Source(what, place, center, spread)]
    spread = power
    return [_Source(what, place, center, spread, float(np.float32((median - center) / spread)))]


def _check_digits(sources: list[_Source], shown: str) -> None:
    """Warn where differences from a median's float32 are rounded to few steps."""
    for source in sources:
        if np.spacing(np.float32(abs(source.remainder))) > _COARSE:
            warnings.warn(
                f"the numbers of column {shown} lie within about {source.spread:.3g} of each other "
                f"at {source.median:.6g}, which leaves few of their digits. Subtract an offset, "
                "such as the minimum, from the column before fit and predict",
                stacklevel=6,
            )


def _quantiles(
    values: NDArray[np.float64], counts: NDArray[np.float64], shares: Sequence[float]
) -> list[float]:
    """Return the smallest values below or at which there are these shares of the counts."""
    order = np.argsort(values, kind="stable")
    sums = np.cumsum(counts[order])
    places = np.searchsorted(sums, np.array(shares) * sums[-1])
    found: list[float] = values[order][np.minimum(places, len(values) - 1)].tolist()
    return found
