# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers in ONNX files and PyTorch, and back."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from onnx_graphs import model, node, onnx

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes

TIME, FEATURES = 6, 3
LAYERS = [
    kind(4, return_sequences=sequences, go_backwards=backwards, use_bias=bias)
    for kind, sequences, backwards, bias in itertools.product(
        (cr.SimpleRNN, cr.GRU, cr.LSTM), (False, True), (False, True), (True, False)
    )
]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)
RNG = np.random.default_rng(3)


def with_random_weights(net: cr.Network) -> cr.Network:
    """Return a network none of whose parameters are zeros or ones."""
    net.set_weights({k: RNG.normal(0, 0.6, size=v.shape) for k, v in net.parameters.items()})
    return net


def around(layer, dtype="float32"):
    """Return a network with a recurrent layer between others, and rows for it."""
    x = cr.Input((TIME, FEATURES))
    h = cr.Dense(2)(layer(cr.Dense(5, "tanh")(x)))
    net = with_random_weights(cr.Network(x, h, seed=1, dtype=dtype))
    return net, RNG.normal(size=(9, TIME, FEATURES)).astype(dtype)


def of_lengths(layer):
    """Return a network that reads sequences and their lengths, from both sides, and rows."""
    x, n = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    net = with_random_weights(cr.Network([x, n], cr.Bidirectional(layer)([x, n]), seed=1))
    lengths = np.arange(12)[:, None] % TIME + 1
    return net, RNG.normal(size=(12, TIME, FEATURES)).astype(np.float32), lengths.astype(np.float32)


def round_trip(net: cr.Network, *rows: np.ndarray, opset: int = 17) -> cr.Network:
    """Return the network of a network's file, which gives the same as it and onnxruntime."""
    content = onnx_bytes(net, opset=opset)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    y = net.predict([*rows] if len(rows) > 1 else rows[0])
    assert largest_relative_difference(onnxruntime_outputs(content, *rows), y) <= 1e-5
    again = cr.from_onnx(content)
    made = again.predict([*rows] if len(rows) > 1 else rows[0])
    assert largest_relative_difference(made, y) <= 1e-5
    return again


@pytest.mark.parametrize("opset", [13, 22])
@each_layer
def test_onnx_gives_the_same_and_comes_back(layer, opset) -> None:
    net, x = around(layer)
    assert [*round_trip(net, x, opset=opset).layers] == [*net.layers]


@pytest.mark.parametrize("kind", [cr.SimpleRNN, cr.GRU, cr.LSTM])
@pytest.mark.parametrize("sequences", [False, True])
def test_onnx_has_both_directions_and_lengths(kind, sequences) -> None:
    net, x, lengths = of_lengths(kind(4, return_sequences=sequences))
    assert [*round_trip(net, x, lengths).layers] == [*net.layers]


@pytest.mark.parametrize("kind", [cr.SimpleRNN, cr.GRU, cr.LSTM])
@pytest.mark.parametrize("lengths", [False, True])
def test_onnx_has_states_to_begin_with(kind, lengths) -> None:
    inputs = [cr.Input((TIME, FEATURES), name="steps"), *[cr.Input(1, name="n")] * lengths]
    first = [cr.Input(4, name=name) for name in ("h", "c")[: 1 + (kind is cr.LSTM)]]
    layer = kind(4, return_sequences=True, go_backwards=True, use_bias=False)
    made = kind(4)(layer(inputs, initial_state=first), initial_state=first)
    net = with_random_weights(cr.Network([*inputs, *first], made, seed=1))
    rows = [RNG.normal(size=(12, TIME, FEATURES)), *[np.arange(12)[:, None] % TIME + 1] * lengths]
    rows = [each.astype(np.float32) for each in (*rows, *RNG.normal(size=(len(first), 12, 4)))]
    content = onnx_bytes(net)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    found = onnxruntime_outputs(content, *rows)
    assert largest_relative_difference(found, net.predict(rows)) <= 1e-5
    again = cr.from_onnx(content)
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(rows), net.predict(rows)) <= 1e-5


