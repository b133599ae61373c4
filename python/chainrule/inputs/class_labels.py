# SPDX-License-Identifier: Apache-2.0
"""Class names in the place of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.column_names import listed
from chainrule.inputs.containers import as_array, is_plain, is_sparse


def text_in(y: Any, *, name: str = "y") -> NDArray[Any] | None:
    """Return class names as an array, or None of targets that are none."""
    if is_plain(y) or is_sparse(y):
        return None
    array = as_array(_single_column(y), name=name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.dtype.kind not in "OUT" or array.ndim != 1 or not len(array):
        return None
    is_text = np.array([isinstance(entry, str) for entry in array.tolist()])
    if not is_text.any():
        return None
    if not is_text.all():
        row = int(is_text.argmin())
        raise ValueError(f"{name}[{row}] is {array[row]!s:.40}, expected the name of a class")
    return array


def class_names_in(y: Any, text: NDArray[Any], classes: int, *, name: str = "y") -> list[str]:
    """Return the names of all classes: categories in their own order, else in sorted order."""
    found = sorted(set(map(str, text.tolist())))
    declared = _categories(_single_column(y))
    if set(found) <= set(declared):
        if len(declared) == classes:
            return declared
        found = [label for label in declared if label in set(found)]
    if len(found) != classes:
        raise ValueError(
            f"{name} holds {len(found)} classes, {listed(found)}, but the network tells {classes} "
            "apart; where it holds only some of them, set class_names of the network first"
        )
    return found


def labels_by_name(
    text: NDArray[Any],
    class_names: Sequence[str],
    *,
    name: str = "y",
    known_as: str = "class_names",
) -> NDArray[np.int64]:
    """Return the label of each class name; `known_as` is what error texts call the known ones."""
    label = {known: index for index, known in enumerate(class_names)}
    entries = text.tolist()
    unknown = sorted(set(map(str, entries)) - set(label))
    if unknown:
        raise ValueError(
            f"{name} holds the unknown class{'es' * (len(unknown) > 1)} {listed(unknown)}; the "
            f"network's {known_as} are {listed(class_names)}"
        )
    return np.fromiter((label[entry] for entry in entries), np.int64, len(entries))


def _single_column(y: Any) -> Any:
    """Return the only column of a frame; anything else as it is."""
    if len(getattr(y, "shape", ())) == 2 and y.shape[1] == 1:
        if hasattr(y, "iloc"):
            return y.iloc[:, 0]
        if hasattr(y, "to_series"):
            return y.to_series()
    return y


def _categories(y: Any) -> list[str]:
    """Return the categories of a pandas object, or of an Enum of Polars, that has some."""
    categories: Any = getattr(getattr(y, "dtype", None), "categories", None)
    # Those of Polars' Categorical, which are those of all series together, are no list.
    names = categories.to_list() if hasattr(categories, "to_list") else []
    return names if all(isinstance(label, str) for label in names) else []
