# SPDX-License-Identifier: Apache-2.0
"""The IDX format of the MNIST files: arrays of one number type behind a header of their shape.

A file is two zero bytes, a byte for the type, a byte for the number of dimensions, each dimension
as a 32-bit integer and then the entries in C order, all of it big-endian.
"""

from __future__ import annotations

import math
from os import PathLike
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.atomic_file import write_atomically
from chainrule.data.source import MAX_DEFLATION, open_source
from chainrule.errors import DataFileError
from chainrule.inputs.containers import as_array

_DTYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CODES = {dtype.newbyteorder("="): code for code, dtype in _DTYPES.items()}
_NAMES = ", ".join(str(dtype) for dtype in _CODES)
# Bytes beyond the promised ones that are counted; there may be no end of them.
_MOST_TRAILING = 1 << 16


def load_idx(path: str | PathLike[str], *, mmap: bool = False) -> NDArray[Any]:
    """Read an IDX file.

    Parameters
    ----------
    path : path-like
        The file, plain or compressed by gzip (told by its contents), or a pipe such as
        ``/dev/stdin``.
    mmap : bool, default False
        Map a plain file to memory, read-only and in its own big-endian byte order, instead of
        reading it. Compressed files and pipes are read all the same.

    Returns
    -------
    ndarray
        Of dtype uint8, int8, int16, int32, float32 or float64 and the shape in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If the file is not IDX, is truncated, has bytes left over or is corrupt gzip.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "labels.idx.gz"
    >>> save_idx(path, np.array([7, 2, 1], dtype=np.uint8))
    >>> load_idx(path)
    array([7, 2, 1], dtype=uint8)
    """
    source = open_source(path, announced=True)
    file, size, compressed = source.path, source.size, source.compressed
    with source.open(text=False) as stream:
        dtype, shape = _read_header(stream, file)
        promised = math.prod(shape) * dtype.itemsize
        offset = 4 + 4 * len(shape)
        if not compressed and size != offset + promised:
            raise _wrong_length(file, dtype, shape, size - offset)
        if compressed and promised > size * MAX_DEFLATION:
            raise DataFileError(
                f"{file}: truncated: the header promises {_describe(dtype, shape)}, more than "
                f"{size} compressed bytes can hold"
            )
        try:
            if mmap and not compressed and promised and source.content is None:
                return np.memmap(file, dtype, mode="r", offset=offset, shape=shape)
            array = np.empty(shape, dtype)
        except ValueError as error:
            # More dimensions, or larger ones beside a zero, than NumPy's arrays may have.
            raise DataFileError(
                f"{file}: no array has {_describe(dtype, shape)}: {error}"
            ) from None
        got = _read_into(stream, array)
        got += len(stream.read(_MOST_TRAILING))
        if got != promised:
            raise _wrong_length(file, dtype, shape, got)
    return array.astype(dtype.newbyteorder("="), copy=False)


def save_idx(path: str | PathLike[str], array: ArrayLike) -> None:
    """Write an array as an IDX file, compressed by gzip if the name ends in ``.gz``.

    The file appears under its name only when it is complete.

    Parameters
    ----------
    path : path-like
        Where to write; an existing file is replaced.
    array : array-like
        Of dtype uint8, int8, int16, int32, float32 or float64 and at least one dimension.

    Raises
    ------
    TypeError
        If IDX has no such dtype, or `array` is none.
    ValueError
        If the array has no dimension, more than 255 or one of 2^32 or more, or entries are masked.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "pixels.idx.gz"
    >>> cr.data.save_idx(path, np.uint8([[1, 2], [3, 4]]))
    >>> cr.data.load_idx(path)
    array([[1, 2],
           [3, 4]], dtype=uint8)
    """
    values = as_array(array, name="array") if np.ndim(array) else np.asarray(array)
    header = idx_header(values)
    big_endian = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder(">"))
    contents = header + big_endian.tobytes()
    target = Path(path)
    if target.suffix == ".gz":
        import gzip

        contents = gzip.compress(contents, mtime=0)
    write_atomically(target, contents)


def idx_header(array: NDArray[Any]) -> bytes:
    """Return the bytes that precede the entries of `array` in an IDX file."""
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise TypeError(f"array has dtype {array.dtype}, but IDX has only {_NAMES}")
    if not 1 <= array.ndim <= 255:
        raise ValueError(f"array has shape {array.shape}, but IDX needs 1 to 255 dimensions")
    if max(array.shape) >= 2**32:
        raise ValueError(f"array has shape {array.shape}, but IDX has dimensions below 2^32")
    return bytes([0, 0, code, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()


def _read_header(stream: IO[bytes], file: Path) -> tuple[np.dtype[Any], tuple[int, ...]]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataFileError(f"{file}: truncated: {len(magic)} bytes are no IDX header")
    zeros, code, ndim = magic[:2], magic[2], magic[3]
    if zeros != b"\0\0" or code not in _DTYPES or ndim == 0:
        raise DataFileError(
            f"{file}: not an IDX file: it begins with {magic.hex(' ')}, expected 00 00, a type "
            f"from {', '.join(f'{known:02x}' for known in _DTYPES)} and a number of dimensions"
        )
    dimensions = stream.read(4 * ndim)
    if len(dimensions) < 4 * ndim:
        raise DataFileError(f"{file}: truncated within the header of {4 + 4 * ndim} bytes")
    return _DTYPES[code], tuple(int(n) for n in np.frombuffer(dimensions, dtype=">u4"))


def _read_into(stream: IO[bytes], array: NDArray[Any]) -> int:
    """Fill `array` from the stream as far as that goes and return the number of bytes."""
    buffer = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(buffer):
        # Both kinds of stream that are opened here have it; the type IO does not say so.
        count = stream.readinto(buffer[filled:])  # type: ignore[attr-defined]
        if not count:
            break
        filled += count
    return filled


def _wrong_length(
    file: Path, dtype: np.dtype[Any], shape: tuple[int, ...], got: int
) -> DataFileError:
    promised = math.prod(shape) * dtype.itemsize
    problem = "truncated" if got < promised else "trailing bytes"
    return DataFileError(
        f"{file}: {problem}: the header promises {_describe(dtype, shape)}, {promised} bytes, "
        f"but {got}{' or more' if got - promised == _MOST_TRAILING else ''} follow it"
    )


def _describe(dtype: np.dtype[Any], shape: tuple[int, ...]) -> str:
    return f"{' x '.join(map(str, shape))} {dtype.newbyteorder('=')}"