@pytest.mark.parametrize("kind", [cr.SimpleRNN, cr.GRU, cr.LSTM])
@pytest.mark.parametrize(("lengths", "sequences"), [*itertools.product((False, True), repeat=2)])
def test_onnx_has_final_states(kind, lengths, sequences) -> None:
    inputs = [cr.Input((TIME, FEATURES), name="steps"), *[cr.Input(1, name="n")] * lengths]
    target = cr.Input((4, 2), name="target")
    encoder = kind(4, return_sequences=sequences, return_state=True, go_backwards=True)
    steps, *state = encoder(inputs)
    outputs = [kind(4)(target, initial_state=state), cr.Dense(2)(steps)]
    net = with_random_weights(cr.Network([*inputs, target], outputs, seed=1))
    rows = [RNG.normal(size=(12, TIME, FEATURES)), *[np.arange(12)[:, None] % TIME + 1] * lengths]
    rows = [each.astype(np.float32) for each in (*rows, RNG.normal(size=(12, 4, 2)))]
    content = onnx_bytes(net)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    for found, y in zip(
        onnxruntime_outputs(content, *rows), net.predict(rows).values(), strict=True
    ):
        assert largest_relative_difference(found, y) <= 1e-5
    again = cr.from_onnx(content).predict(rows)
    for found, y in zip(again.values(), net.predict(rows).values(), strict=True):
        assert largest_relative_difference(found, y) <= 1e-5


@pytest.mark.parametrize("index", [0, 3, -1])
def test_positions_go_both_ways(index) -> None:
    x = cr.Input((TIME, FEATURES))
    h = cr.Dense(2)(cr.Position(index)(cr.Dense(4, "tanh")(x)))
    net = with_random_weights(cr.Network(x, h, seed=1))
    rows = RNG.normal(size=(9, TIME, FEATURES)).astype(np.float32)
    assert [*round_trip(net, rows).layers] == [*net.layers]
    torch = pytest.importorskip("torch")
    module = cr.to_torch(net)
    with torch.no_grad():
        y = module(torch.from_numpy(rows)).numpy()
    assert largest_relative_difference(y, net.predict(rows)) <= 1e-5
    assert [*cr.from_torch(module, input_shape=(TIME, FEATURES)).layers] == [*net.layers]


def test_transpositions_between_recurrent_layers_cancel() -> None:
    x = cr.Input((TIME, FEATURES))
    h = cr.GRU(4)(cr.LSTM(5, return_sequences=True)(cr.GRU(3, return_sequences=True)(x)))
    net = cr.Network(x, h, seed=0)
    operators = [n.op_type for n in onnx.load_from_string(onnx_bytes(net)).graph.node]
    assert operators == ["Transpose", *["GRU", "Squeeze", "LSTM", "Squeeze", "GRU", "Squeeze"]]
    rows = RNG.normal(size=(5, TIME, FEATURES)).astype(np.float32)
    assert [*round_trip(net, rows).layers] == [*net.layers]


ACTIVATIONS = ["relu", "sigmoid", "linear", "elu", "leaky_relu", "softsign", "softplus"]


@pytest.mark.parametrize(
    "activation", [*ACTIVATIONS, "hard_sigmoid", {"kind": "elu", "alpha": 0.5}]
)
def test_onnx_has_the_activations_of_an_rnn(activation) -> None:
    net, x = around(cr.SimpleRNN(4, activation))
    assert [*round_trip(net, x).layers] == [*net.layers]


def test_a_trained_network_goes_on_elsewhere(tmp_path) -> None:
    x = cr.Input((TIME, FEATURES))
    h = cr.Bidirectional(cr.LSTM(5))(cr.Conv1D(4, 3, padding="causal", activation="relu")(x))
    net = cr.Network(x, cr.Dense(1)(h), seed=0)
    rows, targets = RNG.normal(size=(64, TIME, FEATURES)), RNG.normal(size=(64, 1))
    net.fit(rows, targets, loss="mse", epochs=3, verbose=0)
    report = cr.to_onnx(net, tmp_path / "net.onnx")
    assert report.max_relative_difference <= 1e-5
    again = cr.from_onnx(report.path)
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(rows), net.predict(rows)) <= 1e-5


