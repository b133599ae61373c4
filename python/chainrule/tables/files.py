# SPDX-License-Identifier: Apache-2.0
"""Files of tables, whose columns are read as what they hold: numbers, dates or text."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule.data.csv_layout import find_layout, open_records
from chainrule.data.csv_numbers import MISSING, Spelling
from chainrule.data.source import open_source, regular_file
from chainrule.errors import DataFileError
from chainrule.tables.frames import Table, read_columns
from chainrule.tables.values import Values, as_text, of_objects

__all__ = ["CsvFile", "ParquetFile", "TableFile"]

_INDEX = re.compile(r"__index_level_\d+__")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")


class TableFile(ABC):
    """The columns of a file, not yet taken for anything.

    Attributes
    ----------
    path : str
    names : tuple of str or None
        From the header, None without one.
    columns : int
    rows : int
    """

    path: str
    names: tuple[str, ...] | None
    columns: int
    rows: int

    @abstractmethod
    def values(self, place: int, *, text: bool = False) -> Values:
        """Return the values of a column, with `text` as text whatever they are.

        Raises
        ------
        DataFileError
            If numbers are spelt another way than was said, or infinite.
        """

    def stray_text(self, place: int) -> str | None:
        """Return where text stands in a column that has numbers too; None if nowhere."""
        return None

    def table(self, places: Sequence[int], text: Sequence[bool] | None = None) -> Table:
        """Return some of the columns, those of `text` as text.

        Raises
        ------
        DataFileError
            As of `values`, or if there are no rows or columns or names are repeated.
        """
        if not self.rows or not places:
            raise DataFileError(f"{self.path} has {self.rows} rows and {len(places)} columns")
        names = None if self.names is None else tuple(self.names[place] for place in places)
        repeated = [name for name in names or () if (names or ()).count(name) > 1]
        if repeated:
            raise DataFileError(f"{self.path} has more than one column {repeated[0]!r}")
        known = [False] * len(places) if text is None else text
        pairs = zip(places, known, strict=True)
        return Table(names, [self.values(place, text=t) for place, t in pairs])


class CsvFile(TableFile):
    r"""A CSV file, plain or compressed by gzip.

    Parameters
    ----------
    path, header, delimiter, decimal, thousands
        As of `chainrule.data.load_csv`, as are the errors.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "homes.csv"
    >>> _ = path.write_text('town;area;sold\n"Aix; centre";80,5;2024-05-01\nNice;?;2024-06-30\n')
    >>> file = CsvFile(path, decimal=",")
    >>> [(values.kind, values.data.tolist()) for values in file.table([0, 1]).columns]
    [('category', ['Aix; centre', 'Nice']), ('number', [80.5, nan])]
    >>> file.values(2).kind
    'date'
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        header: bool | Literal["auto"] = "auto",
        delimiter: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
    ) -> None:
        spelling = Spelling(decimal, thousands)
        layout = find_layout(open_source(path), None, header, delimiter, spelling, [])
        records, lines = [], []
        with open_records(layout.source, layout.delimiter) as found:
            for record in found:
                if found.line <= layout.header_line:
                    continue
                if len(record) != layout.columns:
                    count = f"{len(record)} field{'s' if len(record) != 1 else ''}"
                    where = f"{layout.source.path}, line {found.line}"
                    raise DataFileError(f"{where}: {count}, expected {layout.columns}")
                records.append(record)
                lines.append(found.line)
        self.path, self.names = str(path), layout.header
        self.columns, self.rows = layout.columns, len(records)
        self._layout, self._lines = layout, lines
        self._fields = [[field.strip() for field in column] for column in zip(*records)]  # noqa: B905

    def values(self, place: int, *, text: bool = False) -> Values:
        """Return the values of a column; see `TableFile.values`."""
        fields, spelling = self._fields[place], self._layout.spelling
        present = [i for i, field in enumerate(fields) if field.lower() not in MISSING]
        objects = np.full(len(fields), None, dtype=object)
        objects[present] = [fields[i] for i in present]
        if text or not present:
            return of_objects(objects, "", as_text=True)
        numbers = [spelling.number(fields[i]) for i in present]
        if None not in numbers:
            found = np.full(len(fields), np.nan)
            found[present] = numbers
            if np.isinf(found).any():
                row = int(np.flatnonzero(np.isinf(found))[0])
                what = spelling.fault(fields[row]) or f"{fields[row]} is no finite number"
                raise DataFileError(f"{self._layout.at(self._lines[row], place)}: {what}")
            return Values("number", found)
        if all(spelling.likely(fields[i]) for i in present):
            row = present[numbers.index(None)]
            fault = spelling.fault(fields[row])
            raise DataFileError(f"{self._layout.at(self._lines[row], place)}: {fault}")
        return _dates(objects, present) or Values("category", objects)

    def stray_text(self, place: int) -> str | None:
        """Return where text stands in a column that has numbers too; see `TableFile`."""
        spelling = self._layout.spelling
        stray, numbers = None, 0
        for line, field in zip(self._lines, self._fields[place], strict=True):
            if field.lower() in MISSING:
                continue
            if spelling.number(field) is not None:
                numbers += 1
            elif stray is None:
                stray = f"{self._layout.at(line, place)}: {field!r} is not a number"
        return stray if numbers else None


class ParquetFile(TableFile):
    """A Parquet file, which pyarrow reads, without an index that pandas wrote as a column.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If it is no Parquet file or damaged.
    ImportError
        If pyarrow or narwhals is not installed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        file = regular_file(path)
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                'Parquet files are read by pyarrow: pip install pyarrow "chainrule[tables]"'
            ) from error
        try:
            table: Any = parquet.read_table(file)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataFileError(f"{file}: no Parquet file, or a damaged one: {error}") from error
        self._table = table.select([n for n in table.column_names if not _INDEX.fullmatch(n)])
        self.path, self.names = str(path), tuple(self._table.column_names)
        self.rows, self.columns = self._table.num_rows, self._table.num_columns

    def values(self, place: int, *, text: bool = False) -> Values:
        """Return the values of a column; see `TableFile.values`."""
        try:
            values = read_columns(self._table.select([place])).columns[0]
        except (TypeError, ValueError) as error:
            raise DataFileError(f"{self.path}: {error}") from error
        if not text or values.kind in ("category", "empty"):
            return values
        return Values("category", as_text(values))


def _dates(objects: NDArray[Any], present: Sequence[int]) -> Values | None:
    """Return texts as dates, such as 2024-05-01 and 2024-05-01 12:30, or None if they are none."""
    if not all(_DATE.fullmatch(objects[i]) for i in present):
        return None
    try:
        dates = np.array(["NaT" if t is None else t for t in objects], dtype="M8[us]")
    except ValueError:  # such as a 31st of June
        return None
    return of_objects(dates.astype(object), "")
