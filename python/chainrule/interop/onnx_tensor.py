# SPDX-License-Identifier: Apache-2.0
"""Tensors of ONNX files: `TensorProto`, from and to NumPy arrays."""

from __future__ import annotations

import array as packed
import math
import struct
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.protobuf import MessageReader, MessageWriter

__all__ = [
    "DOUBLE",
    "FLOAT_TYPES",
    "MOST_DIMS",
    "TensorReader",
    "float_bytes",
    "type_name",
    "write_tensor",
]

_TYPE_NAMES: dict[int, str] = {
    1: "float",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    8: "string",
    9: "bool",
    10: "float16",
    11: "double",
    12: "uint32",
    13: "uint64",
    16: "bfloat16",
}
DOUBLE = 11
FLOAT_TYPES = frozenset({1, 10, DOUBLE, 16})

_DTYPES: dict[int, np.dtype[Any]] = {
    1: np.dtype("<f4"),
    2: np.dtype("u1"),
    3: np.dtype("i1"),
    4: np.dtype("<u2"),
    5: np.dtype("<i2"),
    6: np.dtype("<i4"),
    7: np.dtype("<i8"),
    9: np.dtype("?"),
    10: np.dtype("<f2"),
    11: np.dtype("<f8"),
    12: np.dtype("<u4"),
    13: np.dtype("<u8"),
}
# The fields that hold elements other than raw_data: packed bytes of a fixed size, or varints.
_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _DOUBLE_DATA = 4, 5, 7, 10
_FIELD_OF_TYPE = {1: _FLOAT_DATA, 7: _INT64_DATA, 11: _DOUBLE_DATA} | dict.fromkeys(
    (2, 3, 4, 5, 6, 9, 10), _INT32_DATA
)
_DIMS, _DATA_TYPE, _NAME, _RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 1, 2, 8, 9, 13, 14
MOST_DIMS = 8
# In lists that are not raw bytes, integers of 64 bits are shapes, axes and class labels.
_MOST_INTEGERS = 65536
_SIGN = 1 << 63


def type_name(number: int) -> str:
    """Return the name of an element type, for error texts."""
    return _TYPE_NAMES.get(number, f"number {number}")


class TensorReader:
    """A tensor of a file, whose header is read and whose elements wait until they are needed.

    Parameters
    ----------
    content : memoryview
        The `TensorProto`.

    Attributes
    ----------
    name : str
        May be empty.
    shape : tuple of int
        Not checked against the number of elements before `array`.

    Raises
    ------
    ModelFileError
        If the message is no tensor.
    """

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self.name = ""
        self._type = 0
        self._external = False
        dims: list[int] = []
        for number, value in MessageReader(content, "a tensor"):
            if number == _NAME and isinstance(value, memoryview):
                self.name = bytes(value).decode("utf-8", "replace")
            elif number == _DIMS:
                given = (
                    [value] if isinstance(value, int) else MessageReader(value, "dims").varints()
                )
                # One too many is enough to know.
                dims += islice(given, MOST_DIMS + 1)
            elif number == _DATA_TYPE and isinstance(value, int):
                self._type = value
            elif number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value == 1):
                self._external = True
            if len(dims) > MOST_DIMS:
                raise ModelFileError(f"tensor {self.name!r} has more than {MOST_DIMS} dimensions")
        self.shape = tuple(dims)

    def array(self) -> NDArray[Any]:
        """Return the elements; where the file has them as raw bytes, the array is a view of it.

        Raises
        ------
        ModelFileError
            If the tensor has a type that is not supported, is in another file, or has another
            number of elements than its shape.
        """
        what = f"tensor {self.name!r}"
        if self._external:
            raise ModelFileError(
                f"{what} is in another file, which is not read; save the model as one file"
            )
        dtype = _DTYPES.get(self._type)
        if dtype is None:
            raise ModelFileError(f"{what} has elements of type {type_name(self._type)}")
        if any(dim >= _SIGN for dim in self.shape):
            raise ModelFileError(f"{what} has a negative dimension")
        elements = self._elements(dtype)
        if len(elements) != math.prod(self.shape):
            raise ModelFileError(
                f"{what} has {len(elements)} elements, its shape {list(self.shape)} needs "
                f"{math.prod(self.shape)}"
            )
        return elements.reshape(self.shape)

    def _elements(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        field = _FIELD_OF_TYPE.get(self._type)
        # Numbers of a list need not be packed: they may come one by one, or in pieces.
        pieces = bytearray()
        integers = packed.array("q" if field == _INT64_DATA else "i")
        raw: memoryview | None = None
        for number, value in MessageReader(self._content, f"tensor {self.name!r}"):
            if number == _RAW_DATA and isinstance(value, memoryview):
                raw = value
            elif number == field and isinstance(value, memoryview):
                if field in (_FLOAT_DATA, _DOUBLE_DATA):
                    if raw is None and not pieces:
                        raw = value
                        continue
                    pieces += raw or b""
                    pieces += value
                    raw = None
                else:
                    self._append(integers, MessageReader(value, "a list of integers").varints())
            elif number == field and isinstance(value, int):
                self._append(integers, [value])
        if len(integers):
            numbers = np.frombuffer(integers, f"i{integers.itemsize}")
            if dtype.kind == "f":  # float16 is kept as the integers of its bits
                return numbers.astype("<u2").view(dtype)
            return numbers.astype(dtype)
        content = pieces if raw is None else raw
        if len(content) % dtype.itemsize:
            raise ModelFileError(
                f"tensor {self.name!r} has {len(content)} bytes, which is no multiple of "
                f"{dtype.itemsize}"
            )
        return np.frombuffer(content, dtype)

    def _append(self, integers: packed.array[int], values: Any) -> None:
        bits = integers.itemsize * 8
        try:
            for value in values:
                if bits == 64 and len(integers) == _MOST_INTEGERS:
                    raise ModelFileError(
                        f"tensor {self.name!r} lists more than {_MOST_INTEGERS} integers"
                    )
                integers.append(value - 2**64 if value >= _SIGN else value)
        except OverflowError:
            raise ModelFileError(
                f"tensor {self.name!r} has an integer of more than {bits} bits"
            ) from None


def write_tensor(name: str, values: NDArray[Any]) -> MessageWriter:
    """Return the message of a tensor of float, double or int64.

    Parameters
    ----------
    name : str
        Its name in the graph.
    values : ndarray of float32, float64 or int64

    Returns
    -------
    MessageWriter
    """
    dtype = values.dtype.newbyteorder("<")
    (kind,) = (number for number, known in _DTYPES.items() if known == dtype)
    tensor = MessageWriter()
    for size in values.shape:
        tensor.integer(_DIMS, size)
    tensor.integer(_DATA_TYPE, kind).text(_NAME, name)
    return tensor.bytes(_RAW_DATA, values.astype(dtype, copy=False).tobytes())


def float_bytes(value: memoryview) -> float:
    """Return the number that four bytes of a message hold."""
    return float(struct.unpack("<f", value)[0])
