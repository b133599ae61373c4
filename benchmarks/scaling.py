# SPDX-License-Identifier: Apache-2.0
"""Time of a training step against the number of threads: a model, and what was measured.

    python benchmarks/scaling.py --plot scaling.svg

The model takes from this machine: the time of a step on one thread; the rates at which one thread
and all of them multiply and copy; and what a step of a small network takes on two threads beyond
half of its time on one, which is the price of the barriers. From there on it assumes that

- a stage is done when the thread with the most rows or panels is: its time on one thread, shared
  out by operations among the stages, falls with the largest slice and not with the mean one;
- every thread adds the same to the barriers, since all of them write to one cache line: their
  price grows as threads - 1;
- a step is never quicker than its bytes at the rate of copies, which grows with the threads up to
  that measured with as many as the machine has, and no further;
- cores are alike, as fast together as alone, and of one node;
- a panel has 16 columns of float32, as without AVX-512.

Only thread counts that the machine has cores for are measured; all others have the model alone.
One thread is where the model starts, and shows nothing about it. Where other programs use the
machine, the price of the barriers is theirs: then the table is of no use.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import Adam, Dense, Input, Sequential, _core
from chainrule.network.plan import Plan
from chainrule.plots import new_figure, saved

THREADS = (1, 2, 4, 8, 16, 32, 64)
NETWORKS = (((784, 128, 10), 64), ((784, 512, 512, 10), 128), ((784, 1024, 1024, 1024, 10), 256))
SMALL = ((784, 32, 10), 64)
STEPS = 40
COPIED_BYTES = 64 << 20


@dataclass(frozen=True)
class Machine:
    """What was measured of it."""

    cores: int
    barriers: float  # seconds of a step's barriers for each thread beyond the first
    copy_rates: tuple[float, float]  # bytes a second, of one thread and of all

    def copy_rate(self, threads: int) -> float:
        """Return the bytes a second of some threads."""
        one, together = self.copy_rates
        return min(one * threads, together)


def slice_share(items: int, threads: int) -> float:
    """Return the largest slice of some items as a share of all."""
    return -(-items // threads) / items


def predicted(
    plan: Plan, units: Sequence[int], one: float, machine: Machine, threads: int
) -> float:
    """Return the seconds of a step.

    `plan` is that of the number of threads, `units` the columns of its dense layers in their order,
    and `one` the seconds on one thread.
    """
    columns = iter(units)
    operations = sum(stage.operations for stage in plan.stages)
    busiest = 0.0
    for stage in plan.stages:
        if not stage.operations:
            continue
        # The gradients of all dense layers, a third of the work or half, go by panels.
        panels = -(-next(columns) // 16)
        by_panel = slice_share(panels, threads)
        by_row = slice_share(plan.batch_size, threads)
        forward = by_panel if stage.threads_own == "columns" else by_row
        busiest += stage.operations / operations * (0.5 * forward + 0.5 * by_panel)
    floor = sum(stage.bytes for stage in plan.stages) / machine.copy_rate(threads)
    return max(one * busiest, min(floor, one)) + machine.barriers * (threads - 1)


def network(sizes: Sequence[int]) -> Sequential:
    """Return a network with relu between its dense layers."""
    hidden = [Dense(units, activation="relu") for units in sizes[1:-1]]
    return Sequential([Input(sizes[0]), *hidden, Dense(sizes[-1])], seed=0)


def measured(sizes: Sequence[int], batch_size: int, threads: int) -> float:
    """Return the seconds of a step, the mean of one call."""
    rng = np.random.default_rng(0)
    x = rng.random((STEPS * batch_size, sizes[0]), np.float32)
    y = rng.integers(0, sizes[-1], len(x))
    net = network(sizes)
    options: dict[str, Any] = {"loss": "cross_entropy", "optimizer": Adam(), "metrics": []}
    options |= {"batch_size": batch_size, "verbose": 0, "num_threads": threads}
    net.fit(x, y, **options)
    start = time.perf_counter()
    net.fit(x, y, **options)
    return (time.perf_counter() - start) / STEPS


def medians(
    sizes: Sequence[int], batch_size: int, threads: Sequence[int], rounds: int
) -> dict[int, float]:
    """Return the median seconds of a step by threads, measured alternately."""
    found: dict[int, list[float]] = {count: [] for count in threads}
    for _ in range(rounds):
        for count in threads:
            found[count].append(measured(sizes, batch_size, count))
    return {count: statistics.median(seconds) for count, seconds in found.items()}


def measure_machine(cores: int, rounds: int) -> Machine:
    """Measure what the model needs."""
    barriers = 0.0
    if cores > 1:
        small = medians(*SMALL, (1, 2), rounds)
        barriers = max(0.0, small[2] - small[1] / 2)
    one, together = (1e9 * _core.copy_rate(COPIED_BYTES, 0.05, count) for count in (1, cores))
    return Machine(cores, barriers, (one, together))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plot", type=Path, help="file for the plot")
    options = parser.parse_args(argv)
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    machine = measure_machine(cores, options.rounds)
    one, together = (rate / 1e9 for rate in machine.copy_rates)
    print(
        f"{cores} cores; barriers {1e6 * machine.barriers:.1f} us a thread and step; "
        f"copies {one:.1f} and {together:.1f} GB/s\n"
    )
    print("| network | threads | model, us a step | speed-up | measured | speed-up |")
    print("|---|--:|--:|--:|--:|--:|")
    figure = new_figure(5.0 * len(NETWORKS), 4.0) if options.plot else None
    for number, (sizes, batch_size) in enumerate(NETWORKS):
        there = [threads for threads in THREADS if threads <= cores]
        found = medians(sizes, batch_size, there, options.rounds)
        net = network(sizes)
        model = {
            threads: predicted(
                net.plan(batch_size=batch_size, num_threads=threads),
                sizes[1:],
                found[1],
                machine,
                threads,
            )
            for threads in THREADS
        }
        name = "-".join(map(str, sizes)) + f", batch {batch_size}"
        for threads in THREADS:
            row = f"| {name} | {threads} | {1e6 * model[threads]:,.0f} "
            row += f"| {found[1] / model[threads]:.2f} "
            if threads in found:
                row += f"| {1e6 * found[threads]:,.0f} | {found[1] / found[threads]:.2f} |"
            else:
                row += "| | |"
            print(row, flush=True)
        if figure is not None:
            axes = figure.add_subplot(1, len(NETWORKS), number + 1)
            axes.plot(THREADS, [found[1] / model[t] for t in THREADS], "-", label="model")
            axes.plot(there, [found[1] / found[t] for t in there], "o", label="measured")
            axes.set_xscale("log", base=2)
            axes.set_xlabel("threads")
            axes.set_ylabel("speed-up")
            axes.set_title(name, fontsize=9)
            axes.legend()
    if figure is not None:
        saved(figure, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
