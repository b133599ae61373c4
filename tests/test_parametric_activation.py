# SPDX-License-Identifier: Apache-2.0
"""Activations of which each unit learns its share: in training, in files, in other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compiled_c import difference, each_compiler, load, needs_compiler, outputs, self_test
from reference import Network, relative_error
from subprocesses import outputs_of_instruction_sets

import chainrule as cr

RNG = np.random.default_rng(11)
X = RNG.normal(size=(60, 7)).astype(np.float32)
Y = RNG.integers(3, size=60)
SMOOTH = ["selu", "mish", "gelu", "tanh", "sigmoid", "linear", "softplus"]


def network(activation: Any = "mish", **options: Any) -> cr.Sequential:
    layers = [
        cr.Input(7),
        cr.ParametricActivation(activation, initial_alpha=0.5),
        cr.Dense(21),
        cr.ParametricActivation(activation),
        cr.Dense(3),
    ]
    return cr.Sequential(layers, seed=2, **options)


def shaken(net: cr.Sequential) -> cr.Sequential:
    rng = np.random.default_rng(5)
    net.set_weights({"0.alpha": rng.normal(size=7), "2.alpha": rng.normal(size=21)})
    return net


def test_the_first_alphas() -> None:
    values = network().parameters
    np.testing.assert_array_equal(values["0.alpha"], np.full(7, 0.5, np.float32))
    np.testing.assert_array_equal(values["2.alpha"], np.ones(21, np.float32))
    text = "parametric_activation: activation must be one of each value by itself, got softmax"
    with pytest.raises(ValueError, match=text):
        cr.ParametricActivation("softmax")
    with pytest.raises(ValueError, match="initial_alpha must be finite, got nan"):
        cr.ParametricActivation("relu", initial_alpha=float("nan"))


@pytest.mark.parametrize("activation", [*SMOOTH, "relu", "hard_swish", "softsign"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_begins_as_the_activation_to_the_bit(activation: str, dtype: str) -> None:
    x = np.linspace(-5, 5, 33 * 7).reshape(33, 7)
    mixed = cr.Sequential([cr.Input(7), cr.ParametricActivation(activation)], dtype=dtype)
    plain = cr.Sequential([cr.Input(7), cr.Activation(activation)], dtype=dtype)
    np.testing.assert_array_equal(mixed.predict(x), plain.predict(x))
    np.testing.assert_array_equal(mixed.forward(x, training=True), plain.predict(x))
    mixed.set_weights({"0.alpha": np.zeros(7)})
    np.testing.assert_array_equal(mixed.predict(x), x.astype(dtype))


@pytest.mark.parametrize("activation", SMOOTH)
def test_gradients_are_those_of_the_formula(activation: str) -> None:
    net = shaken(network(activation, dtype="float64"))
    rng = np.random.default_rng(6)
    x, dy = rng.normal(size=(50, 7)), rng.normal(size=(50, 3))
    other = Network(net)
    assert relative_error(net.forward(x), other.forward(x, training=True)) <= 1e-13
    assert relative_error(net.backward(dy), other.backward(dy)) <= 1e-13
    for name, expected in other.gradients.items():
        assert relative_error(net.gradients[name], expected) <= 1e-12, name
    report = cr.gradient_check(net, x, rng.normal(size=(50, 3)), loss="mse")
    assert report.max_relative_error < 1e-6, report


def test_second_derivatives_are_differences_of_gradients() -> None:
    net = shaken(network("selu", dtype="float64"))
    rng = np.random.default_rng(8)
    x, y = rng.normal(size=(20, 7)), rng.normal(size=(20, 3))
    direction = {name: rng.normal(size=p.shape) for name, p in net.parameters.items()}
    found = net.hessian_vector(x, y, direction, loss="mse")
    start, h, sides = net.parameters, 1e-5, []
    for sign in (1, -1):
        net.set_weights({n: p + sign * h * direction[n] for n, p in start.items()})
        outputs = net.forward(x)
        net.backward(2 * (outputs - y) / y.size)
        sides.append(net.gradients)
    for name in start:
        expected = (sides[0][name] - sides[1][name]) / (2 * h)
        assert relative_error(found[name], expected) <= 1e-6, name


def trained(dtype: str = "float32", threads: int = 1) -> cr.Sequential:
    net = network(dtype=dtype)
    fit = {"epochs": 4, "batch_size": 16, "verbose": 0, "num_threads": threads}
    net.fit(X, Y, loss="cross_entropy", **fit)
    return net


def test_the_same_bits_everywhere() -> None:
    assert np.abs(trained().parameters["2.alpha"] - 1).min() > 0
    program = (
        "import hashlib\n"
        "import test_parametric_activation as t\n"
        "for dtype in ('float32', 'float64'):\n"
        "    each = [t.trained(dtype, threads) for threads in (1, 2, 3)]\n"
        "    made = [[*n.get_weights(), n.predict(t.X)] for n in each]\n"
        "    texts = {hashlib.sha256(b''.join(v.tobytes() for v in m)).hexdigest() for m in made}\n"
        "    print(dtype, *texts)"
    )
    found = set(outputs_of_instruction_sets(program).values())
    assert len(found) == 1
    assert len(found.pop().split()) == 4


def test_files_and_single_rows(tmp_path: Path) -> None:
    net = trained()
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    one_by_one = np.concatenate([net.predict(row[None]) for row in X])
    np.testing.assert_array_equal(one_by_one, net.predict(X))


def test_positions_share_the_alphas_of_columns() -> None:
    x = np.random.default_rng(9).normal(size=(5, 12))
    layers = [cr.Input(12), cr.Reshape((4, 3)), cr.ParametricActivation("tanh"), cr.Flatten()]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    alpha = np.array([0.0, 0.5, 2.0])
    net.set_weights({"1.alpha": alpha})
    rows = x.reshape(5, 4, 3)
    expected = (rows + alpha * (np.tanh(rows) - rows)).reshape(5, 12)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-13, atol=1e-14)


def test_unrolled_into_single_numbers() -> None:
    net = shaken(network("selu", dtype="float64"))
    row = X[0].astype(np.float64)
    unrolled = cr.graph.from_network(net, row, [1.0, 2.0, 3.0], "mse")
    unrolled.loss.backward()
    outputs = net.forward(row[None])
    dx = net.backward(2 * (outputs - [1.0, 2.0, 3.0]) / 3)
    assert unrolled.loss.value == pytest.approx(((outputs - [1, 2, 3]) ** 2).mean(), rel=1e-14)
    assert relative_error(unrolled.input_gradient, dx[0]) <= 1e-13
    for name, gradient in net.gradients.items():
        assert relative_error(unrolled.gradients[name], gradient) <= 1e-13, name


def test_a_row_is_explained() -> None:
    page = shaken(network()).explain(X[0], int(Y[0]), loss="cross_entropy")
    assert "parametric_activation" in page.to_html()


@needs_compiler
@each_compiler
@pytest.mark.parametrize("activation", ["mish", "selu", "relu", "linear"])
def test_as_c(activation: str, compiler: str, tmp_path: Path) -> None:
    net = shaken(network(activation))
    cr.export_c(net, tmp_path, name="model", test_rows=X)
    done = self_test(compiler, tmp_path, "model")
    assert done.returncode == 0, done.stdout + done.stderr
    y = outputs(load(compiler, tmp_path, "model"), "model", net, X)
    assert difference(y, net.predict(X)) <= 1e-5


@pytest.mark.parametrize("activation", ["mish", "selu", cr.activations.LeakyRelu(0.2), "linear"])
def test_to_and_from_pytorch(activation: Any) -> None:
    torch = pytest.importorskip("torch")
    net = shaken(network(activation))
    module = cr.to_torch(net)
    with torch.no_grad():
        outputs = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(outputs, net.predict(X), rtol=1e-5, atol=1e-6)
    again = cr.from_torch(module)
    assert [layer.kind for layer in again.layers] == [layer.kind for layer in net.layers]
    for name, values in again.parameters.items():
        np.testing.assert_array_equal(values, net.parameters[name])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_to_and_from_onnx(dtype: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    net = shaken(network(dtype=dtype))
    cr.to_onnx(net, tmp_path / "net.onnx")
    again = cr.from_onnx(tmp_path / "net.onnx")
    x = X.astype(dtype)
    np.testing.assert_allclose(again.predict(x), net.predict(x), rtol=1e-5, atol=1e-6)
