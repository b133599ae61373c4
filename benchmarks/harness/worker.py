# SPDX-License-Identifier: Apache-2.0
"""An object in a process of its own, so that thread pools do not disturb each other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from signal import Signals
from typing import Any

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECONDS_TO_STOP = 5.0


class WorkerError(RuntimeError):
    """The object raised an exception, or its process ended."""


class Worker:
    """Calls methods of an object that lives in a process of its own.

    Parameters
    ----------
    make : callable
        Makes the object in the process; a class or function of a module.
    *arguments : object
        What `make` is called with.
    threads : int
        Threads that libraries may use there; the process is also bound to that many processors
        where the system allows it.
    environment : mapping of str to str, optional
        Variables that the process has besides.
    """

    def __init__(
        self,
        make: Callable[..., object],
        *arguments: object,
        threads: int,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.threads = threads
        self.alive = True
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, make, arguments), daemon=True)
        variables = dict.fromkeys(_THREAD_VARIABLES, str(threads)) | dict(environment or {})
        with _environment(variables), _processors(threads):
            self._process.start()
        other.close()

    def ask(self, method: str, *arguments: object) -> Any:
        """Return what a method returns.

        Raises
        ------
        WorkerError
            If the method raises an exception, or the process ends; `alive` is then False.
        """
        try:
            self._connection.send((method, arguments))
            failed, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self.alive = False
            raise WorkerError(f"its process has ended{self._how_it_ended()}") from error
        if failed:
            raise WorkerError(answer)
        return answer

    def stop(self) -> None:
        """Let the process end; `close` waits for it."""
        with suppress(OSError):
            self._connection.send(None)

    def close(self) -> None:
        """End the process."""
        self.stop()
        self._process.join(_SECONDS_TO_STOP)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._connection.close()
        self._process.close()

    def _how_it_ended(self) -> str:
        self._process.join(_SECONDS_TO_STOP)
        code = self._process.exitcode
        if code is None:
            return ""
        return f" by {Signals(-code).name}" if code < 0 else f" with status {code}"


def _serve(
    connection: Connection[Any, Any], make: Callable[..., object], arguments: tuple[object, ...]
) -> None:
    # Ctrl-C is for the parent to handle, which then closes the connection.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    served = make(*arguments)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if request is None:
            return
        method, arguments = request
        try:
            answer = (False, getattr(served, method)(*arguments))
        except Exception as error:
            answer = (True, f"{type(error).__name__}: {error}")
        connection.send(answer)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Let processes started within have these variables."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _processors(count: int) -> Iterator[None]:
    """Bind processes started within to `count` processors, where the system can."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
