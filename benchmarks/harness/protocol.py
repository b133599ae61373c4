# SPDX-License-Identifier: Apache-2.0
"""How it is measured: first that all libraries compute the same, then how fast, in turns.

Machines get slower and faster while one measures. So a round lets every library work for about the
same time, one after the other, and the medians of several rounds are compared.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from chainrule.names import unknown_name
from harness import machine, peers
from harness.ceilings import CEILINGS, CeilingWorker
from harness.peers.numpy import NumpyByHand
from harness.reference import truth_of
from harness.report import OWN, Ceiling, Measurement, Report
from harness.runner import Runner
from harness.worker import WorkerError
from harness.workloads import Workload

__all__ = ["measure"]

# Idle threads of the library before spin for a while until they sleep.
_PAUSE = 0.05
_LONGEST_CEILING = 0.05


def measure(
    workloads: Sequence[Workload],
    *,
    names: Sequence[str] | None = None,
    threads: Sequence[int],
    rounds: int = 7,
    seconds: float = 0.5,
    isa: str | None = None,
    log: Callable[[str], object] = lambda text: None,
) -> Report:
    """Check and time libraries.

    Parameters
    ----------
    workloads : sequence of Workload
        What to do.
    names : sequence of str, optional
        Libraries, of `peers.PEERS`; default: those installed that can be held to `isa`.
    threads : sequence of int
        Numbers of threads; each library has a process for each.
    rounds : int, default 7
        Timings of each process, in turns.
    seconds : float, default 0.5
        Least length of a timing, which is one pass over the work at least.
    isa : str, optional
        Instruction set to hold all libraries to, such as avx2.
    log : callable, optional
        Is told what happens next.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If a library is unknown or cannot be held to `isa`.
    """
    names = _libraries(names, isa)
    report = Report(machine.describe(), tuple(threads), isa)
    run = _Run(report, rounds, seconds)
    try:
        log(f"starting {', '.join(names)}")
        run.start(names)
        clock = _Remaining(len(workloads))
        for number, workload in enumerate(workloads, start=1):
            log(f"checking {workload.name}")
            passes = run.check(workload)
            if passes:
                left = clock.text(run.seconds_to_time(passes))
                log(f"timing {workload.name}, work {number} of {len(workloads)}, {left}")
                run.time(workload, passes)
            clock.done()
    finally:
        run.close()
    return report


def _libraries(names: Sequence[str] | None, isa: str | None) -> list[str]:
    for name in names or ():
        if name not in peers.PEERS:
            raise ValueError(unknown_name("library", name, list(peers.PEERS)))
        if isa is not None and isa not in peers.PEERS[name].isa_environment:
            raise ValueError(f"{name} cannot be held to {isa}")
    if names is not None:
        return list(names)
    return [n for n in peers.installed() if isa is None or isa in peers.PEERS[n].isa_environment]


class _Remaining:
    """Says how long a run will still take, by what its works have taken so far.

    Parameters
    ----------
    count : int
        Number of works.
    """

    def __init__(self, count: int) -> None:
        self._ahead = count
        self._finished: list[float] = []
        self._began = time.perf_counter()

    def text(self, timing: float) -> str:
        """Return the time left where the present work has still `timing` seconds to go."""
        present = time.perf_counter() - self._began + timing
        mean = (sum(self._finished) + present) / (len(self._finished) + 1)
        seconds = timing + mean * (self._ahead - 1)
        if seconds < 90:
            return f"about {math.ceil(seconds)} s left"
        return f"about {round(seconds / 60)} min left"

    def done(self) -> None:
        """Note that the present work is finished."""
        now = time.perf_counter()
        self._finished.append(now - self._began)
        self._began = now
        self._ahead -= 1


@dataclass
class _Turn:
    """What is measured once in every round."""

    worker: Runner | CeilingWorker
    rate: Callable[[], float]
    record: Callable[[tuple[float, ...]], None]
    rates: list[float] = field(default_factory=list)


class _Run:
    """The processes of a run, and the report that they fill."""

    def __init__(self, report: Report, rounds: int, seconds: float) -> None:
        self._report = report
        self._rounds = rounds
        self._seconds = seconds
        self._runners: list[Runner] = []
        self._ceilings: list[CeilingWorker] = []
        self._pass_seconds: dict[Runner, float] = {}

    def start(self, names: Sequence[str]) -> None:
        for threads in self._report.threads:
            for name in names:
                self._runners.append(Runner(name, threads, self._environment(name)))
            held = {**self._environment(OWN), **self._environment(NumpyByHand.name)}
            self._ceilings.append(CeilingWorker(threads, held))
        for runner in self._runners.copy():
            try:
                self._report.versions[runner.library.name] = runner.version()
            except WorkerError as error:
                self._leave_out(f"{runner} does not start: {error}")
                self._runners.remove(runner)
                runner.close()

    def check(self, workload: Workload) -> dict[Runner, int]:
        """Make those ready that compute what they should; return how many passes to time."""
        takers = [c for c in self._runners if c.alive and c.library.takes(workload)]
        if not takers:
            return {}
        try:
            reference = truth_of(workload)
        except FileNotFoundError as error:
            self._leave_out(f"{workload.name}: {error}")
            return {}
        passes: dict[Runner, int] = {}
        for runner in takers:
            try:
                wrong = reference.error(runner.result(reference.work))
                if wrong is None:
                    runner.prepare(workload)
                    one = runner.seconds(1)
                    passes[runner] = math.ceil(self._seconds / one)
                    self._pass_seconds[runner] = one
            except WorkerError as error:
                wrong = str(error)
            if wrong is not None:
                self._leave_out(f"{runner} at {workload.name}: {wrong}")
        return passes

    def seconds_to_time(self, passes: Mapping[Runner, int]) -> float:
        """Return about how long `time` will take."""
        round_seconds = sum(
            _PAUSE + count * self._pass_seconds[runner] for runner, count in passes.items()
        )
        ceilings = len(self._ceilings) * len(CEILINGS)
        round_seconds += ceilings * (_PAUSE + min(self._seconds, _LONGEST_CEILING))
        return self._rounds * round_seconds

    def time(self, workload: Workload, passes: Mapping[Runner, int]) -> None:
        """Time those that are ready, and the ceilings beside them, in turns."""
        timings = [self._speed(workload, runner, count) for runner, count in passes.items()]
        timings += [
            self._ceiling(workload, worker, name)
            for worker in self._ceilings
            for name in CEILINGS
            if worker.alive
        ]
        for _ in range(self._rounds):
            for timing in timings.copy():
                time.sleep(_PAUSE)
                try:
                    timing.rates.append(timing.rate())
                except WorkerError as error:
                    self._leave_out(f"{timing.worker} at {workload.name}: {error}")
                    timings.remove(timing)
        for timing in timings:
            timing.record(tuple(timing.rates))
        for runner in passes:
            # One that has died is named when it is next asked for something that is needed.
            with suppress(WorkerError):
                runner.release()

    def close(self) -> None:
        workers = (*self._runners, *self._ceilings)
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.close()

    def _environment(self, name: str) -> Mapping[str, str]:
        isa = self._report.isa
        return {} if isa is None else peers.PEERS[name].isa_environment[isa]

    def _speed(self, workload: Workload, runner: Runner, passes: int) -> _Turn:
        def rate() -> float:
            return passes * workload.samples / runner.seconds(passes)

        def record(rates: tuple[float, ...]) -> None:
            name, threads = runner.library.name, runner.threads
            self._report.measurements.append(Measurement(rates, workload, name, threads))

        return _Turn(runner, rate, record)

    def _ceiling(self, workload: Workload, worker: CeilingWorker, name: str) -> _Turn:
        seconds = min(self._seconds, _LONGEST_CEILING)

        def rate() -> float:
            return worker.gflops(name, workload.network, seconds)

        def record(rates: tuple[float, ...]) -> None:
            self._report.ceilings.append(Ceiling(rates, workload, name, worker.threads))

        return _Turn(worker, rate, record)

    def _leave_out(self, sentence: str) -> None:
        self._report.skipped.append(f"{sentence}.")
