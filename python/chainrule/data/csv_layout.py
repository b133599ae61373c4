# SPDX-License-Identifier: Apache-2.0
"""Where things are in a CSV file: its header, its delimiter, its label and its feature columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Literal, NamedTuple

import numpy as np

from chainrule.data.csv_delimiter import find_delimiter
from chainrule.data.csv_numbers import Spelling
from chainrule.data.source import Source
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

# Lines that two records may lie on, if they have line breaks within quotes.
_LINES_TO_SEE = 100
# The rest of a quoted field, with the quote that ends it; two of them stand for one within it.
_REST_OF_FIELD = re.compile(r'[^"]*(?:""[^"]*)*"(?!")')


class Layout(NamedTuple):
    """A file and where things are in it, found from its first two records."""

    source: Source
    delimiter: str
    spelling: Spelling
    header: tuple[str, ...] | None
    header_line: int
    columns: int
    label: int | None
    features: tuple[int, ...]

    def at(self, line: int, column: int) -> str:
        """Name a place in the file for an error message."""
        name = "" if self.header is None else f" ({self.header[column]!r})"
        return f"{self.source.path}, line {line}, column {column + 1}{name}"


class Records:
    """The records of an open CSV file that are not blank, one at a time."""

    def __init__(self, text: io.TextIOWrapper, delimiter: str) -> None:
        self._at_end = False
        self._reader = csv.reader(chain(text, self._ends()), delimiter=delimiter)
        self.line = self.end = 0

    def _ends(self) -> Iterator[str]:
        """Yield no line, but note that one was asked for behind the last."""
        self._at_end = True
        yield from ()

    def __iter__(self) -> Iterator[list[str]]:
        """Yield the fields of each record; csv.Error if the last one ends within quotes."""
        for record in self._reader:
            # Only within quotes does a record go on behind its line. The reader's `strict` would
            # say so too, but it also refuses text behind a closing quote.
            if self._at_end:
                raise csv.Error("unexpected end of data")
            self.line, self.end = self.end + 1, self._reader.line_num
            if record:
                yield record


@contextmanager
def open_records(source: Source, delimiter: str) -> Iterator[Records]:
    """Open a file as CSV, with errors that name the file and line."""
    with open_text(source) as text:
        records = Records(text, delimiter)
        try:
            yield records
        except UnicodeDecodeError as error:
            raise _not_utf8(source, records.end, error) from error
        except csv.Error as error:
            # What an open quote takes in may also be more than the longest field.
            line, fault = _open_quote(source, delimiter), "a quote opens a field that never ends"
            if line is None:
                line, fault = records.end + 1, str(error)
            raise DataFileError(f"{source.path}, line {line}: {fault}") from error


def _open_quote(source: Source, delimiter: str) -> int | None:
    """Return the line on which a quoted field begins that does not end, or None without one."""
    with open_text(source) as text, suppress(UnicodeDecodeError):
        return _open_quote_of(text, delimiter)
    return None


def _open_quote_of(lines: Iterable[str], delimiter: str) -> int | None:
    begin: int | None = None
    for number, line in enumerate(lines, 1):
        place, more = 0, True
        while more:
            if begin is None and line.startswith('"', place):
                begin, place = number, place + 1
            if begin is not None:
                rest = _REST_OF_FIELD.match(line, place)
                if rest is None:
                    break
                begin, place = None, rest.end()
            place = line.find(delimiter, place) + 1
            more = place > 0
    return begin


def find_layout(
    source: Source,
    label: str | int | None,
    header: bool | Literal["auto"],
    delimiter: str | None,
    spelling: Spelling,
    drop: Sequence[str | int],
) -> Layout:
    """Read the first lines of a file as `load_csv` documents its arguments."""
    file = str(source.path)
    if delimiter is None:
        delimiter = find_delimiter(file, _first_lines(source), spelling)
    with open_records(source, delimiter) as rows:
        records = list(islice(((record, rows.line, rows.end) for record in rows), 2))
    if not records:
        raise DataFileError(f"{file} is empty")
    first, first_line, header_line = records[0]
    second = records[1][0] if len(records) > 1 else None
    if header == "auto":
        header = _is_header(f"{file}, line {first_line}", first, second, spelling)
    if header and second is None:
        raise DataFileError(f"{file} has a header but no rows")
    names = tuple(name.strip() for name in first) if header else None
    dropped = {find_column(file, "drop", column, names, len(first)) for column in drop}
    kept = [i for i in range(len(first)) if i not in dropped]
    column = _label_column(file, label, names, len(first), kept)
    if column is not None and column in dropped:
        raise ValueError(f"label = {label!r} is a column that drop leaves out")
    features = tuple(i for i in kept if i != column)
    if not features:
        count = "one column" if len(first) == 1 else f"{len(first)} columns"
        raise DataFileError(
            f"{file} has {count} (by delimiter {delimiter!r}), so label = {label!r}"
            f"{' and drop' * bool(drop)} leaves no features; pass delimiter= for another delimiter"
        )
    return Layout(
        source, delimiter, spelling, names, header_line * bool(header), len(first), column, features
    )


@contextmanager
def open_text(source: Source) -> Iterator[io.TextIOWrapper]:
    """Open a file as text, its line breaks left as they are."""
    with source.open(text=True) as stream:
        yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _not_utf8(source: Source, line: int, error: UnicodeDecodeError) -> DataFileError:
    return DataFileError(
        f"{source.path}, after line {line}: not UTF-8 text, as which it has to be saved: {error}"
    )


def _first_lines(source: Source) -> list[str]:
    """Return the lines that the first two records lie on."""
    lines: list[str] = []
    records = quotes = 0
    with open_text(source) as text:
        try:
            for line in text:
                if not line.strip("\r\n") and quotes % 2 == 0:
                    continue
                lines.append(line)
                quotes += line.count('"')
                records += quotes % 2 == 0
                if records == 2 or len(lines) == _LINES_TO_SEE:
                    break
        except UnicodeDecodeError as error:
            raise _not_utf8(source, len(lines), error) from error
    return lines


def _is_header(where: str, first: list[str], second: list[str] | None, spelling: Spelling) -> bool:
    names = [i for i, field in enumerate(first) if field.strip() and not spelling.likely(field)]
    numbers = [field for field in first if spelling.likely(field)]
    if not names:
        return False
    above_numbers = [
        i for i in names if second is None or (i < len(second) and spelling.likely(second[i]))
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
    file: str,
    label: str | int | None,
    names: tuple[str, ...] | None,
    columns: int,
    kept: Sequence[int],
) -> int | None:
    if label is None or not kept:
        return None
    if label in ("first", "last"):
        return kept[0] if label == "first" else kept[-1]
    return find_column(file, "label", label, names, columns)


def find_column(
    file: str, argument: str, given: object, names: tuple[str, ...] | None, columns: int
) -> int:
    """Return the column that a name from the header, or an index, stands for."""
    if isinstance(given, str):
        if names is None:
            raise ValueError(f"{argument} = {given!r} names a column, but {file} has no header")
        if names.count(given) > 1:
            raise ValueError(f"{argument} = {given!r} names {names.count(given)} columns of {file}")
        if given not in names:
            raise ValueError(f"{file}: {unknown_name(f'{argument} column', given, names)}")
        return names.index(given)
    if isinstance(given, bool | np.bool_) or not isinstance(given, int | np.integer):
        others = ", 'first', 'last' or None" if argument == "label" else ""
        raise TypeError(f"{argument} must be a column's name or index{others}, got {given!r}")
    if not -columns <= given < columns:
        raise ValueError(f"{argument} = {given} is out of range: {file} has {columns} columns")
    return int(given) % columns
