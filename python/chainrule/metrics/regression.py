# SPDX-License-Identifier: Apache-2.0
"""Metrics of regression: mean squared error, mean absolute error, coefficient of determination."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from chainrule.metrics.inputs import (
    matching_columns,
    mean_over_samples,
    weights_or_none,
)


def mse(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean squared error, averaged over samples and outputs.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, k)
        Targets and predictions; (n,) and (n, 1) may be mixed.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If shapes differ, or an argument is empty, not finite or not real.

    Examples
    --------
    >>> from chainrule.metrics import mse
    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    true, pred = matching_columns(y_true, y_pred)
    squares = np.square(np.subtract(true, pred, dtype=np.float64))
    return mean_over_samples(squares.mean(axis=1), weights_or_none(sample_weight, len(true)))


def mae(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    """Return the mean absolute error, averaged over samples and outputs.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, k)
        Targets and predictions; (n,) and (n, 1) may be mixed.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If shapes differ, or an argument is empty, not finite or not real.

    Examples
    --------
    >>> from chainrule.metrics import mae
    >>> mae([1.0, 2.0], [1.0, 4.0], sample_weight=[1.0, 3.0])
    1.5
    """
    true, pred = matching_columns(y_true, y_pred)
    distances = np.abs(np.subtract(true, pred, dtype=np.float64))
    return mean_over_samples(distances.mean(axis=1), weights_or_none(sample_weight, len(true)))


def r2(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None) -> float:
    r"""Return the coefficient of determination, the plain mean over outputs.

    For one output it is

    .. math:: R^2 = 1 - \frac{\sum_i w_i (y_i - \hat y_i)^2}{\sum_i w_i (y_i - \bar y)^2}

    with :math:`\bar y` the weighted mean of the targets. An output whose targets are constant
    scores 1 when predicted exactly and 0 otherwise, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, k)
        Targets and predictions; (n,) and (n, 1) may be mixed.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float
        At most 1; 0 for a prediction no better than the mean of the targets.

    Raises
    ------
    ValueError, TypeError
        If there are fewer than two samples, shapes differ, or an argument is empty, not finite
        or not real.

    Examples
    --------
    >>> from chainrule.metrics import r2
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    true, pred = matching_columns(y_true, y_pred)
    if len(true) < 2:
        raise ValueError("r2 needs at least two samples, got 1")
    weights = weights_or_none(sample_weight, len(true))
    true = true.astype(np.float64)
    residual = np.average(np.square(true - pred), axis=0, weights=weights)
    mean = np.average(true, axis=0, weights=weights)
    total = np.average(np.square(true - mean), axis=0, weights=weights)
    varies = total > 0
    score = np.where(residual == 0, 1.0, 0.0)
    score[varies] = 1 - residual[varies] / total[varies]
    return float(score.mean())
