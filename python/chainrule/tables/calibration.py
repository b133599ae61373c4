# SPDX-License-Identifier: Apache-2.0
"""Logits divided by one number, so that probabilities are as sure as they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["temperature"]

_LOWEST, _HIGHEST = np.log(0.1), np.log(10.0)
_STEPS = 40
_GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def temperature(
    logits: NDArray[np.float32], y: NDArray[np.int64], weights: NDArray[np.float64] | None = None
) -> float:
    """Return the temperature T by which softmax(logits / T) has the least log loss.

    The loss is convex in 1 / T, so that golden sections of log T find the only minimum.

    Parameters
    ----------
    logits : ndarray, shape (rows, classes)
    y : ndarray of int, shape (rows,)
    weights : ndarray, shape (rows,), optional

    Returns
    -------
    float
        In [0.1, 10].

    References
    ----------
    Guo, Pleiss, Sun & Weinberger, "On calibration of modern neural networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule.tables.calibration import temperature
    >>> logits = np.array([[4.0, 0.0]] * 4)  # right three times of four, which log(3) would say
    >>> round(temperature(logits, np.array([0, 0, 0, 1])), 3), round(float(4 / np.log(3)), 3)
    (3.641, 3.641)
    """
    z = logits.astype(np.float64)
    rows = np.arange(len(z))

    def loss(log_t: float) -> float:
        scaled = z * np.exp(-log_t)
        top = scaled.max(axis=1)
        log_sum = top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1))
        return float(np.average(log_sum - scaled[rows, y], weights=weights))

    low, high = float(_LOWEST), float(_HIGHEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2.0))
