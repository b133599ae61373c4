# SPDX-License-Identifier: Apache-2.0
"""Files to write, checked before the work whose result they are for."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli.file_kinds import LONGEST_BEGINNING, FileKind


def output_path(
    name: str,
    kind: FileKind,
    *,
    inputs: Sequence[str | None],
    outputs: Sequence[str | None] = (),
    overwrite: bool = False,
) -> Path:
    """Return the path of a file that can be written without harm, as far as one can tell before."""
    path = Path(name)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    folder = Path(name) if name.endswith("/") else path.parent
    # A link is followed to where it leads, whose folder is the one that is written to.
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
    if not real.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(real.parent))
    if real.exists() and not real.is_file():  # a device or a pipe, which is written in place
        return path
    for other in inputs:
        if other is not None and _same(name, other):
            raise ValueError(
                f"{name} is a file to read and to write{_by_name(name, other)}; name another output"
            )
    for other in outputs:
        if other is not None and _same(name, other):
            raise ValueError(f"{name} is to be written twice{_by_name(name, other)}")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "this folder cannot be written to", str(real.parent))
    if not overwrite and not _replaceable(real, kind):
        raise FileExistsError(
            errno.EEXIST,
            f"this file exists and is not {kind.name}; --overwrite replaces it",
            name,
        )
    return path


def check_standard_output(inputs: Sequence[str | None]) -> None:
    """Raise ValueError if the standard output is closed or goes to a file that is read."""
    if sys.stdout is None:
        raise ValueError("there is no standard output; --output names a file")
    try:
        status = os.fstat(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):  # a stream without a file
        return
    for name in inputs:
        path = None if name is None else Path(name)
        if path is not None and path.is_file() and os.path.samestat(status, path.stat()):
            raise ValueError(f"{name} is the file to read and where the output goes")


def _same(left: str, right: str) -> bool:
    try:
        return Path(left).samefile(right)
    except OSError:  # one does not exist, such as what a link points to
        return os.path.realpath(left) == os.path.realpath(right)


def _by_name(name: str, other: str) -> str:
    return "" if name == other else f", also called {other}"


def _replaceable(path: Path, kind: FileKind) -> bool:
    if not path.exists():
        return True
    with path.open("rb") as file:
        head = file.read(LONGEST_BEGINNING)
    return not head or kind.begins(head)
