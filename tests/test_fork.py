# SPDX-License-Identifier: Apache-2.0
"""Training in a forked child, after the parent has trained with threads of its own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys

import pytest

_PROGRAM = """
import multiprocessing
import numpy as np
import chainrule as cr

rng = np.random.default_rng(0)
x, y = rng.normal(size=(256, 64)), rng.integers(0, 4, size=256)


def train(net):
    net.fit(x, y, loss="cross_entropy", batch_size=128, epochs=3, verbose=0, num_threads=3)
    return net.predict(x, num_threads=3)


def fresh():
    layers = [cr.Input(64), cr.Dense(128, activation="relu"), cr.Dense(4)]
    return cr.Sequential(layers, seed=0)


def child(queue, used):
    queue.put((train(fresh()), train(used)))


if __name__ == "__main__":
    used = fresh()
    expected = train(used)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=child, args=(queue, used)) for _ in range(2)]
    for process in children:
        process.start()
    results = [queue.get(timeout=60) for _ in children]
    for process in children:
        process.join(60)
        assert process.exitcode == 0, process.exitcode
    on = train(used)
    for anew, gone_on in results:
        assert np.array_equal(anew, expected)
        assert np.array_equal(gone_on, on)
    print("the same bits")
"""


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here"
)
def test_children_train_to_the_same_bits(tmp_path):
    # A program of its own: a child that hangs is killed with it, and no test inherits its threads.
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", str(program)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == "the same bits\n"
