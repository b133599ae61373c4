# SPDX-License-Identifier: Apache-2.0
"""Rows of several axes, and layers that change them, to ONNX, PyTorch and C, and back."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from compiled_c import each_compiler, needs_compiler, self_test
from compiled_together import Together
from onnx_graphs import model, node, onnx
from shaken_weights import shaken
from shape_graphs import random_shape_graph

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.nodes import predictions
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def worst(outputs, expected):
    assert [each.shape for each in outputs] == [each.shape for each in expected]
    return max(map(largest_relative_difference, outputs, expected))


@pytest.mark.parametrize("seed", range(100))
def test_random_graphs_to_onnx_and_back(seed):
    net, rows = random_shape_graph(seed, "float64" if seed % 4 == 3 else "float32")
    expected = predictions(net, rows)
    content = onnx_bytes(net, opset=(13, 17, 20, 22)[seed % 4])
    assert worst(as_list(onnxruntime_outputs(content, *rows)), expected) <= 1e-5
    again = cr.from_onnx(content)
    assert worst(predictions(again, rows), expected) <= 1e-5


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_to_torch_and_back(seed):
    torch = pytest.importorskip("torch")
    net, rows = random_shape_graph(seed, "float32" if seed % 4 == 3 else "float64")
    expected = predictions(net, rows)
    module = cr.to_torch(net)
    with torch.no_grad():
        outputs = module(*(torch.from_numpy(x) for x in rows))
    outputs = [*outputs.values()] if isinstance(outputs, dict) else [outputs]
    limit = 1e-5 if net.dtype == "float32" else 1e-12
    assert worst([each.numpy() for each in outputs], expected) <= limit
    again = cr.from_torch(module, input_shape=[x.shape[1:] for x in rows])
    assert worst(predictions(again, rows), expected) <= limit


def exported(seed, folder, name):
    net, rows = random_shape_graph(seed)
    given = {node.name: x for node, x in zip(net._graph.inputs, rows, strict=True)}
    given = given if len(rows) > 1 else rows[0]
    return cr.export_c(net, folder, name=name, test_rows=given)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return random graphs as C, made once and compiled together."""
    exports = {f"graph_{seed}": partial(exported, seed) for seed in range(24)}
    return Together(tmp_path_factory.mktemp("together"), exports)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("seed", range(24))
def test_random_graphs_in_c(together, compiler, seed):
    assert together[f"graph_{seed}"].largest_difference <= 1e-6
    done = together.self_test(compiler, f"graph_{seed}")
    assert done.returncode == 0, done.stdout + done.stderr
    worst_found = [float(each) for each in re.findall(r"difference (\S+),", done.stdout)]
    assert max(worst_found) <= 1e-6


@needs_compiler
@each_compiler
def test_positions_in_int8(tmp_path, compiler, rng):
    layers = [cr.Reshape((4, 6)), cr.Rescaling(0.5), cr.Dense(8, activation="relu")]
    layers += [cr.Dense(5), cr.Flatten(), cr.Dense(3)]
    net = shaken(cr.Sequential([cr.Input(24), *layers], seed=0), 1)
    x = rng.normal(size=(500, 24)).astype(np.float32)
    result = cr.export_c(net, tmp_path, dtype="int8", calibration=x, test_rows=x)
    assert result.largest_difference <= 0.05
    done = self_test(compiler, tmp_path, "model")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "for (size_t i = 0; i < 4; ++i)" in (tmp_path / "model.c").read_text()


@pytest.mark.parametrize("layer", [cr.GlobalAveragePooling(), cr.Activation("softmax")], ids=str)
def test_networks_of_float64_without_parameters(layer, rng):
    torch = pytest.importorskip("torch")
    net = cr.Sequential([cr.Input((5, 7, 3)), layer], seed=0, dtype="float64")
    x = rng.normal(size=(4, 5, 7, 3))
    given = cr.to_torch(net)(torch.tensor(x if net.outputs == 3 else x.reshape(4, -1))).numpy()
    np.testing.assert_allclose(given, net.predict(x), rtol=1e-13)


def test_shapes_are_those_of_the_file(rng):
    x = cr.Input((4, 3), name="x")
    h = cr.BatchNormalization()(cr.Dense(5, "tanh")(x))
    net = shaken(cr.Network(x, cr.Permute((2, 1))(h), seed=0), 3)
    content = onnx_bytes(net)
    graph = onnx.load_from_string(content).graph
    for value, expected in ((graph.input[0], [4, 3]), (graph.output[0], [5, 4])):
        assert [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]] == expected
    again = cr.from_onnx(content)
    assert [layer.kind for layer in again.layers] == ["dense", "batch_normalization", "permute"]
    assert again.predict(rng.normal(size=(2, 4, 3))).shape == (2, 5, 4)


