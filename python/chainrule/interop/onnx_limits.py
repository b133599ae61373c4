# SPDX-License-Identifier: Apache-2.0
"""What an ONNX file may be, before the onnx package parses it.

A parser takes the memory that a file asks for: a message of two bytes becomes an object of two
hundred, so that 10 MB of them would take a gigabyte. The fields are therefore counted beforehand,
in the bytes as they are; what they mean is left to the package.

References
----------
"Encoding", https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import io
import os
import stat
from typing import TYPE_CHECKING

from chainrule.errors import ModelFileError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

__all__ = ["LARGEST_FILE", "check_message", "read_file"]

# Protocol buffers hold no more.
LARGEST_FILE = 2**31 - 1
_LARGEST_FIELD = 2**29 - 1
_DEEPEST = 32
# A file may have so many fields, and more as it grows; a message counts as several.
_LEAST_FIELDS, _BYTES_PER_FIELD, _FIELDS_PER_MESSAGE = 8192, 64, 5
# Integers that a list packs into one byte each take eight.
_PACKED_BYTES_PER_FIELD = 16

_VARINT, _BYTES = 0, 2
_FIXED = {1: 8, 5: 4}


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Return a file's content; ModelFileError for devices, pipes and what is too large."""
    with io.FileIO(os.fspath(path), opener=_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ModelFileError("not a regular file but a device or a pipe")
        if status.st_size > LARGEST_FILE:
            raise ModelFileError(f"{status.st_size:,} bytes are more than ONNX files can have")
        return file.readall()


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe without a writer is opened at once."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def check_message(content: bytes, descriptor: Descriptor) -> None:
    """Raise ModelFileError unless bytes are a message that takes memory in proportion to them."""
    if len(content) > LARGEST_FILE:
        raise ModelFileError(f"{len(content):,} bytes are more than ONNX files can have")
    _Scan(content).message(descriptor, 0, len(content), 0)


class _Scan:
    """A walk over the fields of a message and of the messages in it."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._left = _LEAST_FIELDS + len(content) // _BYTES_PER_FIELD

    def message(self, kind: Descriptor, place: int, end: int, depth: int) -> None:
        """Check what lies between two places."""
        if depth > _DEEPEST:
            raise ModelFileError(f"messages lie in each other more than {_DEEPEST} deep")
        self._count(_FIELDS_PER_MESSAGE)
        while place < end:
            key, place = self._varint(place, end, kind)
            number, wire_type = key >> 3, key & 7
            size = 0
            if not 1 <= number <= _LARGEST_FIELD:
                raise ModelFileError(f"{kind.name} has a field numbered {number}")
            if wire_type in (_VARINT, _BYTES):
                size, place = self._varint(place, end, kind)
                size = size if wire_type == _BYTES else 0
            elif wire_type in _FIXED:
                size = _FIXED[wire_type]
            else:
                raise ModelFileError(f"{kind.name} has a field of the unknown type {wire_type}")
            if size > end - place:
                raise ModelFileError(
                    f"{kind.name} is truncated: a field has {size} bytes, {end - place} are left"
                )
            self._count(1)
            field = kind.fields_by_number.get(number) if wire_type == _BYTES else None
            if field is not None and field.message_type is not None:
                self.message(field.message_type, place, place + size, depth + 1)
            elif field is not None and field.cpp_type == field.CPPTYPE_INT64:
                self._count(size // _PACKED_BYTES_PER_FIELD)
            place += size

    def _count(self, fields: int) -> None:
        self._left -= fields
        if self._left < 0:
            raise ModelFileError("the file has too many small parts for a multilayer perceptron")

    def _varint(self, place: int, end: int, kind: Descriptor) -> tuple[int, int]:
        """Return an integer and the place behind it."""
        value = shift = 0
        while place < end:
            byte = self._content[place]
            place += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value & 0xFFFFFFFFFFFFFFFF, place
            shift += 7
            if shift > 63:
                raise ModelFileError(f"{kind.name} has an integer of more than 64 bits")
        raise ModelFileError(f"{kind.name} ends within an integer")
