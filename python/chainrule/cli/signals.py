# SPDX-License-Identifier: Apache-2.0
"""Signals that ask a training to end, which then still keeps what it has learnt."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Terminated(KeyboardInterrupt):
    """A signal other than Ctrl-C's that asks for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def terminable() -> Iterator[list[int]]:
    """Turn the first SIGTERM or SIGHUP within the block into a `Terminated`.

    Signals that are ignored, as by nohup, or handled already stay so, as all do outside of the main
    thread. A second signal ends the process.
    """
    came: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        came.append(number)
        raise Terminated(number)

    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, handle)
    try:
        yield came
    finally:
        restore()
