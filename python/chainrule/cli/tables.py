# SPDX-License-Identifier: Apache-2.0
"""CSV files by the options of the command line, their columns by the names that a model knows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from chainrule import data
from chainrule.cli.known import Known, listed
from chainrule.data.csv_layout import Layout, find_layout
from chainrule.data.csv_numbers import Spelling
from chainrule.data.source import open_source
from chainrule.names import unknown_name

__all__ = ["TableOptions", "is_table", "read_table", "table_options"]

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_HEADERS: dict[str, bool | Literal["auto"]] = {"auto": "auto", "yes": True, "no": False}

Column = str | int


@dataclass(frozen=True)
class TableOptions:
    """How to read a CSV file, each attribute as the option of its name says."""

    label: Column | None = None  # The label column; None if it was not said
    header: str = "auto"  # Whether the first line holds names
    delimiter: str | None = None  # As of `data.load_csv`
    decimal: str = "."  # As of `data.load_csv`
    thousands: str | None = None  # As of `data.load_csv`
    drop: tuple[Column, ...] = ()  # Columns to leave out

    def given(self) -> list[str]:
        """Return the names of the options that were given."""
        default = TableOptions()
        names = [field.name for field in fields(self)]
        return [f"--{name}" for name in names if getattr(self, name) != getattr(default, name)]


def table_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the attributes of `TableOptions` that the command line gives."""
    given = {field.name: getattr(options, field.name) for field in fields(TableOptions)}
    return {**given, "drop": tuple(options.drop)}


def is_table(path: str) -> bool:
    """Return whether the name is that of a CSV file."""
    return path.lower().endswith(_SUFFIXES)


def read_table(
    path: str, options: TableOptions, *, labelled: bool, known: Known | None, dtype: Any
) -> data.Table:
    """Return what a CSV file holds, with the features in the order that a model knows."""
    layout = find_layout(
        open_source(path),
        None,
        _HEADERS[options.header],
        options.delimiter,
        Spelling(options.decimal, options.thousands),
        [],
    )
    columns = _Columns(path, layout, options, known)
    label = columns.label(labelled=labelled)
    drop: list[Column] = [*columns.dropped]
    if not labelled and label is not None:
        drop.append(label)
    by_name = columns.by_name and known is not None
    if known is not None and by_name:
        columns.check_names(known, drop, label)
    elif known is not None and not labelled:
        columns.check_count(known, drop)
    table = data.load_csv(
        path,
        label=label if labelled else None,
        header=layout.header is not None,
        delimiter=layout.delimiter,
        decimal=options.decimal,
        thousands=options.thousands,
        drop=drop,
        dtype=dtype,
    )
    return _in_order(table, known) if known is not None and by_name else table


class _Columns:
    """Which column of a file is what."""

    def __init__(
        self, path: str, layout: Layout, options: TableOptions, known: Known | None
    ) -> None:
        self._path = path
        self._names = layout.header
        self._count = layout.columns
        self._options = options
        self._known = known
        self.dropped = [self._index("--drop", column) for column in options.drop]

    @property
    def by_name(self) -> bool:
        """Whether both the file and the model have names."""
        return (
            self._names is not None
            and self._known is not None
            and self._known.feature_names is not None
        )

    def label(self, *, labelled: bool) -> Column | None:
        """Return the label column, which may not be said, or None if there is none."""
        given, names, known = self._options.label, self._names, self._known
        if given is not None:
            if names is not None and str(given) in names:
                return str(given)
            if not labelled and given in ("first", "last"):
                kept = [i for i in range(self._count) if i not in self.dropped]
                return kept[0 if given == "first" else -1] if kept else given
            return given if labelled else self._index("--label", given)
        if names is not None and known is not None:
            features = known.feature_names or ()
            if known.target_name in names and known.target_name not in features:
                return known.target_name
            if labelled and features:
                return self._only_other(features)
        return "last" if labelled else None

    def check_names(self, known: Known, drop: Sequence[Column], label: Column | None) -> None:
        """Raise ValueError unless the file's features are the model's, in whatever order."""
        names = self._names
        assert names is not None
        assert known.feature_names is not None
        left_out = {names.index(c) if isinstance(c, str) else c for c in drop}
        if label is not None:
            left_out.add(names.index(label) if isinstance(label, str) else label)
        here = [name for i, name in enumerate(names) if i not in left_out]
        missing = [name for name in known.feature_names if name not in here]
        unknown = [name for name in here if name not in known.feature_names]
        faults = []
        if missing:
            faults.append(f"lacks {_columns(missing)}, which {known.model} has learnt from")
        if unknown:
            faults.append(
                f"has {_columns(unknown)}, unknown to {known.model}; "
                f"--drop leaves out a column, --label the labels"
            )
        if faults:
            raise ValueError(f"{self._path} {' and '.join(faults)}")
        twice = [name for name in known.feature_names if here.count(name) > 1]
        if twice:
            raise ValueError(f"{self._path} has more than one column {twice[0]!r}")

    def check_count(self, known: Known, drop: Sequence[Column]) -> None:
        """Raise ValueError unless there are as many columns as the model takes."""
        columns = self._count - len({*drop})
        if columns == known.inputs:
            return
        text = f"{self._path} has {columns} columns, {known.model} takes {known.inputs}"
        if columns - 1 == known.inputs:
            text = f"--label leaves a column out: {text}; rows to predict have no label column"
        raise ValueError(text)

    def _only_other(self, features: Sequence[str]) -> Column:
        """Return the column that the model does not know by the name of a feature."""
        assert self._names is not None
        others = [
            name
            for i, name in enumerate(self._names)
            if i not in self.dropped and name not in features
        ]
        if len(others) == 1:
            return others[0]
        known = self._known
        target = "" if known is None or known.target_name is None else f" {known.target_name!r}"
        found = f"; {_columns(others)} may hold the labels" if others else ""
        raise ValueError(
            f"{self._path} has no label column{target}{found}; --label says which column it is"
        )

    def _index(self, option: str, column: Column) -> int:
        """Return the column that a name from the header, or an index, stands for."""
        names = self._names
        if names is not None and str(column) in names:
            if names.count(str(column)) > 1:
                raise ValueError(
                    f"{option} {column} names {names.count(str(column))} columns of {self._path}"
                )
            return names.index(str(column))
        if isinstance(column, str):
            if names is None:
                raise ValueError(
                    f"{option} {column} names a column, but {self._path} has no header"
                )
            raise ValueError(f"{self._path}: {unknown_name('column', column, names)}")
        if not -self._count <= column < self._count:
            raise ValueError(
                f"{option} {column} is out of range: {self._path} has {self._count} columns"
            )
        return column % self._count


def _in_order(table: data.Table, known: Known) -> data.Table:
    """Return the table with its features in the order that a model knows."""
    assert known.feature_names is not None
    assert table.feature_names is not None
    if table.feature_names == known.feature_names:
        return table
    order = [table.feature_names.index(name) for name in known.feature_names]
    return replace(
        table,
        x=table.x[:, order],
        feature_names=known.feature_names,
        feature_columns=tuple(table.feature_columns[i] for i in order),
    )


def _columns(names: Sequence[str]) -> str:
    quoted = listed([repr(name) for name in names])
    return f"the column{'s' if len(names) > 1 else ''} {quoted}"
