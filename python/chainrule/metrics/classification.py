# SPDX-License-Identifier: Apache-2.0
"""Metrics of class decisions: accuracy and the confusion matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.inputs import (
    above_half,
    label_pair,
    matching_columns,
    mean_over_samples,
    multilabel_targets,
    weights_or_none,
)


def accuracy(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    multilabel: bool = False,
) -> float:
    """Return the share of correct decisions.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows; with `multilabel`, 0/1 targets (n, k).
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Class probabilities, probabilities of the positive class (floats, positive from 0.5 on),
        or integer labels.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    multilabel : bool, default False
        Take the columns as independent 0/1 targets and count each element by itself, not whole
        rows.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        If lengths differ, labels are fractional or out of range, or an argument is empty, not
        finite or not real.

    Examples
    --------
    >>> accuracy([0, 1, 2], [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]])
    0.6666666666666666
    >>> accuracy([[0, 1], [1, 1]], [[0.2, 0.9], [0.6, 0.3]], multilabel=True)
    0.75
    """
    if multilabel:
        true, pred = matching_columns(y_true, y_pred)
        correct = (multilabel_targets(true) == above_half(pred)).mean(axis=1)
    else:
        labels, predicted, _ = label_pair(y_true, y_pred)
        correct = labels == predicted
    return mean_over_samples(correct, weights_or_none(sample_weight, len(correct)))


def confusion_matrix(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    classes: int | None = None,
    *,
    sample_weight: ArrayLike | None = None,
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Return how often each class was taken for each class.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows.
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Class probabilities, probabilities of the positive class, or integer labels.
    classes : int, optional
        Number of classes C; by default the columns of `y_pred` or `y_true`, else the largest label
        plus one, and at least 2.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.

    Returns
    -------
    ndarray of shape (C, C)
        Row: true class, column: predicted class; int64, or float64 with `sample_weight`.

    Raises
    ------
    ValueError, TypeError
        As for `accuracy`.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1, 2], [0, 1, 1, 2])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    """
    if classes is not None and classes < 2:
        raise ValueError(f"classes must be at least 2, got {classes}")
    labels, predicted, count = label_pair(y_true, y_pred, classes)
    weights = weights_or_none(sample_weight, len(labels))
    cells = np.bincount(labels * count + predicted, weights=weights, minlength=count * count)
    matrix = cells.reshape(count, count)
    return matrix.astype(np.int64) if weights is None else matrix
