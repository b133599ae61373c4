# SPDX-License-Identifier: Apache-2.0
"""Conversion of targets and class weights to what a loss compares outputs with.

What a loss asks of its targets is checked here, before training, so that a bad value is named by
its row instead of turning up as a strange loss.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.arrays import as_labels, as_targets
from chainrule.containers import as_array

if TYPE_CHECKING:
    from chainrule.losses import Loss

__all__ = ["class_weights_array", "prepare_targets"]

_SUM_TOLERANCE = 1e-3


def prepare_targets(
    loss: Loss, y: object, outputs: int, name: str = "y", *, single: bool = False
) -> NDArray[Any]:
    """Return targets as the core takes them, checked for what the loss can compare.

    Parameters
    ----------
    loss : Loss
        The loss.
    y : array-like, shape (rows,) or (rows, columns)
        For a loss that takes labels, class labels (rows,) or (rows, 1), or rows of probabilities
        (rows, outputs). For the others numbers, one column per output (for `Quantile`, per output
        of a group); 1-D for one column.
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
        none that the loss can compare; the text names the row.

    Examples
    --------
    >>> from chainrule import losses
    >>> prepare_targets(losses.CrossEntropy(), [[2], [0]], outputs=3)
    array([2, 0])
    >>> prepare_targets(losses.BinaryCrossEntropy(), [0, 1, 3], outputs=1)
    Traceback (most recent call last):
        ...
    ValueError: y[2] = 3.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]
    """
    columns = loss._core.target_columns(outputs)
    array = as_array(y, name=name)
    if loss._core.takes_labels and (array.ndim == 1 or array.shape[1:] == (1,)):
        return as_labels(array, classes=outputs, name=name)
    targets = as_targets(array, outputs=None, name=name)
    if targets.shape[1] != columns:
        raise ValueError(_wrong_columns(loss, array, outputs, columns, name))
    _core.check_finite(targets, name, single)
    _CHECKS.get(loss.kind, _accept)(targets, name)
    return targets


def class_weights_array(
    class_weight: Mapping[int, float] | Sequence[float] | NDArray[Any],
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


def _wrong_columns(loss: Loss, array: NDArray[Any], outputs: int, columns: int, name: str) -> str:
    text = (
        f"{name} has shape {array.shape}; {loss.kind} on {outputs} output"
        f"{'s' if outputs != 1 else ''} expects {columns} column{'s' if columns != 1 else ''}"
    )
    if loss._core.takes_labels:
        return f"{text} of probabilities, or class labels of shape (rows,)"
    if array.ndim == 1 and array.dtype.kind in "biu" and outputs > 1:
        return f"{text}; for class labels use cross_entropy"
    return text


def _accept(targets: NDArray[Any], name: str) -> None:
    """Take any finite numbers."""


def _check_probability_rows(targets: NDArray[Any], name: str) -> None:
    expected = "probabilities of the classes"
    if targets.min() < 0:
        _reject_first(targets, targets < 0, name, f"is negative: expected {expected}")
    # In pieces: the sums of all rows at once would be a float64 column as long as the data.
    for first in range(0, len(targets), 65536):
        sums = targets[first : first + 65536].sum(axis=1, dtype=np.float64)
        bad = np.abs(sums - 1.0) > _SUM_TOLERANCE
        if bad.any():
            row = int(bad.argmax())
            raise ValueError(
                f"{name}[{first + row}] sums to {sums[row]:g}: expected {expected}, which sum to 1"
            )


def _check_unit_interval(targets: NDArray[Any], name: str) -> None:
    if targets.min() < 0 or targets.max() > 1:
        bad = (targets < 0) | (targets > 1)
        text = "is not a target of binary_cross_entropy: expected numbers in [0, 1]"
        _reject_first(targets, bad, name, text)


def _check_two_sides(targets: NDArray[Any], name: str) -> None:
    low = -1 if targets.min() < 0 else 0
    bad = (targets != low) & (targets != 1)
    if bad.any():
        text = "is not a target of hinge: expected only -1 and 1, or only 0 and 1"
        _reject_first(targets, bad, name, text)


def _check_counts(targets: NDArray[Any], name: str) -> None:
    if targets.min() < 0:
        _reject_first(
            targets, targets < 0, name, "is not a target of poisson: expected numbers, 0 or more"
        )


_CHECKS: Mapping[str, Callable[[NDArray[Any], str], None]] = {
    "cross_entropy": _check_probability_rows,
    "binary_cross_entropy": _check_unit_interval,
    "hinge": _check_two_sides,
    "poisson": _check_counts,
}


def _reject_first(targets: NDArray[Any], bad: NDArray[np.bool_], name: str, text: str) -> None:
    row, column = (int(index) for index in np.unravel_index(bad.argmax(), bad.shape))
    place = f"{row}" if targets.shape[1] == 1 else f"{row}, {column}"
    raise ValueError(f"{name}[{place}] = {targets[row, column]} {text}")
