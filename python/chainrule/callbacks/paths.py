# SPDX-License-Identifier: Apache-2.0
"""Whether a callback will be able to write its file, before it tries."""

from __future__ import annotations

import errno
import os

__all__ = ["check_writable"]


def check_writable(path: str, *, varies: bool = False) -> None:
    """Raise the OSError that writing a file would raise, as far as it can be known.

    Parameters
    ----------
    path : str
        The file; it need not exist.
    varies : bool, default False
        Whether the folder is another one for each epoch, so that it may be made until then.
    """
    from pathlib import Path  # here, since it makes `import chainrule` slower

    if Path(path).is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    folder = Path(path).parent
    if not folder.is_dir():
        if varies:
            return
        raise FileNotFoundError(errno.ENOENT, "the folder of the file does not exist", path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
