# SPDX-License-Identifier: Apache-2.0
"""Time of `cross_validate` beside one fit after another, for a small network on a large table.

    python benchmarks/tables/cross_validation.py

The network has 20-64-64-1 units, the table 10,000 rows of made-up numbers. Fits are those of each
fold's rows with the default number of threads, which is that of processors, and again with one
thread; each is scored on the rows of its fold as `cross_validate` does. All give the same bits,
which is checked. They are timed alternately; printed are medians of the times, and of the ratios of
neighbours with their spread, (most - least) / median.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

import chainrule as cr

_ROWS = 10_000
_FOLDS = 5


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--batch-size", type=int, default=32)
    arguments = parser.parse_args()
    random = np.random.default_rng(0)
    x = random.normal(size=(_ROWS, 20)).astype(np.float32)
    y = np.sin(x[:, :2].sum(axis=1)) + 0.1 * random.normal(size=_ROWS).astype(np.float32)
    options = {
        "loss": "mse", "optimizer": cr.Adam(), "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
    }  # fmt: skip
    print("| fits with | one after another | cross_validate | ratio | spread |")
    print("|---|--:|--:|--:|--:|")
    for threads in dict.fromkeys((cr.default_num_threads(), 1)):
        slow, fast = [], []
        for _ in range(arguments.rounds):
            slow.append(_timed(_one_after_another, x, y, options, threads))
            fast.append(_timed(_at_once, x, y, options, threads))
            for (_, left), (_, right) in zip(slow[-1][1], fast[-1][1], strict=True):
                for a, b in zip(left, right, strict=True):
                    np.testing.assert_array_equal(a, b)
            assert [loss for loss, _ in slow[-1][1]] == [loss for loss, _ in fast[-1][1]]
        ratios = [b / a for (a, _), (b, _) in zip(slow, fast, strict=True)]
        middle = statistics.median(ratios)
        seconds = [statistics.median(t for t, _ in each) for each in (slow, fast)]
        print(
            f"| {threads} thread{'s' if threads > 1 else ''} | {seconds[0]:.3f} s "
            f"| {seconds[1]:.3f} s | {middle:.3f} | {(max(ratios) - min(ratios)) / middle:.0%} |"
        )


def _network() -> Any:
    hidden = [cr.Dense(64, activation="relu"), cr.Dense(64, activation="relu")]
    return cr.Sequential([cr.Input(20), *hidden, cr.Dense(1)], seed=0)


def _timed(function: Any, *args: Any) -> tuple[float, list[tuple[float, Any]]]:
    start = time.perf_counter()
    found = function(*args)
    return time.perf_counter() - start, found


def _at_once(x: Any, y: Any, options: dict[str, Any], threads: int) -> list[tuple[float, Any]]:
    """Return the loss and the weights of each fold."""
    found = cr.cross_validate(_network(), x, y, folds=_FOLDS, return_networks=True, **options)
    assert found.networks is not None
    return [
        (float(loss), net.get_weights())
        for loss, net in zip(found["loss"], found.networks, strict=True)
    ]


def _one_after_another(
    x: Any, y: Any, options: dict[str, Any], threads: int
) -> list[tuple[float, Any]]:
    order = np.random.default_rng(0).permutation(len(x))
    found = []
    for fold in range(_FOLDS):
        test = np.sort(order[fold::_FOLDS])
        rows = np.ones(len(x), dtype=bool)
        rows[test] = False
        net = _network()
        net.fit(x[rows], y[rows], **options, num_threads=threads, verbose=0)
        loss = net.evaluate(x[test], y[test], num_threads=threads)["loss"]
        found.append((loss, net.get_weights()))
    return found


if __name__ == "__main__":
    main()
