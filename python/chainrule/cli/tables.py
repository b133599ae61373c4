# SPDX-License-Identifier: Apache-2.0
"""CSV files by the options of the command line, their columns by the names that a model knows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from chainrule import data
from chainrule.cli.known import Known, listed
from chainrule.cli.values import column
from chainrule.data.csv_layout import find_column, find_layout
from chainrule.data.csv_numbers import Spelling
from chainrule.data.source import open_source

_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_HEADERS: dict[str, bool | Literal["auto"]] = {"auto": "auto", "yes": True, "no": False}

Column = str | int


@dataclass(frozen=True)
class TableOptions:
    """How to read a CSV file, each attribute as the option of its name says."""

    label: Column | None = None  # the label column; None if it was not said
    header: str = "auto"  # whether the first line holds names
    delimiter: str | None = None
    decimal: str = "."
    thousands: str | None = None
    drop: tuple[Column, ...] = ()

    @classmethod
    def of(cls, options: argparse.Namespace) -> TableOptions:
        """Return what the command line says."""
        given = {field.name: getattr(options, field.name) for field in fields(cls)}
        return cls(**{**given, "drop": tuple(options.drop)})

    def given(self) -> list[str]:
        """Return the names of the options that were given."""
        default = TableOptions()
        names = [field.name for field in fields(self)]
        return [f"--{name}" for name in names if getattr(self, name) != getattr(default, name)]

    def refuse(self, why: str) -> None:
        """Raise ValueError if an option was given for what is no CSV file."""
        for option in self.given():
            raise ValueError(f"{option} is for CSV files; {why}")

    def spelling(self) -> dict[str, Any]:
        """Return how a CSV file is to be read, as arguments of `load_csv` and `CsvFile`."""
        names = ("delimiter", "decimal", "thousands")
        return {"header": _HEADERS[self.header]} | {name: getattr(self, name) for name in names}


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
    by_name = layout.header is not None and known is not None and known.feature_names is not None
    columns = Columns(str(layout.source.path), layout.header, layout.columns, options, known)
    label = columns.label(labelled=labelled)
    drop: list[Column] = [*columns.dropped]
    if not labelled and label is not None:
        drop.append(label)
    if by_name:
        columns.check_names([*drop, *([] if label is None else [label])])
    elif known is not None and not labelled:
        columns.check_count(drop)
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
    return _in_order(table, known) if by_name and known is not None else table


class Columns:
    """Which column of a file is what."""

    def __init__(
        self,
        path: str,
        header: tuple[str, ...] | None,
        count: int,
        options: TableOptions,
        known: Known | None,
    ) -> None:
        self._path, self._header, self._count = path, header, count
        self._names = header or ()
        self._known = known or Known("", 0)
        self._label = options.label
        self.dropped = [self._place("drop", column) for column in options.drop]

    def _place(self, option: str, column: Column) -> int:
        given = str(column) if str(column) in self._names else column
        return find_column(self._path, option, given, self._header, self._count)

    def places(self, *, labelled: bool, option: str = "label") -> tuple[list[int], list[int]]:
        """Return where the features stand, and the labels, of which there may be none.

        Errors call the option that names the label `option`.

        Raises
        ------
        ValueError
            If columns that the model knows are missing or others are there.
        """
        kept, several = self._kept(), bool(self._known.targets)
        find = self._places_of_several if several else self._places_of_label
        labels = find(labelled, option)
        if any(place in self.dropped for place in labels):
            raise ValueError(f"--{option} {self._label!r} is a column that --drop leaves out")
        features = [i for i in kept if i not in labels]
        if self._names and self._known.feature_names is not None:
            self.check_names([*self.dropped, *labels])
        elif self._known.inputs and len(features) != self._known.inputs:
            self.check_count([*self.dropped, *labels])
        return features, labels

    def _places_of_label(self, labelled: bool, option: str) -> list[int]:
        """Return where the only label stands, if there is one."""
        label, kept = self.label(labelled=labelled), self._kept()
        if label in ("first", "last") and label not in self._names:
            return kept[:1] if label == "first" else kept[-1:]
        if "," in str(label) and label not in self._names and not self._known.inputs:
            return self._places_to_learn(option)
        return [] if label is None else [self._place(option, label)]

    def _places_to_learn(self, option: str) -> list[int]:
        """Return where several targets stand that a model is to learn."""
        given = [part.strip() for part in str(self._label).split(",")]
        if not all(given):
            raise ValueError(f"--{option}: expected names between commas, got {self._label!r}")
        found = [self._place(option, column(part)) for part in given]
        twice = [part for i, part in enumerate(given) if found[i] in found[:i]]
        if twice:
            raise ValueError(f"--{option} {self._label!r} has the column {twice[0]!r} twice")
        return found

    def _places_of_several(self, labelled: bool, option: str) -> list[int]:
        """Return where the labels of several targets stand, in the model's order."""
        known, names = self._known, self._names
        targets = [target.target_name for target in known.targets]
        if self._label is not None:
            given = [column(part.strip()) for part in str(self._label).split(",")]
            found = [self._place(option, each) for each in given]
        elif not labelled:
            return [names.index(t) for t in targets if t in names]
        elif names and all(target in names for target in targets):
            found = [names.index(str(target)) for target in targets]
        elif names and known.feature_names is not None:
            called = listed([repr(t) for t in targets if t is not None])
            which = f"{len(targets)} targets" + (f", {called}" if called else "")
            raise ValueError(
                f"{self._path} does not tell which columns are the labels of {known.model}, which "
                f"has {which}: --label has their columns in its order, separated by commas"
            )
        else:
            found = self._kept()[-len(targets) :]
        if len({*found}) != len(targets):
            raise ValueError(
                f"--label must be {len(targets)} columns, separated by commas, which are the "
                f"targets of {known.model}; got {self._label!r}"
            )
        return found

    def _kept(self) -> list[int]:
        return [i for i in range(self._count) if i not in self.dropped]

    def label(self, *, labelled: bool) -> Column | None:
        """Return the label column, which may not be said, or None if there is none."""
        given, names, known = self._label, self._names, self._known
        if given is not None:
            if str(given) in names:
                return str(given)
            if not labelled and given in ("first", "last"):
                kept = self._kept()
                return kept[0 if given == "first" else -1] if kept else given
            return given if labelled else self._place("label", given)
        features = known.feature_names or ()
        if names and known.target_name in names and known.target_name not in features:
            return known.target_name
        if names and labelled and features:
            return self._only_other(features)
        return "last" if labelled else None

    def check_names(self, drop: Sequence[Column]) -> None:
        """Raise ValueError unless the other columns are the model's, in whatever order."""
        names, known = self._names, self._known
        features = known.feature_names or ()
        dropped = {names.index(c) if isinstance(c, str) else c for c in drop}
        here = [name for i, name in enumerate(names) if i not in dropped]
        faults = []
        if missing := [name for name in features if name not in here]:
            faults.append(f"lacks {_columns(missing)}, which {known.model} has learnt from")
        if unknown := [name for name in here if name not in features]:
            faults.append(
                f"has {_columns(unknown)}, unknown to {known.model}; "
                f"--drop leaves out a column, --label the labels"
            )
        if faults:
            raise ValueError(f"{self._path} {' and '.join(faults)}")
        twice = [name for name in features if here.count(name) > 1]
        if twice:
            raise ValueError(f"{self._path} has more than one column {twice[0]!r}")

    def check_count(self, drop: Sequence[Column]) -> None:
        """Raise ValueError unless there are as many columns as the model takes."""
        known, columns = self._known, self._count - len({*drop})
        if columns == known.inputs:
            return
        text = f"{self._path} has {columns} columns, {known.model} takes {known.inputs}"
        if columns - 1 == known.inputs:
            text = f"--label leaves a column out: {text}; rows to predict have no label column"
        raise ValueError(text)

    def _only_other(self, features: Sequence[str]) -> Column:
        """Return the column that the model does not know by the name of a feature."""
        names = [name for i, name in enumerate(self._names) if i not in self.dropped]
        others = [name for name in names if name not in features]
        if len(others) == 1:
            return others[0]
        target = self._known.target_name
        wanted = "" if target is None else f" {target!r}"
        found = f"; {_columns(others)} may hold the labels" if others else ""
        raise ValueError(
            f"{self._path} has no label column{wanted}{found}; --label says which column it is"
        )


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
