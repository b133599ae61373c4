# SPDX-License-Identifier: Apache-2.0
"""Data that come through a pipe, as files that can be read more than once."""

from __future__ import annotations

import argparse
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chainrule.data.source import open_source

STANDARD_INPUT = "-"
_OPTIONS = ("data", "test_data", "input")
# Beginnings of files; whatever has none of these is text.
_SUFFIXES = (
    (b"\x1f\x8b", ".csv.gz"),
    (b"\x93NUMPY", ".npy"),
    (b"PK\x03\x04", ".npz"),
    (b"PAR1", ".parquet"),
)


def is_piped(name: str | None) -> bool:
    """Return whether a name stands for the standard input, or for a pipe such as <(command)."""
    if name is None or name == STANDARD_INPUT:
        return name is not None
    try:
        return stat.S_ISFIFO(Path(name).stat().st_mode)
    except (OSError, ValueError):
        return False


@contextmanager
def files_for(options: argparse.Namespace, shown: dict[str, str]) -> Iterator[None]:
    """Put files in the place of options that name pipes, for as long as the block runs."""
    piped = [name for name in _OPTIONS if is_piped(getattr(options, name, None))]
    if [getattr(options, name) for name in piped].count(STANDARD_INPUT) > 1:
        raise ValueError("only one option can stand for the standard input")
    options.piped = bool(piped)
    if not piped:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        for option in piped:
            name = getattr(options, option)
            file = _copied(name, Path(folder) / option)
            setattr(options, option, str(file))
            shown[str(file)] = "standard input" if name == STANDARD_INPUT else name
        yield


def _copied(name: str, folder: Path) -> Path:
    folder.mkdir()
    first = folder / "stdin"
    with first.open("wb") as target:
        if name == STANDARD_INPUT:
            if sys.stdin is None:
                raise ValueError("there is no standard input")
            shutil.copyfileobj(sys.stdin.buffer, target)
        else:
            target.write(open_source(name).content or b"")
    with first.open("rb") as written:
        beginning = written.read(8)
    suffix = next((s for mark, s in _SUFFIXES if beginning.startswith(mark)), ".csv")
    return first.rename(first.with_suffix(suffix))
