# SPDX-License-Identifier: Apache-2.0
"""The data that ``--data`` names: rows to train on, rows to test on, and what their labels are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from chainrule import data
from chainrule.data.source import existing_file
from chainrule.names import unknown_name

PUBLISHED = ("digits", "mnist", "fashion-mnist")
_TABLES = (".csv", ".csv.gz")
_TEST_SHARE = 0.2
# Evaluating has to find the rows again that training has kept back.
_SPLIT_SEED = 0
_MOST_CLASSES = 1000
_NAMES_SHOWN = 10
_HEADERS: dict[str, bool | Literal["auto"]] = {"auto": "auto", "yes": True, "no": False}


@dataclass(frozen=True)
class Rows:
    """Features and labels.

    Attributes
    ----------
    x : ndarray of shape (rows, ...)
        The features.
    y : ndarray of shape (rows,) or (rows, targets)
        int64 if the labels are classes.
    class_names : tuple of str or None
        What the labels count, where they were text.
    largest : float or None
        The value of a white pixel where features are pixels.
    """

    x: NDArray[Any]
    y: NDArray[Any]
    class_names: tuple[str, ...] | None = None
    largest: float | None = None

    @property
    def features(self) -> int:
        """Number of features, of which images have one per pixel."""
        return int(np.prod(self.x.shape[1:]))

    @property
    def has_classes(self) -> bool:
        """Whether the labels are classes."""
        if self.class_names is not None:
            return True
        whole = self.y.ndim == 1 and self.y.dtype.kind in "biu"
        return bool(whole and self.y.size and self.y.min() >= 0 and self.y.max() < _MOST_CLASSES)


def listed(names: Sequence[str]) -> str:
    """Return names between commas, the first ones if there are many.

    Examples
    --------
    >>> listed(("cat", "dog"))
    'cat, dog'
    """
    return ", ".join([*names[:_NAMES_SHOWN], *(["..."] if len(names) > _NAMES_SHOWN else [])])


def stem(name: str) -> str:
    """Return a name for files that belong to the data.

    Examples
    --------
    >>> stem("digits"), stem("tables/houses.csv.gz")
    ('digits', 'houses')
    """
    return name if name in PUBLISHED else Path(name).name.split(".")[0]


def source(name: str | None) -> str | None:
    """Return the file that ``--data`` names, or None if it names none."""
    return None if name in PUBLISHED else name


def read_both(name: str, *, label: str | int | None, header: str) -> tuple[Rows, Rows]:
    """Return the rows to train on and the rows to test on.

    Parameters
    ----------
    name : str
        One of `PUBLISHED`, or a file.
    label : str, int or None
        Label column of a CSV file; None is the last one.
    header : {"auto", "yes", "no"}
        Whether the first line of a CSV file holds names.

    Returns
    -------
    train, test : Rows

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file cannot be read, its kind is unknown, or `label` or `header` does not fit it.
    """
    if name in ("mnist", "fashion-mnist"):
        _check_options(name, label, header)
        return _published(name, "train"), _published(name, "test")
    return _split(_whole(name, label, header))


def read_part(name: str, part: str | None, *, label: str | int | None, header: str) -> Rows:
    """Return the rows to train on, those to test on, or all.

    Parameters
    ----------
    name, label, header
        As in `read_both`.
    part : {"train", "test", "all"} or None
        None is all rows of a file, and the test rows of the others.

    Returns
    -------
    Rows
    """
    if part is None:
        part = "test" if name in PUBLISHED else "all"
    if name in ("mnist", "fashion-mnist"):
        _check_options(name, label, header)
        if part != "all":
            return _published(name, part)
        both = (_published(name, "train"), _published(name, "test"))
        return replace(
            both[0],
            x=np.concatenate([rows.x for rows in both]),
            y=np.concatenate([rows.y for rows in both]),
        )
    rows = _whole(name, label, header)
    return rows if part == "all" else _split(rows)[part == "test"]


def read_table(path: str, *, label: str | int | None, header: str, dtype: Any) -> data.Table:
    """Return what `load_csv` makes of the options."""
    return data.load_csv(path, label=label, header=_HEADERS[header], dtype=dtype)


def is_table(path: str) -> bool:
    """Return whether the name is that of a CSV file."""
    return path.lower().endswith(_TABLES)


def _published(name: str, part: str) -> Rows:
    load: Any = data.load_mnist if name == "mnist" else data.load_fashion_mnist
    x, y = load(part)
    return Rows(x, y, largest=255.0)


def _whole(name: str, label: str | int | None, header: str) -> Rows:
    if name == "digits":
        _check_options(name, label, header)
        return Rows(*data.load_digits(), largest=16.0)
    if is_table(name):
        label = "last" if label is None else label
        table = read_table(name, label=label, header=header, dtype="float32")
        assert table.y is not None
        return Rows(table.x, table.y, table.classes)
    if name.lower().endswith(".npz"):
        _check_options(name, label, header)
        return _archive(name)
    if not Path(name).suffix and not Path(name).exists():
        raise ValueError(f"{unknown_name('data', name, PUBLISHED)}, or a file")
    path = existing_file(name)
    raise ValueError(f"{path}: data to learn from must be .csv, .csv.gz or .npz")


def _archive(name: str) -> Rows:
    x, y = data.load_npz(name)
    assert y is not None
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    class_names = None
    if y.dtype.kind in "US" and y.ndim == 1:
        names, y = np.unique(y, return_inverse=True)
        class_names = tuple(map(str, names))
    return Rows(x, y, class_names, 255.0 if x.dtype == np.uint8 else None)


def _check_options(name: str, label: str | int | None, header: str) -> None:
    for option, given in (("--label", label is not None), ("--header", header != "auto")):
        if given:
            raise ValueError(f"{option} is for CSV files; --data is {name}")


def _split(rows: Rows) -> tuple[Rows, Rows]:
    x_train, x_test, y_train, y_test = data.train_test_split(
        rows.x, rows.y, test_size=_TEST_SHARE, stratify=_can_stratify(rows), seed=_SPLIT_SEED
    )
    return replace(rows, x=x_train, y=y_train), replace(rows, x=x_test, y=y_test)


def _can_stratify(rows: Rows) -> bool:
    if not rows.has_classes:
        return False
    counts = np.unique(rows.y, return_counts=True)[1]
    return bool(counts.min() >= 2 and len(counts) <= _TEST_SHARE * len(rows.y))
