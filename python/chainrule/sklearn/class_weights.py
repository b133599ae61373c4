# SPDX-License-Identifier: Apache-2.0
"""Weights of classes, for the losses that know classes and for those that see numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from chainrule.inputs.targets import balanced_weights, class_counts
from chainrule.losses import CrossEntropy
from chainrule.sklearn.rows import Rows

__all__ = ["by_class", "by_output", "in_rows", "of_classes"]


def by_class(given: Any, classes: NDArray[Any]) -> list[float] | str:
    """Return the weight of each class in the order of `classes`, or "balanced"."""
    if isinstance(given, str):
        return given
    weights = compute_class_weight(given, classes=classes, y=classes)
    return [float(weight) for weight in weights]


def by_output(given: Any, classes: list[NDArray[Any]]) -> list[list[float] | str]:
    """Return the weights of each output's classes; ValueError if not given for each."""
    if isinstance(given, str):
        return [given] * len(classes)
    if not isinstance(given, list) or len(given) != len(classes):
        raise ValueError(
            f"class_weight of {len(classes)} outputs must be 'balanced' or a list of as many "
            f"dicts, got {given!r}"
        )
    return [by_class(own, known) for own, known in zip(given, classes, strict=True)]


def in_rows(given: Any, rows: Rows, y: NDArray[Any], classes: NDArray[Any]) -> Rows:
    """Return rows whose weights have those of their classes in them.

    Parameters
    ----------
    given : dict, list or "balanced"
        Of several labels a row, a list of dicts, or "balanced" for each label by itself.
    rows : Rows
    y : ndarray, shape (rows,) or (rows, labels)
        The labels as the user gives them.
    classes : ndarray
    """
    if y.ndim == 2:
        own = compute_sample_weight(given, y)
    else:
        places = np.searchsorted(classes, y).astype(np.int64)
        own = of_classes(by_class(given, classes), places, rows.weights, len(classes))[places]
    return rows._replace(weights=own if rows.weights is None else rows.weights * own).counted()


def of_classes(
    weights: list[float] | str, places: NDArray[np.int64], counts: Any, classes: int
) -> NDArray[np.float64]:
    """Return the weights of classes, the balanced ones of rows of these classes and counts."""
    if not isinstance(weights, str):
        return np.asarray(weights)
    loss = CrossEntropy()._core
    return balanced_weights(class_counts(loss, places, counts, classes))
