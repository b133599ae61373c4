# SPDX-License-Identifier: Apache-2.0
"""Time of training against the share of the inputs that is not zero, by either path.

    python benchmarks/density.py --write

Each network trains on made-up tables whose zeros lie anywhere, with zeros multiplied
(`input_sparsity="dense"`), left out ("sparse") and as the library chooses ("auto"), in turns. The
table tells microseconds per sample, medians of the rounds, and what "auto" costs beside the quicker
of the two.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from chainrule import bench
from chainrule.bench.peers.chainrule import network
from chainrule.bench.workloads import Network, Training
from chainrule.optimizers import Optimizer
from chainrule.plots import new_figure, saved

FOLDER = Path(__file__).parent
DENSITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
PATHS = ("dense", "sparse", "auto")
WORKS = (
    Training(Network((784, 128, 10)), 64, "sgd", 0.1, rows=12_800),
    Training(Network((784, 512, 512, 10)), 128, "adam", 1e-3, rows=5_120),
)


@dataclass
class Point:
    """Microseconds per sample at one density, by path, one for each round."""

    work: Training
    density: float
    times: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in PATHS})

    def median(self, path: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.times[path])


def measure(work: Training, density: float, rounds: int, threads: int | None) -> Point:
    """Train by all paths in turns."""
    x, y = replace(work, density=density).data()
    nets = {}
    for path in PATHS:
        net = network(work.network, work.network.weights())
        rule = {"kind": work.optimizer, "learning_rate": work.learning_rate}
        net.compile(loss=work.loss, optimizer=Optimizer.from_config(rule), metrics=[])
        nets[path] = net
    point = Point(work, density)
    for number in range(rounds + 1):
        for path, net in nets.items():
            started = time.perf_counter()
            net.fit(
                x,
                y,
                batch_size=work.batch_size,
                verbose=0,
                num_threads=threads,
                input_sparsity=path,
            )
            seconds = time.perf_counter() - started
            if number:  # the first warms up
                point.times[path].append(1e6 * seconds / work.rows)
    return point


def markdown(points: Sequence[Point]) -> str:
    """Return the table."""
    lines = [
        "| network | not zero | dense | sparse | auto | auto beside the quicker |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for point in points:
        dense, sparse, auto = (point.median(path) for path in PATHS)
        lines.append(
            f"| {point.work.name} | {point.density:.0%} | {dense:.2f} | {sparse:.2f} "
            f"| {auto:.2f} | {auto / min(dense, sparse):.2f} x |"
        )
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw a panel for each network."""
    works = list(dict.fromkeys(point.work for point in points))
    figure = new_figure(4.5 * len(works), 3.6)
    for number, work in enumerate(works):
        axes = figure.add_subplot(1, len(works), number + 1)
        own = [point for point in points if point.work == work]
        shares = np.array([100 * point.density for point in own])
        for name, style in zip(PATHS, ("o-", "s-", "x:"), strict=True):
            axes.plot(shares, [point.median(name) for point in own], style, label=name)
        axes.set_title(work.name, fontsize=9)
        axes.set_xlabel("inputs that are not zero, %")
        axes.set_ylabel("µs per sample")
        axes.set_ylim(bottom=0)
        axes.legend()
    saved(figure, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="default: all that the process may use")
    parser.add_argument("--densities", type=float, nargs="+", default=DENSITIES)
    parser.add_argument("--rows", type=int, help="fewer or more rows than usual")
    parser.add_argument("--write", action="store_true", help="table and plot into this folder")
    options = parser.parse_args(argv)
    points = []
    for given in WORKS:
        work = given if options.rows is None else replace(given, rows=options.rows)
        for density in options.densities:
            points.append(measure(work, density, options.rounds, options.threads))
    table = markdown(points)
    print(table)
    if options.write:
        readme = FOLDER / "README.md"
        readme.write_text(bench.with_table(readme.read_text(), table, mark="density"))
        plot(points, FOLDER / "density.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
