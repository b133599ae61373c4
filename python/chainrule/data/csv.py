# SPDX-License-Identifier: Apache-2.0
"""Tables of numbers in CSV files.

`pyarrow` reads them quickly where it is installed. Whatever it cannot read, and every file where it
is missing, goes through the row by row reader in this module, which knows the line and column of
each fault; so both ways accept the same files and give the same result.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.data.compressed import existing_file, is_gzip
from chainrule.data.csv_layout import Layout, find_layout, number, open_rows
from chainrule.data.encoding import label_numbers
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

FeatureType: TypeAlias = Literal["float32", "float64", "uint8"]

_FEATURE_TYPES = ("float32", "float64", "uint8")
_MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?"})


@dataclass(frozen=True)
class Table:
    """What a CSV file holds; unpacks as ``x, y = table``.

    Attributes
    ----------
    x : ndarray, shape (rows, features)
        The features.
    y : ndarray, shape (rows,), or None
        The label column: int64 if every label is a whole number or text, else of the dtype of `x`
        (float32 for uint8 features). None if the file has no label column.
    feature_names : tuple of str or None
        The header without the label column; None if there is no header.
    classes : tuple of str or None
        If labels are text, the sorted names that the numbers in `y` count; otherwise None.
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    feature_names: tuple[str, ...] | None
    classes: tuple[str, ...] | None

    def __iter__(self) -> Iterator[Any]:
        """Yield `x` and `y`."""
        yield self.x
        yield self.y


def load_csv(
    path: str | PathLike[str],
    *,
    label: str | int | None = "last",
    header: bool | Literal["auto"] = "auto",
    delimiter: str = ",",
    dtype: FeatureType = "float32",
) -> Table:
    r"""Read features and labels from a CSV file, plain or compressed by gzip.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8.
    label : str, int or None, default "last"
        The label column: ``"last"``, ``"first"``, a name from the header, an index (negative from
        the end), or None if all columns are features.
    header : bool or "auto", default "auto"
        Whether the first line holds names. ``"auto"`` takes it as names if one of its fields is no
        number where the second line has one; a line with both names and numbers is refused as
        ambiguous.
    delimiter : str, default ","
        The character between fields.
    dtype : {"float32", "float64", "uint8"}, default "float32"
        Type of the features; for uint8 all must be whole numbers from 0 to 255.

    Returns
    -------
    Table
        `x`, `y`, `feature_names` and `classes`; unpacks as ``x, y``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If an entry is missing, no number or does not fit `dtype`, or a line has another number of
        fields; the text names line and column. Also if the file is empty, not UTF-8 or corrupt.
    ValueError
        If an argument is wrong or there is no such label column.

    Notes
    -----
    Labels are numbers if the first one is, and then all must be; otherwise they are class names.
    Missing entries are empty fields, ``NA``, ``N/A``, ``NaN``, ``null``, ``None`` and ``?``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "iris.csv"
    >>> _ = path.write_text("length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n")
    >>> x, y = load_csv(path)
    >>> x.shape, y
    ((2, 2), array([0, 1]))
    >>> table = load_csv(path, label="species")
    >>> table.feature_names, table.classes
    (('length', 'width'), ('setosa', 'versicolor'))
    """
    if dtype not in _FEATURE_TYPES:
        raise ValueError(unknown_name("dtype", dtype, _FEATURE_TYPES))
    if header != "auto" and not isinstance(header, bool):
        raise ValueError(f"header must be True, False or 'auto', got {header!r}")
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter must be one character, got {delimiter!r}")
    layout = find_layout(existing_file(path), label, header, delimiter)
    read = _read_by_pyarrow(layout, dtype) or _read_by_row(layout, dtype)
    names = layout.header
    if names is not None and layout.label is not None:
        names = names[: layout.label] + names[layout.label + 1 :]
    if layout.label is None:
        return Table(read.x, None, names, None)
    y, classes = _labels(read, layout, dtype)
    return Table(read.x, y, names, classes)


class _Rows(NamedTuple):
    """Features, the label column as text, and the line each row ends on if that is known."""

    x: NDArray[Any]
    labels: list[str]
    lines: Sequence[int] | None


