# SPDX-License-Identifier: Apache-2.0
"""Metrics of predicted quantiles: the pinball loss and the coverage of intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.inputs import column_pair, mean_over_samples, weights_or_none


def pinball(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantiles: Sequence[float] = (0.5,),
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the mean pinball loss over samples, outputs and quantiles.

    Of a quantile q it is q (y - p) where the target y is above the prediction p, and
    (1 - q) (p - y) where it is not. In ``fit`` with the loss `Quantile` the quantiles are the
    loss's.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, k)
        Targets.
    y_pred : array_like of shape (n,) or (n, quantiles * k)
        Predictions: one group of k columns per quantile.
    quantiles : sequence of float, default (0.5,)
        In (0, 1).
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float
        0 or more.

    Raises
    ------
    ValueError, TypeError
        If shapes do not fit, a quantile is out of range, or an argument is empty, not finite or
        not real.

    Examples
    --------
    >>> pinball([2.0, 4.0], [[1.0, 3.0], [3.0, 6.0]], quantiles=(0.1, 0.9))
    0.125
    """
    true, pred = _groups(y_true, y_pred, len(quantiles))
    levels = np.asarray(quantiles, dtype=np.float64)[:, np.newaxis]
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"quantiles must lie in (0, 1), got {tuple(quantiles)}")
    short = true - pred
    losses = np.maximum(levels * short, (levels - 1) * short)
    weights = weights_or_none(sample_weight, len(true))
    return mean_over_samples(losses.mean(axis=(1, 2)), weights)


def coverage(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    quantiles: Sequence[float] = (0.05, 0.95),
    sample_weight: ArrayLike | None = None,
) -> float:
    """Return the share of targets between the predictions of the lowest and the highest quantile.

    For well calibrated quantiles it is about the difference of the two, 0.9 for 0.05 and 0.95.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, k)
        Targets.
    y_pred : array_like of shape (n, quantiles * k)
        Predictions: one group of k columns per quantile, in increasing order of these.
    quantiles : sequence of float, default (0.05, 0.95)
        At least two; only their number matters here.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As for `pinball`, and if there are fewer than two quantiles.

    Examples
    --------
    >>> coverage([2.0, 4.0], [[1.0, 3.0], [4.5, 6.0]])
    0.5
    """
    if len(quantiles) < 2:
        raise ValueError(f"coverage needs two quantiles at least, got {tuple(quantiles)}")
    true, pred = _groups(y_true, y_pred, len(quantiles))
    inside = (pred[:, :1] <= true) & (true <= pred[:, -1:])
    weights = weights_or_none(sample_weight, len(true))
    return mean_over_samples(inside.mean(axis=(1, 2)), weights)


def _groups(
    y_true: ArrayLike, y_pred: ArrayLike, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return targets of shape (n, 1, k) and predictions of shape (n, quantiles, k)."""
    true, pred = column_pair(y_true, y_pred)
    if pred.shape[1] != count * true.shape[1]:
        raise ValueError(
            f"y_pred has shape {pred.shape}; for {count} quantiles of {true.shape[1]} columns it "
            f"needs {count * true.shape[1]} columns"
        )
    wide = pred.astype(np.float64).reshape(len(pred), count, true.shape[1])
    return true.astype(np.float64)[:, np.newaxis, :], wide
