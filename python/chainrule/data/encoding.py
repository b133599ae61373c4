# SPDX-License-Identifier: Apache-2.0
"""Encodings of class labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from chainrule.inputs.arrays import as_labels

# Above this, a float64 no longer tells neighbouring whole numbers apart.
LARGEST_WHOLE = 2.0**53


def one_hot(
    labels: ArrayLike, classes: int | None = None, dtype: DTypeLike = "float32"
) -> NDArray[Any]:
    """Encode class labels as rows that are 1 at the label and 0 elsewhere.

    Parameters
    ----------
    labels : array-like of whole numbers, shape (rows,)
        Class labels from 0.
    classes : int, optional
        Number of classes; by default one more than the largest label.
    dtype : dtype-like, default "float32"
        Type of the result.

    Returns
    -------
    ndarray, shape (rows, classes)
        The encoded labels.

    Raises
    ------
    TypeError
        If the labels are not numbers.
    ValueError
        If a label is fractional, negative or not below `classes`, or `classes` is below 1.

    Examples
    --------
    >>> one_hot([2, 0], dtype="uint8")
    array([[0, 0, 1],
           [1, 0, 0]], dtype=uint8)
    """
    if classes is not None and classes < 1:
        raise ValueError(f"classes = {classes}, expected 1 or more")
    indices = as_labels(labels, classes=classes, name="labels")
    encoded = np.zeros((len(indices), classes or int(indices.max()) + 1), dtype)
    encoded[np.arange(len(indices)), indices] = 1
    return encoded


def label_numbers(labels: NDArray[np.float64], dtype: DTypeLike) -> NDArray[Any]:
    """Return labels read from a file as int64 if all are whole numbers, else in `dtype`."""
    if (np.abs(labels) <= LARGEST_WHOLE).all() and (labels == np.floor(labels)).all():
        return labels.astype(np.int64)
    with np.errstate(over="ignore"):
        return labels.astype(dtype)
