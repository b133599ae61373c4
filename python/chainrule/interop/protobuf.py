# SPDX-License-Identifier: Apache-2.0
"""The wire format of protocol buffers, as much of it as ONNX files need.

References
----------
"Encoding", https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from chainrule.errors import ModelFileError

__all__ = ["MessageReader", "MessageWriter"]

_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LARGEST_FIELD = 2**29 - 1


class MessageReader:
    """The fields of one message, in the order of the file.

    Parameters
    ----------
    content : memoryview
        The message, of which values are slices: nothing is copied.
    what : str
        What error texts call it.
    """

    def __init__(self, content: memoryview, what: str) -> None:
        self._content = content
        self._what = what
        self._place = 0

    def __iter__(self) -> Iterator[tuple[int, int | memoryview]]:
        """Yield each field's number and its value: an integer, or the bytes of anything else.

        Raises
        ------
        ModelFileError
            If the message ends within a field, or a field has no number or an unknown type.
        """
        size = len(self._content)
        while self._place < size:
            key = self._varint()
            number, wire_type = key >> 3, key & 7
            if not 1 <= number <= _LARGEST_FIELD:
                raise ModelFileError(f"{self._what} has a field numbered {number}")
            if wire_type == _VARINT:
                yield number, self._varint()
            elif wire_type == _BYTES:
                yield number, self._bytes(self._varint())
            elif wire_type == _FOUR_BYTES:
                yield number, self._bytes(4)
            elif wire_type == _EIGHT_BYTES:
                yield number, self._bytes(8)
            else:
                raise ModelFileError(f"{self._what} has a field of the unknown type {wire_type}")

    def varints(self) -> Iterator[int]:
        """Yield what a packed list of integers holds."""
        size = len(self._content)
        while self._place < size:
            yield self._varint()

    def _varint(self) -> int:
        value = shift = 0
        content, place = self._content, self._place
        try:
            while True:
                byte = content[place]
                place += 1
                value |= (byte & 0x7F) << shift
                if byte < 0x80:
                    self._place = place
                    return value & 0xFFFFFFFFFFFFFFFF
                shift += 7
                if shift > 63:
                    raise ModelFileError(f"{self._what} has an integer of more than 64 bits")
        except IndexError:
            raise ModelFileError(f"{self._what} ends within an integer") from None

    def _bytes(self, size: int) -> memoryview:
        end = self._place + size
        if end > len(self._content):
            raise ModelFileError(
                f"{self._what} is truncated: a field has {size} bytes, "
                f"{len(self._content) - self._place} are left"
            )
        value = self._content[self._place : end]
        self._place = end
        return value


class MessageWriter:
    """A message that is put together field by field.

    Examples
    --------
    >>> MessageWriter().integer(1, 150).text(2, "testing").content.hex(" ")
    '08 96 01 12 07 74 65 73 74 69 6e 67'
    """

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    @property
    def content(self) -> bytes:
        """The message so far."""
        return b"".join(self._chunks)

    def integer(self, number: int, value: int) -> MessageWriter:
        """Append an integer of 64 bits; return the message."""
        self._chunks += [_varint(number << 3 | _VARINT), _varint(value)]
        return self

    def float32(self, number: int, value: float) -> MessageWriter:
        """Append a number of 32 bits; return the message."""
        self._chunks += [_varint(number << 3 | _FOUR_BYTES), struct.pack("<f", value)]
        return self

    def bytes(self, number: int, value: bytes) -> MessageWriter:
        """Append bytes; return the message."""
        self._chunks += [_varint(number << 3 | _BYTES), _varint(len(value)), value]
        return self

    def text(self, number: int, value: str) -> MessageWriter:
        """Append a text; return the message."""
        return self.bytes(number, value.encode())

    def messages(self, number: int, values: Iterable[MessageWriter]) -> MessageWriter:
        """Append messages; return the one they are part of."""
        for value in values:
            self.bytes(number, value.content)
        return self


def _varint(value: int) -> bytes:
    value &= 0xFFFFFFFFFFFFFFFF
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
