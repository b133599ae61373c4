# SPDX-License-Identifier: Apache-2.0
"""Where things are in a CSV file: its header, its number of columns and its label column."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from chainrule.data.compressed import open_binary
from chainrule.errors import DataFileError
from chainrule.names import unknown_name


class Layout(NamedTuple):
    """A file and where things are in it, found from its first two lines."""

    file: Path
    delimiter: str
    header: tuple[str, ...] | None
    header_line: int
    columns: int
    label: int | None

    def at(self, line: int, column: int) -> str:
        """Name a place in the file for an error message."""
        name = "" if self.header is None else f" ({self.header[column]!r})"
        return f"{self.file}, line {line}, column {column + 1}{name}"

    def file_column(self, feature: int) -> int:
        """Return the column of the file that holds a feature."""
        return feature + (self.label is not None and feature >= self.label)


@contextmanager
def open_rows(file: Path, delimiter: str) -> Iterator[Any]:
    """Open a file as a CSV reader whose errors name the file and line."""
    with open_binary(file) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=delimiter)
        try:
            yield reader
        except UnicodeDecodeError as error:
            raise DataFileError(
                f"{file}, after line {reader.line_num}: not UTF-8 text: {error}"
            ) from error
        except csv.Error as error:
            raise DataFileError(f"{file}, line {reader.line_num}: {error}") from error


def find_layout(
    file: Path, label: str | int | None, header: bool | Literal["auto"], delimiter: str
) -> Layout:
    """Read the first lines of a file as `load_csv` documents its arguments."""
    with open_rows(file, delimiter) as reader:
        first = next((row for row in reader if row), None)
        header_line = reader.line_num
        second = next((row for row in reader if row), None)
    if first is None:
        raise DataFileError(f"{file} is empty")
    if header == "auto":
        header = _is_header(f"{file}, line {header_line}", first, second)
    if header and second is None:
        raise DataFileError(f"{file} has a header but no rows")
    names = tuple(name.strip() for name in first) if header else None
    column = _label_column(file, label, names, len(first))
    if column is not None and len(first) == 1:
        raise DataFileError(
            f"{file} has one column (by delimiter {delimiter!r}), so label = {label!r} leaves no "
            f"features"
        )
    return Layout(file, delimiter, names, header_line if header else 0, len(first), column)


def _is_header(where: str, first: list[str], second: list[str] | None) -> bool:
    names = [i for i, field in enumerate(first) if field.strip() and number(field) is None]
    numbers = [field for field in first if number(field) is not None]
    if not names:
        return False
    above_numbers = [
        i for i in names if second is None or (i < len(second) and number(second[i]) is not None)
    ]
    if not numbers:
        return True
    if above_numbers:
        raise DataFileError(
            f"{where}: may or may not be a header: {first[above_numbers[0]]!r} is not a "
            f"number but {numbers[0]!r} is; pass header=True or header=False"
        )
    return False


def _label_column(
    file: Path, label: str | int | None, names: tuple[str, ...] | None, columns: int
) -> int | None:
    if label is None:
        return None
    if label in ("first", "last"):
        return 0 if label == "first" else columns - 1
    if isinstance(label, str):
        if names is None:
            raise ValueError(f"label = {label!r} names a column, but {file} has no header")
        if names.count(label) > 1:
            raise ValueError(f"label = {label!r} names {names.count(label)} columns of {file}")
        if label not in names:
            raise ValueError(f"{file}: {unknown_name('label column', label, names)}")
        return names.index(label)
    if isinstance(label, bool) or not isinstance(label, int | np.integer):
        raise TypeError(
            f"label must be a column's name or index, 'first', 'last' or None, got {label!r}"
        )
    if not -columns <= label < columns:
        raise ValueError(f"label = {label} is out of range: {file} has {columns} columns")
    return int(label) % columns


def number(field: str) -> float | None:
    """Return the number that a field spells, or None if it spells none."""
    try:
        return None if "_" in field else float(field)
    except ValueError:
        return None
