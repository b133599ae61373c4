# SPDX-License-Identifier: Apache-2.0
"""Compare training from C++ with Python's ``fit`` on the same work, in turns.

Usage: python benchmarks/embedding/training.py build/embedding/training_benchmark [--rounds 5]

Both train the same network on the same data, and must end with the same loss to the last bit. One
epoch before the clock starts does not count.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

import chainrule as cr


class Work(NamedTuple):
    """A network, and how it is trained."""

    inputs: int
    units: tuple[int, ...]
    optimizer: str
    learning_rate: float
    batch_size: int
    rows: int
    epochs: int

    @property
    def name(self) -> str:
        """What the table calls it."""
        sizes = "-".join(str(size) for size in (self.inputs, *self.units))
        return f"{sizes}, batches of {self.batch_size}, {self.optimizer}"


WORKS = [
    Work(784, (128, 10), "sgd", 0.1, 64, 60_000, 3),
    Work(784, (512, 512, 10), "adam", 1e-3, 128, 20_000, 2),
    Work(32, (64, 64, 10), "adam", 1e-3, 32, 60_000, 3),
]


class Run(NamedTuple):
    """What a training took, and the loss of its last epoch."""

    seconds: float
    cpu_seconds: float
    loss: float


def in_python(work: Work, x: np.ndarray, y: np.ndarray, threads: int) -> Run:
    """Train by ``Sequential.fit``."""
    hidden = [cr.Dense(units, activation="relu") for units in work.units[:-1]]
    net = cr.Sequential([cr.Rescaling(1 / 255), *hidden, cr.Dense(work.units[-1])], seed=0)
    rule = {"sgd": cr.SGD, "adam": cr.Adam}[work.optimizer](work.learning_rate)
    options = {"batch_size": work.batch_size, "num_threads": threads, "verbose": 0, "metrics": []}
    net.fit(x, y, loss="cross_entropy", optimizer=rule, **options)
    start, cpu_start = time.perf_counter(), time.process_time()
    history = net.fit(x, y, epochs=work.epochs, **options)
    cpu = time.process_time() - cpu_start
    return Run(time.perf_counter() - start, cpu, history["loss"][-1])


def in_cpp(work: Work, program: str, x: Path, y: Path, threads: int) -> Run:
    """Train by ``chainrule::Trainer``."""
    layers = ",".join(str(units) for units in work.units)
    numbers = (work.learning_rate, work.batch_size, work.epochs, threads)
    arguments = [x, y, work.inputs, layers, work.optimizer, *numbers]
    command = [program, *map(str, arguments)]
    seconds, cpu, loss = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    return Run(float(seconds), float(cpu), float.fromhex(loss))


def compare(work: Work, program: str, rounds: int, threads: int) -> None:
    """Print the table's row of one work."""
    rng = np.random.default_rng(0)
    x = rng.integers(1, 256, (work.rows, work.inputs), dtype=np.uint8)
    x[rng.random(x.shape) < 0.81] = 0  # as in MNIST
    y = rng.integers(0, work.units[-1], work.rows, dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        x_file, y_file = Path(folder, "x"), Path(folder, "y")
        x.tofile(x_file)
        y.tofile(y_file)
        python, cpp = [], []
        for _ in range(rounds):
            python.append(in_python(work, x, y, threads))
            cpp.append(in_cpp(work, program, x_file, y_file, threads))
    losses = {run.loss for run in python + cpp}
    if len(losses) != 1:
        raise SystemExit(f"{work.name}: the losses differ: {sorted(losses)}")
    cells = [work.name]
    for runs in (python, cpp):
        rate = work.rows * work.epochs / statistics.median(run.seconds for run in runs)
        cells.append(f"{rate / 1000:.1f}")
    for clock in ("seconds", "cpu_seconds"):
        ratios = [getattr(p, clock) / getattr(c, clock) for p, c in zip(python, cpp, strict=True)]
        cells.append(f"{statistics.median(ratios):.3f}")
    print(f"| {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print a table of thousand samples a second, and how many times as fast C++ is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the compiled training_benchmark")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    print("| work | Python, 1000/s | C++, 1000/s | C++ / Python | by CPU time |")
    print("|---|---:|---:|---:|---:|")
    for work in WORKS:
        compare(work, options.program, options.rounds, options.threads)


if __name__ == "__main__":
    main()
