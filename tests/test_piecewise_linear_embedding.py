# SPDX-License-Identifier: Apache-2.0
"""Columns of numbers by their places in bins: in training, in files, in other software."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from number_embeddings import RNG, X, Y, network_of, trained_on
from reference import Network, relative_error

import chainrule as cr


def network(units: int = 3, bins: int = 8, **options: Any) -> cr.Sequential:
    embedding = cr.PiecewiseLinearEmbedding(units=units, bins=bins)
    return network_of(embedding, **options)


def single(bins: int, x: Any, **options: Any) -> cr.Sequential:
    """Return a network of one unit for each column, with weights 1, adapted to x."""
    layer = cr.PiecewiseLinearEmbedding(units=1, bins=bins)
    net = cr.Sequential([cr.Input(np.shape(x)[1]), layer], seed=0, **options)
    net.adapt(x)
    ones = {"weight": np.ones_like(net.parameters["0.weight"])}
    ones["bias"] = np.zeros_like(net.parameters["0.bias"])
    net.set_weights({f"0.{name}": values for name, values in ones.items()})
    return net


SIZES = pytest.mark.parametrize(
    ("units", "bins"), [(3, 8), (1, 1), (2, 10), (32, 3), (4, 128), (17, 33)]
)


@SIZES
def test_gradients_are_those_of_the_formula(units: int, bins: int) -> None:
    net = network(units, bins, dtype="float64")
    x, dy = 1.5 * X.astype(np.float64), RNG.normal(size=(61, 2))
    other = Network(net)
    assert relative_error(net.forward(x), other.forward(x, training=True)) <= 1e-13
    assert relative_error(net.predict(x), other.forward(x, training=False)) <= 1e-13
    assert relative_error(net.backward(dy), other.backward(dy)) <= 1e-12
    for name, expected in other.gradients.items():
        assert relative_error(net.gradients[name], expected) <= 1e-12, name
    report = cr.gradient_check(net, x, Y, loss="mse")
    assert report.max_relative_error < 1e-6, report


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges_are_quantiles_of_what_reaches_the_layer(dtype: str) -> None:
    x = RNG.lognormal(size=(1000, 3)).astype(dtype)
    layers = [cr.Input(3), cr.Rescaling(2.0, offset=1.0), cr.PiecewiseLinearEmbedding(bins=7)]
    net = cr.Sequential(layers, seed=0, dtype=dtype)
    net.adapt(x)
    expected = np.quantile(x * np.array(2, dtype) + np.array(1, dtype), np.arange(8) / 7, axis=0).T
    np.testing.assert_allclose(net.parameters["1.edges"], expected, rtol=4 * np.finfo(dtype).eps)
    trained = cr.Sequential([*layers, cr.Dense(1)], seed=0, dtype=dtype)
    trained.fit(x, x[:, :1], loss="mse", epochs=1, verbose=0)
    np.testing.assert_array_equal(trained.parameters["1.edges"], net.parameters["1.edges"])


def test_ties_columns_of_one_value_and_numbers_beyond_the_ends() -> None:
    # Of the second column the lowest and the highest bins have no width.
    x = np.array([[5.0, 0.0], [5.0, 0.0], [5.0, 1.0], [5.0, 3.0], [5.0, 3.0]])
    net = single(4, x)
    assert net.parameters["0.edges"].tolist() == [[5.0] * 5, [0.0, 0.0, 1.0, 3.0, 3.0]]
    rows = np.array([[5.0, 0.0], [7.0, -2.0], [4.0, 0.5], [5.0, 2.0], [5.0, 7.0]])
    expected = [[0, 0], [2, -2], [-1, 0.5], [0, 1.5], [0, 4]]
    np.testing.assert_array_equal(net.predict(rows), expected)


def test_the_slope_at_an_edge_is_that_of_one_bin() -> None:
    layers = [cr.Input(1), cr.Dense(1), cr.PiecewiseLinearEmbedding(units=1, bins=2)]
    net = cr.Sequential(layers, seed=0, dtype="float64")
    weights = {"0.weight": [[1.0]], "0.bias": [0.0], "1.edges": [[0.0, 1.0, 3.0]]}
    weights |= {"1.weight": [[[5.0, 7.0]]], "1.bias": [[0.0]]}
    net.set_weights({name: np.array(values) for name, values in weights.items()})
    x = np.array([[-1.0], [0.0], [1.0], [3.0], [4.0]])
    net.forward(x)
    assert net.backward(np.ones((5, 1))).ravel().tolist() == [5.0, 5.0, 3.5, 3.5, 3.5]


def test_missing_numbers() -> None:
    x = np.concatenate([X, np.full((1, 5), np.nan, np.float32)])
    layers = [cr.Input(5), cr.PiecewiseLinearEmbedding(), cr.Dense(2)]
    net = cr.Sequential(layers, seed=0)
    before = net.get_weights()
    with pytest.raises(ValueError, match="NaN"):
        net.adapt(x)
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))
    net.adapt(X)
    with pytest.raises(ValueError, match="NaN"):
        net.predict(x)
    filled = cr.Sequential([layers[0], cr.Normalization(missing="indicator"), *layers[1:]], seed=0)
    filled.fit(x, np.zeros((62, 2)), loss="mse", epochs=1, verbose=0)
    assert np.isfinite(filled.predict(x)).all()


def test_what_cannot_be_adapted_to() -> None:
    net = cr.Sequential([cr.Input(1), cr.PiecewiseLinearEmbedding(), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="x is empty"):
        net.adapt(np.zeros((0, 1)))
    with pytest.raises(ValueError, match="range of column 0 of x is too large"):
        net.adapt([[-3e38], [3e38]])
    sparse = pytest.importorskip("scipy.sparse")
    behind = [cr.Input(1), cr.Dense(1), *net.layers]
    net = cr.Sequential(behind, seed=0)
    with pytest.raises(ValueError, match=r"x is sparse, .* pass x.toarray\(\)"):
        net.fit(sparse.csr_matrix(X[:, :1]), Y[:, :1], loss="mse", verbose=0)


def trained(dtype: str = "float32") -> cr.Sequential:
    return trained_on(cr.PiecewiseLinearEmbedding(units=3, bins=10), dtype)


def test_edges_are_not_trained() -> None:
    net = network()
    edges = net.parameters["1.edges"]
    net.fit(X, Y, loss="mse", optimizer="sgd", epochs=2, verbose=0)
    np.testing.assert_array_equal(net.parameters["1.edges"], edges)
    np.testing.assert_array_equal(
        trained().parameters["1.edges"][:, [0, 5, 10]], edges[:, [0, 4, 8]]
    )


def test_it_learns_what_jumps() -> None:
    x = np.random.default_rng(0).lognormal(size=(512, 1))
    y = (x > 1.3).astype(float) - (x > 1.5)
    losses = []
    for first in ([cr.Normalization()], [cr.PiecewiseLinearEmbedding()]):
        net = cr.Sequential(
            [cr.Input(1), *first, cr.Dense(16, activation="relu"), cr.Dense(1)], seed=0
        )
        history = net.fit(x, y, loss="mse", optimizer=cr.Adam(0.01), epochs=30, verbose=0)
        losses.append(history["loss"][-1])
    assert losses[1] < 0.3 * losses[0]


def with_ties() -> cr.Sequential:
    """Return a network some of whose bins have no width, one column of which is constant."""
    x = np.round(X)
    x[:, 0] = 2
    net = cr.Sequential(
        [cr.Input(5), cr.PiecewiseLinearEmbedding(units=2, bins=9), cr.Dense(2)], seed=1
    )
    net.adapt(x)
    return net


@pytest.mark.parametrize("made", [trained, with_ties])
def test_to_and_from_pytorch(made: Any) -> None:
    torch = pytest.importorskip("torch")
    net = made()
    module = cr.to_torch(net)
    x = np.concatenate([X, 20 * X])
    with torch.no_grad():
        found = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-4, atol=1e-5)
    again = cr.from_torch(module)
    kinds = ["piecewise_linear_embedding", "dense"]
    assert [layer.kind for layer in again.layers if layer.kind in kinds][:2] == kinds
    np.testing.assert_array_equal(again.predict(x), net.predict(x))


@pytest.mark.parametrize("made", [trained, with_ties])
def test_to_onnx(made: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    net = made()
    cr.to_onnx(net, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    x = np.concatenate([X, 20 * X])
    (found,) = session.run(None, {"x": x})
    np.testing.assert_allclose(found, net.predict(x), rtol=1e-4, atol=1e-4)


def test_bad_options() -> None:
    with pytest.raises(ValueError, match=r"units must be in \[1, 32\], got 33"):
        cr.PiecewiseLinearEmbedding(units=33)
    with pytest.raises(ValueError, match=r"bins must be in \[1, 128\], got 0"):
        cr.PiecewiseLinearEmbedding(bins=0)
