# SPDX-License-Identifier: Apache-2.0
"""A library in a process of its own that does the work which is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from numpy.typing import NDArray

from harness import peers
from harness.worker import Worker
from harness.workloads import Inference, ManyNetworks, Training, Workload


class Runner(Worker):
    """A library with a number of threads.

    Parameters
    ----------
    name : str
        Of `peers.PEERS`.
    threads : int
        Threads it may use.
    environment : mapping of str to str, optional
        Variables that its process has besides.
    """

    def __init__(
        self, name: str, threads: int, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(LibraryAtWork, name, threads, threads=threads, environment=environment)
        self.library = peers.PEERS[name]

    def __str__(self) -> str:
        """Return the library's name and its number of threads."""
        return f"{self.library.name} ({self.threads})"

    def version(self) -> str:
        """Return the library's version."""
        return str(self.ask("version"))

    def result(self, work: Training | Inference) -> list[NDArray[Any]]:
        """Return the parameters after an epoch on the rows in their order, or the outputs."""
        arrays: list[NDArray[Any]] = self.ask("result", work)
        return arrays

    def prepare(self, workload: Workload) -> None:
        """Make data and network, and work until everything is compiled and warm."""
        self.ask("prepare", workload)

    def seconds(self, passes: int) -> float:
        """Return how long some passes of the prepared work take."""
        return float(self.ask("seconds", passes))

    def release(self) -> None:
        """Free the memory of the prepared work."""
        self.ask("release")


class LibraryAtWork:
    """What a contestant does, in its process.

    Parameters
    ----------
    name : str
        Of `peers.PEERS`.
    threads : int
        Threads the library may use.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._library = peers.PEERS[name]
        self._threads = threads
        self._work: Callable[[int], object] | None = None

    def version(self) -> str:
        """Return the library's version."""
        return self._library.version()

    def result(self, work: Training | Inference) -> list[NDArray[Any]]:
        """Do the work that is checked."""
        weights = work.network.weights()
        if isinstance(work, Inference):
            return self._library.predictor(work, weights, self._threads).outputs()
        trainer = self._library.trainer(work, work.data(), weights, self._threads)
        trainer.train(1, shuffle=False)
        return trainer.weights()

    def prepare(self, workload: Workload) -> None:
        """Make ready what `seconds` times."""
        self._work = self._function(workload)
        self._work(1)

    def seconds(self, passes: int) -> float:
        """Return how long some passes take."""
        assert self._work is not None
        start = time.perf_counter()
        self._work(passes)
        return time.perf_counter() - start

    def release(self) -> None:
        """Forget what has been prepared."""
        self._work = None
        self._library.forget_compiled()

    def _function(self, workload: Workload) -> Callable[[int], object]:
        if isinstance(workload, ManyNetworks):
            return self._train_many(workload)
        weights = workload.network.weights()
        if isinstance(workload, Inference):
            return self._library.predictor(workload, weights, self._threads).predict
        trainer = self._library.trainer(workload, workload.data(), weights, self._threads)
        return partial(trainer.train, shuffle=True)

    def _train_many(self, workload: ManyNetworks) -> Callable[[int], object]:
        training = workload.training
        data = training.data()
        starts = [training.network.weights(seed) for seed in range(workload.count)]

        def work(passes: int) -> None:
            for _ in range(passes):
                self._library.forget_compiled()
                for weights in starts:
                    trainer = self._library.trainer(training, data, weights, self._threads)
                    trainer.train(workload.epochs, shuffle=True)

        return work
