# SPDX-License-Identifier: Apache-2.0
"""Where threads come from: every layer gives the same bits, in forked children too."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys

import pytest

import chainrule as cr

_PROGRAM = """
import hashlib, os, sys
import numpy as np
import chainrule as cr

rng = np.random.default_rng(0)
x, y = rng.normal(size=(512, 64)).astype("float32"), rng.integers(0, 4, size=512)


def digest():
    layers = [cr.Input(64), cr.Dense(128, activation="relu"), cr.BatchNormalization(), cr.Dense(4)]
    net = cr.Sequential(layers, seed=0)
    net.fit(x, y, loss="cross_entropy", batch_size=128, epochs=3, verbose=0, num_threads=3)
    out = hashlib.sha256(net.predict(x, num_threads=3).tobytes())
    for value in net.parameters.values():
        out.update(np.ascontiguousarray(value).tobytes())
    return out.hexdigest()


print(cr.threading_layer(), digest(), cr.default_num_threads())
sys.stdout.flush()
if "fork" in sys.argv:
    child = os.fork()
    if child == 0:
        print(cr.threading_layer(), digest())
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    print(digest())
"""


def _run(layer: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CHAINRULE_THREADING_LAYER": layer}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_layer_gives_the_same_bits() -> None:
    found = {}
    for layer in cr.threading_layers():
        result = _run(layer)
        assert result.returncode == 0, result.stderr
        name, digest, threads = result.stdout.split()
        assert name == layer
        if layer == "serial":
            assert threads == "1"
        found[layer] = digest
    assert "serial" in found
    assert len(set(found.values())) == 1, found


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="there is no fork here"
)
@pytest.mark.parametrize("layer", cr.threading_layers())
def test_forked_child_trains_to_the_same_bits(layer: str) -> None:
    result = _run(layer, "fork")
    assert result.returncode == 0, result.stderr
    before, child, after = (line.split() for line in result.stdout.splitlines())
    assert child[0] == ("pool" if layer == "openmp" else layer)
    assert before[1] == child[1] == after[0]


def test_unknown_layer_is_refused() -> None:
    result = _run("tbb")
    assert result.returncode != 0
    assert "ValueError: CHAINRULE_THREADING_LAYER is 'tbb', this build has: " in result.stderr
    assert "Traceback" in result.stderr  # an exception, not an abort


def test_empty_variable_means_the_default() -> None:
    assert _run("").stdout.split()[0] == cr.threading_layers()[0]


def test_layer_is_that_of_the_environment() -> None:
    wanted = os.environ.get("CHAINRULE_THREADING_LAYER") or cr.threading_layers()[0]
    assert cr.threading_layer() == wanted
