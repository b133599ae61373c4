# SPDX-License-Identifier: Apache-2.0
"""Targets of outputs with several positions: (time, classes), (height, width, columns)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.arrays import as_labels
from chainrule.inputs.containers import as_array
from chainrule.inputs.targets import prepare_targets

__all__ = ["prepare_positions"]

_ONE_A_ROW = (
    "; for one target a row leave out return_sequences, or put a Flatten or a global pool before "
    "the last layer"
)


def prepare_positions(
    loss: _core.Loss, y: object, shape: tuple[int, ...], name: str = "y", *, single: bool = False
) -> NDArray[Any]:
    r"""Return targets as the core takes them, checked for what the loss can compare.

    Parameters
    ----------
    loss, name, single
        As of `prepare_targets`.
    y : array-like
        For a loss that takes labels, class labels (rows, \*positions). Else numbers, (rows,
        \*positions, columns) or flat rows of them; for one column also (rows, \*positions).
    shape : tuple of int
        Of a row of the outputs: the positions, and the columns at each.

    Returns
    -------
    ndarray
        Labels of shape (rows, positions, 1), dtype int64 and contiguous; or numbers of shape
        (rows, positions * columns).

    Raises
    ------
    TypeError, ValueError
        As `prepare_targets`. The text names a number by its place among all positions.

    Examples
    --------
    >>> from chainrule import losses
    >>> y = [[0, 1, 2], [2, 2, 0]]
    >>> prepare_positions(losses.CrossEntropy()._core, y, (3, 4)).shape
    (2, 3, 1)
    >>> prepare_positions(losses.CrossEntropy()._core, y, (3, 2))
    Traceback (most recent call last):
        ...
    ValueError: y.reshape(-1)[2] = 2 is out of range: valid labels are 0 to 1
    """
    array = as_array(y, name=name)
    positions, columns = shape[:-1], shape[-1]
    rows, count, given = len(array), math.prod(positions), array.shape[1:]
    if loss.is_custom:
        if given == positions and array.dtype.kind in "iu" and array.size:
            labels = np.ascontiguousarray(array, dtype=np.int64)
            return labels.reshape(rows, count, 1)
        flat = array if array.ndim < 2 or not array.size else array.reshape(rows, -1)
        return prepare_targets(loss, flat, 1, name, single=single)
    if loss.takes_labels and given in (positions, (*positions, 1)):
        return as_labels(array.reshape(-1), classes=columns, name=f"{name}.reshape(-1)").reshape(
            rows, count, 1
        )
    width = loss.target_columns(columns)
    if given not in [(*positions, width), (count * width,)] + [positions] * (width == 1):
        kind, expected = loss.config["kind"], (*positions, width)
        raise ValueError(
            f"{name} has shape {array.shape}; {kind} on outputs of shape {shape} expects rows of "
            f"shape {expected}"
            + (f" of probabilities, or of class labels {positions}" if loss.takes_labels else "")
            + ("" if math.prod(given) > 1 else _ONE_A_ROW)
        )
    flat_name = f"{name}.reshape(-1, {width})"
    if not array.size:
        flat_name = name
    flat = array.reshape(-1, width)
    return prepare_targets(loss, flat, columns, flat_name, single=single).reshape(rows, -1)
