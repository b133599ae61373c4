# SPDX-License-Identifier: Apache-2.0
"""ONNX files of networks: valid by the onnx package, the same predictions by onnxruntime."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from architectures import random_architecture

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

# The 200 of the promise take half a minute: CHAINRULE_ARCHITECTURES=200.
ARCHITECTURES = int(os.environ.get("CHAINRULE_ARCHITECTURES", "25"))


def graph_of(content):
    """Return onnx's own reading of a file, which its checker has found valid."""
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    return model.graph


def operators(content):
    return [node.op_type for node in graph_of(content).node]


@pytest.mark.parametrize("seed", range(ARCHITECTURES))
def test_random_architectures_there_and_back(seed):
    net, x = random_architecture(seed)
    expected = net.predict(x)
    assert np.isfinite(expected).all()
    content = onnx_bytes(net, opset=(13, 17, 20, 22)[seed % 4])
    graph_of(content)
    assert largest_relative_difference(onnxruntime_outputs(content, x), expected) <= 1e-5
    again = cr.from_onnx(content)
    assert again.dtype == net.dtype
    assert largest_relative_difference(again.predict(x), expected) <= 1e-5
    second = onnx_bytes(again)
    assert largest_relative_difference(onnxruntime_outputs(second, x), expected) <= 1e-5


@pytest.mark.parametrize("opset", [13, 17, 20, 23])
@pytest.mark.parametrize("kind", cr._core.Activation.kinds())
def test_activations_in_double(kind, opset):
    net = cr.Sequential([cr.Input(3), cr.Activation(kind)], seed=0, dtype="float64")
    x = np.linspace(-30, 30, 99).reshape(33, 3)
    outputs = onnxruntime_outputs(onnx_bytes(net, opset=opset), x)
    # onnxruntime has no Erf in double: the file has an approximation.
    tolerance = 1e-6 if kind == "gelu" else 1e-14
    np.testing.assert_allclose(outputs, net.predict(x), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("loss", "activation", "last"),
    [
        ("cross_entropy", "linear", "Softmax"),
        ("cross_entropy", "softmax", "Softmax"),
        ("binary_cross_entropy", "linear", "Sigmoid"),
        ("poisson", "linear", "Exp"),
    ],
)
def test_probabilities(loss, activation, last, rng):
    net = cr.Sequential([cr.Input(4), cr.Dense(3, activation=activation)], seed=0)
    net.compile(loss=loss)
    content = onnx_bytes(net, output="probabilities")
    assert operators(content).count(last) == 1
    x = rng.normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_allclose(onnxruntime_outputs(content, x), net.predict_proba(x), rtol=1e-5)


def test_probabilities_of_a_loss_without(tmp_path):
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    with pytest.raises(ValueError, match="the network has no loss yet"):
        cr.to_onnx(net, tmp_path / "net.onnx", output="probabilities")
    net.compile(loss="mse")
    with pytest.raises(ValueError, match="mse has no link to probabilities"):
        cr.to_onnx(net, tmp_path / "net.onnx", output="probabilities")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pixels(dtype, rng):
    layers = [cr.Input(6), cr.Rescaling(1 / 255), cr.Dense(5, activation="relu"), cr.Dense(2)]
    net = cr.Sequential(layers, seed=0, dtype=dtype)
    x = rng.integers(0, 256, size=(20, 6), dtype=np.uint8)
    content = onnx_bytes(net, input_dtype="uint8")
    np.testing.assert_allclose(onnxruntime_outputs(content, x), net.predict(x), rtol=2e-5)
    np.testing.assert_array_equal(cr.from_onnx(content).predict(x), net.predict(x))


def test_features_far_from_zero(rng):
    # In float32 a year times its scale, rounded, would be off by more than the check takes.
    x = rng.normal(2000.0, 1.0, size=(50, 40))
    net = cr.Sequential([cr.Input(40), cr.Normalization(), cr.Dense(4)], seed=0)
    net.adapt(x)
    x = x.astype(np.float32)
    content = onnx_bytes(net)
    assert largest_relative_difference(onnxruntime_outputs(content, x), net.predict(x)) <= 1e-6
    again = cr.from_onnx(content)
    assert again.layers == net.layers
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= 1e-6
    standardized = cr.Sequential([cr.Input(40), cr.Normalization()], seed=0)
    standardized.adapt(x)
    copied = cr.from_onnx(onnx_bytes(standardized))
    # Mean and variance are not in the file, but nearly always some give the same bits.
    same = (copied.predict(x) == standardized.predict(x)).all(axis=0)
    assert same.mean() > 0.9


