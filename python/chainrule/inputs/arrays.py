# SPDX-License-Identifier: Apache-2.0
"""Conversion of whatever callers pass to arrays that the compiled core reads in place.

The core gathers rows from arrays of uint8, int32, int64, float32 and float64 of any strides, so
these (memory maps, slices and transposes among them) go through without a copy. NaN and infinities
in features are the core's to find, while it reads them anyway.
"""

from __future__ import annotations

from collections.abc import Sized
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.containers import as_array

__all__ = [
    "as_features",
    "as_labels",
    "as_numbers",
    "as_targets",
    "as_weights",
    "check_output",
    "check_same_length",
    "numeric",
    "readable",
]

_READ_IN_PLACE = (np.dtype(np.uint8), np.dtype(np.float32), np.dtype(np.float64))
_MOST_CLASSES = 2**62 + 1


def as_numbers(value: object, *, name: str) -> NDArray[Any]:
    """Return an array of real numbers, of whatever type and shape.

    Parameters
    ----------
    value : array-like
        As for `as_features`.
    name : str
        What error messages call it.

    Returns
    -------
    ndarray
        Shares memory with `value` where the container allows it.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If `value` is ragged or masked.

    Examples
    --------
    >>> as_numbers(["1", "2"], name="y")
    Traceback (most recent call last):
        ...
    TypeError: y has dtype <U1: y[0] is 1 (str_), expected numbers
    """
    return numeric(as_array(value, name=name), name)


def as_features(x: object, *, name: str = "x", allow_single: bool = False) -> NDArray[Any]:
    """Return features as a 2-D array that the core reads in place.

    Parameters
    ----------
    x : array-like, shape (rows, features) or (rows, ...)
        NumPy array, memory map, pandas object, CPU tensor of any library that speaks DLPack or
        ``__array__``, or nested lists. Axes after the first are flattened, which must be possible
        without a copy.
    name : str, default "x"
        What error messages call it.
    allow_single : bool, default False
        Take a 1-D `x` as one row.

    Returns
    -------
    ndarray, shape (rows, features), dtype uint8, int32, int64, float32 or float64
        Shares memory with `x` if that has one of these types (bool becomes uint8). Of the other
        types, those whose every value float32 holds become float32 and the rest float64. It may be
        read-only.

    Raises
    ------
    TypeError
        If entries are not real numbers, or the array is on another device than the CPU.
    ValueError
        If `x` is empty, ragged, masked or of a wrong number of dimensions.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((3, 28, 28), dtype=np.uint8)
    >>> x = as_features(images)
    >>> x.shape, x.dtype, np.shares_memory(x, images)
    ((3, 784), dtype('uint8'), True)
    >>> as_features([1.0, 2.0])
    Traceback (most recent call last):
        ...
    ValueError: x is 1-D with shape (2,), expected (rows, features); use x.reshape(-1, 1) if it is \
one feature or x.reshape(1, -1) if it is one row
    """
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


def as_labels(y: object, *, classes: int | None, name: str = "y") -> NDArray[np.int64]:
    """Return class labels as contiguous 64-bit integers.

    Parameters
    ----------
    y : array-like, shape (rows,) or (rows, 1)
        Integers, booleans or floats with whole values.
    classes : int or None
        Number of classes; labels must be below it. None allows any label from 0.
    name : str, default "y"
        What error messages call it.

    Returns
    -------
    ndarray of int64, shape (rows,)
        `y` itself if it has that form already.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If `y` is empty, has another shape, or a label is fractional, NaN or out of range; the text
        names the row and the value.

    Examples
    --------
    >>> as_labels([0.0, 2.0, 1.0], classes=3)
    array([0, 2, 1])
    >>> as_labels([0, 3], classes=3)
    Traceback (most recent call last):
        ...
    ValueError: y[1] = 3 is out of range: valid labels are 0 to 2
    """
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
    """Return regression targets, or rows of probabilities, as a 2-D array.

    Parameters
    ----------
    y : array-like, shape (rows, outputs) or (rows,)
        1-D targets are those of a single output.
    outputs : int or None
        Number of outputs that the network has; None accepts any.
    name : str, default "y"
        What error messages call it.

    Returns
    -------
    ndarray, shape (rows, outputs), dtype uint8, float32 or float64
        Shares memory with `y` if that has one of these types; others become floats.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If `y` is empty, has more than two dimensions or another number of columns than `outputs`.

    Examples
    --------
    >>> as_targets([1.5, 2.5], outputs=1).shape
    (2, 1)
    """
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


def as_weights(w: object, *, rows: int, name: str = "sample_weight") -> NDArray[np.float64]:
    """Return one finite, non-negative weight per row.

    Parameters
    ----------
    w : array-like, shape (rows,)
        The weights.
    rows : int
        Number of rows of the data.
    name : str, default "sample_weight"
        What error messages call it.

    Returns
    -------
    ndarray of float64, shape (rows,)
        Contiguous.

    Raises
    ------
    TypeError
        If entries are not real numbers.
    ValueError
        If the shape is another or a weight is negative, NaN or infinite; the text names the row.

    Examples
    --------
    >>> as_weights([1, 2], rows=2)
    array([1., 2.])
    """
    array = numeric(as_array(w, name=name), name)
    if array.shape != (rows,):
        raise ValueError(f"{name} has shape {array.shape}, expected one weight per row: ({rows},)")
    weights = np.ascontiguousarray(array, dtype=np.float64)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    _reject_first(name, array, bad, "is not a weight: expected finite numbers, 0 or more")
    return weights


def check_same_length(x: Sized, y: Sized, *, names: tuple[str, str] = ("x", "y")) -> None:
    """Raise unless two arrays have the same number of rows.

    Parameters
    ----------
    x, y : ndarray or CompressedRows
        Of at least one dimension, rows first.
    names : tuple of str, default ("x", "y")
        What the error message calls them.

    Raises
    ------
    ValueError
        If the lengths differ.

    Examples
    --------
    >>> check_same_length(np.zeros((3, 2)), np.zeros(4))
    Traceback (most recent call last):
        ...
    ValueError: x has 3 rows but y has 4
    """
    if len(x) != len(y):
        raise ValueError(f"{names[0]} has {len(x)} rows but {names[1]} has {len(y)}")


def check_output(out: object, shape: tuple[int, ...], dtype: str, name: str = "out") -> None:
    """Raise unless the core can write its results to `out`.

    Parameters
    ----------
    out : ndarray
        What the caller wants filled.
    shape : tuple of int
        The shape that it needs.
    dtype : {"float32", "float64"}
        The type that it needs.
    name : str, default "out"
        What error messages call it.

    Raises
    ------
    TypeError
        If it is no array or has another type.
    ValueError
        If it has another shape, or is not C-contiguous, aligned and writeable.

    Examples
    --------
    >>> check_output(np.empty((2, 3)), (2, 4), "float64")
    Traceback (most recent call last):
        ...
    ValueError: out has shape (2, 3), expected (2, 4)
    """
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