@pytest.mark.parametrize(
    ("net", "text"),
    [
        (around(cr.GRU(4), "float64")[0], "gru.*float32 alone"),
        (around(cr.SimpleRNN(4, "gelu"))[0], "its RNN has no gelu"),
    ],
)
def test_onnx_files_refuse_by_name_what_they_cannot_hold(net, text) -> None:
    with pytest.raises(ValueError, match=text):
        onnx_bytes(net)


def weights(gates: int, *, directions: int = 1, units: int = 4) -> dict[str, np.ndarray]:
    shapes = {"w": FEATURES, "r": units}
    made = {name: (directions, gates * units, columns) for name, columns in shapes.items()}
    made["b"] = (directions, 2 * gates * units)
    return {k: RNG.normal(0, 0.5, size=shape).astype(np.float32) for k, shape in made.items()}


def recurrence(op: str, outputs: str, *, inputs: str = "t w r b", **options):
    """Return an operator that reads x with time first."""
    turned = node("Transpose", "x", "t", perm=[1, 0, 2])
    return [turned, onnx.helper.make_node(op, inputs.split(), outputs.split(","), **options)]


def read(nodes, constants, shape=(TIME, FEATURES)):
    """Return the layers of nodes from x to y."""
    content = model(nodes, constants, shape=["rows", *shape])
    net = cr.from_onnx(content)
    x = RNG.normal(size=(5, *shape)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), onnxruntime_outputs(content, x)) <= 1e-5
    return [*net.layers]


def test_both_directions_as_pytorch_writes_them() -> None:
    both = {"hidden_size": 4, "direction": "bidirectional"}
    sequences = [
        *recurrence("GRU", "s", linear_before_reset=1, **both),
        node("Transpose", "s", "f", perm=[0, 2, 1, 3]),
        node("Reshape", "f shape", "j"),
        node("Transpose", "j", "y", perm=[1, 0, 2]),
    ]
    given = weights(3, directions=2) | {"shape": np.array([0, 0, -1])}
    gru = {"return_sequences": True}
    expected = [cr.GRU(4, **gru), cr.GRU(4, **gru, go_backwards=True), cr.Concatenate()]
    assert read(sequences, given) == expected
    states = [
        *recurrence("LSTM", ",h", **both),
        node("Transpose", "h", "f", perm=[1, 0, 2]),
        node("Reshape", "f shape", "y"),
    ]
    given = weights(4, directions=2) | {"shape": np.array([0, -1])}
    assert read(states, given) == [cr.LSTM(4), cr.LSTM(4, go_backwards=True), cr.Concatenate()]


def test_the_last_step_of_sequences_is_the_last_state() -> None:
    squeeze = {"axis": np.array([1])}
    nodes = [
        *recurrence("LSTM", "s", hidden_size=4),
        node("Squeeze", "s axis", "q"),
        node("Gather", "q last", "y", axis=0),
    ]
    last = {"last": np.array(-1)}
    assert read(nodes, weights(4) | squeeze | last) == [cr.LSTM(4)]
    nodes[-1:] = [
        node("Transpose", "q", "turned", perm=[1, 0, 2]),
        node("Gather", "turned last", "y", axis=1),
    ]
    assert read(nodes, weights(4) | squeeze | last) == [cr.LSTM(4)]
    first = {"last": np.array(0)}
    found = read(nodes, weights(4) | squeeze | first)
    assert found == [cr.LSTM(4, return_sequences=True), cr.Position(0)]


def test_sequences_and_last_states_of_one_operator() -> None:
    nodes = [
        *recurrence("RNN", "s,h", hidden_size=4),
        node("Squeeze", "h first", "last"),
        node("Squeeze", "s second", "q"),
        node("Transpose", "q", "turned", perm=[1, 2, 0]),
        node("GlobalMaxPool", "turned", "p"),
        node("Flatten", "p", "m"),
        node("Add", "m last", "y"),
    ]
    kinds = [layer.kind for layer in read(nodes, weights(1) | {"first": [0], "second": [1]})]
    assert kinds.count("simple_rnn") == 1


