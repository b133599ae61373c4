# SPDX-License-Identifier: Apache-2.0
"""Time of training against the share of the inputs that is not zero, by either path.

    python benchmarks/density.py --write

Each network trains on made-up tables whose zeros lie anywhere, and on MNIST's bytes, with zeros
multiplied (`input_sparsity="dense"`), left out ("sparse") and as the library chooses ("auto"), in
turns. The table tells microseconds per sample, medians of the rounds, and how many times as fast
"auto" is as the others, the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness
from chainrule.data.mnist import load_mnist
from chainrule.layers import Input, Rescaling
from chainrule.optimizers import Optimizer
from chainrule.plots import new_figure, saved
from harness.peers.chainrule import network
from harness.workloads import Network, Training

FOLDER = Path(__file__).parent
DENSITIES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
PATHS = ("dense", "sparse", "auto")
MNIST_PIXELS = 784
DEEP = Network((784, 1024, 1024, 1024, 10))
WORKS = (
    Training(Network((784, 128, 10)), 64, "sgd", 0.1, rows=12_800),
    Training(Network((784, 512, 512, 10)), 128, "adam", 1e-3, rows=5_120),
    Training(DEEP, 256, "adam", 1e-3, rows=5_120),
)


@dataclass
class Point:
    """Microseconds per sample on one table, by path, one for each round."""

    work: Training
    density: float | None  # None: MNIST itself
    times: dict[str, list[float]] = field(default_factory=lambda: {path: [] for path in PATHS})

    @property
    def data_name(self) -> str:
        """What the table holds."""
        return "MNIST" if self.density is None else f"{self.density:.0%}"

    def median(self, path: str) -> float:
        """Return the median of the rounds."""
        return statistics.median(self.times[path])

    def auto_beside(self, path: str) -> float:
        """Return how many times as fast "auto" is."""
        pairs = zip(self.times[path], self.times["auto"], strict=True)
        return statistics.median(other / auto for other, auto in pairs)


def table_of(work: Training, density: float | None) -> tuple[NDArray[Any], NDArray[Any], list[Any]]:
    """Return a table, its labels and the layers that a network has before its own."""
    if density is not None:
        return *replace(work, density=density).data(), [Input(work.network.sizes[0])]
    x, y = load_mnist("train")
    return x[: work.rows], y[: work.rows], [Input(x.shape[1]), Rescaling(1 / 255)]


def measure(work: Training, density: float | None, rounds: int, threads: int | None) -> Point:
    """Train by all paths in turns."""
    x, y, front = table_of(work, density)
    nets = {}
    for path in PATHS:
        net = network(work.network, work.network.weights(), *front)
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
        "| network | not zero | dense | sparse | auto | auto beside dense | beside the quicker |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for point in points:
        dense, sparse, auto = (point.median(path) for path in PATHS)
        quicker = "dense" if dense <= sparse else "sparse"
        lines.append(
            f"| {point.work.name} | {point.data_name} | {dense:.2f} | {sparse:.2f} | {auto:.2f} "
            f"| {point.auto_beside('dense'):.2f} x | {point.auto_beside(quicker):.2f} x |"
        )
    return "\n".join(lines)


def plot(points: Sequence[Point], path: Path) -> None:
    """Draw a panel for each network."""
    points = [point for point in points if point.density is not None]
    works = list(dict.fromkeys(point.work for point in points))
    figure = new_figure(4.5 * len(works), 3.6)
    for number, work in enumerate(works):
        axes = figure.add_subplot(1, len(works), number + 1)
        own = [point for point in points if point.work == work]
        shares = np.array([100 * (point.density or 0) for point in own])
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
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, help="default: all that the process may use")
    parser.add_argument("--densities", type=float, nargs="+", default=DENSITIES)
    parser.add_argument("--rows", type=int, help="fewer or more rows than usual")
    parser.add_argument("--write", action="store_true", help="table and plot into this folder")
    options = parser.parse_args(argv)
    points = []
    for given in WORKS:
        work = given if options.rows is None else replace(given, rows=options.rows)
        densities = [] if work.network == DEEP else options.densities
        mnist = [None] if work.network.sizes[0] == MNIST_PIXELS else []
        for density in (*densities, *mnist):
            try:
                points.append(measure(work, density, options.rounds, options.threads))
            except FileNotFoundError as error:
                print(f"MNIST is left out: {error}", file=sys.stderr)
    table = markdown(points)
    print(table)
    if options.write:
        readme = FOLDER / "README.md"
        readme.write_text(harness.with_table(readme.read_text(), table, section="density"))
        plot(points, FOLDER / "density.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
