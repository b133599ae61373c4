# SPDX-License-Identifier: Apache-2.0
"""NumPy's own files, never by way of pickle.

What a file announces is compared with its size before anything is allocated. NumPy and `zipfile`
raise a dozen kinds of exceptions on damaged files, which all become `DataFileError`.
"""

from __future__ import annotations

import errno
import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.source import MAX_DEFLATION, regular_file
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK"
# Bytes before the header, at most, and of the header, as NumPy limits it.
_BEFORE_HEADER = 12
_LONGEST_HEADER = 10_000

if TYPE_CHECKING:
    import zipfile


def load_npy(path: str | PathLike[str], *, mmap: bool = True) -> NDArray[Any]:
    """Read an array from an ``.npy`` file.

    Parameters
    ----------
    path : path-like
        The file, a regular one.
    mmap : bool, default True
        Map the file to memory, read-only, instead of reading it; training then reads rows as it
        needs them.

    Returns
    -------
    ndarray
        The array in the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If it is no ``.npy`` file, is damaged or truncated, holds Python objects, or is a pipe.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.eye(2))
    >>> load_npy(path).shape
    (2, 2)
    """
    file = regular_file(path)
    _check_magic(file, _NPY_MAGIC, ".npy file")
    with _as_data_file_errors(file):
        with file.open("rb") as stream:
            _check_header(stream, file.stat().st_size)
        array: NDArray[Any] = np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    return array


def load_npz(
    path: str | PathLike[str], x: str = "x", y: str | None = "y"
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Read features and labels from an ``.npz`` archive.

    Parameters
    ----------
    path : path-like
        The archive.
    x : str, default "x"
        Name of the features in it.
    y : str or None, default "y"
        Name of the labels or targets in it; None if there are none to read.

    Returns
    -------
    x : ndarray
        The features.
    y : ndarray or None
        The labels; None if not asked for.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    DataFileError
        If it is no ``.npz`` archive, is damaged, has no array of that name (the text lists those
        it has), holds Python objects, or is a pipe.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "data.npz"
    >>> np.savez(path, images=np.zeros((2, 3)), labels=np.array([0, 1]))
    >>> x, y = load_npz(path, x="images", y="labels")
    >>> x.shape, y.shape
    ((2, 3), (2,))
    """
    import zipfile

    file = regular_file(path)
    _check_magic(file, _ZIP_MAGIC, ".npz archive")
    with _as_data_file_errors(file), zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        for name in (x, y):
            if name is not None and name not in members:
                raise DataFileError(f"{file}: {unknown_name('array', name, members)}")
        size = file.stat().st_size
        labels = None if y is None else _member(archive, members[y], size)
        return _member(archive, members[x], size), labels


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> NDArray[Any]:
    """Return an array of an archive of `size` bytes."""
    import zipfile

    # The archive's directory, which says how long things are, may lie too.
    most = min(info.compress_size, size)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        most *= MAX_DEFLATION
    elif info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed in a way that NumPy does not write")
    with archive.open(info) as stream:
        _check_header(stream, min(info.file_size, most))
    with archive.open(info) as stream:
        array: NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
        # The checksum is compared at the end.
        while stream.read(1 << 16):
            pass
    return array


def _check_header(stream: IO[bytes], size: int) -> None:
    """Raise ValueError unless the array that a header announces fits into `size` bytes."""
    head = stream.read(_BEFORE_HEADER + _LONGEST_HEADER)
    version = tuple(head[len(_NPY_MAGIC) :][:2])
    if not head.startswith(_NPY_MAGIC) or version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"it begins with {head[:8].hex(' ')}, expected an array of version 1 to 3")
    begin = 10 if version == (1, 0) else _BEFORE_HEADER
    length = int.from_bytes(head[8:begin], "little")
    # NumPy would read a header of any length before it refuses it.
    if begin + length > len(head):
        raise ValueError(f"the header has {length} bytes, more than follow or than are read")
    read = (
        np.lib.format.read_array_header_1_0
        if version == (1, 0)
        # Version 3 differs from 2 in names, which do not matter here.
        else np.lib.format.read_array_header_2_0
    )
    try:
        shape, _, dtype = read(io.BytesIO(head[8:]), _LONGEST_HEADER)
    except MemoryError:
        # The parser's, of a text with hundreds of brackets.
        raise ValueError("the header cannot be parsed") from None
    if dtype.hasobject:
        raise ValueError("Python objects")
    announced = math.prod(shape) * dtype.itemsize
    there = size - begin - length
    if min(shape, default=0) < 0 or dtype.itemsize == 0 or announced > there:
        raise ValueError(
            f"the header announces {dtype} of shape {shape}, {announced} bytes, but at most "
            f"{max(there, 0)} follow it"
        )


@contextmanager
def _as_data_file_errors(file: Path) -> Iterator[None]:
    """Make whatever NumPy and `zipfile` raise over a damaged file a `DataFileError`."""
    try:
        with warnings.catch_warnings():
            # On headers of Python 2 and outdated names of types.
            warnings.simplefilter("ignore")
            yield
    except (DataFileError, MemoryError):
        raise
    except OSError as error:
        # A place before the beginning of the file.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise DataFileError(f"{file}: {_reason(error)}") from error
    except Exception as error:
        raise DataFileError(f"{file}: {_reason(error)}") from error


def _check_magic(file: Path, magic: bytes, what: str) -> None:
    with file.open("rb") as stream:
        start = stream.read(len(_NPY_MAGIC))
    if not start.startswith(magic):
        found = (
            "an .npz archive (see load_npz)"
            if start.startswith(_ZIP_MAGIC)
            else "an .npy file (see load_npy)"
            if start.startswith(_NPY_MAGIC)
            else f"something that begins with {start.hex(' ')}"
            if start
            else "an empty file"
        )
        raise DataFileError(f"{file}: not an {what} but {found}")


def _reason(error: Exception) -> str:
    if "allow_pickle" in str(error) or "Python objects" in str(error):
        return "holds Python objects (dtype object), which only pickle can read; it is never used"
    return f"corrupt or truncated: {str(error) or type(error).__name__}"
