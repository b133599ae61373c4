# SPDX-License-Identifier: Apache-2.0
"""A rectifier with trained slopes: in training, in files, in other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reference import Network, relative_error
from subprocesses import printed_by_each_instruction_set

import chainrule as cr
from chainrule import _core

RNG = np.random.default_rng(11)
X = RNG.normal(size=(60, 7)).astype(np.float32)
Y = RNG.integers(3, size=60)


def network(**options: Any) -> cr.Sequential:
    layers = [cr.Input(7), cr.PReLU(0.1), cr.Dense(21), cr.PReLU(), cr.Dense(3)]
    return cr.Sequential(layers, seed=2, **options)


def slopes(net: cr.Sequential) -> np.ndarray:
    return np.concatenate([v for n, v in net.parameters.items() if n.endswith("slope")])


def test_the_first_slopes() -> None:
    values = network().parameters
    np.testing.assert_array_equal(values["0.slope"], np.full(7, 0.1, np.float32))
    np.testing.assert_array_equal(values["2.slope"], np.full(21, 0.25, np.float32))
    with pytest.raises(ValueError, match="prelu: initial_slope must be finite, got nan"):
        cr.PReLU(float("nan"))


def test_gradients_are_those_of_the_formula() -> None:
    net = network(dtype="float64")
    rng = np.random.default_rng(5)
    net.set_weights({"0.slope": rng.normal(size=7), "2.slope": rng.normal(size=21)})
    x, dy = rng.normal(size=(50, 7)), rng.normal(size=(50, 3))
    other = Network(net)
    assert relative_error(net.forward(x), other.forward(x, training=True)) <= 1e-13
    assert relative_error(net.backward(dy), other.backward(dy)) <= 1e-13
    for name, expected in other.gradients.items():
        assert relative_error(net.gradients[name], expected) <= 1e-13, name
    report = cr.gradient_check(net, x, rng.normal(size=(50, 3)), loss="mse")
    assert report.max_relative_error < 1e-6, report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_gives_the_same_bits_everywhere(dtype: str) -> None:
    trained = []
    for threads in (1, 2, 3):
        net = network(dtype=dtype)
        history = net.fit(
            X, Y, loss="cross_entropy", epochs=5, batch_size=16, verbose=0, num_threads=threads
        )
        trained.append(net)
    assert history["loss"][-1] < history["loss"][0]
    assert np.abs(slopes(trained[0]) - slopes(network())).min() > 0
    for net in trained[1:]:
        for name, values in net.parameters.items():
            np.testing.assert_array_equal(values, trained[0].parameters[name])
        np.testing.assert_array_equal(net.predict(X), trained[0].predict(X))


def test_the_instruction_sets_agree() -> None:
    program = (
        "import hashlib, test_prelu as t\n"
        "net = t.network(); net.fit(t.X, t.Y, loss='cross_entropy', epochs=3, verbose=0)\n"
        "print(hashlib.sha256(b''.join(v.tobytes() for v in net.parameters.values())).hexdigest())"
    )
    assert len(printed_by_each_instruction_set(program)) == 1


def test_files_and_single_rows(tmp_path: Path) -> None:
    net = network()
    net.fit(X, Y, loss="cross_entropy", epochs=2, verbose=0)
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert again.layers == net.layers
    np.testing.assert_array_equal(again.predict(X), net.predict(X))
    one_by_one = np.concatenate([net.predict(row[None]) for row in X])
    np.testing.assert_array_equal(one_by_one, net.predict(X))
    assert _core.Layer.kinds().count("prelu") == 1


def test_to_and_from_pytorch() -> None:
    torch = pytest.importorskip("torch")
    net = network()
    net.set_weights({"2.slope": RNG.normal(size=21)})
    module = cr.to_torch(net)
    with torch.no_grad():
        outputs = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(outputs, net.predict(X), rtol=1e-5, atol=1e-6)
    again = cr.from_torch(module)
    for name, values in again.parameters.items():
        np.testing.assert_array_equal(values, net.parameters[name])
    one = torch.nn.Sequential(torch.nn.Linear(7, 4), torch.nn.PReLU(init=0.3))
    np.testing.assert_array_equal(
        cr.from_torch(one).parameters["1.slope"], np.full(4, 0.3, np.float32)
    )


def test_to_and_from_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    net = network()
    net.set_weights({"2.slope": RNG.normal(size=21)})
    cr.to_onnx(net, tmp_path / "net.onnx")
    again = cr.from_onnx(tmp_path / "net.onnx")
    assert [layer.kind for layer in again.layers] == [layer.kind for layer in net.layers]
    np.testing.assert_allclose(again.predict(X), net.predict(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(again.parameters["2.slope"], net.parameters["2.slope"])
