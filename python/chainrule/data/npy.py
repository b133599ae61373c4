# SPDX-License-Identifier: Apache-2.0
"""NumPy's own files, never by way of pickle."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.source import existing_file
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK"


def load_npy(path: str | PathLike[str], *, mmap: bool = True) -> NDArray[Any]:
    """Read an array from an ``.npy`` file.

    Parameters
    ----------
    path : path-like
        The file.
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
        If it is no ``.npy`` file, is truncated or holds Python objects.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "x.npy"
    >>> np.save(path, np.eye(2))
    >>> load_npy(path).shape
    (2, 2)
    """
    file = existing_file(path)
    _check_magic(file, _NPY_MAGIC, ".npy file")
    try:
        array: NDArray[Any] = np.load(file, mmap_mode="r" if mmap else None, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataFileError(f"{file}: {_reason(error)}") from error
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
        If it is no ``.npz`` archive, is corrupt, has no array of that name (the text lists those
        it has) or holds Python objects.

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
    import zlib

    file = existing_file(path)
    _check_magic(file, _ZIP_MAGIC, ".npz archive")
    try:
        # Of a broken archive that it opened itself, NumPy leaves the file open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            for name in (x, y):
                if name is not None and name not in archive.files:
                    raise DataFileError(f"{file}: {unknown_name('array', name, archive.files)}")
            return archive[x], None if y is None else archive[y]
    except DataFileError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
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
    return f"corrupt or truncated: {error}"
