# SPDX-License-Identifier: Apache-2.0
"""Metrics of how well single classes are found: precision, recall and F1."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.inputs import (
    above_half,
    label_pair,
    matching_columns,
    multilabel_targets,
    weights_or_ones,
)
from chainrule.names import unknown_name

AVERAGES = ("auto", "binary", "macro", "micro", "weighted")


class _Counts(NamedTuple):
    """Weighted counts, each of shape (classes,), of the classes to average over."""

    hits: NDArray[np.float64]
    predicted: NDArray[np.float64]
    actual: NDArray[np.float64]
    average: str


def _counts(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    sample_weight: ArrayLike | None,
    average: str,
    multilabel: bool,
) -> _Counts:
    if average not in AVERAGES:
        raise ValueError(unknown_name("average", average, AVERAGES))
    if multilabel:
        return _multilabel_counts(y_true, y_pred, sample_weight, average)
    labels, predicted, classes = label_pair(y_true, y_pred)
    weight = weights_or_ones(sample_weight, len(labels))
    if average == "auto":
        average = "binary" if classes == 2 else "macro"
    chosen: NDArray[np.bool_]
    if average == "binary":
        if classes > 2:
            raise ValueError(f"average='binary' needs two classes, got {classes}")
        chosen = np.array([False, True])
    else:
        # A class that occurs neither among targets nor predictions says nothing of the network.
        chosen = np.bincount(np.concatenate([labels, predicted]), minlength=classes) > 0

    def per_class(members: NDArray[np.int64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        totals = np.bincount(members, weights=weight, minlength=classes).astype(np.float64)
        return totals[chosen]

    hit = labels == predicted
    return _Counts(
        hits=per_class(labels[hit], weight[hit]),
        predicted=per_class(predicted, weight),
        actual=per_class(labels, weight),
        average=average,
    )


def _multilabel_counts(
    y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None, average: str
) -> _Counts:
    if average == "binary":
        raise ValueError("average='binary' does not go with multilabel=True")
    true, pred = matching_columns(y_true, y_pred)
    targets, decisions = multilabel_targets(true), above_half(pred)
    weight = weights_or_ones(sample_weight, len(true))
    return _Counts(
        hits=weight @ (targets & decisions),
        predicted=weight @ decisions,
        actual=weight @ targets,
        average="macro" if average == "auto" else average,
    )


def _averaged_ratio(
    numerator: NDArray[np.float64],
    denominator: NDArray[np.float64],
    counts: _Counts,
    zero_division: float,
) -> float:
    if zero_division not in (0, 1):
        raise ValueError(f"zero_division must be 0 or 1, got {zero_division!r}")
    if counts.average == "micro":
        numerator, denominator = numerator.sum(keepdims=True), denominator.sum(keepdims=True)
    ratio = np.full(len(numerator), float(zero_division))
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    if counts.average == "weighted" and counts.actual.any():
        return float(np.average(ratio, weights=counts.actual))
    return float(ratio.mean())


def precision(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    average: str = "auto",
    zero_division: float = 0,
    multilabel: bool = False,
) -> float:
    """Return the share of the samples predicted as a class that belong to it.

    Parameters
    ----------
    y_true : array_like of shape (n,) or (n, C)
        Integer class labels, or one-hot or probability rows; with `multilabel`, 0/1 targets (n, k).
    y_pred : array_like of shape (n,), (n, 1) or (n, C)
        Class probabilities, probabilities of the positive class, or integer labels.
    sample_weight : array_like of shape (n,), optional
        Weight of each sample, not negative.
    average : {"auto", "binary", "macro", "micro", "weighted"}, default "auto"
        ``"binary"``: class 1 alone; ``"macro"``: mean over the classes that occur; ``"micro"``:
        from the counts of all classes together; ``"weighted"``: mean over classes by their true
        counts; ``"auto"``: ``"binary"`` for two classes, else ``"macro"``.
    zero_division : {0, 1}, default 0
        Value for a class that was never predicted.
    multilabel : bool, default False
        Take the columns as independent 0/1 targets.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As for `accuracy`, and if `average` is unknown or does not fit.

    Examples
    --------
    >>> precision([0, 1, 1, 0], [0.1, 0.9, 0.2, 0.6])
    0.5
    """
    counts = _counts(y_true, y_pred, sample_weight, average, multilabel)
    return _averaged_ratio(counts.hits, counts.predicted, counts, zero_division)


def recall(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    average: str = "auto",
    zero_division: float = 0,
    multilabel: bool = False,
) -> float:
    """Return the share of the samples of a class that were predicted as it.

    Parameters
    ----------
    y_true, y_pred, sample_weight, average, multilabel
        As for `precision`.
    zero_division : {0, 1}, default 0
        Value for a class without samples.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As for `precision`.

    Examples
    --------
    >>> recall([0, 1, 1, 2], [0, 1, 2, 2])
    0.8333333333333334
    """
    counts = _counts(y_true, y_pred, sample_weight, average, multilabel)
    return _averaged_ratio(counts.hits, counts.actual, counts, zero_division)


def f1(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    average: str = "auto",
    zero_division: float = 0,
    multilabel: bool = False,
) -> float:
    """Return the F1 score, the harmonic mean of precision and recall.

    Parameters
    ----------
    y_true, y_pred, sample_weight, average, multilabel
        As for `precision`.
    zero_division : {0, 1}, default 0
        Value for a class that neither has samples nor was predicted.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError, TypeError
        As for `precision`.

    Examples
    --------
    >>> f1([0, 1, 1, 0], [0.1, 0.9, 0.2, 0.6])
    0.5
    """
    counts = _counts(y_true, y_pred, sample_weight, average, multilabel)
    return _averaged_ratio(2 * counts.hits, counts.predicted + counts.actual, counts, zero_division)
