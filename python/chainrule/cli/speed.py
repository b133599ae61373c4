# SPDX-License-Identifier: Apache-2.0
"""How fast this machine trains and runs a network, beside the most that it can do."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from chainrule import _core
from chainrule.layers import CategoryEncoding, Dense, Embedding
from chainrule.network.network import Network

_MOST_ROWS = 1024
# Of one measurement of the peak, and least time between two works, in seconds.
_PEAK_SECONDS = 0.05
_PAUSE = 0.02


@dataclass(frozen=True)
class Work:
    """Something to time."""

    name: str  # what it is
    rows: int  # rows of one call
    # Floating-point operations of its matrix products per row, two a multiply-add
    operations: float
    dtype: str  # what they are done in
    call: Callable[[int], object]  # does it, on a number of threads


@dataclass
class Speed:
    """What was measured of a work on a number of threads, a value a round."""

    work: Work
    threads: int
    # Rows, and the Gflop/s that the threads can do at most
    rows_per_second: list[float] = field(default_factory=list)
    # Rows, and the Gflop/s that the threads can do at most
    peak: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median rows per second."""
        return median(self.rows_per_second)

    @property
    def gflops(self) -> float:
        """Median Gflop/s of the matrix products."""
        return 1e-9 * self.work.operations * self.rate

    @property
    def share_of_peak(self) -> float:
        """The same as a share of the multiply-adds that the threads can do at most."""
        return self.gflops / median(self.peak)

    @property
    def spread(self) -> float:
        """(best - worst) / median of the rounds."""
        return (max(self.rows_per_second) - min(self.rows_per_second)) / self.rate


def training(name: str, net: Network, x: Any, y: Any, batch_size: int) -> Work:
    """Return the work of an epoch of a compiled network; zeros are multiplied as other numbers."""
    plan = net.plan(batch_size, num_threads=1)

    def call(threads: int) -> None:
        net.fit(x, y, batch_size=batch_size, verbose=0, num_threads=threads, input_sparsity="dense")

    title = f"{name}, training, batch {batch_size}"
    return Work(title, len(x), plan.operations / batch_size, net.dtype, call)


def inference(name: str, net: Network, x: Any) -> Work:
    """Return the work of predicting some rows at a time; zeros are multiplied where they can be."""
    out = np.empty((len(x), net.outputs), net.dtype)
    dense = {str(i) for i, layer in enumerate(net.layers) if isinstance(layer, Dense)}
    names = net.parameters
    weights = sum(a.size for n, a in names.items() if n.partition(".")[0] in dense and a.ndim == 2)

    sparsity = "auto" if isinstance(net.layers[0], CategoryEncoding | Embedding) else "dense"

    def call(threads: int) -> None:
        net.predict(x, num_threads=threads, out=out, input_sparsity=sparsity)

    rows = "1 row" if len(x) == 1 else f"{len(x)} rows"
    return Work(f"{name}, prediction, {rows}", len(x), 2.0 * weights, net.dtype, call)


def made_up_rows(net: Network, rows: int = _MOST_ROWS) -> Any:
    """Return rows that a network takes: normal numbers, or categories that are even."""
    rng = np.random.default_rng(0)
    inputs = net.inputs
    assert inputs is not None
    x = rng.standard_normal((rows, inputs)).astype(net.dtype)
    first = net.layers[0]
    if isinstance(first, CategoryEncoding):
        return rng.integers(0, first.num_tokens, (rows, inputs))
    if isinstance(first, Embedding):
        columns = range(inputs) if first.columns is None else first.columns
        x[:, list(columns)] = rng.integers(0, first.num_embeddings, (rows, len(list(columns))))
    return x


def measure(
    works: Sequence[Work], threads: Sequence[int], *, rounds: int, seconds: float
) -> list[Speed]:
    """Time works in turns, so that a machine whose clock changes treats them alike."""
    speeds = [Speed(work, count) for work in works for count in threads]
    calls = []
    for speed in speeds:
        _seconds(speed, 1)
        calls.append(max(1, math.ceil(seconds / max(_seconds(speed, 1), 1e-9))))
    for _ in range(rounds):
        for speed, count in zip(speeds, calls, strict=True):
            time.sleep(_PAUSE)
            speed.peak.append(_core.fma_peak(speed.work.dtype, _PEAK_SECONDS, speed.threads))
            speed.rows_per_second.append(count * speed.work.rows / _seconds(speed, count))
    return speeds


def machine() -> dict[str, str]:
    """Return what is measured on: processor, cores, system, Python, chainrule and its kernels."""
    processor = platform.processor() or "unknown processor"
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
    return {
        "processor": processor,
        "cores": str(_core.default_num_threads()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "chainrule": _core.__version__,
        "kernels": _core.instruction_set(),
    }


def _seconds(speed: Speed, calls: int) -> float:
    call, threads = speed.work.call, speed.threads
    start = time.perf_counter()
    for _ in range(calls):
        call(threads)
    return time.perf_counter() - start
