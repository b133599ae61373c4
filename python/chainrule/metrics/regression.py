# SPDX-License-Identifier: Apache-2.0
"""Metrics of regression: errors squared, absolute and relative, coefficient of determination."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from chainrule.metrics.inputs import (
    UndefinedMetricError,
    mean_over_samples,
    point_columns,
    weights_or_none,
)


def mse(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
) -> float:
    """Return the mean squared error, averaged over samples and outputs.

    Parameters
    ----------
    y_true, y_pred : array_like of shape (n,) or (n, k)
        Targets and predictions; (n,) and (n, 1) may be mixed.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    quantiles : sequence of float, optional
        Those whose predictions `y_pred` holds, a group of columns each; the median's are scored.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        If shapes differ, or an argument is empty, not finite or not real.

    Examples
    --------
    >>> mse([1.0, 2.0], [1.0, 4.0])
    2.0
    """
    true, pred = point_columns(y_true, y_pred, quantiles)
    squares = np.square(np.subtract(true, pred, dtype=np.float64))
    return mean_over_samples(squares.mean(axis=1), weights_or_none(sample_weight, len(true)))


def rmse(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
) -> float:
    """Return the root of the mean squared error, in the unit of the targets.

    Parameters
    ----------
    y_true, y_pred, sample_weight, quantiles
        As for `mse`.

    Returns
    -------
    float
        With several outputs the mean of their roots, as in scikit-learn.

    Raises
    ------
    ValueError, TypeError
        As for `mse`.

    Examples
    --------
    >>> rmse([1.0, 2.0], [1.0, 4.0]) == 2**0.5
    True
    """
    true, pred = point_columns(y_true, y_pred, quantiles)
    weights = weights_or_none(sample_weight, len(true))
    squares = np.square(np.subtract(true, pred, dtype=np.float64))
    return float(np.sqrt(np.average(squares, axis=0, weights=weights)).mean())


def mape(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
) -> float:
    """Return the mean absolute error relative to the target, averaged over samples and outputs.

    It is a share, 0.05 for errors of 5 %. Targets nearer to 0 than the smallest step of float64
    from 1 count as that, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred, sample_weight, quantiles
        As for `mse`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As for `mse`.

    Examples
    --------
    >>> mape([1.0, 2.0], [1.0, 4.0])
    0.5
    """
    true, pred = point_columns(y_true, y_pred, quantiles)
    distances = np.abs(np.subtract(true, pred, dtype=np.float64))
    shares = distances / np.maximum(np.abs(true.astype(np.float64)), np.finfo(np.float64).eps)
    return mean_over_samples(shares.mean(axis=1), weights_or_none(sample_weight, len(true)))


def mae(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
) -> float:
    """Return the mean absolute error, averaged over samples and outputs.

    Parameters
    ----------
    y_true, y_pred, sample_weight, quantiles
        As for `mse`.

    Returns
    -------
    float

    Raises
    ------
    ValueError, TypeError
        As for `mse`.

    Examples
    --------
    >>> mae([1.0, 2.0], [1.0, 4.0], sample_weight=[1.0, 3.0])
    1.5
    """
    true, pred = point_columns(y_true, y_pred, quantiles)
    distances = np.abs(np.subtract(true, pred, dtype=np.float64))
    return mean_over_samples(distances.mean(axis=1), weights_or_none(sample_weight, len(true)))


def r2(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    quantiles: Sequence[float] | None = None,
) -> float:
    r"""Return the coefficient of determination, the plain mean over outputs.

    For one output it is

    .. math:: R^2 = 1 - \frac{\sum_i w_i (y_i - \hat y_i)^2}{\sum_i w_i (y_i - \bar y)^2}

    with :math:`\bar y` the weighted mean of the targets. An output whose targets are constant
    scores 1 when predicted exactly and 0 otherwise, as in scikit-learn.

    Parameters
    ----------
    y_true, y_pred, sample_weight, quantiles
        As for `mse`.

    Returns
    -------
    float
        At most 1; 0 for a prediction no better than the mean of the targets.

    Raises
    ------
    ValueError, TypeError
        As for `mse`, and if there are fewer than two samples.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0])
    0.5
    """
    true, pred = point_columns(y_true, y_pred, quantiles)
    if len(true) < 2:
        raise UndefinedMetricError("r2 needs at least two samples, got 1")
    weights = weights_or_none(sample_weight, len(true))
    true = true.astype(np.float64)
    residual = np.average(np.square(true - pred), axis=0, weights=weights)
    mean = np.average(true, axis=0, weights=weights)
    total = np.average(np.square(true - mean), axis=0, weights=weights)
    varies = total > 0
    score = np.where(residual == 0, 1.0, 0.0)
    score[varies] = 1 - residual[varies] / total[varies]
    return float(score.mean())
