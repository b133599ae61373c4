# SPDX-License-Identifier: Apache-2.0
"""Files to write, checked before the work whose result they are for."""

from __future__ import annotations

import errno
import os
from pathlib import Path


def output_path(name: str) -> Path:
    """Return the path of a file that can be written, as far as one can tell before.

    Parameters
    ----------
    name : str
        The file, which may exist.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    IsADirectoryError
        If it is a folder itself.
    """
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(path.parent))
    return path
