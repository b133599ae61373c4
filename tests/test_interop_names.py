# SPDX-License-Identifier: Apache-2.0
"""Names of nodes and frozen layers through ONNX files and PyTorch modules, and back."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx_graphs import onnx
from shaken_weights import shaken
from test_interop_graphs import random_graph

import chainrule as cr
from chainrule.interop.onnx_export import onnx_bytes


def residual(dtype: str = "float32") -> cr.Network:
    """Return a network of named and unnamed nodes, two of them frozen."""
    x = cr.Input(4, name="pixels")
    h = cr.Rescaling(0.5, 0.25, name="scaled")(x)
    h = cr.Dense(6, activation="gelu", name="stem")(h)
    g = cr.Dense(6, activation="tanh")(cr.LayerNormalization(name="norm")(h))
    h = cr.Add(name="sum")([h, cr.Dense(6, name="back")(g)])
    h = cr.BatchNormalization(name="batch")(h)
    net = cr.Network(x, cr.Dense(2, name="head")(h), seed=1, dtype=dtype)
    net.freeze("stem", "batch")
    return shaken(net, 3)


def trains_as(again: cr.Network, net: cr.Network, rng: np.random.Generator) -> None:
    """Train both, and look which parameters stay."""
    x, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 2))
    for each in (net, again):
        before = each.parameters
        each.fit(x, y, loss="mse", epochs=2, verbose=0)
        same = {name for name, w in each.parameters.items() if np.array_equal(w, before[name])}
        frozen = {name for name in before if name.startswith(("stem.", "batch."))}
        assert same == frozen


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("opset", [13, 17])
def test_an_onnx_file_keeps_names_and_what_is_frozen(dtype, opset, rng) -> None:
    net = residual(dtype)
    again = cr.from_onnx(onnx_bytes(net, opset=opset))
    assert [n.name for n in again._graph.nodes] == [n.name for n in net._graph.nodes]
    assert list(again.parameters) == list(net.parameters)
    assert again._frozen == net._frozen == {"stem", "batch"}
    for name, values in net.parameters.items():
        np.testing.assert_allclose(again.parameters[name], values, rtol=1e-6, err_msg=name)
    trains_as(again, net, rng)


def test_a_pytorch_module_keeps_names_and_what_is_frozen(rng) -> None:
    torch = pytest.importorskip("torch")
    net = residual()
    module = cr.to_torch(net)
    assert isinstance(module.stem, torch.nn.Linear)
    needed = {name: parameter.requires_grad for name, parameter in module.named_parameters()}
    assert needed == {
        "stem.weight": False,
        "stem.bias": False,
        "norm.weight": True,
        "norm.bias": True,
        "dense.weight": True,
        "dense.bias": True,
        "back.weight": True,
        "back.bias": True,
        "batch.weight": False,
        "batch.bias": False,
        "head.weight": True,
        "head.bias": True,
    }
    again = cr.from_torch(module)
    assert set(again.parameters) == set(net.parameters)
    assert again._frozen == {"stem", "batch"}
    trains_as(again, net, rng)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_keep_the_names_of_parameters(seed: int) -> None:
    net, _ = random_graph(seed, "float64" if seed % 4 == 3 else "float32", several=1 + seed % 2)
    nodes = sorted({name.rpartition(".")[0] for name in net.parameters})
    chosen = nodes[seed % len(nodes)]
    net.freeze(chosen)
    again = cr.from_onnx(onnx_bytes(net))
    assert set(again.parameters) >= set(net.parameters)
    assert chosen in again._frozen
    assert [n.name for n in again._graph.inputs] == [n.name for n in net._graph.inputs]
    if len(net._graph.outputs) > 1:
        assert again._graph.outputs == net._graph.outputs


@pytest.mark.parametrize("seed", range(8))
def test_random_graphs_keep_names_as_modules(seed: int) -> None:
    pytest.importorskip("torch")
    net, _ = random_graph(seed, several=1 + seed % 2)
    nodes = sorted({name.rpartition(".")[0] for name in net.parameters})
    net.freeze(nodes[seed % len(nodes)])
    again = cr.from_torch(cr.to_torch(net))
    assert set(again.parameters) >= set(net.parameters)
    assert nodes[seed % len(nodes)] in again._frozen
    if len(net._graph.outputs) > 1:
        assert again._graph.outputs == net._graph.outputs


def chain() -> cr.Sequential:
    layers = [cr.Dropout(0.2), cr.Dense(3, name="features"), cr.Dense(4), cr.Dense(2)]
    net = cr.Sequential([cr.Input(5), *layers], seed=0)
    net.freeze("features", "2")
    return net


def test_numbers_count_anew_where_layers_are_left_out() -> None:
    again = cr.from_onnx(onnx_bytes(chain()))  # without dropout
    assert list(again.parameters)[::2] == ["features.weight", "1.weight", "2.weight"]
    assert again._frozen == {"features", "1"}
    pytest.importorskip("torch")
    module = cr.to_torch(chain())
    assert [*module._modules] == ["0", "features", "2", "3"]
    again = cr.from_torch(module)
    assert list(again.parameters) == list(chain().parameters)
    assert again._frozen == {"features", "2"}


def test_unnamed_networks_are_read_as_before() -> None:
    net = cr.Sequential([cr.Input(5), cr.Dense(3, activation="relu"), cr.Dense(2)], seed=0)
    again = cr.from_onnx(onnx_bytes(net))
    assert repr(again) == repr(net)
    assert not again._frozen
    pytest.importorskip("torch")
    module = cr.to_torch(net)
    assert [*module._modules] == ["0", "1", "2"]
    assert repr(cr.from_torch(module)) == repr(net)


def test_networks_within_networks_and_shared_layers() -> None:
    encoder = cr.Sequential([cr.Input(4), cr.Dense(3, name="code"), cr.Dense(3)], seed=0)
    encoder._name = "encoder"
    a, b = cr.Input(4, name="a"), cr.Input(4, name="b")
    y = cr.Dense(1, name="y")(encoder(a) - encoder(b))
    net = cr.Network([a, b], y, seed=0)
    net.freeze(net._graph.nodes[2].name)
    names = set(net.parameters)
    pytest.importorskip("torch")
    again = cr.from_torch(cr.to_torch(net))
    assert set(again.parameters) == names  # one layer with one set of parameters
    assert again._frozen == net._frozen
    again = cr.from_onnx(onnx_bytes(net))
    assert set(again.parameters) == names
    assert again._frozen == net._frozen


def test_parts_of_a_users_module(rng) -> None:
    torch = pytest.importorskip("torch")

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

        def forward(self, x):
            return x + self.second(torch.relu(self.first(x)))

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.block = torch.nn.Linear(3, 4), Block()
            self.heads = torch.nn.ModuleList([torch.nn.Linear(4, 2), torch.nn.Linear(4, 1)])

        def forward(self, x):
            h = self.block(self.stem(x))
            return {"kind": self.heads[0](h), "size": self.heads[1](h)}

    module = Whole()
    module.block.first.requires_grad_(False)
    module.heads[1].bias.requires_grad_(False)
    with pytest.warns(UserWarning, match=r"heads\.1 \(Linear\): some of its parameters need"):
        net = cr.from_torch(module)
    parts = [name for name in net.parameters if name.endswith("weight")]
    assert parts == [
        "stem.weight",
        "block/first.weight",
        "block/second.weight",
        "kind.weight",
        "size.weight",
    ]
    assert net._frozen == {"block/first"}
    x = rng.normal(size=(5, 3)).astype(np.float32)
    with torch.no_grad():
        expected = module(torch.from_numpy(x))
    for name, values in net.predict(x).items():
        np.testing.assert_allclose(values, expected[name].numpy(), rtol=1e-4, atol=1e-6)


def test_names_that_modules_have_of_their_own() -> None:
    pytest.importorskip("torch")
    x = cr.Input(3)
    h = cr.Dense(4, activation="relu", name="type")(x)
    h = h + cr.Dense(4, name="type_relu")(h)
    net = cr.Network(x, cr.Dense(2, name="forward")(h), seed=0)
    module = cr.to_torch(net)
    assert {name for name, _ in module.named_children()} == {
        "type_",
        "type_relu",
        "type_relu_",
        "forward_",
    }
    assert "type_relu.weight" in cr.from_torch(module).parameters


@pytest.mark.parametrize(
    "names",
    [
        (None, None),
        ("input", None),
        ("input", "input_1"),
        ("class", "lambda"),
        ("torch", "math"),
        ("self", "getattr"),
        ("a b", "a_b"),
        ("sub", "dense"),
    ],
)
def test_names_that_code_has_of_its_own_for_inputs(names, rng) -> None:
    torch = pytest.importorskip("torch")
    x, y = (cr.Input(3, name=name) for name in names)
    net = cr.Network([x, y], cr.Dense(1, name="last")(x - y), seed=0)
    module = cr.to_torch(net)
    rows = rng.normal(size=(2, 5, 3)).astype(np.float32)
    expected = (rows[0] - rows[1]) @ net.parameters["last.weight"]
    np.testing.assert_allclose(
        module(*map(torch.from_numpy, rows)).detach(), expected, rtol=1e-5, atol=1e-6
    )
    again = cr.from_torch(module, input_shape=[(3,), (3,)])
    np.testing.assert_array_equal(again.predict([*rows]), net.predict([*rows]))


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("chainrule.nodes", "[", "'chainrule.nodes' is no JSON"),
        ("chainrule.nodes", "{}", "'chainrule.nodes' is no list of names"),
        ("chainrule.frozen", "[1]", "'chainrule.frozen' is no list of names"),
        ("chainrule.frozen", "[" * 100_000, "'chainrule.frozen' is no JSON"),
    ],
)
def test_metadata_that_is_none(key: str, value: str, text: str) -> None:
    model = onnx.load_from_string(onnx_bytes(residual()))
    onnx.helper.set_model_props(model, {key: value})
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(model.SerializeToString())


def test_metadata_of_nodes_that_are_not_there() -> None:
    model = onnx.load_from_string(onnx_bytes(residual()))
    names = json.dumps(["pixels", "stem", "stem", "elsewhere"])
    onnx.helper.set_model_props(model, {"chainrule.nodes": names, "chainrule.frozen": names})
    net = cr.from_onnx(model.SerializeToString())
    assert net._frozen == {"stem"}
    assert "norm.gamma" not in net.parameters


def test_a_node_of_a_file_that_is_called_like_its_input() -> None:
    model = onnx.load_from_string(onnx_bytes(residual()))
    for node in model.graph.node:
        node.name = node.name.replace("stem.", "pixels.")
    net = cr.from_onnx(model.SerializeToString())
    assert net._graph.inputs[0].name == "pixels"
    assert net.count_params() == residual().count_params()
