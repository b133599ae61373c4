# SPDX-License-Identifier: Apache-2.0
"""Layers that a network calls several times, through ONNX files and back."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from onnx_graphs import onnx
from shaken_weights import shaken

import chainrule as cr
from chainrule.interop.onnx_export import onnx_bytes

SHARED = "chainrule.shared"
Made = tuple[list[cr.Input], object]


def pair(*shape: int) -> list[cr.Input]:
    return [cr.Input(shape if len(shape) > 1 else shape[0], name=name) for name in ("a", "b")]


def siamese(layer: cr.Layer, *shape: int, pool: bool = False) -> Made:
    """Return the difference of what a layer makes of two inputs, and a layer behind it."""
    a, b = pair(*shape)
    x = layer(a) - layer(b)
    return [a, b], cr.Dense(1, name="y")(cr.GlobalAveragePooling()(x) if pool else x)


def around(layer: cr.Layer, *behind: cr.Layer) -> Made:
    """Return the sum of what a layer makes of two inputs, behind one of which there is more."""
    a, b = pair(4)
    x = layer(a)
    for each in behind:
        x = each(x)
    return [a, b], cr.Dense(1)(x + layer(b))


def three_calls() -> Made:
    x, layer = cr.Input(4, name="x"), cr.Dense(4, activation="tanh", name="step")
    return [x], cr.Dense(2)(layer(layer(layer(x))))


def encoder_twice() -> Made:
    layers = [cr.Dense(5, activation="relu"), cr.BatchNormalization(), cr.Dense(3, name="code")]
    encoder = cr.Sequential([cr.Input(4), *layers, cr.LayerNormalization()], name="encoder")
    a, b = pair(4)
    return [a, b], cr.Dense(1)(encoder(a) - encoder(b))


def second_call_is_an_output() -> Made:
    (a, b), layer = pair(4), cr.Dense(3, activation="tanh", name="step")
    first, second, third = layer(a), layer(b), layer(a + b)
    return [a, b], [second, cr.Dense(2, name="head")(first + third)]


GRAPHS: dict[str, Callable[[], Made]] = {
    "dense": lambda: siamese(cr.Dense(3, activation="tanh", name="tower"), 4),
    "without a name": lambda: siamese(cr.Dense(3, activation="gelu"), 4),
    "convolution": lambda: siamese(
        cr.Conv2D(3, 3, activation="relu", name="filters"), 5, 5, 2, pool=True
    ),
    "embedding": lambda: siamese(cr.Embedding([5, 4], 3, name="table"), 2),
    "periodic": lambda: siamese(cr.PeriodicEmbedding(units=3, name="waves"), 3),
    "three calls": three_calls,
    "output": second_call_is_an_output,
    "own parameters behind": lambda: around(
        cr.Dense(3, name="step"), cr.BatchNormalization(), cr.Dense(3)
    ),
    "activation behind": lambda: around(cr.Dense(3, name="step"), cr.Activation("relu")),
    "scaling behind": lambda: around(
        cr.Dense(3, use_bias=False, name="step"), cr.Rescaling(2.0, 0.5)
    ),
    "scaling behind a norm": lambda: around(cr.LayerNormalization(name="norm"), cr.Rescaling(2.0)),
}
OF_FLOAT: dict[str, Callable[[], Made]] = {
    "encoder": encoder_twice,
    "lstm": lambda: siamese(cr.LSTM(4, name="cells"), 5, 3),
    "gru in both directions": lambda: siamese(
        cr.Bidirectional(cr.GRU(4, return_sequences=True)), 5, 3, pool=True
    ),
}


def network(made: Made, dtype: str = "float32") -> cr.Network:
    return shaken(cr.Network(*made, seed=0, dtype=dtype), 1)


def trained(net: cr.Network) -> dict[str, np.ndarray]:
    """Return the parameters after three epochs."""
    rng = np.random.default_rng(2)
    x = {node.name: rng.normal(size=(40, *node.shape)) for node in net._graph.inputs}
    if any(node.layer is not None and node.layer.kind == "embedding" for node in net._graph.nodes):
        x = {name: rng.integers(4, size=(40, 2)) for name in x}
    rows = x if len(x) > 1 else next(iter(x.values()))
    outputs = net.predict(rows)
    if isinstance(outputs, dict):
        y: object = {name: rng.normal(size=each.shape) for name, each in outputs.items()}
    else:
        y = rng.normal(size=outputs.shape)
    net.fit(rows, y, loss="mse", optimizer=cr.Adam(1e-2), epochs=3, shuffle=False, verbose=0)
    after = net.predict(rows)
    made = after if isinstance(after, dict) else {"": after}
    before = outputs if isinstance(outputs, dict) else {"": outputs}
    return net.parameters | {f"{n} before": v for n, v in before.items()} | made


def assert_trains_alike(again: cr.Network, net: cr.Network) -> None:
    """Compare names and counts, and predictions and parameters behind three epochs."""
    assert list(again.parameters) == list(net.parameters)
    assert again.count_params() == net.count_params()
    assert again._frozen == net._frozen
    found, expected = trained(again), trained(net)
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_layers_stay_shared(graph: str, dtype: str, opset: int) -> None:
    net = network(GRAPHS[graph](), dtype)
    assert_trains_alike(cr.from_onnx(onnx_bytes(net, opset=opset)), net)


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("graph", OF_FLOAT)
def test_networks_and_recurrent_layers_stay_shared(graph: str, opset: int) -> None:
    net = network(OF_FLOAT[graph]())
    assert_trains_alike(cr.from_onnx(onnx_bytes(net, opset=opset)), net)


def test_a_module_one_of_whose_outputs_is_a_later_call() -> None:
    pytest.importorskip("torch")
    net = network(second_call_is_an_output())
    again = cr.from_torch(cr.to_torch(net))
    assert again._graph.outputs == net._graph.outputs
    assert_trains_alike(again, net)


def test_a_siamese_tower_has_the_parameters_of_one() -> None:
    net = network(siamese(cr.Dense(3, activation="tanh", name="tower"), 4))
    again = cr.from_onnx(onnx_bytes(net))
    assert list(again.parameters) == ["tower.weight", "tower.bias", "y.weight", "y.bias"]
    assert again.count_params() == 4 * 3 + 3 + 3 + 1
    calls = [(node.name, node.shares) for node in again._graph.nodes[2:4]]
    assert calls == [("tower", None), ("tower/1", "tower")]
    # And so in a file of that network.
    assert_trains_alike(cr.from_onnx(onnx_bytes(again)), net)


@pytest.mark.parametrize("graph", ["dense", "three calls", "encoder", "activation behind"])
def test_what_is_shared_stays_frozen(graph: str) -> None:
    net = network((GRAPHS | OF_FLOAT)[graph]())
    name = next(node.shares for node in net._graph.nodes if node.shares is not None)
    net.freeze(name)
    before = net.parameters
    again = cr.from_onnx(onnx_bytes(net))
    assert name in again._frozen
    assert_trains_alike(again, net)
    np.testing.assert_array_equal(again.parameters[f"{name}.weight"], before[f"{name}.weight"])


def test_a_shared_head_with_probabilities() -> None:
    a, b = pair(4)
    head = cr.Dense(3, name="head")
    net = network(([a, b], [head(a), head(b)]))
    net.compile(loss="cross_entropy")
    again = cr.from_onnx(onnx_bytes(net, output="probabilities"))
    assert again.count_params() == net.count_params() == 15
    rows = {name: np.random.default_rng(3).normal(size=(6, 4)) for name in ("a", "b")}
    expected = [*net.predict_proba(rows).values()]
    for found, values in zip(again.predict(rows).values(), expected, strict=True):
        np.testing.assert_allclose(found, values, rtol=1e-5)


def test_one_output_that_needs_a_later_call() -> None:
    net = network(second_call_is_an_output())
    content = onnx_bytes(net)
    again = cr.from_onnx(content, output="step/1")
    assert list(again.parameters) == ["step.weight", "step.bias"]
    np.testing.assert_array_equal(again.parameters["step.bias"], net.parameters["step.bias"])


def with_shared(net: cr.Network, value: str | None) -> bytes:
    """Return a file with another entry of what is shared, or none."""
    model = onnx.load_from_string(onnx_bytes(net))
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key != SHARED}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, entries | ({} if value is None else {SHARED: value}))
    return model.SerializeToString()


def test_without_the_entry_weights_that_are_read_twice_are_those_of_two_layers() -> None:
    net = network(siamese(cr.Dense(3, name="tower"), 4))
    assert len([*onnx.load_from_string(onnx_bytes(net)).graph.initializer]) == 4
    again = cr.from_onnx(with_shared(net, None))
    assert again.count_params() == net.count_params() + 15


def test_networks_that_share_nothing_have_no_entry() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(3), cr.Dense(3)], seed=0)
    keys = {entry.key for entry in onnx.load_from_string(onnx_bytes(net)).metadata_props}
    assert keys == {"chainrule.nodes"}


@pytest.mark.parametrize(
    "shared",
    [
        {"y": "first"},  # of another shape
        {"second": "first"},  # of other values
        {"nobody": "first", "first": "nobody else"},
        {"first": "second", "second": "first"},
    ],
)
def test_layers_that_differ_are_not_tied(shared: dict[str, str]) -> None:
    x = cr.Input(3, name="x")
    h = cr.Dense(3, name="second")(cr.Dense(3, name="first")(x))
    net = network(([x], cr.Dense(2, name="y")(h)))
    again = cr.from_onnx(with_shared(net, json.dumps(shared)))
    assert again.count_params() == net.count_params()
    rows = np.random.default_rng(4).normal(size=(5, 3))
    np.testing.assert_allclose(again.predict(rows), net.predict(rows), rtol=1e-5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ('["tower"]', "are no names by name"),
        ('{"tower/1": 1}', "are no names by name"),
        ('{"tower/1": ["tower"]}', "are no names by name"),
        ('{"tower/1": {"tower": "tower"}}', "are no names by name"),
        ("null", "are no names by name"),
    ],
)
def test_an_entry_that_is_none(value: str, text: str) -> None:
    net = network(siamese(cr.Dense(3, name="tower"), 4))
    with pytest.raises(cr.ModelFileError, match=f"the metadata '{SHARED}' {text}"):
        cr.from_onnx(with_shared(net, value))
