# SPDX-License-Identifier: Apache-2.0
"""Division of data into a part to train on and a part to test on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import check_same_length
from chainrule.inputs.column_names import column_names
from chainrule.inputs.containers import as_array


def train_test_split(
    x: ArrayLike,
    y: ArrayLike,
    *,
    test_size: float | int = 0.25,
    stratify: bool | ArrayLike | None = False,
    seed: int | np.random.Generator | None = 0,
) -> tuple[Any, Any, NDArray[Any], NDArray[Any]]:
    """Divide rows at random into a training part and a test part.

    Parameters
    ----------
    x : array-like, shape (rows, ...)
        Features. What is not in memory is read whole: divide `np.arange(rows)` in its place, and
        read the rows that it gives.
    y : array-like, shape (rows,) or (rows, ...)
        Labels or targets; labels may be text.
    test_size : float or int, default 0.25
        Share of the rows to test on, between 0 and 1 and rounded up to whole rows, or their number.
    stratify : bool or array-like of shape (rows,), default False
        Keep the proportions of the classes in `y`, or of those in this array: each class gives the
        test part its share, rounded by the method of largest remainders. Rows of an array of shape
        (rows, columns) are of one class if they are equal. None is False.
    seed : int, Generator or None, default 0
        What `numpy.random.default_rng` starts from; None differs from call to call.

    Returns
    -------
    x_train, x_test, y_train, y_test : ndarray
        Copies of the rows, shuffled. A frame whose columns have names gives frames for `x`.

    Raises
    ------
    TypeError
        If `test_size` is no number, or `stratify` neither a bool nor an array.
    ValueError
        If lengths differ, a part would be empty or, with `stratify`, a class has a single row or a
        part has fewer rows than there are classes.

    Examples
    --------
    >>> x, y = np.arange(20).reshape(10, 2), np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    >>> x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.5, stratify=True)
    >>> x_train.shape, np.bincount(y_train), np.bincount(y_test)
    ((5, 2), array([3, 2]), array([3, 2]))
    """
    features = as_array(x, name="x")
    targets = as_array(y, name="y")
    check_same_length(features, targets)
    rows = len(features)
    test_rows = _test_rows(rows, test_size)
    order = np.random.default_rng(seed).permutation(rows)
    labels = _labels(stratify, targets)
    if labels is not None:
        check_same_length(features, labels, names=("x", "stratify"))
        in_test = _stratified(labels[order], test_rows)
        test, train = order[in_test], order[~in_test]
    else:
        test, train = order[:test_rows], order[test_rows:]
    if column_names(x) is not None:
        return _rows_of(x, train), _rows_of(x, test), targets[train], targets[test]
    return features[train], features[test], targets[train], targets[test]


def _rows_of(frame: Any, rows: NDArray[np.intp]) -> Any:
    """Return rows of a frame as a frame, so that its columns keep their names."""
    if hasattr(frame, "iloc"):
        return frame.iloc[rows]
    return frame.take(rows) if hasattr(frame, "take") else frame[rows]


def _test_rows(rows: int, test_size: float | int) -> int:
    if isinstance(test_size, bool | np.bool_) or not isinstance(
        test_size, int | float | np.integer | np.floating
    ):
        raise TypeError(f"test_size must be a number, got {type(test_size).__name__}")
    if isinstance(test_size, int | np.integer):
        test_rows = int(test_size)
        if not 0 < test_rows < rows:
            raise ValueError(
                f"test_size = {test_size} of {rows} rows leaves one part empty; expected at least "
                f"1 and fewer than the rows"
            )
        return test_rows
    if not 0 < test_size < 1:
        raise ValueError(
            f"test_size = {test_size}, expected a share between 0 and 1 or a whole number of rows"
        )
    test_rows = math.ceil(rows * test_size)
    if not 0 < test_rows < rows:
        raise ValueError(f"test_size = {test_size} of {rows} rows leaves one part empty")
    return test_rows


def _labels(stratify: object, targets: NDArray[Any]) -> NDArray[Any] | None:
    """Return the classes whose proportions are kept, or None."""
    if stratify is None:
        return None
    if isinstance(stratify, bool | np.bool_):
        return targets if stratify else None
    return as_array(stratify, name="stratify")


def _stratified(labels: NDArray[Any], test_rows: int) -> NDArray[np.bool_]:
    """Mark the first rows of each class, as many as its share of the test part."""
    columns = labels.reshape(len(labels), -1).T
    try:
        codes = np.zeros(len(labels), np.int64)
        for column in columns:
            found, inverse = np.unique(column, return_inverse=True)
            # Numbered anew after each column, they stay below the number of rows.
            codes = np.unique(codes * len(found) + inverse, return_inverse=True)[1]
    except TypeError as error:
        raise TypeError(f"stratify: the labels are of types without an order: {error}") from None
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    classes = labels[first]
    if counts.min() < 2:
        lonely = classes[counts.argmin()]
        raise ValueError(f"stratify needs two rows or more of each class, but {lonely!s} has one")
    if min(test_rows, len(labels) - test_rows) < len(classes):
        raise ValueError(
            f"stratify needs a row for each of the {len(classes)} classes in both parts, but they "
            f"have {len(labels) - test_rows} and {test_rows} rows"
        )
    quotas = counts * test_rows // len(labels)
    remainders = counts * test_rows % len(labels)
    largest_first = np.argsort(-remainders, kind="stable")
    quotas[largest_first[: test_rows - quotas.sum()]] += 1
    by_class = np.argsort(codes, kind="stable")
    rank = np.empty(len(labels), dtype=np.int64)
    rank[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen: NDArray[np.bool_] = rank < quotas[codes]
    return chosen
