# SPDX-License-Identifier: Apache-2.0
"""The NumPy array behind the containers of other libraries, which need not be installed."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

# Numbers of DLPack's DLDeviceType enumeration.
_DEVICE_NAMES = {
    2: "cuda",
    4: "opencl",
    7: "vulkan",
    8: "metal",
    9: "vpi",
    10: "rocm",
    14: "oneapi",
}
_HOST_MEMORY = (1, 3, 11)
# What Polars and PyArrow call the types of numbers.
_NUMBERS = r"u?int\d+|float\d*|halffloat|double|bool(ean)?"


def as_array(value: object, *, name: str) -> NDArray[Any]:
    """Return the NumPy array behind a container, of whatever dtype and shape, without a copy."""
    array = value if is_plain(value) else _array_behind(value, name)
    if array.ndim == 0:
        raise TypeError(f"{name} must be an array, got {value!s:.40} ({type(value).__name__})")
    return array


def is_plain(value: object) -> TypeGuard[NDArray[Any]]:
    """Whether `value` is an array of numbers of NumPy's own, and of no class derived from it.

    What other containers are asked for (names of columns, text, entries missing, memory elsewhere)
    these cannot have.
    """
    return type(value) is np.ndarray and value.dtype.kind in "biuf"


def read_only(array: Any) -> Any:
    """Return an array that cannot be written through; other things as they are."""
    if type(array) is not np.ndarray:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def is_sparse(value: object) -> bool:
    """Whether `value` is a sparse matrix or array of SciPy, or behaves like one."""
    return hasattr(value, "tocsr")


def as_csr(value: Any, *, name: str) -> Any:
    """Return a sparse matrix in compressed rows, converted with a warning from other formats."""
    if len(value.shape) != 2:
        raise ValueError(f"{name} has shape {value.shape}, expected (rows, features)")
    if 0 in value.shape:
        raise ValueError(f"{name} is empty: shape {value.shape}")
    if value.format == "csr":
        return value
    warnings.warn(
        f"{name} is sparse in {value.format.upper()} format and is converted to CSR, which takes "
        f"time and memory at every call; pass {name}.tocsr()",
        stacklevel=2,
    )
    return value.tocsr()


def _array_behind(value: Any, name: str) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(f"{name} is a masked array with masked entries; fill or drop them first")
    if isinstance(value, np.ndarray):
        return np.asarray(value)
    if hasattr(value, "__dlpack_device__"):
        return _from_tensor(value, name)
    if hasattr(value, "iloc") and hasattr(value, "dtypes"):
        return _from_pandas(value, name)
    if is_sparse(value):
        raise TypeError(f"{name} is a sparse matrix; pass the dense array {name}.toarray()")
    if isinstance(value, bytes | bytearray):
        raise TypeError(f"{name} is raw {type(value).__name__}; pass np.frombuffer({name}, dtype)")
    _reject_columns_of_no_numbers(value, name)
    if isinstance(value, memoryview):
        # A sequence in name, but one of several dimensions has no items.
        return _from_buffer(value, name)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        _reject_ragged(value, name)
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"{name} cannot be converted to an array: {error}") from error


def _from_tensor(value: Any, name: str) -> NDArray[Any]:
    kind, index = value.__dlpack_device__()
    if kind not in _HOST_MEMORY:
        device = _DEVICE_NAMES.get(int(kind), f"of DLPack type {int(kind)}")
        raise TypeError(f"{name} is on device {device}:{index}; move it to the CPU first")
    if getattr(value, "requires_grad", False):
        value = value.detach()
    if str(getattr(value, "dtype", "")) == "torch.bfloat16":
        value = value.float()  # NumPy has no such type to hand over.
    try:
        # DLPack comes second: NumPy before 2.1 cannot import read-only memory through it.
        array = np.asarray(value) if hasattr(value, "__array__") else np.from_dlpack(value)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise TypeError(f"{name} cannot be read as a NumPy array: {error}") from error
    return array


def _from_pandas(value: Any, name: str) -> NDArray[Any]:
    if value.ndim == 1:
        dtypes = [value.dtype]
        if value.dtype.kind not in "biuf":
            return np.asarray(value)
    else:
        dtypes = list(value.dtypes)
        for place, (label, dtype) in enumerate(zip(value.columns, dtypes, strict=True)):
            if dtype.kind not in "biuf":
                raise TypeError(
                    f"{name} has column {label!r} of dtype {dtype}, expected numbers"
                    f"{_first_other(value.iloc[:, place])}"
                )
    if all(isinstance(dtype, np.dtype) for dtype in dtypes):
        common = np.result_type(*set(dtypes)) if dtypes else np.dtype(np.float64)
        return np.asarray(value.to_numpy(dtype=common))
    # Columns of pandas' nullable types: what is missing becomes NaN.
    return np.asarray(value.to_numpy(dtype=np.float64, na_value=math.nan))


def _first_other(column: Any) -> str:
    """Return the end of an error's text that shows the first entry which is no number."""
    if column.dtype.kind != "O":
        return ""
    for row, entry in enumerate(column):
        if not isinstance(entry, int | float | np.number | np.bool_):
            return f"; row {row} is {entry!s:.40} ({type(entry).__name__})"
    return f"; convert it by astype(float), from {type(column.iloc[0]).__name__} objects"


def _from_buffer(value: memoryview, name: str) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise TypeError(f"{name} is a memoryview that holds no array: {error}") from error


def _reject_columns_of_no_numbers(value: Any, name: str) -> None:
    """Raise TypeError naming the first column of a table that holds dates, text or the like."""
    # Tables of Polars and PyArrow become arrays of one type, in which dates beside numbers are
    # numbers too.
    if hasattr(value, "collect_schema") and not hasattr(value, "shape"):
        raise TypeError(f"{name} is a lazy frame; pass {name}.collect()")
    schema = getattr(value, "schema", None)
    labels = getattr(schema, "names", None)
    types = getattr(schema, "types", None)
    if isinstance(schema, Mapping):
        labels, types = list(schema), list(schema.values())
    elif callable(labels) or callable(types) or labels is None or types is None:
        return
    for label, kind in zip(labels, types, strict=True):
        if not re.fullmatch(_NUMBERS, str(kind), re.IGNORECASE):
            raise TypeError(f"{name} has column {label!r} of dtype {kind}, expected numbers")


def _reject_ragged(rows: Sequence[Any], name: str) -> None:
    shapes = [getattr(row, "shape", ()) for row in rows]
    for i, shape in enumerate(shapes):
        if shape != shapes[0] and len(shape) > 1 and len(shapes[0]) > 1:
            raise ValueError(
                f"{name} is ragged: {name}[{i}] has shape {shape} but {name}[0] has {shapes[0]}"
            )
    lengths = [_length(row) for row in rows]
    for i, length in enumerate(lengths):
        if length != lengths[0]:
            what = "is a single entry" if length is None else f"has {_entries(length)}"
            first = "is one" if lengths[0] is None else f"has {lengths[0]}"
            raise ValueError(f"{name} is ragged: {name}[{i}] {what} but {name}[0] {first}")


def _length(row: Any) -> int | None:
    try:
        return None if isinstance(row, str | bytes) else len(row)
    except TypeError:
        return None


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"
