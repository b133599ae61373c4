# SPDX-License-Identifier: Apache-2.0
"""Metrics of the order of scores: area under the ROC curve and top-k accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.inputs import (
    UndefinedMetricError,
    column_pair,
    matching_columns,
    mean_over_samples,
    multilabel_targets,
    true_labels,
    weights_or_none,
    weights_or_ones,
)


def auc(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multilabel: bool = False,
) -> float:
    """Return the area under the receiver operating characteristic curve.

    It is the probability [1]_ that a random positive sample scores above a random negative one, a
    tie counting one half, computed from rank statistics. With more than two classes it is the plain
    mean over the classes, each against all others.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows; with `multilabel`, 0/1 targets (n, k).
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Scores of the positive class, or of each class; for C = 2 the second column is used. Any
        increasing function of the probabilities gives the same result.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    multilabel : bool, default False
        Take the columns as independent 0/1 targets and average over them.

    Returns
    -------
    float
        Between 0 and 1; 0.5 for scores that carry no information.

    Raises
    ------
    ValueError, TypeError
        As for `accuracy`, and if a class lacks positive or negative samples of positive weight.

    References
    ----------
    .. [1] J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver
       operating characteristic (ROC) curve", Radiology 143(1), 1982.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.4, 0.8])
    0.875
    """
    if multilabel:
        true, pred = matching_columns(y_true, y_pred)
        targets, scores = multilabel_targets(true), pred
    else:
        true, pred = column_pair(y_true, y_pred)
        classes = max(2, pred.shape[1])
        labels = true_labels(true, classes)
        one_against_rest = np.arange(1 if classes == 2 else 0, classes)
        targets = labels[:, np.newaxis] == one_against_rest
        scores = pred[:, -len(one_against_rest) :]
    weight = weights_or_ones(sample_weight, len(true))
    columns = range(targets.shape[1])
    return float(np.mean([_binary_auc(targets[:, c], scores[:, c], weight, c) for c in columns]))


def _binary_auc(
    positive: NDArray[np.bool_],
    score: NDArray[Any],
    weight: NDArray[np.float64],
    column: int,
) -> float:
    _, rank = np.unique(score, return_inverse=True)
    positives = np.bincount(rank, weights=weight * positive)
    negatives = np.bincount(rank, weights=weight * ~positive)
    pairs = positives.sum() * negatives.sum()
    if pairs == 0:
        lacking = "positive" if positives.sum() == 0 else "negative"
        raise UndefinedMetricError(
            f"auc is undefined: score column {column} has no {lacking} sample"
        )
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs)


def top_k(
    y_true: ArrayLike, y_pred: ArrayLike, *, k: int = 5, sample_weight: ArrayLike | None = None
) -> float:
    """Return the share of samples whose class is among the `k` with the highest scores.

    Of classes with equal scores the lower index comes first, so that ``k=1`` is `accuracy`.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows.
    y_pred : array_like of shape (n, C)
        Class probabilities or scores.
    k : int, default 5
        How many classes count, from 1 to C.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As for `accuracy`, and if `k` is out of range.

    Examples
    --------
    >>> top_k([2, 0], [[0.2, 0.5, 0.3], [0.2, 0.5, 0.3]], k=2)
    0.5
    """
    true, pred = column_pair(y_true, y_pred)
    if pred.shape[1] < 2:
        raise ValueError("top_k needs y_pred with a column for each class, got one column")
    classes = pred.shape[1]
    if not 1 <= k <= classes:
        raise ValueError(f"k must be from 1 to the number of classes {classes}, got {k}")
    labels = true_labels(true, classes)[:, np.newaxis]
    own = np.take_along_axis(pred, labels, axis=1)
    ahead = (pred > own) | ((pred == own) & (np.arange(classes) < labels))
    return mean_over_samples(ahead.sum(axis=1) < k, weights_or_none(sample_weight, len(true)))
