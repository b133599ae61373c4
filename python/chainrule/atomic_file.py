# SPDX-License-Identifier: Apache-2.0
"""Writing a file so that an interruption leaves the old one or the new one, never half of it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to a temporary name beside `path`, then rename it.

    Parameters
    ----------
    path : path-like
        The file to create or replace; a replaced file keeps its permissions, and a symbolic link
        stays one. What is no regular file, such as a pipe, is written in place.
    content : bytes
        The whole content.

    Raises
    ------
    OSError
        If it cannot be written, such as on a full disk; an existing file is untouched then.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    handle = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o777)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