def _read_by_pyarrow(layout: Layout, dtype: FeatureType) -> _Rows | None:
    """Read with pyarrow; None if that is not installed or finds anything unusual."""
    try:
        import pyarrow
        from pyarrow import csv as arrow
    except ImportError:
        return None
    names = [str(i) for i in range(layout.columns)]
    types = {
        name: pyarrow.string() if i == layout.label else pyarrow.float64()
        for i, name in enumerate(names)
    }
    compression = "gzip" if is_gzip(layout.file) else None
    try:
        with pyarrow.input_stream(str(layout.file), compression=compression) as stream:
            table = arrow.read_csv(
                stream,
                arrow.ReadOptions(column_names=names, skip_rows=layout.header_line),
                arrow.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
                arrow.ConvertOptions(column_types=types, null_values=[""]),
            )
    except (pyarrow.ArrowException, OSError):
        return None
    if table.num_rows == 0:
        return None
    features = [name for i, name in enumerate(names) if i != layout.label]
    x = np.empty((table.num_rows, len(features)), dtype)
    for j, name in enumerate(features):
        column = table.column(name).to_numpy()
        x[:, j], bad = _cast(column, dtype)
        if bad.any():
            return None
    labels = [] if layout.label is None else table.column(layout.label).to_pylist()
    return _Rows(x, labels, None)


def _read_by_row(layout: Layout, dtype: FeatureType) -> _Rows:
    """Read with the standard library, and raise the error for the first fault."""
    values, labels, lines = array("d"), list[str](), array("q")
    label = layout.label
    with open_rows(layout.file, layout.delimiter) as reader:
        for row in reader:
            line = reader.line_num
            if not row or line <= layout.header_line:
                continue
            if len(row) != layout.columns:
                raise DataFileError(
                    f"{layout.file}, line {line}: {len(row)} "
                    f"field{'s' if len(row) != 1 else ''}, expected {layout.columns}"
                )
            if label is not None:
                labels.append(row.pop(label))
            values.extend(_numbers(layout, line, row))
            lines.append(line)
    rows = np.frombuffer(values, dtype=np.float64).reshape(len(lines), -1)
    x, bad = _cast(rows, dtype)
    if bad.any():
        i, j = (int(k) for k in np.argwhere(bad)[0])
        where = layout.at(lines[i], layout.file_column(j))
        fault = "is missing" if np.isnan(rows[i, j]) else f"{rows[i, j]:g} does not fit {dtype}"
        raise DataFileError(f"{where}: {fault}")
    return _Rows(x, labels, lines)


def _numbers(layout: Layout, line: int, fields: list[str]) -> list[float]:
    try:
        # Python takes 1_000 for a number, which no table means.
        if "_" not in "".join(fields):
            return list(map(float, fields))
    except ValueError:
        pass
    j, field = next((j, field) for j, field in enumerate(fields) if number(field) is None)
    raise DataFileError(f"{layout.at(line, layout.file_column(j))}: {_fault(field)}")


def _fault(field: str) -> str:
    return "is missing" if field.strip().lower() in _MISSING else f"{field!r} is not a number"


def _cast(values: NDArray[Any], dtype: FeatureType) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Convert float64 values and mark those that are NaN or do not fit."""
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
        if dtype == "uint8":
            return cast, cast != values
        return cast, np.isnan(values) | (np.isinf(cast) & ~np.isinf(values))


def _labels(
    rows: _Rows, layout: Layout, dtype: FeatureType
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    labels = [text.strip() for text in rows.labels]
    numeric = number(labels[0]) is not None
    for i, text in enumerate(labels):
        if text.lower() in _MISSING or (numeric and number(text) is None):
            if rows.lines is None:
                rows = _read_by_row(layout, dtype)
            assert rows.lines is not None
            assert layout.label is not None
            hint = "" if text.lower() in _MISSING else ", though the first label is one"
            raise DataFileError(f"{layout.at(rows.lines[i], layout.label)}: {_fault(text)}{hint}")
    if not numeric:
        classes, codes = np.unique(np.array(labels), return_inverse=True)
        return codes.astype(np.int64), tuple(str(name) for name in classes)
    y = np.array([float(text) for text in labels])
    return label_numbers(y, "float64" if dtype == "float64" else "float32"), None
