# SPDX-License-Identifier: Apache-2.0
"""Test accuracy on MNIST, beside PyTorch's, as a Markdown table.

    CHAINRULE_DATA=folder python benchmarks/accuracy.py

Pixels are standardised by the mean and standard deviation of all training pixels, 0.1307 and
0.3081 of full scale, as PyTorch's MNIST example does. The script needs MNIST in that folder (or
leave to download it) and, for its rows of the table, PyTorch, which trains twice: from its own
initial weights, and from those that chainrule starts with. The second tells whether the two
libraries train alike; the first differs by the initialiser too. The exit status is 1 if a median
lies below its bar or the means of the second differ by over 0.2 points.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr

_SAME_START = "PyTorch, same first weights"
_LARGEST_DIFFERENCE = 0.2
_MEAN = 0.1307
_DEVIATION = 0.3081

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


@dataclass(frozen=True)
class Protocol:
    """A network, how it is trained, and the accuracy that is expected of it."""

    hidden: tuple[int, ...]
    optimizer: cr.optimizers.Optimizer
    batch_size: int
    epochs: int
    seeds: int
    bar: float
    with_torch: bool

    def __str__(self) -> str:
        """Return the first column of the table."""
        sizes = "-".join(map(str, (784, *self.hidden, 10)))
        rule = f"{type(self.optimizer).__name__} {self.optimizer.learning_rate:g}"
        if self.optimizer.schedule is not None:
            rule += f" falling by {self.optimizer.schedule.kind}"
        return f"{sizes} relu, {rule}, batch {self.batch_size}, {self.epochs} epochs"


_COSINE = cr.schedules.Cosine(1e-3, epochs=10)

PROTOCOLS = [
    Protocol((512, 256), cr.Adam(_COSINE), 128, epochs=10, seeds=3, bar=98.0, with_torch=False),
    # At a constant rate the last epochs still swing by a few tenths, in PyTorch as here: no bar.
    Protocol((512, 256), cr.Adam(1e-3), 128, epochs=10, seeds=3, bar=0.0, with_torch=True),
    Protocol((128,), cr.SGD(0.1), 64, epochs=5, seeds=5, bar=97.0, with_torch=True),
]


def network(protocol: Protocol, seed: int) -> cr.Sequential:
    """Return the untrained network."""
    dense = [cr.Dense(units, activation="relu") for units in protocol.hidden]
    standardize = cr.Rescaling(1 / (255 * _DEVIATION), -_MEAN / _DEVIATION)
    return cr.Sequential([cr.Input(784), standardize, *dense, cr.Dense(10)], seed=seed)


def with_chainrule(protocol: Protocol, seed: int, train: Part, test: Part) -> float:
    """Return the percentage of the test images that are recognised after training."""
    net = network(protocol, seed)
    net.fit(
        *train,
        loss="cross_entropy",
        optimizer=protocol.optimizer,
        epochs=protocol.epochs,
        batch_size=protocol.batch_size,
        verbose=0,
    )
    return 100 * float(net.evaluate(*test)["accuracy"])


def with_torch(
    protocol: Protocol, seed: int, train: Part, test: Part, *, same_start: bool
) -> float:
    """Do the same with PyTorch, on one thread."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    modules: list[Any] = []
    columns = 784
    for units in (*protocol.hidden, 10):
        modules += [torch.nn.Linear(columns, units), torch.nn.ReLU()]
        columns = units
    model = torch.nn.Sequential(*modules[:-1])
    if same_start:
        weights = network(protocol, seed).get_weights()
        with torch.no_grad():
            for parameter, values in zip(model.parameters(), weights, strict=True):
                parameter.copy_(torch.from_numpy(values.T.copy()))
    rules = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    optimizer = rules[protocol.optimizer.kind](
        model.parameters(), lr=protocol.optimizer.learning_rate
    )
    x, x_test = (
        (torch.from_numpy(part[0]).float() / 255 - _MEAN) / _DEVIATION for part in (train, test)
    )
    y = torch.from_numpy(train[1])
    for _ in range(protocol.epochs):
        for rows in torch.randperm(len(x)).split(protocol.batch_size):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
    with torch.no_grad():
        return 100 * float((model(x_test).argmax(dim=1).numpy() == test[1]).mean())


def main() -> int:
    """Print the table and what is missed; return 1 if anything is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, help="instead of each protocol's own number")
    parser.add_argument("--epochs", type=int, help="instead of each protocol's own number")
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out")
    arguments = parser.parse_args()
    train, test = cr.data.load_mnist()
    missed: list[str] = []
    print("| training | library | seeds | test accuracy | median | mean | seconds a run |")
    print("|---|---|---|---|---|---|---|")
    for given in PROTOCOLS:
        protocol = replace(
            given, seeds=arguments.seeds or given.seeds, epochs=arguments.epochs or given.epochs
        )
        runs: dict[str, Callable[[int, Part, Part], float]] = {
            "chainrule": partial(with_chainrule, protocol)
        }
        if protocol.with_torch and not arguments.no_torch:
            runs["PyTorch"] = partial(with_torch, protocol, same_start=False)
            runs[_SAME_START] = partial(with_torch, protocol, same_start=True)
        means: dict[str, float] = {}
        for name, run in runs.items():
            started = time.perf_counter()
            found = [run(seed, train, test) for seed in range(protocol.seeds)]
            seconds = (time.perf_counter() - started) / protocol.seeds
            median, means[name] = statistics.median(found), statistics.mean(found)
            listed = " ".join(f"{accuracy:.2f}" for accuracy in found)
            print(
                f"| {protocol} | {name} | {protocol.seeds} | {listed} | {median:.2f} "
                f"| {means[name]:.2f} | {seconds:.1f} |",
                flush=True,
            )
            if name == "chainrule" and median < protocol.bar:
                missed.append(f"{protocol}: the median {median:.2f} is below {protocol.bar:.2f}")
        difference = means["chainrule"] - means.get(_SAME_START, means["chainrule"])
        if abs(difference) > _LARGEST_DIFFERENCE:
            missed.append(f"{protocol}: the means differ by {difference:+.2f} points")
    for line in missed:
        print(f"missed: {line}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
