# SPDX-License-Identifier: Apache-2.0
"""Iteration over data in batches."""

from __future__ import annotations

from collections.abc import Iterator
from operator import index
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import check_same_length
from chainrule.inputs.containers import as_array


@overload
def batches(
    x: ArrayLike,
    y: None = None,
    batch_size: int = 32,
    *,
    shuffle: bool = False,
    seed: int | np.random.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[NDArray[Any]]: ...


@overload
def batches(
    x: ArrayLike,
    y: ArrayLike,
    batch_size: int = 32,
    *,
    shuffle: bool = False,
    seed: int | np.random.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]: ...


def batches(
    x: ArrayLike,
    y: ArrayLike | None = None,
    batch_size: int = 32,
    *,
    shuffle: bool = False,
    seed: int | np.random.Generator | None = None,
    drop_last: bool = False,
) -> Iterator[NDArray[Any]] | Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Iterate over rows in batches.

    Parameters
    ----------
    x : array-like, shape (rows, ...)
        Features. What is not in memory is read whole.
    y : array-like, shape (rows, ...), optional
        Labels or targets.
    batch_size : int, default 32
        Rows in a batch; the last one may have fewer.
    shuffle : bool, default False
        Visit the rows in random order. Batches are then copies, otherwise views.
    seed : int, Generator or None, default None
        What `numpy.random.default_rng` starts from; None differs from call to call.
    drop_last : bool, default False
        Leave out a last batch that is not full.

    Yields
    ------
    ndarray or tuple of ndarray
        Rows of `x`, or of `x` and `y` if there is a `y`.

    Raises
    ------
    TypeError
        If `batch_size` is no whole number.
    ValueError
        If `batch_size` is below 1, `x` is empty or the lengths differ. All are raised by the call
        itself, before the first batch.

    Examples
    --------
    >>> for x, y in batches(np.arange(5), np.arange(5) * 10, batch_size=2):
    ...     print(x, y)
    [0 1] [ 0 10]
    [2 3] [20 30]
    [4] [40]
    """
    features = as_array(x, name="x")
    targets = None if y is None else as_array(y, name="y")
    if features.ndim == 0 or len(features) == 0:
        raise ValueError(f"x is empty: shape {features.shape}")
    if targets is not None:
        check_same_length(features, targets)
    try:
        size = index(batch_size)
    except TypeError:
        raise TypeError(f"batch_size must be a whole number, got {batch_size!r}") from None
    if size < 1:
        raise ValueError(f"batch_size = {size}, expected 1 or more")
    order = np.random.default_rng(seed).permutation(len(features)) if shuffle else None
    chosen = _slices(len(features), size, order, drop_last)
    if targets is None:
        return (features[rows] for rows in chosen)
    return ((features[rows], targets[rows]) for rows in chosen)


def _slices(
    rows: int, size: int, order: NDArray[np.int64] | None, drop_last: bool
) -> Iterator[slice | NDArray[np.int64]]:
    stop = rows - rows % size if drop_last else rows
    for start in range(0, stop, size):
        part = slice(start, min(start + size, stop))
        yield part if order is None else order[part]
