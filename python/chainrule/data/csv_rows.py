# SPDX-License-Identifier: Apache-2.0
"""The rows of a CSV file: NumPy reads them, and where it cannot, the first fault is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, groupby
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.data.csv_layout import Layout, open_records, open_text
from chainrule.data.source import Bounded
from chainrule.errors import DataFileError

FeatureType: TypeAlias = Literal["float32", "float64", "uint8"]


class Rows(NamedTuple):
    """Features, the label column as text, and the line that each row begins on."""

    x: NDArray[Any]
    labels: list[str]
    lines: NDArray[np.int64]


def read_rows(layout: Layout, dtype: FeatureType) -> Rows:
    """Return the rows of a file."""
    record = _record(layout, dtype)
    spelling = layout.spelling
    converters: dict[int | str, Callable[[str], float]] | None = None
    if not spelling.plain:
        converters = dict.fromkeys(layout.features, spelling.parse)
    with open_text(layout.source) as text:
        try:
            for _ in range(layout.header_line):
                text.readline()
            table = np.loadtxt(
                chain(text, [_end(layout)]),
                record,
                comments=None,
                delimiter=layout.delimiter,
                converters=converters,
                ndmin=1,
                quotechar='"',
            )[:-1]
        except ValueError as error:
            if not isinstance(error, DataFileError):
                _raise_first_fault(layout, dtype)
                # What is left are spellings of numbers that NumPy alone does not know.
                error = DataFileError(f"{layout.source.path}: {error}")
            raise error from None
        contents = text.buffer.raw  # type: ignore[attr-defined]
        assert isinstance(contents, Bounded)
    names = [name for name in record.names or () if name.startswith("x")]
    runs = [table[name] for name in names]
    features = np.concatenate(runs, axis=1) if len(runs) > 1 else runs[0]
    x = _cast(features, dtype)
    # Of an infinity the text tells whether the number is one or only too large.
    if not np.isfinite(features).all() or (dtype == "uint8" and (x != features).any()):
        _raise_first_fault(layout, dtype)
    labels = [] if layout.label is None else table["y"][:, 0].tolist()
    return Rows(x, labels, _lines(layout, contents, len(x)))


def _end(layout: Layout) -> str:
    """Return a row to put behind the last one, which shows whether a quote is still open there."""
    # NumPy takes the end of a file for the end of a quoted field. The first quote of this row
    # closes an open one: what follows is no number, or has more fields than a row, which NumPy
    # refuses, or with text in the first column it is the end of the last row, and there are fewer
    # rows than lines, so that `_lines` reads them.
    return layout.delimiter.join(['"nan"'] * layout.columns) + "\n"


def _record(layout: Layout, dtype: FeatureType) -> np.dtype[Any]:
    """Return the type of a row: fields of neighbouring features, the label, what is dropped."""
    formats = {"x": "f4" if dtype == "float32" else "f8", "y": "O", "dropped": "U1"}
    features = frozenset(layout.features)
    kinds = [
        "x" if i in features else "y" if i == layout.label else "dropped"
        for i in range(layout.columns)
    ]
    runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
    return np.dtype(
        [
            ("y" if kind == "y" else f"{kind}{i}", formats[kind], (count,))
            for i, (kind, count) in enumerate(runs)
        ],
        align=True,
    )


def _records(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Yield line and fields of each row."""
    with open_records(layout.source, layout.delimiter) as rows:
        for record in rows:
            if rows.line > layout.header_line:
                yield rows.line, record


def _lines(layout: Layout, contents: Bounded, rows: int) -> NDArray[np.int64]:
    """Return the line that each row begins on."""
    ends = contents.newlines + (contents.last_byte != b"\n")
    # With as many rows as lines, every row is one.
    if contents.lone_returns == 0 and ends - layout.header_line == rows:
        return np.arange(layout.header_line, ends) + 1
    return np.fromiter((line for line, _ in _records(layout)), np.int64)


def _raise_first_fault(layout: Layout, dtype: FeatureType) -> None:
    """Raise DataFileError for the first row or feature that is wrong, if one is."""
    for line, row in _records(layout):
        if len(row) != layout.columns:
            raise DataFileError(
                f"{layout.source.path}, line {line}: {len(row)} "
                f"field{'s' if len(row) != 1 else ''}, expected {layout.columns}"
            )
        for i in layout.features:
            if fault := _fault(layout, row[i], dtype):
                raise DataFileError(f"{layout.at(line, i)}: {fault}")


def _fault(layout: Layout, field: str, dtype: FeatureType) -> str | None:
    fault = layout.spelling.fault(field)
    if fault is not None:
        return fault
    value = np.float64(layout.spelling.parse(field))
    cast = _cast(value, dtype)
    fits = cast == value if dtype == "uint8" else np.isfinite(cast) or np.isinf(value)
    return None if fits else f"{value:g} does not fit {dtype}"


def _cast(values: Any, dtype: FeatureType) -> NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(dtype)
