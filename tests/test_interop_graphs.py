# SPDX-License-Identifier: Apache-2.0
"""Networks that are no chains to ONNX, PyTorch and C, and back: random graphs and known ones."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from compiled_c import each_compiler, needs_compiler
from compiled_together import Together
from onnx_graphs import model, node, onnx
from shaken_weights import shaken

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.nodes import predictions
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes
from chainrule.network.network import Network

ACTIVATIONS = ["relu", "tanh", "silu", "gelu", "elu", "softplus", "linear", "sigmoid"]
MERGES = [cr.Add, cr.Subtract, cr.Multiply, cr.Average, cr.Maximum, cr.Concatenate]


def random_graph(seed, dtype="float32", several=2):
    """Return a network with branches, merges and up to `several` inputs and outputs, and rows."""
    rng = np.random.default_rng(seed)
    inputs = [
        cr.Input(int(rng.integers(1, 7)), name=f"in_{i}")
        for i in range(rng.integers(1, several + 1))
    ]
    width = int(rng.integers(2, 8))
    made = [cr.Dense(width, activation=str(rng.choice(ACTIVATIONS)))(x) for x in inputs]
    for _ in range(rng.integers(2, 7)):
        x = made[rng.integers(len(made))]
        activation = str(rng.choice(ACTIVATIONS))
        layers = [
            cr.Dense(width, activation=activation, use_bias=bool(rng.random() < 0.8)),
            cr.Activation(activation),
            cr.BatchNormalization(),
            cr.LayerNormalization(),
            cr.Rescaling(0.5, 1.0),
            cr.PReLU(),
        ]
        if rng.random() < 0.5:
            kind = MERGES[rng.integers(len(MERGES))]
            count = 2 if kind in (cr.Subtract, cr.Multiply) else int(rng.integers(2, 4))
            x = kind()([x, *(made[i] for i in rng.integers(len(made), size=count - 1))])
            if kind is cr.Concatenate:
                x = cr.Dense(width, activation=activation)(x)
        else:
            x = layers[rng.integers(len(layers))](x)
        made.append(x)
    # Whatever leads nowhere yet goes into the last sum.
    ends = cr.Concatenate()(made)
    outputs = [cr.Dense(int(rng.integers(1, 4)))(ends) for _ in range(rng.integers(1, several + 1))]
    net = Network(inputs, outputs, seed=seed, dtype=dtype)
    rows = [rng.normal(size=(20, x.units)).astype(dtype) for x in inputs]
    return shaken(net, seed), rows


def as_list(outputs):
    return outputs if isinstance(outputs, list) else [outputs]


def worst(outputs, expected):
    assert len(outputs) == len(expected)
    return max(map(largest_relative_difference, outputs, expected))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(100))
def test_random_graphs_to_onnx_and_back(seed, dtype):
    net, rows = random_graph(seed, dtype)
    expected = predictions(net, rows)
    content = onnx_bytes(net, opset=(13, 17, 20, 22)[seed % 4])
    assert worst(as_list(onnxruntime_outputs(content, *rows)), expected) <= 1e-5
    again = cr.from_onnx(content)
    assert again.dtype == net.dtype
    assert worst(predictions(again, rows), expected) <= 1e-5
    assert worst(as_list(onnxruntime_outputs(onnx_bytes(again), *rows)), expected) <= 1e-5


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize(
    "layer", [cr.LayerNormalization(), cr.BatchNormalization(), cr.Dense(4), cr.Rescaling(2.0, 1.0)]
)
def test_a_tensor_that_a_merge_reads_twice(merge, layer):
    """What files have behind a layer as scale and offset became a part of it for each reading."""
    x = cr.Input(4)
    h = layer(cr.Dense(4, activation="tanh")(x))
    net = shaken(Network(x, cr.Dense(2)(merge()([h, h])), seed=0, dtype="float64"), 1)
    rows = np.random.default_rng(0).normal(size=(20, 4))
    again = cr.from_onnx(onnx_bytes(net))
    assert worst(predictions(again, [rows]), predictions(net, [rows])) <= 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_to_torch_and_back(seed):
    torch = pytest.importorskip("torch")
    net, rows = random_graph(seed, "float64" if seed % 2 else "float32")
    expected = predictions(net, rows)
    module = cr.to_torch(net)
    with torch.no_grad():
        outputs = module(*(torch.from_numpy(x) for x in rows))
    outputs = [*outputs.values()] if isinstance(outputs, dict) else [outputs]
    limit = 1e-5 if net.dtype == "float32" else 1e-11
    assert worst([each.numpy() for each in outputs], expected) <= limit
    assert worst(predictions(cr.from_torch(module), rows), expected) <= limit


def test_a_residual_module(rng):
    torch = pytest.importorskip("torch")

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

        def forward(self, x):
            return x + self.second(torch.relu(self.first(x)))

    module = torch.nn.Sequential(torch.nn.Linear(3, 4), Block(), Block(), torch.nn.Linear(4, 2))
    net = cr.from_torch(module)
    assert [layer.kind for layer in net.layers].count("add") == 2
    x = rng.normal(size=(30, 3)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-6


def exported(seed, folder, name):
    net, _ = random_graph(seed)
    return cr.export_c(net, folder, name=name)


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Return random graphs as C, made once and compiled together."""
    exports = {f"graph_{seed}": partial(exported, seed) for seed in range(8)}
    return Together(tmp_path_factory.mktemp("together"), exports)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_in_c(together, compiler, seed):
    assert together[f"graph_{seed}"].largest_difference <= 1e-5
    done = together.self_test(compiler, f"graph_{seed}")
    assert done.returncode == 0, done.stdout + done.stderr


