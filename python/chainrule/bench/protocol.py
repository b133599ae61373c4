# SPDX-License-Identifier: Apache-2.0
"""How it is measured: first that all libraries compute the same, then how fast, in turns.

Machines get slower and faster while one measures. So a round lets every library train for about the
same time, one after the other, and the medians of several rounds are compared.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chainrule.bench import machine, peers
from chainrule.bench.peers.numpy import NumpyPeer, loss_of
from chainrule.bench.worker import Worker, WorkerError
from chainrule.bench.workload import Workload

__all__ = ["Measurement", "Report", "measure"]

# float32 beside float64 over a few steps; an epsilon elsewhere in Adam is the largest part of it.
_TOLERANCE = 1e-3
# Idle threads of the library before spin for a while until they sleep.
_PAUSE = 0.05


@dataclass(frozen=True)
class Measurement:
    """The speed of a library at a workload.

    Attributes
    ----------
    workload : Workload
        What was trained.
    peer : str
        Name of the library.
    rates : tuple of float
        Samples per second in each round.
    """

    workload: Workload
    peer: str
    rates: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median of the rounds, in samples per second."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> float:
        """Difference of the best and the worst round, as a share of the median.

        Examples
        --------
        >>> from chainrule.bench import WORKLOADS
        >>> Measurement(WORKLOADS[0], "chainrule", (90.0, 100.0, 110.0)).spread
        0.2
        """
        return (max(self.rates) - min(self.rates)) / self.median


@dataclass
class Report:
    """All measurements of a run.

    Attributes
    ----------
    machine : dict of str to str
        As `machine.describe`.
    threads : int
        Threads that each library had.
    versions : dict of str to str
        Version of each library that took part.
    measurements : list of Measurement
        One for each workload and library.
    left_out : list of str
        A sentence for every library that failed or computed something else.
    """

    machine: dict[str, str]
    threads: int
    versions: dict[str, str] = field(default_factory=dict)
    measurements: list[Measurement] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def measure(
    workloads: Sequence[Workload],
    *,
    names: Sequence[str] | None = None,
    threads: int,
    rounds: int = 7,
    seconds: float = 0.5,
    say: Callable[[str], object] = lambda text: None,
) -> Report:
    """Check and time libraries.

    Parameters
    ----------
    workloads : sequence of Workload
        What to train.
    names : sequence of str, optional
        Libraries, of `peers.PEERS`; default: those installed.
    threads : int
        Threads that each may use.
    rounds : int, default 7
        Timings of each library, in turns.
    seconds : float, default 0.5
        Least length of a timing, which is one epoch at least.
    say : callable, optional
        Is told what happens next.

    Returns
    -------
    Report
    """
    report = Report(machine.describe(), threads)
    workers: list[Worker] = []
    try:
        for name in peers.installed() if names is None else names:
            workers.append(Worker(name, threads))
        say(f"starting {', '.join(worker.peer for worker in workers)}")
        for worker in workers.copy():
            try:
                report.versions[worker.peer] = worker.version()
            except WorkerError as error:
                report.left_out.append(f"{worker.peer} does not start: {error}.")
                workers.remove(worker)
                worker.close()
        for workload in workloads:
            say(f"checking {workload.name}")
            expected = _expected_loss(workload.for_check())
            ready = [w for w in workers if _is_right(w, workload, expected, report)]
            say(f"timing {workload.name}")
            report.measurements += _timed(ready, workload, rounds, seconds)
    finally:
        for worker in workers:
            worker.close()
    return report


def _expected_loss(check: Workload) -> float:
    truth = NumpyPeer(check, "float64")
    before = truth.loss()
    truth.train(1, shuffle=False)
    expected = truth.loss()
    # Without such a change a library that does nothing would pass.
    assert abs(before - expected) > 10 * _TOLERANCE * expected
    return expected


def _is_right(worker: Worker, workload: Workload, expected: float, report: Report) -> bool:
    """Check a library's loss after a few steps, and make it ready to be timed."""
    check = workload.for_check()
    try:
        loss = loss_of(check, worker.trained_weights(check))
        if not math.isclose(loss, expected, rel_tol=_TOLERANCE):
            steps = check.rows // check.batch_size
            report.left_out.append(
                f"{worker.peer} at {workload.name}: the loss after {steps} steps is {loss:.6g}, "
                f"expected {expected:.6g}."
            )
            return False
        worker.prepare(workload)
    except WorkerError as error:
        report.left_out.append(f"{worker.peer} at {workload.name}: {error}.")
        return False
    return True


def _timed(
    workers: Sequence[Worker], workload: Workload, rounds: int, seconds: float
) -> list[Measurement]:
    epochs = [max(1, math.ceil(seconds / worker.seconds(1))) for worker in workers]
    rates: list[list[float]] = [[] for _ in workers]
    for _ in range(rounds):
        for worker, count, column in zip(workers, epochs, rates, strict=True):
            time.sleep(_PAUSE)
            column.append(count * workload.rows / worker.seconds(count))
    return [
        Measurement(workload, worker.peer, tuple(column))
        for worker, column in zip(workers, rates, strict=True)
    ]
