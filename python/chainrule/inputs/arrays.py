# SPDX-License-Identifier: Apache-2.0
"""Conversion of whatever callers pass to arrays that the compiled core reads in place.

The core gathers rows from arrays of uint8, int32, int64, float32 and float64 of any strides, so
these (memory maps, slices and transposes among them) go through without a copy. NaN and infinities
in features are the core's to find, while it reads them anyway.
"""

from __future__ import annotations

import math
from collections.abc import Sized
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.containers import as_array

_READ_IN_PLACE = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
_MOST_CLASSES = 2**62 + 1


def as_numbers(value: object, *, name: str) -> NDArray[Any]:
    """Return an array of real numbers, of whatever type and shape."""
    return numeric(as_array(value, name=name), name)


def as_features(x: object, *, name: str = "x", allow_single: bool = False) -> NDArray[Any]:
    """Return features as a 2-D array that the core reads in place."""
    if isinstance(x, np.ndarray) and _core.reads_in_place(x):
        return x
    array = numeric(as_array(x, name=name), name)
    if array.dtype.kind != "i" or array.dtype.itemsize < 4:
        array = readable(array)
    elif not (array.dtype.isnative and array.flags.aligned):
        array = array.astype(array.dtype.newbyteorder("="))
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if array.ndim == 1:
        if allow_single:
            return array.reshape(1, -1)
        raise ValueError(
            f"{name} is 1-D with shape {array.shape}, expected (rows, features); use "
            f"{name}.reshape(-1, 1) if it is one feature or {name}.reshape(1, -1) if it is one row"
        )
    if array.ndim > 2 and not _trailing_axes_merge(array):
        raise ValueError(
            f"{name} has shape {array.shape} and a memory layout that cannot be flattened to "
            f"(rows, features) without a copy; pass np.ascontiguousarray({name})"
        )
    return array.reshape(len(array), -1)


def check_axes(x: object, shape: tuple[int, ...], *, name: str = "x") -> None:
    """Raise ValueError for an array with other axes than rows of `shape` have, where they have any.

    Flat rows are none, and axes of extent 1 may be missing.
    """
    given = getattr(x, "shape", ())
    if len(shape) < 2 or given[1:] == shape:
        return
    reads = f"the network reads rows of shape {shape}"
    if given[1:] == (shape[-1], *shape[:-1]):
        axes = "height, width, channels" if len(shape) == 3 else "time, features"
        raise ValueError(
            f"{name} has shape {given}, channels first; {reads}, ({axes}): pass "
            f"np.ascontiguousarray(np.moveaxis({name}, 1, -1))"
        )
    if math.prod(given[1:]) != math.prod(shape) and _extents(given) == _extents(shape):
        raise ValueError(
            f"{name} has shape {given}, that of one row; {reads}: pass {name}[np.newaxis]"
        )
    if len(given) > 2 and _extents(given[1:]) != _extents(shape):
        raise ValueError(f"{name} has shape {given}; {reads}")


def _extents(shape: tuple[int, ...]) -> list[int]:
    """Return the extents of axes, without those of 1."""
    return [extent for extent in shape if extent != 1]


def as_labels(y: object, *, classes: int | None, name: str = "y") -> NDArray[np.int64]:
    """Return class labels as contiguous 64-bit integers."""
    array = as_array(y, name=name)
    if array.dtype.kind in "OSUT":
        raise TypeError(
            f"{_not_numbers(array, name)}; labels are whole numbers, which class names become by "
            f"np.unique({name}, return_inverse=True)"
        )
    array = numeric(array, name)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} has shape {array.shape}, expected one class label per row: shape (rows,)"
        )
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    valid = "0 or more" if classes is None else f"0 to {classes - 1}"
    if array.dtype.kind == "f":
        _reject_first(
            name, array, array != np.floor(array), f"is not a class label: expected {valid}"
        )
        with np.errstate(invalid="ignore"):  # What int64 cannot hold is out of range in it, too.
            labels = np.ascontiguousarray(array, dtype=np.int64)
    else:
        labels = np.ascontiguousarray(array, dtype=np.int64)
    row = _core.first_wrong_label(labels, _MOST_CLASSES if classes is None else classes)
    if row >= 0:
        raise ValueError(f"{name}[{row}] = {array[row]} is out of range: valid labels are {valid}")
    return labels


