# SPDX-License-Identifier: Apache-2.0
"""Tables of numbers in CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.csv_layout import Layout, find_layout
from chainrule.data.csv_numbers import MISSING, Spelling
from chainrule.data.csv_rows import FeatureType, Rows, read_rows
from chainrule.data.encoding import label_numbers
from chainrule.data.source import open_source
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

_FEATURE_TYPES = ("float32", "float64", "uint8")
# Those besides ASCII's that stand between groups of digits.
_SPACES = "\u00a0\u2009\u202f"


@dataclass(frozen=True)
class Table:
    r"""What a CSV file holds; unpacks as ``x, y = table``.

    Attributes
    ----------
    x : ndarray, shape (rows, features)
        The features.
    y : ndarray, shape (rows,), or None
        The label column: int64 if every label is a whole number or text, else of the dtype of `x`
        (float32 for uint8 features). None if the file has no label column.
    feature_names : tuple of str or None
        The names of the features in the header; None if there is no header.
    classes : tuple of str or None
        If labels are text, the sorted names that the numbers in `y` count; otherwise None.
    label_name : str or None
        The name of the label column in the header.
    lines : ndarray of int64, shape (rows,), or None
        The line of the file that each row begins on, counted from 1: header, blank lines and line
        breaks within quotes count.
    feature_columns : tuple of int
        The column of the file, counted from 0, that each feature stands in.
    label_column : int or None
        The same of the labels.

    Examples
    --------
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pets.csv"
    >>> _ = path.write_text("weight,pet\n4.5,cat\n9.0,dog\n")
    >>> table = cr.data.load_csv(path)
    >>> table.classes, table.y
    (('cat', 'dog'), array([0, 1]))
    """

    x: NDArray[Any]
    y: NDArray[Any] | None
    feature_names: tuple[str, ...] | None
    classes: tuple[str, ...] | None
    label_name: str | None = None
    lines: NDArray[np.int64] | None = None
    feature_columns: tuple[int, ...] = ()
    label_column: int | None = None

    def place(self, row: int, feature: int | None = None) -> str:
        r"""Return where in the file a feature of a row stands, or without `feature` its label.

        Parameters
        ----------
        row : int
            A row of `x`.
        feature : int, optional
            A column of `x`.

        Returns
        -------
        str
            For an error message.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "iris.csv"
        >>> _ = path.write_text("length,width,species\n\n5.1,3.5,setosa\n")
        >>> load_csv(path).place(0, 1)
        "line 3, column 2 ('width')"
        """
        column = self.label_column if feature is None else self.feature_columns[feature]
        if self.lines is None or column is None:
            return f"row {row}"
        name = self.label_name
        if feature is not None:
            name = None if self.feature_names is None else self.feature_names[feature]
        named = "" if name is None else f" ({name!r})"
        return f"line {self.lines[row]}, column {column + 1}{named}"

    def __iter__(self) -> Iterator[Any]:
        """Yield `x` and `y`."""
        yield self.x
        yield self.y


def load_csv(
    path: str | PathLike[str],
    *,
    label: str | int | None = "last",
    header: bool | Literal["auto"] = "auto",
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    drop: str | int | Sequence[str | int] = (),
    max_bytes: int | None = None,
    dtype: FeatureType = "float32",
) -> Table:
    r"""Read features and labels from a CSV file, plain or compressed by gzip.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8, or a pipe such as ``/dev/stdin``.
    label : str, int or None, default "last"
        The label column: ``"last"``, ``"first"``, a name from the header, an index (negative from
        the end), or None if all columns are features.
    header : bool or "auto", default "auto"
        Whether the first line holds names. ``"auto"`` takes it as names if one of its fields is no
        number where the second line has one; a line with both names and numbers is refused as
        ambiguous.
    delimiter : str, optional
        The character between fields. By default a tab in files called ``.tsv``, else the one of
        comma, semicolon, tab and ``|`` that the first two lines speak for; where several may be
        meant the file is refused.
    decimal : str, default "."
        The character before the fraction of a number, ``","`` for ``1,5``.
    thousands : str, optional
        The character between groups of digits, ``","`` for ``"97,234.00"``. Where it is the
        delimiter too, such numbers stand in quotes.
    drop : str, int or sequence of them, default ()
        Columns to leave out, by name or index; they may hold anything.
    max_bytes : int, optional
        Bytes to read at most, once decompressed. By default 64 MiB or a hundred times the
        compressed size, whichever is more, come out of a gzip file, 1 GiB through a pipe, and any
        number from a plain file.
    dtype : {"float32", "float64", "uint8"}, default "float32"
        Type of the features; for uint8 all must be whole numbers from 0 to 255.

    Returns
    -------
    Table
        `x`, `y`, names, classes and lines; unpacks as ``x, y``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If an entry is missing, no number or does not fit `dtype`, a line has another number of
        fields, or no quote closes a quoted field; the text names line and column. Also if the file
        is empty, not UTF-8, corrupt, a device or too long, or its delimiter is not clear.
    ValueError, TypeError
        If an argument is wrong or there is no such column.

    Notes
    -----
    Labels are numbers if the first one is, and then all must be; otherwise they are class names,
    unless every one would be a number with another `decimal` or `thousands`.
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
    _check_characters(delimiter, decimal, thousands)
    source = open_source(path, max_bytes)
    dropped = [drop] if isinstance(drop, str | int | np.integer) else list(drop)
    layout = find_layout(source, label, header, delimiter, Spelling(decimal, thousands), dropped)
    read = read_rows(layout, dtype)
    y, classes, label_name, names = None, None, None, None
    if layout.label is not None:
        y, classes = _labels(read, layout, dtype)
    if layout.header is not None:
        names = tuple(layout.header[i] for i in layout.features)
        label_name = None if layout.label is None else layout.header[layout.label]
    return Table(read.x, y, names, classes, label_name, read.lines, layout.features, layout.label)


