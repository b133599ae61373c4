# SPDX-License-Identifier: Apache-2.0
"""What is known of a table's columns, and rows as one matrix of numbers by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from chainrule.tables.frames import Table, is_frame, read_columns
from chainrule.tables.values import Kind, Values, as_text

__all__ = ["Column", "TableDescription"]

# Rarer categories than these many are taken for unknown ones.
_MOST_CATEGORIES = 10_000
_WORDS = {"true": 1.0, "false": 0.0}
# What text in a column of truth values may be, in lower case.
_TRUTHS = {**_WORDS, "1": 1.0, "1.0": 1.0, "0": 0.0, "0.0": 0.0}


@dataclass(frozen=True)
class Column:
    """A column: its name, or None in an array, its kind, and its categories in their order."""

    name: str | None
    kind: Kind
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableDescription:
    """The columns of the table that a model was fitted with.

    Attributes
    ----------
    columns : tuple of Column

    Examples
    --------
    >>> from chainrule.tables import TableDescription
    >>> rows = [[1.5, "red"], [None, "green"], [0.5, None]]
    >>> table = TableDescription.of(rows)
    >>> [(column.kind, column.categories) for column in table.columns]
    [('number', ()), ('category', ('green', 'red'))]
    >>> table.matrix([[2.0, "green"], [3.0, "blue"], [None, None]])
    array([[ 2.,  0.],
           [ 3.,  2.],
           [nan, nan]])
    """

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, x: Any) -> TableDescription:
        """Return what a table's columns are; see `read_columns` for its types and errors."""
        return cls.of_table(read_columns(x))

    @classmethod
    def of_table(cls, table: Table) -> TableDescription:
        """Return what the columns are of a table that was read."""
        names = table.names or (None,) * len(table.columns)
        return cls(tuple(map(_described, names, table.columns)))

    @classmethod
    def of_network(cls, net: Any) -> TableDescription:
        """Return what the columns of x are by the names of a network.

        Columns are found by its `feature_names`; those with `category_names` hold text, others
        numbers. What a network knows of its `table` says more.

        Examples
        --------
        >>> import chainrule as cr
        >>> from chainrule.tables import TableDescription
        >>> net = cr.Sequential([cr.Input(2), cr.CategoryEncoding(2, columns=1, unknown="zero")])
        >>> net.category_names = {1: ["green", "red"]}
        >>> net.predict(TableDescription.of_network(net).matrix([[2.0, "red"], [3.0, "blue"]]))
        array([[2., 0., 1.],
               [3., 0., 0.]], dtype=float32)
        """
        if net.table is not None:
            return cls.from_config(net.table["columns"])
        texts = net.category_names or {}
        names = net.feature_names or (None,) * net.inputs
        kinds: dict[bool, Kind] = {True: "category", False: "number"}
        return cls(
            tuple(
                Column(name, kinds[place in texts], texts.get(place, ()))
                for place, name in enumerate(names)
            )
        )

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names of the columns, None for those of an array."""
        names = [column.name for column in self.columns]
        return None if None in names else tuple(map(str, names))

    def matrix(self, x: Any) -> NDArray[np.float64]:
        """Return rows as numbers, with NaN for what is missing.

        Parameters
        ----------
        x : data frame or array, shape (rows, columns)
            The columns of a frame are found by name.

        Returns
        -------
        ndarray of float64, shape (rows, columns)
            Of categories their places among those of the column; of unknown ones the number of
            known ones. Where the known ones are a spelling of true and one of false, as in
            TRUE and FALSE, booleans and other spellings are the same.

        Raises
        ------
        ValueError
            If columns are missing or new, or hold what they did not hold in `of`.
        """
        frame = is_frame(x)
        table = read_columns(x, self.names if frame else None)
        if len(table.columns) != len(self.columns):
            raise ValueError(
                f"X has {len(table.columns)} columns, the model was fitted with {len(self.columns)}"
            )
        return self.matrix_of(table)

    def matrix_of(self, table: Table) -> NDArray[np.float64]:
        """Return the matrix of a table that was read."""
        matrix = np.empty((table.rows, len(self.columns)), dtype=np.float64)
        for place, (column, values) in enumerate(zip(self.columns, table.columns, strict=True)):
            shown = str(place) if column.name is None else repr(column.name)
            matrix[:, place] = _numbers(column, values, shown)
        return matrix

    def to_config(self) -> list[dict[str, Any]]:
        """Return the columns as what JSON can hold."""
        return [{**asdict(c), "categories": list(c.categories)} for c in self.columns]

    @classmethod
    def from_config(cls, config: list[Mapping[str, Any]]) -> TableDescription:
        """Return the description that `to_config` gave."""
        return cls(tuple(map(_of_config, config)))


def _of_config(given: Mapping[str, Any]) -> Column:
    name, kind, categories = given["name"], given["kind"], tuple(given["categories"])
    texts = categories if name is None else (name, *categories)
    if kind not in get_args(Kind) or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{given!r:.60} is no column")
    return Column(name, kind, categories)


def _described(name: str | None, values: Values) -> Column:
    if values.kind != "category":
        return Column(name, values.kind)
    present = values.data[values.data != None]  # noqa: E711 (an array of objects)
    known, counts = np.unique(present.astype(str), return_counts=True)
    if len(known) > _MOST_CATEGORIES:
        most = np.sort(np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES])
        known = known[most]
    return Column(name, "category", tuple(known.tolist()))


def _numbers(column: Column, values: Values, shown: str) -> NDArray[np.float64]:
    """Return the values of a column as numbers by what is known of it."""
    if column.kind == "empty":
        return np.full(len(values), np.nan)
    if column.kind == "category":
        code_of = {name: float(code) for code, name in enumerate(column.categories)}
        code_of[None] = np.nan  # type: ignore[index]
        unknown = float(len(column.categories))
        texts = as_text(values).tolist()
        if truths := _codes_of_truths(column.categories):
            for text in {*texts} - code_of.keys():
                code_of[text] = truths.get(_TRUTHS.get(text.lower()), unknown)
        codes = [code_of.get(text, unknown) for text in texts]
        return np.array(codes, dtype=np.float64)
    dates = "date" in (column.kind, values.kind)
    if values.kind in (column.kind, "empty") or (values.kind != "category" and not dates):
        return values.data
    what = {"number": "numbers", "boolean": "booleans", "date": "dates"}[column.kind]
    if values.kind != "category":
        now = "dates" if values.kind == "date" else "numbers"
        raise ValueError(
            f"column {shown} held {what} when the model was fitted, now it holds {now}"
        )
    try:
        return _parsed(column.kind, values.data)
    except ValueError:
        text = next(text for text in values.data if text is not None)
        raise ValueError(
            f"column {shown} held {what} when the model was fitted, now it holds text such as "
            f"{text!r}"
        ) from None


def _codes_of_truths(categories: Sequence[str]) -> dict[float | None, float]:
    """Return the codes of 1 and 0 if categories are a spelling of each, such as TRUE and FALSE."""
    truths = [_TRUTHS.get(name.lower()) for name in categories]
    # With two spellings of one, each is a category of its own.
    if None in truths or len({*truths}) < len(truths):
        return {}
    return {truth: float(code) for code, truth in enumerate(truths)}


def _parsed(kind: Kind, text: NDArray[Any]) -> NDArray[np.float64]:
    if kind == "date":
        dates = np.array(["NaT" if t is None else t for t in text], dtype="M8[us]")
        days: NDArray[np.float64] = dates.astype(np.int64) / 86_400_000_000.0
        days[np.isnat(dates)] = np.nan
        return days
    words = _WORDS if kind == "boolean" else {}
    numbers = [np.nan if t is None else words.get(t.lower()) for t in text]
    parsed = [float(t) if n is None else n for n, t in zip(numbers, text, strict=True)]
    if np.isinf(parsed).any():
        raise ValueError("infinite")
    return np.array(parsed, dtype=np.float64)