def as_targets(y: object, *, outputs: int | None, name: str = "y") -> NDArray[Any]:
    """Return regression targets, or rows of probabilities, as a 2-D array."""
    array = readable(numeric(as_array(y, name=name), name))
    if array.ndim > 2:
        raise ValueError(f"{name} has shape {array.shape}, expected (rows, outputs) or (rows,)")
    if array.size == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    columns = 1 if array.ndim == 1 else array.shape[1]
    if outputs is not None and columns != outputs:
        raise ValueError(
            f"{name} has shape {array.shape}, expected {outputs} "
            f"column{'s' if outputs != 1 else ''}, one per output of the network"
        )
    return array.reshape(len(array), columns)


def as_weights(
    w: object, *, rows: int, positions: tuple[int, ...] = (), name: str = "sample_weight"
) -> NDArray[np.float64]:
    """Return one finite, non-negative weight per row, or (rows, positions) where there are such."""
    array = numeric(as_array(w, name=name), name)
    flat = (rows, math.prod(positions)) if positions else (rows,)
    if array.shape not in ((rows,), (rows, *positions), flat):
        each = f", or per position: {(rows, *positions)}" if positions else ""
        raise ValueError(
            f"{name} has shape {array.shape}, expected one weight per row: ({rows},){each}"
        )
    weights = np.ascontiguousarray(array, dtype=np.float64)
    if weights.ndim > 2:
        weights = weights.reshape(rows, -1)
        array = array.reshape(rows, -1)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    _reject_first(name, array, bad, "is not a weight: expected finite numbers, 0 or more")
    return weights


def check_same_length(x: Sized, y: Sized, *, names: tuple[str, str] = ("x", "y")) -> None:
    """Raise unless two arrays have the same number of rows."""
    if len(x) != len(y):
        raise ValueError(f"{names[0]} has {len(x)} rows but {names[1]} has {len(y)}")


def check_output(out: object, shape: tuple[int, ...], dtype: str, name: str = "out") -> None:
    """Raise unless the core can write its results to `out`."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be an ndarray, got {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"{name} has shape {out.shape}, expected {shape}")
    if out.dtype != dtype:
        raise TypeError(f"{name} has dtype {out.dtype}, expected {dtype}")
    if not (out.flags.c_contiguous and out.flags.writeable and out.flags.aligned):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")


def numeric(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Return an array of real numbers; TypeError for another."""
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    raise TypeError(_not_numbers(array, name))


def _not_numbers(array: NDArray[Any], name: str) -> str:
    if array.dtype.kind == "c":
        return f"{name} is complex (dtype {array.dtype}), expected real numbers"
    if array.dtype.kind not in "OSUT":
        return f"{name} has dtype {array.dtype}, expected numbers"
    kinds = (bool, int, float, np.bool_, np.integer, np.floating)
    for index in np.ndindex(array.shape):
        entry: Any = array[index]
        if not isinstance(entry, kinds):
            at = ", ".join(map(str, index))
            return (
                f"{name} has dtype {array.dtype}: {name}[{at}] is {entry!s:.40} "
                f"({type(entry).__name__}), expected numbers"
            )
    return f"{name} has dtype {array.dtype}, expected numbers; convert it by {name}.astype(float)"


def readable(array: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in a type and layout that the core reads."""
    dtype = array.dtype
    if dtype == np.bool_:
        return array.view(np.uint8)
    if dtype in _READ_IN_PLACE and dtype.isnative:
        return array if array.flags.aligned else array.copy()
    small = dtype.itemsize <= 2 or (dtype.kind == "f" and dtype.itemsize == 4)
    return array.astype(np.float32 if small else np.float64, order="C")


def _trailing_axes_merge(array: NDArray[Any]) -> bool:
    axes = [(n, s) for n, s in zip(array.shape[1:], array.strides[1:], strict=True) if n > 1]
    return all(s == n_next * s_next for (_, s), (n_next, s_next) in pairwise(axes))


def _reject_first(name: str, array: NDArray[Any], bad: NDArray[np.bool_], text: str) -> None:
    if bad.any():
        row = int(bad.argmax())
        raise ValueError(f"{name}[{row}] = {array[row]} {text}")