def _check_characters(delimiter: str | None, decimal: str, thousands: str | None) -> None:
    given = {"delimiter": delimiter, "decimal": decimal, "thousands": thousands}
    for name, character in given.items():
        if character is None and name != "decimal":
            continue
        if not isinstance(character, str):
            raise TypeError(f"{name} must be one character, got {character!r}")
        unfit = '"\r\n' if name == "delimiter" else '"\r\n_+-eE0123456789'
        if len(character) != 1 or character in unfit or not character.isascii():
            if name == "thousands" and character in _SPACES:
                continue
            raise ValueError(f"{name} must be one character, got {character!r}")
    if decimal == thousands:
        raise ValueError(f"decimal and thousands are both {decimal!r}")


def _labels(
    rows: Rows, layout: Layout, dtype: FeatureType
) -> tuple[NDArray[Any], tuple[str, ...] | None]:
    labels, spelling = [text.strip() for text in rows.labels], layout.spelling
    assert layout.label is not None
    label = layout.label

    def refused(i: int, fault: str | None) -> DataFileError:
        return DataFileError(f"{layout.at(int(rows.lines[i]), label)}: {fault}")

    for i, text in enumerate(labels):
        if text.lower() in MISSING:
            raise refused(i, "is missing")
    if spelling.number(labels[0]) is None:
        if all(map(spelling.likely, labels)):
            raise refused(0, spelling.fault(labels[0]))
        classes, codes = np.unique(np.array(labels), return_inverse=True)
        return codes.astype(np.int64), tuple(str(name) for name in classes)
    numbers = [spelling.number(text) for text in labels]
    if None in numbers:
        i = numbers.index(None)
        raise refused(i, f"{spelling.fault(labels[i])}, though the first label is one")
    y = np.array(numbers, np.float64)
    for i in np.flatnonzero(~np.isfinite(y)).tolist():
        if (fault := spelling.fault(labels[i])) is not None:
            raise refused(i, fault)
    float_type = "float64" if dtype == "float64" else "float32"
    converted = label_numbers(y, float_type)
    too_large = np.isinf(converted) & ~np.isinf(y) if converted.dtype.kind == "f" else None
    if too_large is not None and too_large.any():
        i = int(too_large.argmax())
        raise refused(i, f"{y[i]:g} does not fit {float_type}; pass dtype='float64'")
    return converted, None
