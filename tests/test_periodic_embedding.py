# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers with sums of their cosines: in training, in files, in other software."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_c import difference, each_compiler, load, needs_compiler, outputs, self_test
from reference import Network, relative_error

import chainrule as cr

RNG = np.random.default_rng(12)
X = RNG.normal(size=(61, 5)).astype(np.float32)
Y = RNG.normal(size=(61, 2))


def network(units: int = 3, frequencies: int = 16, **options: Any) -> cr.Sequential:
    embedding = cr.PeriodicEmbedding(units=units, frequencies=frequencies, frequency_stddev=0.5)
    layers = [cr.Input(5), cr.PReLU(0.5), embedding, cr.Dense(9, activation="tanh"), cr.Dense(2)]
    return cr.Sequential(layers, seed=2, **options)


SIZES = pytest.mark.parametrize(
    ("units", "frequencies"), [(3, 16), (1, 1), (2, 10), (32, 3), (4, 64), (17, 33)]
)


@SIZES
def test_gradients_are_those_of_the_formula(units: int, frequencies: int) -> None:
    net = network(units, frequencies, dtype="float64")
    x, dy = 3 * X.astype(np.float64), RNG.normal(size=(61, 2))
    other = Network(net)
    assert relative_error(net.forward(x), other.forward(x, training=True)) <= 1e-13
    assert relative_error(net.predict(x), other.forward(x, training=False)) <= 1e-13
    assert relative_error(net.backward(dy), other.backward(dy)) <= 1e-12
    for name, expected in other.gradients.items():
        assert relative_error(net.gradients[name], expected) <= 1e-12, name
    report = cr.gradient_check(net, x, Y, loss="mse")
    assert report.max_relative_error < 1e-6, report


def test_the_first_values() -> None:
    layer = cr.PeriodicEmbedding(frequency_stddev=2.0)
    net = cr.Sequential([cr.Input(400), layer], seed=0)
    found = {name.partition(".")[2]: values for name, values in net.parameters.items()}
    assert found["frequency"].std() == pytest.approx(2.0, rel=0.05)
    assert np.abs(found["phase"]).max() == pytest.approx(np.pi, rel=0.01)
    assert np.abs(found["weight"]).max() == pytest.approx(0.25, rel=0.01)
    assert found["weight"].shape == (400, 3, 16)
    assert net.predict(np.ones((1, 400)))[0, ::4].tolist() == [1.0] * 400


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_numbers_keep_their_place_in_the_period(dtype: str) -> None:
    net = cr.Sequential(
        [cr.Input(1), cr.PeriodicEmbedding(units=1, frequencies=1)], seed=0, dtype=dtype
    )
    ones = {"frequency": [[1.0]], "phase": [[0.0]], "weight": [[[1.0]]], "bias": [[0.0]]}
    net.set_weights({f"0.{name}": np.array(values) for name, values in ones.items()})
    x = np.array([0, 0.25, -0.5, 1000.25, -70000.5, 2.0**22 + 0.5, 1e30])
    expected = [1, 0, -1, 0, -1, -1, 1]
    np.testing.assert_array_equal(net.predict(x[:, None])[:, 1], expected)


def trained(dtype: str = "float32", threads: int = 1) -> cr.Sequential:
    net = network(frequencies=10, dtype=dtype)
    fit = {"epochs": 4, "batch_size": 16, "verbose": 0, "num_threads": threads}
    net.fit(X, Y, loss="mse", optimizer=cr.AdamW(0.01, weight_decay=0.1), **fit)
    return net


def test_the_same_bits_everywhere() -> None:
    program = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "import test_periodic_embedding as t\n"
        "for dtype in ('float32', 'float64'):\n"
        "    each = [t.trained(dtype, threads) for threads in (1, 2, 3)]\n"
        "    made = [[*n.get_weights(), n.predict(t.X)] for n in each]\n"
        "    texts = {hashlib.sha256(b''.join(v.tobytes() for v in m)).hexdigest() for m in made}\n"
        "    print(dtype, *texts)"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program, str(Path(__file__).parent)],
            env=os.environ | {"CHAINRULE_ISA": isa},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for isa in cr.instruction_sets()
    }
    assert len(found) == 1
    assert len(found.pop().split()) == 4


def test_second_derivatives_are_differences_of_gradients() -> None:
    net = network(2, 5, dtype="float64")
    x = X.astype(np.float64)
    direction = {name: RNG.normal(size=p.shape) for name, p in net.parameters.items()}
    found = net.hessian_vector(x, Y, direction, loss="mse")
    start, h, sides = net.parameters, 1e-5, []
    for sign in (1, -1):
        net.set_weights({n: p + sign * h * direction[n] for n, p in start.items()})
        y = net.forward(x)
        net.backward(2 * (y - Y) / Y.size)
        sides.append(net.gradients)
    for name in start:
        expected = (sides[0][name] - sides[1][name]) / (2 * h)
        assert relative_error(found[name], expected) <= 1e-5, name


def test_files_and_single_rows(tmp_path: Path) -> None:
    net = trained()
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    one_by_one = np.concatenate([net.predict(row[None]) for row in X])
    np.testing.assert_array_equal(one_by_one, net.predict(X))


def test_it_learns_what_bends_often() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(512, 1))
    y = np.sin(12 * x)
    losses = []
    for first in ([], [cr.PeriodicEmbedding(frequency_stddev=1.0)]):
        net = cr.Sequential(
            [cr.Input(1), *first, cr.Dense(16, activation="relu"), cr.Dense(1)], seed=0
        )
        history = net.fit(x, y, loss="mse", optimizer=cr.Adam(0.01), epochs=30, verbose=0)
        losses.append(history["loss"][-1])
    assert losses[1] < 0.05 * losses[0]


@needs_compiler
@each_compiler
def test_as_c(compiler: str, tmp_path: Path) -> None:
    net = trained()
    cr.export_c(net, tmp_path, name="model", test_rows=X)
    done = self_test(compiler, tmp_path, "model")
    assert done.returncode == 0, done.stdout + done.stderr
    x = np.concatenate([X, 20 * X])
    y = outputs(load(compiler, tmp_path, "model"), "model", net, x)
    assert difference(y, net.predict(x)) <= 1e-4


def test_to_and_from_pytorch() -> None:
    torch = pytest.importorskip("torch")
    net = trained()
    module = cr.to_torch(net)
    with torch.no_grad():
        found = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, net.predict(X), rtol=1e-4, atol=1e-5)
    again = cr.from_torch(module)
    assert [layer.kind for layer in again.layers][1:] == [layer.kind for layer in net.layers][1:]
    np.testing.assert_array_equal(again.get_weights()[-8], net.get_weights()[-8])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_to_onnx(dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    net = trained(dtype)
    cr.to_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(None, {"x": X.astype(dtype)})
    tolerance = {"float32": 1e-4, "float64": 1e-12}[dtype]
    np.testing.assert_allclose(found, net.predict(X), rtol=tolerance, atol=tolerance)


def test_bad_options() -> None:
    with pytest.raises(ValueError, match=r"units must be in \[1, 32\], got 33"):
        cr.PeriodicEmbedding(units=33)
    with pytest.raises(ValueError, match=r"frequencies must be in \[1, 64\], got 0"):
        cr.PeriodicEmbedding(frequencies=0)
    with pytest.raises(ValueError, match="frequency_stddev must be > 0, got 0"):
        cr.PeriodicEmbedding(frequency_stddev=0)
