# SPDX-License-Identifier: Apache-2.0
"""The names of a data frame's columns, and the order in which a network wants them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.containers import is_plain

_MOST_LISTED = 10


def column_names(x: Any, *, name: str = "x", allow_single: bool = False) -> list[str] | None:
    """Return the names of the columns, or None of what has none."""
    names = None if is_plain(x) else _labels(x, allow_single=allow_single)
    if names is None:
        return None
    others = sorted({type(label).__name__ for label in names if not isinstance(label, str)})
    if others and len(others) < len({type(label).__name__ for label in names}):
        raise TypeError(
            f"{name} has column names of types str and {', '.join(others)}; make all of them text, "
            f"as by {name}.columns = {name}.columns.astype(str), or pass {name}.to_numpy()"
        )
    return names if names and not others else None


def shown_columns(
    x: Any, *, order: NDArray[np.intp] | None = None, allow_single: bool = False
) -> list[str]:
    """Return what error texts call the columns of a frame; nothing for what goes by numbers."""
    if is_plain(x):
        return []
    labels = _labels(x, allow_single=allow_single)
    if labels is None:
        is_series = hasattr(x, "to_numpy") and len(getattr(x, "shape", ())) == 1
        name = getattr(x, "name", None) if is_series else None
        labels = [] if name in (None, "") else [name]
    if all(isinstance(label, int | np.integer) for label in labels):
        labels = [] if labels == list(range(len(labels))) else labels
    # The core takes text in UTF-8.
    shown = [str(label).encode(errors="replace").decode() for label in labels]
    return shown if order is None else [shown[place] for place in order]


def order_by_name(
    known: Sequence[str],
    given: Sequence[str],
    *,
    name: str = "x",
    known_as: str = "feature_names",
) -> NDArray[np.intp] | None:
    """Return where each of the known columns is among the given ones; None if that is its place.

    `name` and `known_as` are what error texts call the data and the known ones.
    """
    if list(known) == list(given):
        return None
    place = {label: index for index, label in enumerate(given)}
    missing = [label for label in known if label not in place]
    unknown = [label for label in place if label not in set(known)]
    faults = []
    if missing:
        faults.append(f"lacks the feature{'s' * (len(missing) > 1)} {listed(missing)}")
    if unknown:
        faults.append(f"has the unknown column{'s' * (len(unknown) > 1)} {listed(unknown)}")
    if not faults:
        refuse_twice(given, name)
        return np.array([place[label] for label in known], dtype=np.intp)
    raise ValueError(f"{name} {' and '.join(faults)}; the network's {known_as} are {listed(known)}")


def _labels(x: Any, *, allow_single: bool) -> list[Any] | None:
    """Return what the columns are called, by text or anything else; None of what has no columns."""
    if allow_single and getattr(x, "ndim", None) == 1 and hasattr(x, "iloc"):
        labels = x.index
    elif hasattr(x, "collect_schema") and not hasattr(x, "shape"):
        return None  # a lazy frame, which is refused later, and warns of the work of its names
    else:
        # Of a PyArrow table, `columns` are the data.
        labels = getattr(x, "column_names", getattr(x, "columns", None))
    return list(labels) if isinstance(labels, Iterable) else None


def refuse_twice(names: Sequence[str], name: str) -> None:
    """Raise ValueError when two columns have one name."""
    seen: set[str] = set()
    for label in names:
        if label in seen:
            raise ValueError(
                f"{name} has two columns called {label!r}; rename one, or pass {name}.to_numpy() "
                "to go by their places"
            )
        seen.add(label)


def listed(names: Collection[str]) -> str:
    """Return the names for an error's text, of many the first ones."""
    shown = ", ".join(repr(label) for label in list(names)[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