SQUEEZED = {"axis": np.array([0])}


@pytest.mark.parametrize(
    ("op", "gates", "options", "constants", "text"),
    [
        ("GRU", 3, {}, {}, "linear_before_reset=0"),
        ("LSTM", 4, {"clip": 1.0}, {}, "clips"),
        ("LSTM", 4, {"input_forget": 1}, {}, "are one"),
        ("LSTM", 4, {"hidden_size": 5}, {}, "hidden_size is 5"),
        ("LSTM", 4, {"activations": ["Tanh", "Tanh", "Tanh"]}, {}, "activations are"),
        ("RNN", 1, {"activations": ["ThresholdedRelu"]}, {}, "activation is ThresholdedRelu"),
        ("RNN", 1, {"direction": "sideways"}, {}, "direction is 'sideways'"),
        ("RNN", 1, {}, {"h": np.ones((1, 1, 4), np.float32)}, "states of its own"),
        ("RNN", 1, {}, {"n": np.array([3], np.int32)}, "lengths are constants"),
        ("RNN", 1, {}, {"w": np.ones((1, 4, 2), np.float32)}, "takes 2 columns"),
        ("RNN", 1, {}, {"b": np.ones((1, 4), np.float32)}, "biases have shape"),
        ("GRU", 1, {"linear_before_reset": 1}, {}, "weights have shapes"),
    ],
)
def test_operators_that_are_no_layer_are_refused(op, gates, options, constants, text) -> None:
    options = {"hidden_size": 4} | options
    operands = [
        "t",
        "w",
        "r",
        "b",
        "n" if "n" in constants else "",
        "h" if "h" in constants else "",
    ]
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        onnx.helper.make_node(op, operands, ["", "s"], **options),
        node("Squeeze", "s axis", "y"),
    ]
    content = model(nodes, weights(gates) | SQUEEZED | constants, shape=["rows", TIME, FEATURES])
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(content)


def test_rows_along_another_axis_are_refused() -> None:
    nodes = recurrence("RNN", "y", hidden_size=4)
    content = model(nodes, weights(1), shape=["rows", TIME, FEATURES])
    with pytest.raises(cr.ModelFileError, match="output 'y' moves the rows of the batch to axis 2"):
        cr.from_onnx(content)
    straight = [node("RNN", "x w r b", "y", hidden_size=4)]
    with pytest.raises(cr.ModelFileError, match="along axis 0"):
        cr.from_onnx(model(straight, weights(1), shape=["rows", TIME, FEATURES]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_layer
def test_torch_gives_the_same_and_comes_back(layer, dtype) -> None:
    torch = pytest.importorskip("torch")
    net, x = around(layer, dtype)
    module = cr.to_torch(net).eval()
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    limit = 1e-5 if dtype == "float32" else 1e-12
    assert largest_relative_difference(y, net.predict(x)) <= limit
    again = cr.from_torch(module, input_shape=(TIME, FEATURES))
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= limit


@pytest.mark.parametrize("kind", [cr.SimpleRNN, cr.GRU, cr.LSTM])
@pytest.mark.parametrize("sequences", [False, True])
def test_torch_has_both_directions_and_lengths(kind, sequences) -> None:
    torch = pytest.importorskip("torch")
    net, x, lengths = of_lengths(kind(4, return_sequences=sequences))
    module = cr.to_torch(net)
    with torch.no_grad():
        y = module(torch.from_numpy(x), torch.from_numpy(lengths)).numpy()
    assert largest_relative_difference(y, net.predict([x, lengths])) <= 1e-5
    again = cr.from_torch(module, input_shape=[(TIME, FEATURES), (1,)])
    assert [*again.layers] == [*net.layers]
    found = again.predict([x, lengths])
    assert largest_relative_difference(found, net.predict([x, lengths])) <= 1e-5