def test_graph_names_and_shapes():
    layers = [cr.Input(4), cr.Dense(3, activation="tanh"), cr.Dropout(0.5), cr.Dense(2)]
    content = onnx_bytes(cr.Sequential(layers, seed=0))
    graph = graph_of(content)
    assert [node.op_type for node in graph.node] == ["Gemm", "Tanh", "Gemm"]
    assert [tensor.name for tensor in graph.initializer][:2] == ["0.dense.weight", "0.dense.bias"]
    (x,), (y,) = graph.input, graph.output
    assert (x.name, y.name) == ("x", "y")
    assert [dim.dim_value for dim in x.type.tensor_type.shape.dim] == [0, 4]
    assert [dim.dim_value for dim in y.type.tensor_type.shape.dim] == [0, 2]
    model = onnx.load_from_string(content)
    assert (model.producer_name, model.producer_version) == ("chainrule", cr.__version__)


def test_report(tmp_path):
    net = cr.Sequential([cr.Input(4), cr.Dense(3, activation="silu")], seed=0)
    path = tmp_path / "net.onnx"
    report = cr.to_onnx(net, path)
    assert report.path == path
    assert report.size == path.stat().st_size
    assert 0 < report.max_relative_difference <= 1e-5
    assert cr.to_onnx(net, path, check=False).max_relative_difference is None


def test_a_failed_check_writes_nothing(tmp_path):
    net = cr.Sequential([cr.Input(4), cr.Dense(3, activation="silu")], seed=0)
    with pytest.raises(cr.ExportError, match=r"differ by .* the tolerance is 1e-30"):
        cr.to_onnx(net, tmp_path / "net.onnx", tolerance=1e-30)
    assert not list(tmp_path.iterdir())


def test_without_onnxruntime(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    assert cr.to_onnx(net, tmp_path / "net.onnx").max_relative_difference is None
    with pytest.raises(ImportError, match=r'pip install "chainrule\[onnx\]"'):
        onnxruntime_outputs(onnx_bytes(net), np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"opset": 12}, ValueError, r"opset must lie in 13\.\.23, got 12"),
        ({"opset": 99}, ValueError, r"opset must lie in 13\.\.23, got 99"),
        ({"opset": 17.0}, TypeError, "opset must be an integer"),
        ({"output": "logits"}, ValueError, "unknown output 'logits'.*raw, probabilities"),
        ({"input_dtype": "int8"}, ValueError, "unknown input_dtype 'int8'; did you mean 'uint8'"),
        ({"tolerance": -1.0}, ValueError, "tolerance must be a number >= 0, got -1.0"),
    ],
)
def test_wrong_arguments(tmp_path, options, error, text):
    net = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0)
    with pytest.raises(error, match=text):
        cr.to_onnx(net, tmp_path / "net.onnx", **options)
    assert not list(tmp_path.iterdir())


def test_unbuilt(tmp_path):
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        cr.to_onnx(cr.Sequential([cr.Dense(3)]), tmp_path / "net.onnx")


def test_relative_difference():
    assert largest_relative_difference([[1.0], [2.0]], [[1.0], [2.0]]) == 0.0
    assert largest_relative_difference([[0.0, 9.0]], [[0.5, 10.0]]) == pytest.approx(0.1)
    assert largest_relative_difference([[1.0]], [[0.0]]) == 1.0
    assert largest_relative_difference([[1.0]], [[1.0, 1.0]]) == float("inf")
    assert np.isnan(largest_relative_difference([[np.nan]], [[1.0]]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_prelu(dtype, rng):
    layers = [cr.Input(3), cr.Dense(4), cr.PReLU(), cr.Dense(2)]
    net = cr.Sequential(layers, seed=0, dtype=dtype)
    net.set_weights({"1.slope": [0.1, -0.5, 2.0, 0.0]})
    x = rng.normal(size=(20, 3)).astype(dtype)
    content = onnx_bytes(net)
    limit = 1e-6 if dtype == "float32" else 1e-14
    assert largest_relative_difference(onnxruntime_outputs(content, x), net.predict(x)) <= limit
    again = cr.from_onnx(content)
    assert again.layers == net.layers
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= limit