def test_layers_come_back_as_they_were():
    a = cr.Input(6, name="a")
    b = cr.Dense(6)(a)
    repeated = cr.RepeatVector(4)(b)
    transposed = cr.Permute((2, 1))(repeated)
    products = cr.Dot()([transposed, cr.PReLU()(cr.Dense(4)(transposed))])
    dot = cr.Dot()([a, b])
    ends = [cr.GlobalAveragePooling()(products), dot, cr.Flatten()(transposed)]
    net = shaken(cr.Network(a, cr.Concatenate()(ends), seed=0), 5)
    kinds = sorted(layer.kind for layer in net.layers)
    assert sorted(layer.kind for layer in cr.from_onnx(onnx_bytes(net)).layers) == kinds
    pytest.importorskip("torch")
    assert sorted(layer.kind for layer in cr.from_torch(cr.to_torch(net)).layers) == kinds


def own_module(torch):
    class Own(torch.nn.Module):
        """What models for sequences and pictures do with axes."""

        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 6)
            self.norm = torch.nn.BatchNorm1d(6)
            self.layer_norm = torch.nn.LayerNorm(6)
            self.last = torch.nn.Linear(6, 2)
            self.wide = torch.nn.Linear(18, 2)

        def forward(self, x):
            h = torch.relu(self.first(x))
            h = self.layer_norm(self.norm(h.transpose(1, 2)).transpose(1, 2))
            flat = h.permute(0, 2, 1).reshape(x.shape[0], 3, 6).flatten(1)
            return self.last(h.mean(dim=1)) + self.wide(flat)

    module = Own().double().eval()
    with torch.no_grad():
        module.norm.running_mean += torch.rand(6, dtype=torch.float64)
        module.norm.running_var += torch.rand(6, dtype=torch.float64)
    return module


def test_a_module_with_axes(rng):
    torch = pytest.importorskip("torch")
    module = own_module(torch)
    net = cr.from_torch(module, input_shape=(3, 4))
    assert "global_average_pooling" in [layer.kind for layer in net.layers]
    x = rng.normal(size=(20, 3, 4))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12
    with pytest.raises(ValueError, match="2 shapes, the module 1 inputs"):
        cr.from_torch(module, input_shape=[(3, 4), (3, 4)])


def test_channels_first_of_pictures(rng):
    torch = pytest.importorskip("torch")
    parts = [torch.nn.BatchNorm2d(3), torch.nn.PReLU(3), torch.nn.Flatten(), torch.nn.Linear(60, 2)]
    module = torch.nn.Sequential(*parts).double().eval()
    with torch.no_grad():
        parts[0].running_mean += torch.rand(3, dtype=torch.float64)
        parts[1].weight += torch.rand(3, dtype=torch.float64)
    net = cr.from_torch(module, input_shape=(3, 4, 5))
    x = rng.normal(size=(20, 3, 4, 5))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ([node("ReduceMean", "x", "y", axes=[1], keepdims=0)], "mean over all axes but one"),
        ([node("Transpose", "x", "y", perm=[1, 0, 2, 3])], "moves the rows"),
        ([node("Flatten", "x", "y", axis=2)], "joins rows"),
        ([node("Concat", "x x", "y", axis=0)], "not over an axis of the rows"),
    ],
)
def test_what_no_layer_does_is_refused(nodes, reason):
    with pytest.raises(cr.ModelFileError, match=reason):
        cr.from_onnx(model(nodes, shape=["n", 2, 3, 4]))


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Softmax", "x", "y", axis=1)],
        [node("Softmax", "x", "y", axis=-2)],
        [node("Concat", "x x", "y", axis=2)],
        [node("GlobalAveragePool", "x", "y")],
        [node("ReduceMean", "x", "y", axes=[1, 3], keepdims=1)],
        [
            node("Transpose", "x", "t", perm=[0, 3, 1, 2]),
            node("Transpose", "t", "y", perm=[0, 2, 1, 3]),
        ],
        [node("Mul", "x s", "m"), node("Relu", "m", "r"), node("Add", "r b", "y")],
    ],
)
def test_operators_over_axes(nodes, rng):
    constants = {"s": rng.normal(size=(2, 3, 1)).astype(np.float32)}
    constants["b"] = rng.normal(size=(1, 3, 4)).astype(np.float32)
    content = model(nodes, constants, shape=["n", 2, 3, 4])
    x = rng.normal(size=(7, 2, 3, 4)).astype(np.float32)
    expected = onnxruntime_outputs(content, x)
    assert worst([cr.from_onnx(content).predict(x)], [expected]) <= 1e-6
