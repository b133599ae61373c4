# SPDX-License-Identifier: Apache-2.0
"""The record of a training run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from chainrule.names import unknown_name

_MOST_ROWS = 20

_Table: TypeAlias = tuple[list[int], dict[str, list[Any]]]


class History(Mapping[str, list[Any]]):
    """A list per metric with one value per epoch, as returned by ``fit``.

    It is a mapping from names (``"loss"``, ``"val_accuracy"``, ...) to lists. Values are floats, or
    nested lists for metrics such as the confusion matrix. Every list is as long as `epochs`: an
    epoch that did not report a metric holds ``nan`` there.

    Attributes
    ----------
    epochs : list of int
        Epoch numbers, counted from 1 and increasing; a second ``fit`` goes on counting.
    history : dict of str to list
        The same lists as a plain dictionary.
    interrupted : bool
        Whether the last ``fit`` was ended by Ctrl-C.
    end : str, optional
        Why a full-batch optimizer ended the last ``fit``, as a sentence; None after other ones.

    Examples
    --------
    >>> from chainrule.network.history import History
    >>> history = History()
    >>> history.append(1, {"loss": 0.5})
    >>> history.append(2, {"loss": 0.25, "val_loss": 0.3})
    >>> history["loss"]
    [0.5, 0.25]
    >>> history
    <History of 2 epochs: loss 0.25, val_loss 0.3>
    """

    def __init__(self) -> None:
        # An epoch is one entry of one list, so that an interrupt between any two instructions
        # leaves whole epochs; the columns are made of them on demand.
        self._rows: list[tuple[int, dict[str, Any]]] = []
        self._table: _Table = ([], {})
        self.interrupted = False
        self.end: str | None = None

    @property
    def epochs(self) -> list[int]:
        """The numbers of the epochs."""
        return self._columns()[0]

    @property
    def history(self) -> dict[str, list[Any]]:
        """The lists by their names."""
        return self._columns()[1]

    def append(self, epoch: int, logs: Mapping[str, ArrayLike]) -> None:
        """Add the values of one epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, greater than the last one.
        logs : mapping of str to float or array_like
            The value of each metric.

        Raises
        ------
        ValueError
            If `epoch` does not come after the last one.
        TypeError
            If a value is neither a number nor an array of numbers; nothing is added then.
        """
        if self._rows and epoch <= self._rows[-1][0]:
            raise ValueError(f"epoch must be greater than {self._rows[-1][0]}, got {epoch}")
        values = {name: _numbers(name, value) for name, value in logs.items()}
        self._rows.append((int(epoch), values))

    def forget_after(self, epoch: int) -> None:
        """Take the epochs after this one out, which a divergence has undone.

        Parameters
        ----------
        epoch : int
            Number of the last epoch to keep; 0 for none.

        Examples
        --------
        >>> history = History()
        >>> history.append(1, {"loss": 0.5})
        >>> history.append(2, {"loss": 1e30})
        >>> history.forget_after(1)
        >>> history["loss"]
        [0.5]
        """
        kept = sum(number <= epoch for number, _ in self._rows)
        self._table = ([], {})
        del self._rows[kept:]

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain lists and numbers, ready for JSON.

        Returns
        -------
        dict
            ``{"epochs": [...], "history": {name: [...]}}`` with ``nan`` as None, since JSON has
            none.
        """
        columns = {name: _nan_to_none(column) for name, column in self.history.items()}
        return {"epochs": list(self.epochs), "history": columns}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> History:
        """Return the history that `to_dict` made a record of.

        Parameters
        ----------
        record : mapping
            With the keys ``"epochs"`` and ``"history"``.

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If a key is missing or the lists differ in length.
        """
        if record.keys() != {"epochs", "history"}:
            raise ValueError(f"record must have the keys epochs and history, got {sorted(record)}")
        history = cls()
        epochs = list(record["epochs"])
        if not all(isinstance(epoch, int) and not isinstance(epoch, bool) for epoch in epochs):
            raise ValueError("epochs must be whole numbers")
        if any(after <= before for before, after in itertools.pairwise([0, *epochs])):
            raise ValueError("epochs must begin with 1 or more and increase")
        columns = {}
        for name, column in record["history"].items():
            if len(column) != len(epochs):
                raise ValueError(
                    f"history of {name!r} has {len(column)} values for {len(epochs)} epochs"
                )
            columns[name] = _none_to_nan(column)
        history._rows = [
            (epoch, {name: column[index] for name, column in columns.items()})
            for index, epoch in enumerate(epochs)
        ]
        history._table = (epochs, columns)
        return history

    def _columns(self) -> _Table:
        """Return the epochs and the columns, brought up to date."""
        done = len(self._table[0])
        fresh = self._rows[done:]
        if fresh:
            epochs = self._table[0] + [epoch for epoch, _ in fresh]
            columns = {name: list(column) for name, column in self._table[1].items()}
            for name in dict.fromkeys(name for _, values in fresh for name in values):
                columns.setdefault(name, [math.nan] * done)
            for name, column in columns.items():
                column.extend(values.get(name, math.nan) for _, values in fresh)
            self._table = (epochs, columns)
        return self._table

    def __getitem__(self, name: str) -> list[Any]:
        """Return the values of metric `name`, one per epoch."""
        if name not in self.history:
            raise KeyError(unknown_name("metric", name, self.history))
        return self.history[name]

    def __contains__(self, name: object) -> bool:
        """Return whether metric `name` was ever reported."""
        return name in self.history

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of their first appearance."""
        return iter(self.history)

    def __len__(self) -> int:
        """Return the number of metrics."""
        return len(self.history)

    def __eq__(self, other: object) -> bool:
        """Return whether epochs and values are equal, ``nan`` equalling ``nan``."""
        if not isinstance(other, History):
            return NotImplemented
        return self.to_dict() == other.to_dict()

    # What says so to Python is an error to the type checker.
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """Return one line with the last value of each scalar metric."""
        count = len(self.epochs)
        last = [
            f"{name} {column[-1]:.4g}"
            for name, column in self.history.items()
            if isinstance(column[-1], float)
        ]
        text = f"History of {count} epoch{'' if count == 1 else 's'}"
        return f"<{text}: {', '.join(last)}>" if last else f"<{text}>"

    def _repr_html_(self) -> str:
        """Return a table for notebooks, a row per epoch; of many epochs the first and last ones."""
        from chainrule.html import html_table

        rows = [
            [str(epoch), *(_cell(column[index]) for column in self.history.values())]
            for index, epoch in enumerate(self.epochs)
        ]
        if len(rows) > _MOST_ROWS:
            half = _MOST_ROWS // 2
            rows = [*rows[:half], ["..."] * (1 + len(self.history)), *rows[-half:]]
        return html_table(["epoch", *self.history], rows)


def _numbers(name: str, value: ArrayLike) -> Any:
    try:
        array = np.asarray(value)
    except ValueError:  # A ragged list.
        array = np.empty(0, object)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"metric {name!r} is {value!r:.80}, expected a number or an array of them")
    return array.astype(np.float64).tolist()


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "..."


def _nan_to_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_nan_to_none(item) for item in value]
    return None if math.isnan(value) else value


def _none_to_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_none_to_nan(item) for item in value]
    if value is None:
        return math.nan
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"history must hold numbers, got {value!r:.40}")
    return float(value)