def test_buffers_are_used_again(tmp_path):
    x = h = cr.Input(8)
    for _ in range(12):
        h = cr.Add()([h, cr.Dense(8)(cr.Dense(8, activation="relu")(h))])
    net = Network(x, cr.Dense(1)(h), seed=0)
    # What came in, what goes out, and what is between.
    assert cr.export_c(net, tmp_path).scratch_bytes == 4 * 3 * 8


def siamese():
    a, b = cr.Input(6, name="a"), cr.Input(6, name="b")
    tower = cr.Dense(16, activation="tanh")
    return Network([a, b], cr.Dense(1)(cr.Subtract()([tower(a), tower(b)])), seed=0)


def test_shared_layers_have_one_set_of_weights(tmp_path, rng):
    net = siamese()
    assert cr.export_c(net, tmp_path).weight_bytes == 4 * (6 * 16 + 16 + 16 + 1)
    content = onnx_bytes(net)
    assert len(onnx.load_from_string(content).graph.initializer) == 4
    rows = [rng.normal(size=(9, 6)).astype(np.float32) for _ in range(2)]
    expected = predictions(net, rows)
    assert worst(as_list(onnxruntime_outputs(content, *rows)), expected) <= 1e-6


def chain_of_one_layer():
    """Return a network that calls a layer of 20 numbers twice."""
    x, tower = cr.Input(4), cr.Dense(4, activation="tanh")
    return Network(x, tower(tower(x)), seed=0)


@pytest.mark.parametrize("make", [siamese, chain_of_one_layer])
def test_modules_of_shared_layers_have_one_set_of_weights(make):
    pytest.importorskip("torch")
    net = make()
    module = cr.to_torch(net)
    assert sum(parameter.numel() for parameter in module.parameters()) == net.count_params()


def test_a_chain_that_calls_a_layer_twice(tmp_path, rng):
    net = chain_of_one_layer()
    rows = rng.normal(size=(9, 4)).astype(np.float32)
    expected = net.predict(rows)
    assert net.count_params() == 20
    assert largest_relative_difference(onnxruntime_outputs(onnx_bytes(net), rows), expected) <= 1e-6
    assert cr.export_c(net, tmp_path).weight_bytes == 4 * 20


def test_names_that_files_have_of_their_own(rng):
    x = cr.Input(3, name="y")
    net = Network(x, cr.Dense(2)(x), seed=0)
    rows = rng.normal(size=(9, 3)).astype(np.float32)
    content = onnx_bytes(net)
    assert (
        largest_relative_difference(onnxruntime_outputs(content, rows), net.predict(rows)) <= 1e-6
    )


def test_several_inputs_and_outputs_keep_their_names(rng):
    a, b = cr.Input(3, name="a"), cr.Input(2, name="b")
    h = cr.Concatenate()([cr.Dense(4, activation="relu")(a), b])
    net = Network([a, b], {"digit": cr.Dense(3)(h), "ink": cr.Dense(1)(h)}, seed=0)
    content = onnx_bytes(net)
    graph = onnx.load_from_string(content).graph
    assert [value.name for value in graph.input] == ["a", "b"]
    assert [value.name for value in graph.output] == ["digit", "ink"]
    rows = [rng.normal(size=(9, n)).astype(np.float32) for n in (3, 2)]
    again = cr.from_onnx(content)
    made = again.predict(dict(zip("ab", rows, strict=True)))
    assert {name: y.shape for name, y in made.items()} == {"digit": (9, 3), "ink": (9, 1)}
    assert worst(predictions(again, rows), predictions(net, rows)) <= 1e-6
    alone = cr.from_onnx(content, output="ink")
    expected = predictions(net, rows)[1]
    assert largest_relative_difference(predictions(alone, rows)[0], expected) <= 1e-6


def test_columns_that_double_and_double():
    names = ["x", *map(str, range(40)), "y"]
    nodes = [node("Concat", f"{a} {a}", b, axis=1) for a, b in pairwise(names)]
    with pytest.raises(cr.ModelFileError, match="Concat that makes '14' makes 131072 columns"):
        cr.from_onnx(model(nodes))
