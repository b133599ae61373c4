# SPDX-License-Identifier: Apache-2.0
"""Tensors of ONNX files as NumPy arrays, of which a file holds as many elements as it says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError

if TYPE_CHECKING:
    from onnx import TensorProto

__all__ = ["DOUBLE", "FLOAT_TYPES", "MOST_DIMS", "NUMBER_TYPES", "array_of", "type_name"]

# Numbers of TensorProto.DataType: float, float16, double, bfloat16.
DOUBLE = 11
FLOAT_TYPES = frozenset({1, 10, DOUBLE, 16})
# And the integers.
NUMBER_TYPES = FLOAT_TYPES | frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})
_BFLOAT16 = 16
MOST_DIMS = 8


def type_name(number: int) -> str:
    """Return the name of an element type, for error texts."""
    from onnx import TensorProto

    known = TensorProto.DataType.items()
    return next((name.lower() for name, value in known if value == number), f"number {number}")


def array_of(tensor: TensorProto) -> NDArray[Any]:
    """Return a tensor's elements, float16 as float32; ModelFileError if they are not all there."""
    from onnx import helper, numpy_helper

    what = f"tensor {tensor.name!r}"
    if tensor.data_location or tensor.external_data:
        raise ModelFileError(
            f"{what} is in another file, which is not read; save the model as one file"
        )
    if tensor.data_type not in NUMBER_TYPES - {_BFLOAT16}:
        raise ModelFileError(f"{what} has elements of type {type_name(tensor.data_type)}")
    shape = list(tensor.dims)
    if len(shape) > MOST_DIMS:
        raise ModelFileError(f"{what} has more than {MOST_DIMS} dimensions")
    if any(dim < 0 for dim in shape):
        raise ModelFileError(f"{what} has a negative dimension")
    if tensor.HasField("raw_data"):
        size, itemsize = len(tensor.raw_data), _itemsize(tensor.data_type)
        if size % itemsize:
            raise ModelFileError(f"{what} has {size} bytes, which is no multiple of {itemsize}")
        count = size // itemsize
    else:
        count = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))
    if count != math.prod(shape):
        raise ModelFileError(
            f"{what} has {count} elements, its shape {shape} needs {math.prod(shape)}"
        )
    try:
        array = numpy_helper.to_array(tensor)
    except (OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(f"{what} cannot be read: {error}") from error
    array = array.astype(np.float32) if array.dtype == np.float16 else array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelFileError(f"{what} has NaN or infinity")
    return array


def _itemsize(data_type: int) -> int:
    from onnx import helper

    return int(np.dtype(helper.tensor_dtype_to_np_dtype(data_type)).itemsize)
