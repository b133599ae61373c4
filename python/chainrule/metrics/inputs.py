# SPDX-License-Identifier: Apache-2.0
"""What every metric does with its arguments before it computes.

Arrays are taken as columns: (n, k), where (n,) counts as (n, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import as_labels, as_targets, as_weights, check_same_length
from chainrule.inputs.containers import as_array


class UndefinedMetricError(ValueError):
    """The metric is not defined on these data, whatever the predictions are.

    Examples
    --------
    >>> import chainrule as cr
    >>> try:
    ...     cr.metrics.auc([1, 1], [0.2, 0.7])
    ... except cr.metrics.UndefinedMetricError as error:
    ...     print(isinstance(error, ValueError))
    True
    """


class UndefinedMetricWarning(UserWarning):
    """A metric is NaN because the data leave it undefined.

    Examples
    --------
    >>> import chainrule as cr
    >>> issubclass(cr.metrics.UndefinedMetricWarning, UserWarning)
    True
    """


# Probabilities computed in half precision miss 0, 1 and unit row sums by up to about this much.
ROUNDING = 1e-3


def columns(name: str, values: ArrayLike) -> NDArray[Any]:
    """Return `values` as finite numbers of shape (n, k), integers staying integers."""
    array = as_array(values, name=name)
    numbers = as_targets(array, outputs=None, name=name)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    return array.reshape(numbers.shape) if array.dtype.kind in "biu" else numbers


def column_pair(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both arguments as columns of equal length."""
    true, pred = columns("y_true", y_true), columns("y_pred", y_pred)
    check_same_length(true, pred, names=("y_true", "y_pred"))
    return true, pred


def matching_columns(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both arguments as columns of equal shape."""
    true, pred = column_pair(y_true, y_pred)
    if true.shape != pred.shape:
        raise ValueError(f"y_true has shape {true.shape} but y_pred has {pred.shape}")
    return true, pred


def point_columns(
    y_true: ArrayLike, y_pred: ArrayLike, quantiles: Sequence[float] | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both arguments as columns of equal shape, of several quantiles the median's."""
    if quantiles is None or len(quantiles) == 1:
        return matching_columns(y_true, y_pred)
    if 0.5 not in quantiles:
        raise ValueError(
            f"of the quantiles {tuple(quantiles)} none is the median 0.5, which is to be scored; "
            "take pinball or coverage"
        )
    true, pred = column_pair(y_true, y_pred)
    width, place = true.shape[1], list(quantiles).index(0.5)
    if pred.shape[1] != width * len(quantiles):
        raise ValueError(
            f"y_pred has shape {pred.shape}; for {len(quantiles)} quantiles of {width} columns it "
            f"needs {width * len(quantiles)} columns"
        )
    return true, pred[:, place * width : (place + 1) * width]


def weights_or_none(sample_weight: ArrayLike | None, samples: int) -> NDArray[np.float64] | None:
    """Return `sample_weight` as float64 of shape (samples,), or None when it is None."""
    if sample_weight is None:
        return None
    weights = as_weights(sample_weight, rows=samples)
    if not weights.any():
        raise UndefinedMetricError("sample_weight holds zeros only, expected a positive sum")
    return weights


def weights_or_ones(sample_weight: ArrayLike | None, samples: int) -> NDArray[np.float64]:
    """Return `sample_weight` as float64 of shape (samples,), ones when it is None."""
    weights = weights_or_none(sample_weight, samples)
    return np.ones(samples) if weights is None else weights


def mean_over_samples(values: NDArray[Any], weights: NDArray[np.float64] | None) -> float:
    """Return the (weighted) mean of `values` (n,), accumulated in float64."""
    if weights is None:
        return float(values.mean(dtype=np.float64))
    with np.errstate(over="ignore"):
        if np.isinf(weights.sum()):
            weights = weights * 2.0**-64  # which changes no mean
    return float(np.average(values.astype(np.float64), weights=weights))


def true_labels(true: NDArray[Any], classes: int | None) -> NDArray[np.int64]:
    """Return the class of each row: labels as they are, one-hot or probability rows by argmax."""
    if true.shape[1] == 1:
        return as_labels(true, classes=classes, name="y_true")
    if classes is not None and true.shape[1] != classes:
        raise ValueError(f"y_true has {true.shape[1]} classes but y_pred has {classes}")
    sums = true.sum(axis=1, dtype=np.float64)
    bad = (np.abs(sums - 1) > ROUNDING) | (true < 0).any(axis=1)
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(
            "y_true rows must be one-hot or probabilities (not negative, sum 1), "
            f"row {row} sums to {sums[row]:g}; independent 0/1 targets need multilabel=True"
        )
    labels: NDArray[np.int64] = true.argmax(axis=1).astype(np.int64)
    return labels


def above_half(pred: NDArray[Any]) -> NDArray[np.bool_]:
    """Return probabilities of the positive class as decisions, 0.5 itself being positive."""
    outside = (pred < -ROUNDING) | (pred > 1 + ROUNDING)
    if outside.any():
        raise ValueError(
            "y_pred must hold probabilities of the positive class in [0, 1], "
            f"got {pred[outside][0]}; class labels must be integers, and logits need a sigmoid"
        )
    decisions: NDArray[np.bool_] = pred >= 0.5
    return decisions


def label_pair(
    y_true: ArrayLike, y_pred: ArrayLike, classes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Return true labels (n,), predicted labels (n,) and the number of classes (at least 2)."""
    true, pred = column_pair(y_true, y_pred)
    if pred.shape[1] > 1:
        known: int | None = pred.shape[1]
        predicted = pred.argmax(axis=1).astype(np.int64)
    elif pred.dtype.kind == "f":
        known = 2
        predicted = above_half(pred[:, 0]).astype(np.int64)
    else:
        known = true.shape[1] if classes is None and true.shape[1] > 1 else classes
        predicted = as_labels(pred, classes=known, name="y_pred")
    if classes is not None and known != classes:
        raise ValueError(f"classes is {classes} but y_pred has {known}")
    labels = true_labels(true, known)
    if known is None:
        known = max(2, int(labels.max()) + 1, int(predicted.max()) + 1)
    return labels, predicted, known


def multilabel_targets(true: NDArray[Any]) -> NDArray[np.bool_]:
    """Return independent 0/1 targets as booleans."""
    other = (true != 0) & (true != 1)
    if other.any():
        raise ValueError(f"multilabel y_true must hold 0 and 1 only, got {true[other][0]}")
    return true.astype(np.bool_)
