# SPDX-License-Identifier: Apache-2.0
"""The values of one column: numbers with NaN where they are missing, or text with None there."""

from __future__ import annotations

import datetime
import decimal
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "Values", "as_text", "of_array", "of_objects", "refuse_complex"]

Kind = Literal["number", "boolean", "date", "category", "empty"]

_MICROSECOND_OF_A_DAY = 86_400_000_000.0
_DATES = (datetime.date, np.datetime64)  # datetime.datetime and pandas.Timestamp are dates too


@dataclass(frozen=True)
class Values:
    """What a column holds.

    Attributes
    ----------
    kind : str
        "number", "boolean" (0 and 1), "date" (days since 1970) with `data` of float64, "category"
        with text, or "empty" where all is missing.
    data : ndarray, shape (rows,)
        float64 with NaN, or objects that are str or None.
    """

    kind: Kind
    data: NDArray[Any]

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self.data.shape[0])

    def take(self, rows: NDArray[Any]) -> Values:
        """Return some of the rows."""
        return Values(self.kind, self.data[rows])


def of_array(column: NDArray[Any], name: str) -> Values:
    """Return the values of an array that has no objects; ValueError where they are infinite.

    Parameters
    ----------
    column : ndarray, shape (rows,)
    name : str
        What errors call the column.
    """
    kind = column.dtype.kind
    if kind == "b":
        return Values("boolean", column.astype(np.float64))
    if kind in "Mm":
        return _days(column)
    if kind in "US":
        return of_objects(column.astype(object), name)
    numbers = column.astype(np.float64)
    _check_finite(numbers, name)
    return Values("empty" if np.isnan(numbers).all() else "number", numbers)


def of_objects(column: NDArray[Any], name: str, *, as_text: bool = False) -> Values:
    """Return the values of an array of objects.

    All numbers, all booleans and all dates are taken as such. Everything else, such as numbers
    among text, is text; so is all of a column with `as_text`.

    Raises
    ------
    TypeError
        If a value is a list or some other object.
    """
    missing = np.array([_is_missing(value) for value in column], dtype=bool)
    present = column[~missing]
    if not len(present):
        return Values("empty", np.full(len(column), np.nan))
    for value in present:
        _check_scalar(value, name)
    if not as_text:
        if all(isinstance(value, bool | np.bool_) for value in present):
            return Values("boolean", _filled(missing, present.astype(np.float64)))
        if all(isinstance(value, Real | decimal.Decimal | np.bool_) for value in present):
            numbers = np.array([float(value) for value in present])
            _check_finite(numbers, name)
            return Values("number", _filled(missing, numbers))
        if all(isinstance(value, _DATES) for value in present):
            return Values("date", _filled(missing, np.array([_day(value) for value in present])))
    text = np.full(len(column), None, dtype=object)
    text[~missing] = [_text(value) for value in present]
    return Values("category", text)


def as_text(values: Values) -> NDArray[Any]:
    """Return values as text, with None where they are missing."""
    if values.kind == "category":
        return values.data
    numbers = values.data
    text = np.full(len(numbers), None, dtype=object)
    places = np.flatnonzero(~np.isnan(numbers))
    boolean = values.kind == "boolean"
    text[places] = [_text(bool(v) if boolean else v) for v in numbers[places].tolist()]
    return text


def refuse_complex(table: NDArray[Any]) -> None:
    """Raise ValueError if an array holds complex numbers."""
    if table.dtype.kind == "c":
        raise ValueError(f"Complex data not supported, got dtype {table.dtype}")


def _is_missing(value: Any) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, float | np.floating):
        return bool(value != value)
    return isinstance(value, np.datetime64) and bool(np.isnat(value))


def _check_scalar(value: Any, name: str) -> None:
    if isinstance(value, complex | np.complexfloating):
        raise ValueError(f"Complex data not supported, column {name} has {value!r}")
    known = (str, bytes, Real, decimal.Decimal, np.bool_, datetime.time, *_DATES)
    if not isinstance(value, known):
        # The words between are those of float(), by which others tell such objects.
        raise TypeError(
            f"column {name} holds a {type(value).__name__}; argument must be a string, a number or "
            "a date"
        )


def _check_finite(numbers: NDArray[np.float64], name: str) -> None:
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.flatnonzero(infinite)[0])
        raise ValueError(
            f"column {name} has an infinite value ({numbers[row]}, row {row}); Input X contains "
            "infinity: expected numbers, or NaN where they are missing"
        )
    large = np.abs(numbers) > np.finfo(np.float32).max
    if large.any():
        row = int(np.flatnonzero(large)[0])
        raise ValueError(
            f"column {name} has {numbers[row]:g} in row {row}, too large for float32; scale it, or "
            "take its logarithm"
        )


def _filled(missing: NDArray[np.bool_], present: NDArray[np.float64]) -> NDArray[np.float64]:
    numbers = np.full(len(missing), np.nan)
    numbers[~missing] = present
    return numbers


def _days(column: NDArray[Any]) -> Values:
    numbers = column.astype(f"{column.dtype.kind}8[us]").astype(np.int64) / _MICROSECOND_OF_A_DAY
    numbers[np.isnat(column)] = np.nan
    return Values("date" if column.dtype.kind == "M" else "number", numbers)


def _day(value: Any) -> float:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
    microseconds = np.datetime64(value).astype("M8[us]").astype(np.int64)
    return float(microseconds / _MICROSECOND_OF_A_DAY)


def _text(value: Any) -> str:
    """Return a value as text; 1 and 1.0 are the same."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
