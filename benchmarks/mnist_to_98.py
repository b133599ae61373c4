# SPDX-License-Identifier: Apache-2.0
"""Seconds from the start of a process to 98 % test accuracy on MNIST.

    CHAINRULE_DATA=folder python benchmarks/mnist_to_98.py

A fresh process reads the four gzipped files, trains 784-128-10 for 5 epochs under a one-cycle
schedule and prints its test accuracy; the clock runs from the start of the process until that line
has arrived. PyTorch does the same, on the same arrays and by the same protocol, and for scale a
process does nothing but import PyTorch. They take turns, a round for each seed. The exit status is
1 if chainrule's median accuracy is below 98.0 %.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec

BAR = 98.0
UNITS = 128
EPOCHS = 5
BATCH_SIZE = 64
LEARNING_RATE = 1.0
WARMUP = 0.2


def with_chainrule(seed: int) -> float:
    """Return the test accuracy in percent."""
    import chainrule as cr

    train, (x_test, y_test) = cr.data.load_mnist()
    net = cr.Sequential(
        [cr.Rescaling(1 / 255), cr.Dense(UNITS, activation="relu"), cr.Dense(10)], seed=seed
    )
    net.fit(
        *train,
        loss="cross_entropy",
        optimizer=cr.SGD(cr.schedules.OneCycle(LEARNING_RATE, EPOCHS, warmup=WARMUP)),
        epochs=EPOCHS,
        batch_size=BATCH_SIZE,
        metrics=[],
        verbose=0,
    )
    return 100 * float((net.predict(x_test).argmax(axis=1) == y_test).mean())


def with_torch(seed: int) -> float:
    """Do the same with PyTorch."""
    import torch

    import chainrule as cr

    torch.manual_seed(seed)
    (x, y), (x_test, y_test) = (
        (torch.from_numpy(images).float() / 255, torch.from_numpy(labels))
        for images, labels in cr.data.load_mnist()
    )
    net = torch.nn.Sequential(
        torch.nn.Linear(784, UNITS), torch.nn.ReLU(), torch.nn.Linear(UNITS, 10)
    )
    optimizer = torch.optim.SGD(net.parameters(), lr=LEARNING_RATE, fused=True)
    steps = -(-len(x) // BATCH_SIZE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        LEARNING_RATE,
        epochs=EPOCHS,
        steps_per_epoch=steps,
        pct_start=WARMUP,
        cycle_momentum=False,  # there is none
    )
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH_SIZE):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(x[rows]), y[rows]).backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        return 100 * float((net(x_test).argmax(dim=1) == y_test).float().mean())


LIBRARIES: dict[str, Callable[[int], float]] = {"chainrule": with_chainrule, "torch": with_torch}


def timed(*arguments: str) -> tuple[float, str]:
    """Return the seconds until a Python process has printed its line, and the line."""
    started = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        seconds = time.perf_counter() - started
    if process.returncode != 0:
        raise SystemExit(process.returncode)
    return seconds, line


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if the accuracy is not reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("LIBRARY", "SEED"), help="a single process")
    arguments = parser.parse_args(argv)
    if arguments.one is not None:
        library, seed = arguments.one
        print(f"{LIBRARIES[library](int(seed)):.2f}", flush=True)
        return 0
    installed = [name for name in LIBRARIES if find_spec(name) is not None]
    seconds: dict[str, list[float]] = {}
    accuracies: dict[str, list[float]] = {name: [] for name in installed}
    for seed in range(arguments.seeds):
        for name in installed:
            taken, line = timed(__file__, "--one", name, str(seed))
            seconds.setdefault(name, []).append(taken)
            accuracies[name].append(float(line))
        if "torch" in installed:
            taken, _ = timed("-c", "import torch; print()")
            seconds.setdefault("import torch", []).append(taken)
    print("| process | seconds, median | least - most | test accuracy, median | least - most |")
    print("|---|--:|--:|--:|--:|")
    for name, times in seconds.items():
        cells = [name, f"{statistics.median(times):.2f}", f"{min(times):.2f} - {max(times):.2f}"]
        if name in accuracies:
            found = accuracies[name]
            cells += [f"{statistics.median(found):.2f}", f"{min(found):.2f} - {max(found):.2f}"]
        else:
            cells += ["-", "-"]
        print(f"| {' | '.join(cells)} |")
    return int(statistics.median(accuracies["chainrule"]) < BAR)


if __name__ == "__main__":
    sys.exit(main())
