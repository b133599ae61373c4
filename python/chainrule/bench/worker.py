# SPDX-License-Identifier: Apache-2.0
"""A process of its own for each library, so that their thread pools do not disturb each other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from chainrule.bench import peers
from chainrule.bench.workload import Workload

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_SECONDS_TO_STOP = 5.0


class Worker:
    """A library in a process of its own.

    Parameters
    ----------
    peer : str
        Name of the library, of `peers.PEERS`.
    threads : int
        Threads it may use; the process is also bound to that many processors where the system
        allows it.

    Raises
    ------
    WorkerError
        Here and in every call, if the library raises an exception or its process ends.
    """

    def __init__(self, peer: str, threads: int) -> None:
        self.peer = peer
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, peer, threads), daemon=True)
        with _limited(threads):
            self._process.start()
        other.close()

    def version(self) -> str:
        """Return the library's version."""
        return str(self._ask("version"))

    def trained_weights(self, workload: Workload) -> list[Any]:
        """Return the parameters after an epoch on the rows in their order."""
        weights: list[Any] = self._ask("trained_weights", workload)
        return weights

    def prepare(self, workload: Workload) -> None:
        """Make data and network, and train until everything is compiled and warm."""
        self._ask("prepare", workload)

    def seconds(self, epochs: int) -> float:
        """Return how long the training of some epochs takes."""
        return float(self._ask("seconds", epochs))

    def close(self) -> None:
        """End the process."""
        with suppress(OSError):
            self._connection.send(None)
        self._process.join(_SECONDS_TO_STOP)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._connection.close()
        self._process.close()

    def _ask(self, method: str, *arguments: object) -> Any:
        try:
            self._connection.send((method, arguments))
            failed, answer = self._connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerError("its process has ended") from error
        if failed:
            raise WorkerError(answer)
        return answer


class WorkerError(RuntimeError):
    """A library could not do the work."""


class _Server:
    def __init__(self, peer: str, threads: int) -> None:
        self._module = peers.module(peer)
        self._threads = threads
        self._peer: peers.Peer | None = None

    def version(self) -> str:
        return self._module.version()

    def trained_weights(self, workload: Workload) -> list[Any]:
        peer = self._module.make(workload, self._threads)
        peer.train(1, shuffle=False)
        return peer.weights()

    def prepare(self, workload: Workload) -> None:
        self._peer = self._module.make(workload, self._threads)
        self._peer.train(1, shuffle=True)

    def seconds(self, epochs: int) -> float:
        assert self._peer is not None
        start = time.perf_counter()
        self._peer.train(epochs, shuffle=True)
        return time.perf_counter() - start


def _serve(connection: Connection[Any, Any], peer: str, threads: int) -> None:
    # Ctrl-C is for the parent to handle, which then closes the connection.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = _Server(peer, threads)
    while True:
        try:
            request = connection.recv()
        except EOFError:
            return
        if request is None:
            return
        method, arguments = request
        try:
            answer = (False, getattr(server, method)(*arguments))
        except Exception as error:
            answer = (True, f"{type(error).__name__}: {error}")
        connection.send(answer)


@contextmanager
def _limited(threads: int) -> Iterator[None]:
    """Let processes started within have so many threads and processors."""
    before = {name: os.environ.get(name) for name in _THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    processors = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if processors is not None:
        os.sched_setaffinity(0, sorted(processors)[:threads])
    try:
        yield
    finally:
        if processors is not None:
            os.sched_setaffinity(0, processors)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
