# SPDX-License-Identifier: Apache-2.0
"""Metrics of probabilities: how far they are from what came true."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.inputs import (
    ROUNDING,
    column_pair,
    matching_columns,
    mean_over_samples,
    multilabel_targets,
    true_labels,
    weights_or_none,
)

__all__ = ["brier", "log_loss"]


def log_loss(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multilabel: bool = False,
) -> float:
    """Return the mean of minus the logarithm of the probability of what is true.

    Probabilities of 0 count as the smallest positive number that their precision tells from 1, so
    that the result is finite.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows; with `multilabel`, 0/1 targets (n, k).
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Probabilities of the positive class, or of each class, of which those of a row sum to 1.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    multilabel : bool, default False
        Take the columns as independent 0/1 targets and average over them.

    Returns
    -------
    float
        At least 0; smaller is better.

    Raises
    ------
    ValueError, TypeError
        As for `accuracy`, and for what are no probabilities.

    Examples
    --------
    >>> round(log_loss([0, 1], [0.1, 0.8]), 4)
    0.1643
    >>> round(log_loss([2, 0], [[0.2, 0.2, 0.6], [0.5, 0.25, 0.25]]), 4)
    0.602
    """
    right, _ = _told(y_true, y_pred, multilabel)
    losses = -np.log(np.clip(right, np.finfo(right.dtype).eps, None), dtype=np.float64)
    return mean_over_samples(losses.mean(axis=1), weights_or_none(sample_weight, len(losses)))


def brier(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multilabel: bool = False,
) -> float:
    """Return the mean squared distance of probabilities from what came true.

    This is Brier's score [1]_. Of two classes it is (1 - p)^2 of the probability p of the true one;
    of more, the sum of such squares over all classes.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows; with `multilabel`, 0/1 targets (n, k).
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Probabilities of the positive class, or of each class, of which those of a row sum to 1.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    multilabel : bool, default False
        Take the columns as independent 0/1 targets and average over them.

    Returns
    -------
    float
        From 0 to 1, of more than two classes to 2; smaller is better.

    Raises
    ------
    ValueError, TypeError
        As for `log_loss`.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly
       Weather Review 78(1), 1950.

    Examples
    --------
    >>> round(brier([0, 1], [0.1, 0.8]), 4)
    0.025
    >>> round(brier([2, 0], [[0.2, 0.2, 0.6], [0.5, 0.25, 0.25]]), 4)
    0.3075
    """
    right, classes = _told(y_true, y_pred, multilabel)
    squares = np.square(1.0 - right, dtype=np.float64).mean(axis=1)
    if classes is not None:
        labels, pred = classes
        others = np.square(pred, dtype=np.float64)
        others[np.arange(len(pred)), labels] = 0.0
        squares += others.sum(axis=1)
    return mean_over_samples(squares, weights_or_none(sample_weight, len(squares)))


def _told(
    y_true: ArrayLike, y_pred: ArrayLike, multilabel: bool
) -> tuple[NDArray[Any], tuple[NDArray[np.int64], NDArray[Any]] | None]:
    """Return probabilities of what is true (n, k); of three classes or more, labels and all."""
    if multilabel:
        true, pred = matching_columns(y_true, y_pred)
        pred = _probabilities(pred)
        return np.where(multilabel_targets(true), pred, 1 - pred), None
    true, pred = column_pair(y_true, y_pred)
    pred = _probabilities(pred)
    labels = true_labels(true, max(2, pred.shape[1]))
    if pred.shape[1] == 1:
        return np.where(labels[:, np.newaxis] == 1, pred, 1 - pred), None
    sums = pred.sum(axis=1, dtype=np.float64)
    if (np.abs(sums - 1) > ROUNDING).any():
        row = int((np.abs(sums - 1) > ROUNDING).argmax())
        raise ValueError(f"y_pred rows must sum to 1, row {row} sums to {sums[row]:g}")
    right = np.take_along_axis(pred, labels[:, np.newaxis], axis=1)
    return right, None if pred.shape[1] == 2 else (labels, pred)


def _probabilities(pred: NDArray[Any]) -> NDArray[Any]:
    """Return probabilities as floats within [0, 1]; ValueError if they are none."""
    outside = (pred < -ROUNDING) | (pred > 1 + ROUNDING)
    if outside.any():
        raise ValueError(f"y_pred must hold probabilities in [0, 1], got {pred[outside][0]}")
    floats = pred if pred.dtype.kind == "f" else pred.astype(np.float64)
    within: NDArray[Any] = np.clip(floats, 0, 1)
    return within
