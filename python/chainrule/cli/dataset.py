# SPDX-License-Identifier: Apache-2.0
"""The data that ``--data`` names: rows to train on, rows to test on, and what their labels are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import data
from chainrule.cli.known import Known
from chainrule.cli.known import listed as listed
from chainrule.cli.labels import in_terms_of
from chainrule.cli.tables import TableOptions, is_table, read_table
from chainrule.data.source import existing_file
from chainrule.names import unknown_name

_DIVIDED = ("mnist", "fashion-mnist")
PUBLISHED = ("digits", *_DIVIDED)
_NO_OPTIONS = TableOptions()
_TEST_SHARE = 0.2
# Evaluating has to find the rows again that training has kept back.
_SPLIT_SEED = 0
_MOST_STRATIFIED = 1000


@dataclass(frozen=True)
class Rows:
    """Features and labels."""

    x: NDArray[Any]  # (rows, ...); the features
    y: NDArray[Any]  # (rows,) or (rows, targets); int64 if the labels are classes
    class_names: tuple[str, ...] | None = None  # what the labels count, where they were text
    largest: float | None = None  # the value of a white pixel where features are pixels
    feature_names: tuple[str, ...] | None = None  # names of the columns of `x`
    target_name: str | None = None  # name of the labels
    # (rows,); which rows of the source these are; None if all in order
    numbers: NDArray[np.int64] | None = None
    # Says where in the source a row's feature stands, or its label for None
    place: Callable[[int, int | None], str] | None = None

    @property
    def features(self) -> int:
        """Number of features, of which images have one per pixel."""
        return int(np.prod(self.x.shape[1:]))

    @property
    def has_classes(self) -> bool:
        """Whether the labels may be classes, each of which then gives its share to every part."""
        if self.class_names is not None:
            return True
        whole = self.y.ndim == 1 and self.y.dtype.kind in "biu"
        return bool(whole and self.y.size and self.y.min() >= 0 and self.y.max() < _MOST_STRATIFIED)

    @property
    def has_names(self) -> bool:
        """Whether the columns can be told by names, of which each has its own."""
        names = self.feature_names
        return names is not None and all(names) and len(set(names)) == len(names)

    def where(self, row: int, feature: int | None) -> str:
        """Return where in the source a row's feature stands, or its label for None."""
        number = row if self.numbers is None else int(self.numbers[row])
        if self.place is not None:
            return self.place(number, feature)
        return f"row {number}" if feature is None else f"row {number}, column {feature}"

    def part(self, rows: NDArray[np.int64]) -> Rows:
        """Return some rows, in this order."""
        return replace(self, x=self.x[rows], y=self.y[rows], numbers=rows)


def stem(name: str) -> str:
    """Return a name for files that belong to the data."""
    return name if name in PUBLISHED else Path(name).name.split(".")[0]


def source(name: str | None) -> str | None:
    """Return the file that ``--data`` names, or None if it names none."""
    return None if name in PUBLISHED else name


def read_both(
    name: str, options: TableOptions = _NO_OPTIONS, *, known: Known | None = None
) -> tuple[Rows, Rows]:
    """Return the rows to train on and the rows to test on."""
    if name in _DIVIDED:
        options.refuse(f"--data is {name}")
        return _published(name, "train"), _published(name, "test")
    return split(read_all(name, options, known=known))


def read_part(
    name: str, part: str | None, options: TableOptions = _NO_OPTIONS, *, known: Known | None = None
) -> Rows:
    """Return the rows to train on, those to test on, or all."""
    part = part or ("test" if name in PUBLISHED else "all")
    if name in _DIVIDED and part != "all":
        options.refuse(f"--data is {name}")
        return _published(name, part)
    if name in _DIVIDED or part != "all":
        train, test = read_both(name, options, known=known)
        if part != "all":
            return test if part == "test" else train
        x, y = np.concatenate([train.x, test.x]), np.concatenate([train.y, test.y])
        return replace(train, x=x, y=y)
    return read_all(name, options, known=known)


def read_all(name: str, options: TableOptions = _NO_OPTIONS, *, known: Known | None = None) -> Rows:
    """Return all rows of the shipped digits or of a file; otherwise as `read_both`."""
    rows = _whole(name, options, known)
    if known is None:
        return rows
    y = in_terms_of(known, rows.y, rows.class_names, name)
    return replace(rows, y=y, class_names=known.class_names or rows.class_names)


def split(rows: Rows) -> tuple[Rows, Rows]:
    """Return the rows to train on and those to test on, always the same."""
    if len(rows.x) != len(rows.y):
        raise ValueError(f"x has {len(rows.x)} rows but y has {len(rows.y)}")
    train, test, _, _ = data.train_test_split(
        np.arange(len(rows.x)),
        rows.y,
        test_size=_TEST_SHARE,
        stratify=_can_stratify(rows),
        seed=_SPLIT_SEED,
    )
    return rows.part(train), rows.part(test)


def _published(name: str, part: str) -> Rows:
    load: Any = data.load_mnist if name == "mnist" else data.load_fashion_mnist
    x, y = load(part)
    return Rows(x, y, largest=255.0)


def _whole(name: str, options: TableOptions, known: Known | None) -> Rows:
    if name == "digits":
        options.refuse(f"--data is {name}")
        return Rows(*data.load_digits(), largest=16.0)
    if is_table(name):
        table = read_table(name, options, labelled=True, known=known, dtype="float32")
        assert table.y is not None
        return Rows(
            table.x,
            table.y,
            table.classes,
            feature_names=table.feature_names,
            target_name=table.label_name,
            place=table.place,
        )
    if name.lower().endswith(".npz"):
        options.refuse(f"--data is {name}")
        return _archive(name)
    if not Path(name).suffix and not Path(name).exists():
        raise ValueError(f"{unknown_name('data', name, PUBLISHED)}, or a file")
    path = existing_file(name)
    raise ValueError(f"{path}: data to learn from must be .csv, .csv.gz or .npz; .tsv is CSV too")


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


def _can_stratify(rows: Rows) -> bool:
    if not rows.has_classes:
        return False
    counts = np.unique(rows.y, return_counts=True)[1]
    return bool(counts.min() >= 2 and len(counts) <= _TEST_SHARE * len(rows.y))
