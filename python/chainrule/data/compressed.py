# SPDX-License-Identifier: Apache-2.0
"""Opening of data files that may or may not be compressed by gzip.

The modules that only reading needs are imported there: `import chainrule` has to stay quick.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, cast

from chainrule.errors import DataFileError

_GZIP_MAGIC = b"\x1f\x8b"


def existing_file(path: str | PathLike[str]) -> Path:
    """Return `path` as a `Path`, or raise `FileNotFoundError` naming it."""
    found = Path(path)
    if not found.exists():
        raise FileNotFoundError(errno.ENOENT, "no such data file", str(found))
    return found


def is_gzip(path: Path) -> bool:
    """Tell by its first bytes whether a file is compressed by gzip, whatever its name."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP_MAGIC


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open a plain or gzip file for reading bytes.

    Parameters
    ----------
    path : Path
        The file.

    Yields
    ------
    binary stream
        The decompressed contents.

    Raises
    ------
    DataFileError
        If the compressed data turn out corrupt or truncated, at any time while it is open.
    """
    import gzip
    import zlib

    with gzip.open(path) if is_gzip(path) else path.open("rb") as stream:
        try:
            yield cast(IO[bytes], stream)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataFileError(f"{path}: corrupt gzip file: {error}") from error
