# SPDX-License-Identifier: Apache-2.0
"""Values of an iterator that a thread gets ahead of their use."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__ = ["Prefetch"]


class Prefetch:
    """An iterator over what a thread gets from an iterable, some values ahead.

    What the iterable raises is raised by `next` in its place. `close` ends the thread.
    """

    def __init__(self, begin: Callable[[], Iterable[Any]], ahead: int) -> None:
        self._begin = begin
        self._ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._ended: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chainrule-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Prefetch:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return the next value, for which this may have to wait."""
        if self._ended is not None:
            raise self._ended
        value, self._ended = self._ready.get()
        if self._ended is not None:
            raise self._ended
        return value

    def close(self) -> None:
        """Have the thread stop behind the value that it is getting, and wait for that."""
        self._closed.set()
        while not self._ready.empty():  # a thread that waits for room sees that it is closed
            self._ready.get_nowait()
        self._thread.join()

    def _run(self) -> None:
        values: Iterator[Any] | None = None
        end: BaseException = StopIteration()
        try:
            values = iter(self._begin())
            for value in values:
                if self._closed.is_set() or not self._put(value, None):
                    break
        except BaseException as error:
            end = error
        try:
            # A generator ends in the thread that has run it.
            close = getattr(values, "close", None)
            if close is not None and self._closed.is_set():
                close()
        except BaseException as error:
            end = error
        self._put(None, end)

    def _put(self, value: Any, end: BaseException | None) -> bool:
        """Hand a value over when there is room; whether there was before the end."""
        while not self._closed.is_set():
            try:
                self._ready.put((value, end), timeout=0.05)
                return True
            except queue.Full:
                continue
        return False
