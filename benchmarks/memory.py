# SPDX-License-Identifier: Apache-2.0
"""Peak memory of a process that trains 784-1024-1024-1024-10 on data of MNIST's size.

    python benchmarks/memory.py

Each library trains in a fresh process, once on the pixels as bytes and once on float32, and the
peak includes the interpreter, the library and the data. The data are made up.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = (784, 1024, 1024, 1024, 10)
BATCH_SIZE = 256
LEARNING_RATE = 1e-3
BLOCK = 1000


def images(rows: int, dtype: str) -> NDArray[Any]:
    """Return pixels, in 0..255 for uint8 and scaled for float32, made without a large temporary."""
    rng = np.random.default_rng(0)
    x = np.empty((rows, SIZES[0]), dtype)
    for start in range(0, rows, BLOCK):
        block = x[start : start + BLOCK]
        pixels = rng.integers(0, 256, block.shape, np.uint8)
        pixels[rng.random(block.shape, np.float32) >= 0.19] = 0
        block[...] = pixels if dtype == "uint8" else pixels / np.float32(255)
    return x


def with_chainrule(x: NDArray[Any], y: NDArray[np.int64], threads: int) -> float:
    """Train for an epoch; return the loss."""
    import chainrule as cr

    layers: list[Any] = [cr.Input(SIZES[0])]
    if x.dtype == np.uint8:
        layers.append(cr.Rescaling(1 / 255))
    layers += [cr.Dense(units, activation="relu") for units in SIZES[1:-1]]
    net = cr.Sequential([*layers, cr.Dense(SIZES[-1])], seed=0)
    history = net.fit(
        x,
        y,
        loss="cross_entropy",
        optimizer=cr.Adam(LEARNING_RATE),
        batch_size=BATCH_SIZE,
        metrics=[],
        verbose=0,
        num_threads=threads,
    )
    return float(history["loss"][-1])


def with_torch(x: NDArray[Any], y: NDArray[np.int64], threads: int) -> float:
    """Do the same with PyTorch, which turns bytes to float32 batch by batch."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    modules: list[Any] = []
    for inputs, units in pairwise(SIZES):
        modules += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
    net = torch.nn.Sequential(*modules[:-1])
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    inputs_, labels = torch.from_numpy(x), torch.from_numpy(y)
    total = 0.0
    for rows in torch.randperm(len(x)).split(BATCH_SIZE):
        batch = inputs_[rows]
        if batch.dtype == torch.uint8:
            batch = batch.float() / 255
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(batch), labels[rows])
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * len(rows)
    return total / len(x)


TRAINERS: dict[str, Callable[[NDArray[Any], NDArray[np.int64], int], float]] = {
    "chainrule": with_chainrule,
    "torch": with_torch,
}


def peak_bytes() -> int:
    """Return the largest resident size that this process has had."""
    status = Path("/proc/self/status")
    peak = re.search(r"VmHWM:\s+(\d+)", status.read_text()) if status.exists() else None
    if peak is not None:
        # ru_maxrss would begin at the size of the process which started this one.
        return 1024 * int(peak[1])
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else 1024 * size


def measure_here(library: str, dtype: str, rows: int, threads: int) -> dict[str, float]:
    """Train in this process; return its peak and the loss."""
    y = np.random.default_rng(1).integers(0, SIZES[-1], rows)
    loss = TRAINERS[library](images(rows, dtype), y, threads)
    return {"bytes": peak_bytes(), "loss": loss}


def measure_apart(library: str, dtype: str, rows: int, threads: int) -> dict[str, float]:
    """Do that in a process of its own."""
    command = [sys.executable, __file__, "--only", library, dtype]
    command += ["--rows", str(rows), "--threads", str(threads)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, float] = json.loads(output)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or with --only one measurement as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--only", nargs=2, metavar=("LIBRARY", "DTYPE"), help="Measure one, in this process."
    )
    options = parser.parse_args(argv)
    if options.only is not None:
        library, dtype = options.only
        print(json.dumps(measure_here(library, dtype, options.rows, options.threads)))
        return 0
    print("| data | library | peak | chainrule's share | loss of the epoch |")
    print("|---|---|--:|--:|--:|")
    for dtype in ("uint8", "float32"):
        own = 0.0
        for library in filter(find_spec, TRAINERS):
            found = measure_apart(library, dtype, options.rows, options.threads)
            own = own or found["bytes"]
            print(
                f"| {options.rows:,} x {SIZES[0]} {dtype} | {library} "
                f"| {found['bytes'] / 2**20:,.0f} MiB | {own / found['bytes']:.2f} "
                f"| {found['loss']:.3f} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
