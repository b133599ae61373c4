# SPDX-License-Identifier: Apache-2.0
"""Opening of data files: plain or compressed by gzip, on a disk or coming through a pipe.

Nothing here reads without a bound: devices are refused, and what comes through a pipe or out of
gzip may be only so long, as may a line of text. The modules that only reading needs are imported
there: `import chainrule` has to stay quick.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import index
from os import PathLike
from pathlib import Path
from typing import IO, Any, cast

from chainrule.errors import DataFileError

_GZIP_MAGIC = b"\x1f\x8b"
_MIB = 1 << 20
# Deflate cannot shrink data more than this.
MAX_DEFLATION = 1032
# Text rarely shrinks to less than a tenth; a table of almost nothing but zeros, to a hundredth.
_MAX_RATIO = 100
_ALWAYS_ALLOWED = 64 * _MIB
_PIPE_LIMIT = 1024 * _MIB
# A line of ten million numbers is shorter.
_LONGEST_LINE = 256 * _MIB
_CHUNK = 1 << 16
# Seconds that a named pipe may be without a program that writes to it.
_PATIENCE = 1.0
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a pipe",
}


class Bounded(io.RawIOBase):
    """The decompressed contents of a file, which end in `DataFileError` where they get too long."""

    def __init__(
        self, stream: IO[bytes], path: Path, limit: int | None, longest_line: int | None
    ) -> None:
        self._stream = stream
        self._path = path
        self._limit = limit
        self._longest_line = longest_line
        self._count = 0
        self._line = 0
        self.newlines = self.lone_returns = 0
        self.last_byte = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer as far as one read of the stream goes, and return the number of bytes."""
        # Both kinds of stream that are opened here have it; the type IO does not say so.
        count: int = self._stream.readinto(buffer)  # type: ignore[attr-defined]
        if not count:
            return 0
        self._count += count
        if self._limit is not None and self._count > self._limit:
            raise _too_long(self._path, self._limit)
        if self._longest_line is not None:
            self._watch_lines(bytes(memoryview(buffer)[:count]), self._longest_line)
        return count

    def readall(self) -> bytes:
        """Return all that is left, read in larger pieces than the inherited method takes."""
        return b"".join(iter(partial(self.read, _MIB), b""))

    def _watch_lines(self, chunk: bytes, longest: int) -> None:
        found = chunk.count(b"\n")
        self._line = len(chunk) - chunk.rfind(b"\n") - 1 if found else self._line + len(chunk)
        self.newlines += found
        if returns := chunk.count(b"\r"):
            self.lone_returns += returns - chunk.count(b"\r\n")
        if self.last_byte == b"\r":
            self.lone_returns -= chunk.startswith(b"\n")
        self.last_byte = chunk[-1:]
        if self._line > longest:
            raise DataFileError(
                f"{self._path}, line {self.newlines + 1}: no end within {longest} bytes"
            )


@dataclass(frozen=True)
class Source:
    """A data file, of which `open` gives the contents from the beginning as often as wanted."""

    path: Path  # the file, as error messages call it
    content: bytes | None  # what came through, if it is a pipe, which can be read only once
    size: int  # bytes of the file as it lies, compressed or not
    # Whether it is compressed by gzip, which its first bytes tell, whatever its name
    compressed: bool
    limit: int | None  # bytes that `open` gives at most; None for any number

    @contextmanager
    def open(self, *, text: bool) -> Iterator[io.BufferedReader]:
        """Open the decompressed contents for reading."""
        import gzip
        import zlib

        longest = _LONGEST_LINE if text else None
        with self._raw() as raw:
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if self.compressed else raw
            try:
                yield io.BufferedReader(Bounded(stream, self.path, self.limit, longest), _CHUNK)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise DataFileError(f"{self.path}: corrupt gzip file: {error}") from error

    def _raw(self) -> IO[bytes]:
        return self.path.open("rb") if self.content is None else io.BytesIO(self.content)


def open_source(
    path: str | PathLike[str], max_bytes: int | None = None, *, announced: bool = False
) -> Source:
    """Return a data file, having read what comes through a pipe."""
    limit = None if max_bytes is None else _checked_limit(max_bytes)
    file = existing_file(path)
    content: bytes | None = None
    if stat.S_ISFIFO(file.stat().st_mode):
        content = _through_pipe(file, _PIPE_LIMIT if limit is None else limit)
        size, ends = len(content), (content[:2], content[-4:])
    else:
        regular_file(file)
        size, ends = _ends(file)
    compressed = ends[0] == _GZIP_MAGIC
    if compressed and not (announced and limit is None):
        limit = max(_ALWAYS_ALLOWED, _MAX_RATIO * size) if limit is None else limit
        # What gzip says of itself, modulo 2^32, need not be true, but saves work where it may be.
        if limit < int.from_bytes(ends[1], "little") <= size * MAX_DEFLATION:
            raise _too_long(file, limit)
    elif not compressed and limit is not None and size > limit:
        raise _too_long(file, limit)
    return Source(file, content, size, compressed, limit)


def existing_file(path: str | PathLike[str]) -> Path:
    """Return `path` as a `Path`, or raise `FileNotFoundError` (or `ValueError`) naming it."""
    found = Path(path)
    if "\0" in str(found):
        raise ValueError(f"the path {str(found)!r} holds a null character")
    if not found.exists():
        raise FileNotFoundError(errno.ENOENT, "no such data file", str(found))
    return found


def regular_file(path: str | PathLike[str]) -> Path:
    """Return an existing file; `DataFileError` if it is a pipe, a device or a directory."""
    found = existing_file(path)
    mode = found.stat().st_mode
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise DataFileError(f"{found} is {kind}, expected a regular file")
    return found


def _checked_limit(max_bytes: object) -> int:
    if isinstance(max_bytes, bool):
        raise TypeError(f"max_bytes must be a whole number, got {max_bytes!r}")
    try:
        limit = index(max_bytes)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"max_bytes must be a whole number, got {max_bytes!r}") from None
    if limit < 1:
        raise ValueError(f"max_bytes = {limit}, expected 1 or more")
    return limit


def _too_long(file: Path, limit: int) -> DataFileError:
    return DataFileError(
        f"{file}: its contents are longer than {limit} bytes; pass max_bytes= if that is right"
    )


def _ends(file: Path) -> tuple[int, tuple[bytes, bytes]]:
    """Return a file's size, its first two bytes and its last four."""
    with file.open("rb") as stream:
        first = stream.read(2)
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - 4))
        return size, (first, stream.read(4))


def _through_pipe(file: Path, limit: int) -> bytes:
    """Return all that comes through a pipe."""
    # Opening one that nothing writes to would wait for ever, so it is opened without waiting.
    # Reading then tells the case of no writer, which gives nothing, from that of a slow one.
    import select

    chunks: list[bytes] = []
    count = 0
    deadline = time.monotonic() + _PATIENCE
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        while True:
            try:
                chunk = os.read(descriptor, _MIB)
            except BlockingIOError:
                waiting.poll()
                continue
            if chunk:
                chunks.append(chunk)
                count += len(chunk)
                if count > limit:
                    raise _too_long(file, limit)
            elif chunks:
                return b"".join(chunks)
            elif time.monotonic() > deadline:
                raise DataFileError(f"{file} is a pipe that nothing has been written to")
            else:
                time.sleep(0.01)
    finally:
        os.close(descriptor)
