# SPDX-License-Identifier: Apache-2.0
"""The same bits whatever the threads, the instruction set, the batch or a pause in training."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import training_hashes
import workload_hashes
from subprocesses import outputs_of_instruction_sets

import chainrule as cr
from harness.workloads import WORKLOADS


def run_with(instruction_set, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "CHAINRULE_ISA": instruction_set},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def hashes_of(program):
    """Return {instruction set: {case: {threads: hash}}}."""
    found = {}
    printed = outputs_of_instruction_sets(f"import {program} as program; program.main()")
    for name, output in printed.items():
        result = json.loads(output)
        assert result["instruction_set"] == name
        found[name] = result["hashes"]
    return found


@pytest.fixture(scope="module")
def hashes():
    return hashes_of("training_hashes")


@pytest.fixture(scope="module")
def hashes_of_works():
    return hashes_of("workload_hashes")


@pytest.mark.parametrize("case", training_hashes.CASES)
def test_threads_and_instruction_sets(case, hashes):
    for fit in training_hashes.FITS:
        seen = {
            (name, threads): digests[fit]
            for name, by_case in hashes.items()
            for threads, digests in by_case[case].items()
            if fit in digests
        }
        sets = [name for name in cr.instruction_sets() if fit in training_hashes.fits(name)]
        assert len(seen) == len(sets) * len(training_hashes.THREADS)
        assert len(set(seen.values())) == 1, (fit, seen)


def test_hashes_tell_networks_apart(hashes):
    (first, *_) = hashes.values()
    digests = {
        digest
        for by_thread in first.values()
        for by_fit in by_thread.values()
        for digest in by_fit.values()
    }
    fits = training_hashes.fits(cr.instruction_sets()[0])
    assert len(digests) == len(training_hashes.CASES) * len(fits)


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_work_of_the_benchmark(work, hashes_of_works):
    seen = {
        (name, threads): digest
        for name, by_work in hashes_of_works.items()
        for threads, digest in by_work.get(work.name, {}).items()
    }
    assert len(seen) >= len(workload_hashes.THREADS)
    if workload_hashes.flops(work) <= 1e9:
        assert len(seen) == len(cr.instruction_sets()) * len(workload_hashes.THREADS)
    assert len(set(seen.values())) == 1, seen


def test_an_unknown_instruction_set_is_refused():
    run = run_with("nonsense", "-c", "import chainrule; print(chainrule.instruction_set())")
    assert run.returncode != 0
    assert run.stdout == ""
    last = run.stderr.strip().splitlines()[-1]
    assert "CHAINRULE_ISA" in last
    assert "nonsense" in last
    for name in cr.instruction_sets():
        assert name in last


def bits(array):
    return array.view(f"u{array.itemsize}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_predict_the_same_alone_and_in_any_batch(dtype, rng):
    layers = [
        cr.Input(13),
        cr.Dense(37, activation="gelu"),
        cr.BatchNormalization(),
        cr.Dense(17, activation="tanh"),
        cr.LayerNormalization(),
        cr.Dense(5, activation="softmax"),
    ]
    net = cr.Sequential(layers, seed=0, dtype=dtype)
    x = rng.normal(size=(10_000, 13))
    net.fit(x[:500], rng.integers(0, 5, 500), loss="cross_entropy", verbose=0)
    expected = bits(net.predict(x))
    assert len(np.unique(expected)) > 40_000
    alone = np.concatenate([net.predict(row) for row in x])
    assert np.array_equal(bits(alone), expected)
    for threads in (1, 2, 3):
        order = rng.permutation(len(x))
        cuts = np.sort(rng.choice(len(x), 40, replace=False))
        parts = [
            net.predict(x[rows], batch_size=int(rng.integers(1, 300)), num_threads=threads)
            for rows in np.split(order, cuts)
            if len(rows)
        ]
        assert np.array_equal(bits(np.concatenate(parts)), expected[order])


def resumable(dtype):
    layers = [
        cr.Input(9),
        cr.Dense(17, activation="relu", l2=1e-3),
        cr.BatchNormalization(),
        cr.Dropout(0.3),
        cr.Dense(11, activation="silu"),
        cr.LayerNormalization(),
        cr.Dense(3),
    ]
    return cr.Sequential(layers, seed=6, dtype=dtype)


def saved_and_loaded(net, folder):
    net.save(folder / "paused.safetensors")
    return cr.load(folder / "paused.safetensors")


PAUSES = {
    "save": saved_and_loaded,
    "deepcopy": lambda net, folder: copy.deepcopy(net),
    "pickle": lambda net, folder: pickle.loads(pickle.dumps(net)),
    "second-fit": lambda net, folder: net,
}
RESUMED = {
    **training_hashes.OPTIMIZERS,
    "sgd-momentum": cr.SGD(0.05, momentum=0.9, dampening=0.2),
    "adagrad-accumulator": cr.AdaGrad(0.05, initial_accumulator=0.3),
    "step": cr.SGD(cr.schedules.Step(0.1, gamma=0.5, period=2)),
    "one_cycle": cr.Adam(cr.schedules.OneCycle(0.01, epochs=5)),
    "restarts": cr.SGD(cr.schedules.Cosine(0.1, epochs=2, restart_factor=1)),
    "plateau": cr.SGD(cr.schedules.ReduceOnPlateau(0.5, monitor="loss", gamma=0.5, patience=0)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("pause", PAUSES.values(), ids=PAUSES)
@pytest.mark.parametrize("optimizer", RESUMED.values(), ids=RESUMED)
def test_resumed_is_unbroken(optimizer, pause, dtype, rng, tmp_path):
    x, y = rng.normal(size=(50, 9)), rng.integers(0, 3, size=50)
    fixed = {"batch_size": 8, "verbose": 0}

    whole = resumable(dtype)
    given = {"loss": "cross_entropy", "optimizer": copy.deepcopy(optimizer)}
    whole.fit(x, y, epochs=5, **given, **fixed)
    whole.save(tmp_path / "whole.safetensors")

    broken = resumable(dtype)
    given = {"loss": "cross_entropy", "optimizer": copy.deepcopy(optimizer)}
    broken.fit(x, y, epochs=2, **given, **fixed)
    for epochs in (1, 2):
        broken = pause(broken, tmp_path)
        broken.fit(x, y, epochs=epochs, **fixed)
    broken.save(tmp_path / "broken.safetensors")

    for name, values in whole.parameters.items():
        assert np.array_equal(bits(values), bits(broken.parameters[name])), name
    # The files hold the optimizer's state, the schedule's and the history too.
    whole_file = (tmp_path / "whole.safetensors").read_bytes()
    assert whole_file == (tmp_path / "broken.safetensors").read_bytes()


@pytest.mark.parametrize("pause", PAUSES.values(), ids=PAUSES)
@pytest.mark.parametrize("optimizer", RESUMED.values(), ids=RESUMED)
def test_resumed_between_batches(optimizer, pause, rng, tmp_path):
    x, y = rng.normal(size=(60, 9)), rng.integers(0, 3, size=60)
    whole, broken = resumable("float32"), resumable("float32")
    given = {"loss": "cross_entropy", "optimizer": copy.deepcopy(optimizer)}
    again = {"loss": "cross_entropy", "optimizer": copy.deepcopy(optimizer)}
    for batch in range(6):
        rows = slice(10 * batch, 10 * batch + 10)
        whole.train_on_batch(x[rows], y[rows], **(given if batch == 0 else {}))
        broken.train_on_batch(x[rows], y[rows], **(again if batch == 0 else {}))
        broken = pause(broken, tmp_path)
    for name, values in whole.parameters.items():
        assert np.array_equal(bits(values), bits(broken.parameters[name])), name


def test_seeds_decide(rng):
    x, y = rng.normal(size=(50, 9)), rng.integers(0, 3, size=50)

    def trained(seed):
        net = cr.Sequential([cr.Dense(8, activation="relu"), cr.Dense(3)], seed=seed)
        net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
        return net.predict(x)

    assert np.array_equal(trained(1), trained(1))
    assert not np.array_equal(trained(1), trained(2))
    assert not np.array_equal(trained(None), trained(None))
