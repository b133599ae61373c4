# SPDX-License-Identifier: Apache-2.0
"""How far the outputs of two programs for the same rows lie from each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["largest_relative_difference", "relative_differences", "sample_rows"]


def sample_rows(
    columns: int, scales: Sequence[float], count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return `count` normally distributed rows of each scale, one scale after the other."""
    return np.concatenate([scale * rng.normal(size=(count, columns)) for scale in scales])


def relative_differences(
    outputs: ArrayLike,
    expected: ArrayLike,
    count: int,
    *,
    least: float = 0.0,
    overflows: bool = False,
) -> list[float]:
    """Return `largest_relative_difference` of the first `count` rows, of the next ones and so on.

    What is expected counts as no smaller than `least`. Where something `overflows` it does so in
    both, but not for the same rows, so rows with infinities and NaN are left out.
    """
    x, y = np.asarray(outputs, np.float64), np.asarray(expected, np.float64)
    if x.shape != y.shape:
        return [float("inf")]
    kept = np.ones(len(x), bool)
    for each in (x, y) if overflows else ():
        kept &= np.isfinite(each).reshape(len(x), -1).all(axis=1)
    differences = []
    for start in range(0, len(x), count):
        some = np.flatnonzero(kept[start : start + count]) + start
        size = max(np.abs(y[some]).max(initial=0.0), least) or 1.0
        differences.append(float(np.abs(x[some] - y[some]).max(initial=0.0) / size))
    return differences


def largest_relative_difference(outputs: ArrayLike, expected: ArrayLike) -> float:
    """Return the largest difference of two arrays over the largest number of the second.

    A single output may be near zero because larger numbers cancelled in it, as in the tail of gelu,
    so outputs are not divided by themselves. NaN if there is one in `outputs`; infinite where the
    shapes differ.

    Examples
    --------
    >>> largest_relative_difference([[1.0, 201.0], [2.0, 100.0]], [[1.0, 200.0], [2.0, 100.0]])
    0.005
    """
    return relative_differences(outputs, expected, len(np.asarray(outputs)))[0]
