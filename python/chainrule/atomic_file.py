# SPDX-License-Identifier: Apache-2.0
"""Writing a file so that an interruption leaves the old one or the new one, never half of it."""

from __future__ import annotations

import os

from chainrule import _core

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
    _core.write_atomically(os.fsencode(path), content)
