# SPDX-License-Identifier: Apache-2.0
"""Conversion of targets and class weights to what a loss compares outputs with.

What a loss asks of its targets is checked here, before training, so that a bad value is named by
its row and column instead of turning up as a strange loss. The values are the core's to check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_labels, as_targets
from chainrule.inputs.column_names import shown_columns
from chainrule.inputs.compressed_rows import Rows, as_rows, stored
from chainrule.inputs.containers import as_array

ClassWeight = Mapping[int, float] | Mapping[str, float] | Sequence[float] | str | None
"""What callers weigh classes by."""

__all__ = [
    "ClassWeight",
    "balanced_weights",
    "check_balanced",
    "class_counts",
    "class_weights_array",
    "is_balanced",
    "prepare_sparse_targets",
    "prepare_targets",
]


def prepare_targets(
    loss: _core.Loss, y: object, outputs: int, name: str = "y", *, single: bool = False
) -> NDArray[Any]:
    """Return targets as the core takes them, checked for what the loss can compare.

    Parameters
    ----------
    loss : _core.Loss
        The loss.
    y : array-like, shape (rows,) or (rows, columns)
        For a loss that takes labels, class labels (rows,) or (rows, 1), or rows of probabilities
        (rows, outputs). For the others numbers, one column per output (for `Quantile`, per output
        of a group); 1-D for one column. For a function any columns, or whole numbers (rows,) on
        several outputs as labels.
    outputs : int
        Number of outputs that the loss compares with.
    name : str, default "y"
        What error messages call it.
    single : bool, default False
        Whether numbers beyond the range of float32 are refused too.

    Returns
    -------
    ndarray
        Labels of shape (rows,), dtype int64 and contiguous; or numbers of shape (rows, columns),
        dtype uint8, float32 or float64. It shares memory with `y` where these allow it.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If the shape does not fit the loss and the outputs, or a value is no label, not finite or
        none that the loss can compare; the text names the row, and a frame's column by its name.

    Examples
    --------
    >>> from chainrule import losses
    >>> prepare_targets(losses.CrossEntropy()._core, [[2], [0]], outputs=3)
    array([2, 0])
    >>> prepare_targets(losses.BinaryCrossEntropy()._core, [0, 1, 3], outputs=1)
    Traceback (most recent call last):
        ...
    ValueError: y[2] = 3.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]
    """
    labels = shown_columns(y)
    array = as_array(y, name=name)
    if loss.is_custom and array.ndim == 1 and outputs > 1 and array.dtype.kind in "iu":
        return np.ascontiguousarray(array, dtype=np.int64)
    columns = loss.target_columns(outputs)
    if loss.takes_labels and (array.ndim == 1 or array.shape[1:] == (1,)):
        return as_labels(array, classes=outputs, name=name)
    targets = as_targets(array, outputs=None, name=name)
    if targets.shape[1] != columns and not loss.is_custom:
        flat_labels = array.ndim == 1 and array.dtype.kind in "biu"
        raise ValueError(_wrong_columns(loss, array.shape, outputs, name, flat_labels))
    _core.check_targets(targets, loss, name, single, labels)
    return targets


def prepare_sparse_targets(
    loss: _core.Loss, y: object, outputs: int, name: str = "y", *, single: bool = False
) -> _core.CompressedRows:
    """Return sparse targets as the core takes them, checked for what the loss can compare.

    Parameters
    ----------
    loss, outputs, name, single
        As of `prepare_targets`.
    y : SciPy sparse matrix or array, shape (rows, columns)
        As of `as_rows`: numbers, one column per output; for a loss that takes labels rows of
        probabilities.

    Returns
    -------
    CompressedRows
        It shares memory with `y` where that allows it.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If the shape does not fit the loss and the outputs, or a value is not finite or none that
        the loss can compare; the text names its row and column.

    Examples
    --------
    >>> import scipy.sparse
    >>> from chainrule import losses
    >>> y = scipy.sparse.csr_array([[0, 0, 2.0], [1.0, 0, 0]])
    >>> prepare_sparse_targets(losses.BinaryCrossEntropy()._core, y, outputs=3)
    Traceback (most recent call last):
        ...
    ValueError: y[0, 2] = 2.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]
    """
    targets = as_rows(y, name=name)
    assert isinstance(targets, _core.CompressedRows)
    if targets.shape[1] != loss.target_columns(outputs) and not loss.is_custom:
        raise ValueError(_wrong_columns(loss, targets.shape, outputs, name))
    _core.check_targets(targets, loss, name, single, [])
    return targets


def class_weights_array(
    class_weight: Mapping[int, float] | Mapping[str, float] | Sequence[float] | NDArray[Any],
    classes: int,
    name: str = "class_weight",
) -> NDArray[np.float64]:
    """Return one weight per class.

    Parameters
    ----------
    class_weight : mapping or array-like, shape (classes,)
        Weights by label, where labels that are missing weigh 1; or all weights in order.
    classes : int
        Number of classes.
    name : str, default "class_weight"
        What error messages call it.

    Returns
    -------
    ndarray of float64, shape (classes,)

    Raises
    ------
    TypeError
        If `class_weight` is neither, or a label or weight is not a number.
    ValueError
        If a label is out of range, the length is another or a weight is negative, NaN or infinite.

    Examples
    --------
    >>> class_weights_array({2: 5.0}, classes=3)
    array([1., 1., 5.])
    """
    given: object = class_weight
    if isinstance(class_weight, Mapping):
        weights = [1.0] * classes
        for label, weight in class_weight.items():
            if isinstance(label, bool) or not isinstance(label, int | np.integer):
                raise TypeError(f"{name} has the key {label!r}; keys are labels 0 to {classes - 1}")
            if not 0 <= label < classes:
                raise ValueError(f"{name} has the key {label}; valid labels are 0 to {classes - 1}")
            weights[label] = weight
        given = weights
    if isinstance(given, str):
        raise TypeError(f"{name} must map labels to weights or list them, got {given!r}")
    array = as_array(given, name=name)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}, expected numbers")
    if array.shape != (classes,):
        raise ValueError(
            f"{name} has shape {array.shape}, expected one weight per class: ({classes},)"
        )
    result = np.ascontiguousarray(array, dtype=np.float64)
    bad = ~(np.isfinite(result) & (result >= 0))
    if bad.any():
        label = int(bad.argmax())
        raise ValueError(
            f"{name}[{label}] = {array[label]} is not a weight: expected finite numbers, 0 or more"
        )
    return result


def is_balanced(class_weight: object) -> bool:
    """Whether weights of classes, or those of an output, are to be worked out from the rows."""
    if isinstance(class_weight, Mapping):
        return any(isinstance(weights, str) for weights in class_weight.values())
    return isinstance(class_weight, str)


def check_balanced(class_weight: str, name: str = "class_weight") -> None:
    """Raise ValueError for any text but "balanced"."""
    if class_weight != "balanced":
        raise ValueError(f'{name} must be weights or "balanced", got {class_weight!r:.80}')


def class_counts(
    loss: _core.Loss,
    targets: Rows,
    sample_weight: NDArray[np.float64] | None = None,
    classes: int = 2,
) -> NDArray[np.float64]:
    """Return how many rows each class has, in weights where there are some.

    Examples
    --------
    >>> from chainrule import losses
    >>> class_counts(losses.CrossEntropy()._core, np.eye(3)[[0, 2, 2]])
    array([1., 0., 2.])
    """
    weights = np.ones(len(targets)) if sample_weight is None else sample_weight
    labels: NDArray[Any]
    if isinstance(targets, np.ndarray) and targets.ndim == 3:  # a label for each position
        positions = targets.shape[1]
        weights = weights.reshape(-1) if weights.ndim > 1 else np.repeat(weights, positions)
        targets = targets.reshape(-1)
    if isinstance(targets, _core.CompressedRows):
        values, columns = stored(targets)
        rows = np.repeat(np.arange(len(targets)), np.diff(targets.offsets))
        if loss.takes_labels:
            weights, labels, classes = values * weights[rows], columns, targets.shape[1]
        else:
            labels = np.zeros(len(targets), np.int64)
            labels[rows] = values > 0
    elif targets.ndim == 1:
        labels = targets
    elif loss.takes_labels:
        return np.asarray(weights @ targets.astype(np.float64))
    else:
        labels = targets[:, 0] > 0
    return np.bincount(labels, weights, minlength=classes).astype(np.float64)


def balanced_weights(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights by which all classes count the same, as scikit-learn has them.

    A class without rows has nothing to weigh: its weight is 1.

    Examples
    --------
    >>> balanced_weights(np.array([3.0, 0.0, 1.0]))
    array([0.66666667, 1.        , 2.        ])
    """
    present = counts > 0
    weights = np.ones(len(counts))
    weights[present] = counts.sum() / (present.sum() * counts[present])
    return weights


def _wrong_columns(
    loss: _core.Loss, shape: tuple[int, ...], outputs: int, name: str, flat_labels: bool = False
) -> str:
    columns = loss.target_columns(outputs)
    text = (
        f"{name} has shape {shape}; {loss.config['kind']} on {outputs} output"
        f"{'s' if outputs != 1 else ''} expects {columns} column{'s' if columns != 1 else ''}"
    )
    if loss.takes_labels:
        return f"{text} of probabilities, or class labels of shape (rows,)"
    return f"{text}; for class labels use cross_entropy" if flat_labels and outputs > 1 else text
