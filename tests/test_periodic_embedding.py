# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers with sums of their cosines: in training, in files, in other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from number_embeddings import RNG, X, Y, network_of, trained_on
from reference import Network, relative_error

import chainrule as cr


def network(units: int = 3, frequencies: int = 16, **options: Any) -> cr.Sequential:
    embedding = cr.PeriodicEmbedding(units=units, frequencies=frequencies, frequency_stddev=0.5)
    return network_of(embedding, **options)


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


def trained(dtype: str = "float32") -> cr.Sequential:
    return trained_on(cr.PeriodicEmbedding(frequencies=10, frequency_stddev=0.5), dtype)


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
