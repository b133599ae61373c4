# SPDX-License-Identifier: Apache-2.0
"""Columns that are taken, and scaling that is taken back, in every form that a network has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_c import each_compiler, load, needs_compiler, outputs

import chainrule as cr
from chainrule import graph

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 5)).astype(np.float32)
CENTER = np.array([3.0, -20.0, 0.5], np.float32)
SPREAD = np.array([2.0, 0.0, 30.0], np.float32)


def network(method: str = "robust", dtype: str = "float32") -> cr.Network:
    """Return Take before and behind a dense layer, positions among them, and an inverse scaling."""
    x = cr.Input(5)
    h = cr.Dense(6, activation="tanh")(cr.Take((4, 0, 4, 2))(x))
    h = cr.Flatten()(cr.Take((2, 0))(cr.Reshape((2, 3))(h)))
    h = cr.Dense(3)(cr.Concatenate()([h, cr.Take(3)(x)]))
    net = cr.Network(x, cr.Normalization(method, invert=True)(h), seed=2, dtype=dtype)
    first, second = ("center", "scale") if method == "robust" else ("mean", "variance")
    statistics = {f"normalization.{first}": CENTER, f"normalization.{second}": SPREAD}
    net.set_weights(statistics)
    return net


def expected(net: cr.Network, x: np.ndarray, method: str = "robust") -> np.ndarray:
    """Return its outputs by NumPy."""
    w = {name: value.astype(np.float64) for name, value in net.parameters.items()}
    x = x.astype(np.float64)
    h = np.tanh(x[:, [4, 0, 4, 2]] @ w["dense.weight"] + w["dense.bias"])
    h = h.reshape(-1, 2, 3)[..., [2, 0]].reshape(len(x), -1)
    h = np.hstack([h, x[:, 3:4]]) @ w["dense_1.weight"] + w["dense_1.bias"]
    # Without any spread the one method has divided by 1, the other has left nothing.
    deviation = SPREAD if method == "robust" else np.sqrt(np.where(SPREAD > 0, SPREAD, 1.0))
    return h * deviation + CENTER


@pytest.mark.parametrize("method", ["standard", "robust"])
def test_numbers_are_those_of_numpy(method: str) -> None:
    net = network(method)
    np.testing.assert_allclose(net.predict(X), expected(net, X, method), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["standard", "robust"])
def test_the_inverse_undoes_the_scaling(method: str) -> None:
    x = RNG.normal(50.0, [1.0, 30.0, 0.1], (400, 3))
    scale = cr.Sequential([cr.Input(3), cr.Normalization(method)], dtype="float64")
    scale.adapt(x)
    both = cr.Sequential(
        [cr.Input(3), cr.Normalization(method), cr.Normalization(method, invert=True)],
        dtype="float64",
    )
    both.set_weights([*scale.get_weights(), *scale.get_weights()])
    np.testing.assert_allclose(both.predict(x), x, rtol=1e-13)


def test_an_inverse_is_not_adapted() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(1), cr.Normalization(invert=True)], seed=0)
    net.set_weights({"1.mean": [5.0], "1.variance": [4.0]})
    net.fit(X[:, :2], X[:, 2:3] + 5, loss="mse", epochs=2, verbose=0)
    assert net.parameters["1.mean"] == 5.0
    assert net.parameters["1.variance"] == 4.0


def test_an_inverse_goes_with_no_limits() -> None:
    for options in ({"clip": 3.0}, {"missing": "zero"}):
        with pytest.raises(ValueError, match="invert goes with neither clip nor missing"):
            cr.Normalization(invert=True, **options)


def test_gradients_are_those_of_differences() -> None:
    net = network()
    report = cr.gradient_check(net, X[:5], RNG.normal(size=(5, 3)), "mse")
    assert report.max_relative_error < 1e-6


def test_missing_numbers_pass_where_they_are_not_taken() -> None:
    x = np.array([[1.0, np.nan, 2.0]])
    fill = cr.Normalization(missing="zero", columns=0)
    net = cr.Sequential([cr.Input(3), fill, cr.Take((2, 0))])
    assert net.predict(x).tolist() == [[2.0, 1.0]]
    assert net.predict([[np.nan, np.nan, 2.0]]).tolist() == [[2.0, 0.0]]
    with pytest.raises(ValueError, match="column 2 is NaN"):
        net.predict([[1.0, 0.0, np.nan]])


def test_a_table_of_numbers_and_codes_is_scaled_in_double_while_it_is_read() -> None:
    """Seconds keep the digits that float32 has not, beside layers that read categories."""
    seconds = 1.7e9 + np.arange(6.0)
    x = np.array([seconds, np.arange(6) % 3]).T
    read = cr.Input(2)
    scale = cr.Take(0)(cr.Normalization("robust", columns=0)(read))
    codes = cr.Take((1, 2, 3))(cr.CategoryEncoding(3, columns=1)(read))
    net = cr.Network(read, cr.Concatenate()([scale, codes]))
    center, spread = [1.7e9, 0.0], [2.5, 1.0]
    net.set_weights({"normalization.center": center, "normalization.scale": spread})
    y = net.predict(x)
    assert np.array_equal(y[:, 1:], np.eye(3)[np.arange(6) % 3])
    offset = np.float64(np.float32(1.7e9))
    np.testing.assert_allclose(y[:, 0], (seconds - offset) / 2.5, rtol=1e-6)
    for threads in (1, 2, 3):
        assert np.array_equal(net.predict(x, num_threads=threads), y)
    assert "fused" in str(net.plan(batch_size=6))


def test_model_files_keep_both(tmp_path: Path) -> None:
    net = network()
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert np.array_equal(again.predict(X), net.predict(X))
    assert [str(layer) for layer in again.layers] == [str(layer) for layer in net.layers]


def test_a_predictor_gives_the_same() -> None:
    net = network()
    assert np.array_equal(cr.Predictor(net).predict(X), net.predict(X))


@pytest.mark.parametrize(
    "layer",
    [
        cr.PeriodicEmbedding(),
        cr.PiecewiseLinearEmbedding(units=3, bins=4),
        cr.Take((1, 1, 0)),
        cr.Normalization("robust", clip=2.0, missing="indicator"),
        cr.ParametricActivation("mish"),
    ],
    ids=lambda layer: layer.kind,
)
def test_a_predictor_gives_the_same_of_each_layer(layer: cr.Layer) -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(4), layer, cr.Dense(2)], seed=1)
    for rows in (1, 3, 60):
        assert np.array_equal(cr.Predictor(net).predict(X[:rows]), net.predict(X[:rows]))


def test_onnx_gives_the_same_and_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    net = network()
    path = str(tmp_path / "net.onnx")
    cr.to_onnx(net, path)
    session = onnxruntime.InferenceSession(path)
    (y,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(y, net.predict(X), rtol=1e-5, atol=1e-5)
    again = cr.from_onnx(path)
    kinds = [layer.kind for layer in again.layers]
    assert kinds.count("take") == 3
    np.testing.assert_allclose(again.predict(X), net.predict(X), rtol=1e-6, atol=1e-6)


def test_gather_of_other_exporters() -> None:
    onnx = pytest.importorskip("onnx")
    from onnx_graphs import model, node

    assert onnx
    columns = np.array([-1, 0, -1])
    net = cr.from_onnx(
        model([node("Gather", "x columns", "y", axis=-1)], {"columns": columns}, columns=5)
    )
    assert np.array_equal(net.predict(X), X[:, [4, 0, 4]])


def test_torch_gives_the_same_and_comes_back() -> None:
    torch = pytest.importorskip("torch")
    net = network()
    module = cr.to_torch(net).eval()
    with torch.no_grad():
        y = module(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(y, net.predict(X), rtol=1e-5, atol=1e-5)
    again = cr.from_torch(module)
    assert [layer.kind for layer in again.layers].count("take") == 3
    np.testing.assert_allclose(again.predict(X), net.predict(X), rtol=1e-5, atol=1e-5)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("method", ["standard", "robust"])
def test_c_gives_the_same(compiler: str, method: str, tmp_path: Path) -> None:
    net = network(method)
    cr.export_c(net, tmp_path)
    y = outputs(load(compiler, tmp_path, "model"), "model", net, X)
    np.testing.assert_allclose(y, net.predict(X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["standard", "robust"])
def test_single_numbers_are_the_same(method: str) -> None:
    net, x, y = network(method, "float64"), X[0].astype(np.float64), np.zeros(3)
    unrolled = graph.from_network(net, x, y, "mse")
    unrolled.loss.backward()
    value, dx = net._built_core().compute_gradients(
        x[None], y[None], cr.losses.MSE()._core, False, 1
    )
    assert unrolled.loss.value == value
    np.testing.assert_array_equal(unrolled.input_gradient, dx[0])
    for name, gradient in net.gradients.items():
        np.testing.assert_array_equal(unrolled.gradients[name], gradient, err_msg=name)
