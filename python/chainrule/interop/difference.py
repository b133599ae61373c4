# SPDX-License-Identifier: Apache-2.0
"""How far the outputs of two programs for the same rows lie from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["largest_relative_difference"]


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
    x, y = np.asarray(outputs, np.float64), np.asarray(expected, np.float64)
    if x.shape != y.shape:
        return float("inf")
    return float(np.abs(x - y).max() / (np.abs(y).max() or 1.0))
