# SPDX-License-Identifier: Apache-2.0
"""Hashes of networks of the benchmark for some numbers of threads, as JSON on standard output.

A program of its own, because the instruction set is chosen once per process.
"""

from __future__ import annotations

import copy
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import chainrule as cr

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from harness.workloads import WORKLOADS, Inference, ManyNetworks, Training

THREADS = (1, 3)
# The largest network would train for half a minute on two whole batches.
MOST_FLOPS = 20e9


def training(work):
    """Return the training of a few batches, the last one short, of one network."""
    work = work.training if isinstance(work, ManyNetworks) else work
    wanted = 2 * work.batch_size + 5
    return replace(work, rows=min(wanted, int(MOST_FLOPS / work.flops_per_sample)))


def flops(work):
    """Return the operations that one hash takes."""
    if isinstance(work, Inference):
        return (2 * work.batch_size + 5) * work.flops_per_sample
    work = training(work)
    return work.rows * work.flops_per_sample


def network(sizes, dtype):
    hidden = [cr.Dense(units, activation="relu") for units in sizes[1:-1]]
    return cr.Sequential([cr.Input(sizes[0]), *hidden, cr.Dense(sizes[-1])], seed=5, dtype=dtype)


def trained(work):
    """Return a function that returns the parameters after training with a number of threads."""
    work = training(work)
    # The largest has 50 million parameters: they are drawn once.
    start = network(work.network.sizes, work.network.dtype)
    x, y = work.data()
    rule = cr.SGD if work.optimizer == "sgd" else cr.Adam

    def train(num_threads):
        net = copy.deepcopy(start)
        net.fit(
            x,
            y,
            loss=work.loss,
            optimizer=rule(work.learning_rate),
            batch_size=work.batch_size,
            metrics=[],
            verbose=0,
            num_threads=num_threads,
        )
        return net.parameters.values()

    return train


def predicted(work):
    """Return a function that returns the predictions with a number of threads."""
    net = network(work.network.sizes, work.network.dtype)
    x = work.network.inputs(2 * work.batch_size + 5)
    return lambda num_threads: [net.predict(x, batch_size=work.batch_size, num_threads=num_threads)]


def hashes(work):
    """Return {threads: hash}."""
    run = (trained if isinstance(work, Training | ManyNetworks) else predicted)(work)
    found = {}
    for num_threads in THREADS:
        digest = hashlib.sha256()
        for values in run(num_threads):
            digest.update(values)
        found[num_threads] = digest.hexdigest()
    return found


def main():
    name = cr.instruction_set()
    # Without vectors the larger networks take minutes.
    works = [work for work in WORKLOADS if name != "portable" or flops(work) <= 1e9]
    print(json.dumps({"instruction_set": name, "hashes": {w.name: hashes(w) for w in works}}))


if __name__ == "__main__":
    main()
