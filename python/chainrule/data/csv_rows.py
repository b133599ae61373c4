# SPDX-License-Identifier: Apache-2.0
"""The rows of a CSV file.

`pyarrow` reads them quickly where it is installed. Whatever it cannot read, and every file where it
is missing, goes through the row by row reader, which knows the line and column of each fault; so
both ways accept the same files and give the same result.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.data.csv_layout import Layout, open_records
from chainrule.data.source import Bounded
from chainrule.errors import DataFileError

__all__ = ["FeatureType", "Rows", "read_rows"]

FeatureType: TypeAlias = Literal["float32", "float64", "uint8"]


class Rows(NamedTuple):
    """Features, the label column as text, and the line that each row begins on."""

    x: NDArray[Any]
    labels: list[str]
    lines: NDArray[np.int64]


def read_rows(layout: Layout, dtype: FeatureType) -> Rows:
    """Return the rows of a file.

    Raises
    ------
    DataFileError
        If one has another number of fields, or a feature is missing, no number or does not fit
        `dtype`; the text names the first fault's line and column.
    """
    return _read_by_pyarrow(layout, dtype) or _read_by_row(layout, dtype)


def _read_by_pyarrow(layout: Layout, dtype: FeatureType) -> Rows | None:
    """Read with pyarrow; None if that is not installed or finds anything unusual."""
    try:
        import pyarrow
        from pyarrow import csv as arrow
    except ImportError:
        return None
    if layout.spelling.thousands is not None or not layout.delimiter.isascii():
        return None
    names = [str(i) for i in range(layout.columns)]
    types = {names[i]: pyarrow.float64() for i in layout.features}
    if layout.label is not None:
        types[names[layout.label]] = pyarrow.string()
    try:
        with layout.source.open(text=True) as stream:
            # Threads of pyarrow may read on after an error, when a file or a stream of Python's
            # would be closed already; memory stays theirs.
            whole = pyarrow.BufferReader(stream.read())
            table = arrow.read_csv(
                whole,
                arrow.ReadOptions(column_names=names, skip_rows=layout.header_line),
                arrow.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
                arrow.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=[""],
                    decimal_point=layout.spelling.decimal,
                ),
            )
            contents = stream.raw
            assert isinstance(contents, Bounded)
            ends = contents.newlines + (contents.last_byte != b"\n")
            plain = contents.lone_returns == 0
    except (pyarrow.ArrowException, OSError):
        return None
    if table.num_rows == 0:
        return None
    x = np.empty((table.num_rows, len(layout.features)), dtype)
    for j, i in enumerate(layout.features):
        column = table.column(names[i]).to_numpy()
        x[:, j], bad = _cast(column, dtype)
        # Of an infinity the text tells whether the number is one or only too large.
        if bad.any() or np.isinf(column).any():
            return None
    labels = [] if layout.label is None else table.column(names[layout.label]).to_pylist()
    # With as many rows as lines, every row is one; otherwise the other reader counts them.
    if plain and ends - layout.header_line == table.num_rows:
        lines = np.arange(layout.header_line, ends) + 1
    else:
        lines = _lines(layout)
    return Rows(x, labels, lines) if len(lines) == len(x) else None


def _records(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield line and fields of each row."""
    with open_records(layout.source, layout.delimiter) as rows:
        for record in rows:
            if rows.line > layout.header_line:
                yield rows.line, record


def _lines(layout: Layout) -> NDArray[np.int64]:
    return np.fromiter((line for line, _ in _records(layout)), np.int64)


def _read_by_row(layout: Layout, dtype: FeatureType) -> Rows:
    """Read with the standard library, and raise the error for the first fault."""
    values, labels, lines = array("d"), list[str](), array("q")
    label, features = layout.label, layout.features
    pick = itemgetter(*features) if len(features) > 1 else lambda row: (row[features[0]],)
    for line, row in _records(layout):
        if len(row) != layout.columns:
            raise DataFileError(
                f"{layout.source.path}, line {line}: {len(row)} "
                f"field{'s' if len(row) != 1 else ''}, expected {layout.columns}"
            )
        if label is not None:
            labels.append(row[label])
        values.extend(_numbers(layout, line, pick(row)))
        lines.append(line)
    rows = np.frombuffer(values, dtype=np.float64).reshape(len(lines), -1)
    x, bad = _cast(rows, dtype)
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        where = layout.at(lines[i], features[j])
        fault = "is missing" if np.isnan(rows[i, j]) else f"{rows[i, j]:g} does not fit {dtype}"
        raise DataFileError(f"{where}: {fault}")
    return Rows(x, labels, np.array(lines, np.int64))


def _numbers(layout: Layout, line: int, fields: Sequence[str]) -> Sequence[float]:
    spelling = layout.spelling
    if spelling.plain and "_" not in "".join(fields):
        try:
            values = list(map(float, fields))
        except ValueError:
            pass
        else:
            if math.inf not in values and -math.inf not in values:
                return values
    numbers: list[float] = []
    for column, field in zip(layout.features, fields, strict=True):
        value, fault = spelling.number(field), spelling.fault(field)
        # A NaN is missing, which is found in the whole table.
        if value is None or (fault is not None and not math.isnan(value)):
            raise DataFileError(f"{layout.at(line, column)}: {fault}")
        numbers.append(value)
    return numbers


def _cast(values: NDArray[Any], dtype: FeatureType) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Convert float64 values and mark those that are NaN or do not fit."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
        if dtype == "uint8":
            return cast, cast != values
        return cast, np.isnan(values) | (np.isinf(cast) & ~np.isinf(values))
