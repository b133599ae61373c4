# SPDX-License-Identifier: Apache-2.0
"""StreamingPredictor: frames one by one against whole sequences, to the bit."""

from __future__ import annotations

import copy
import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from recurrent_networks import GATES, KINDS, arrays, chain, network, shaken, states
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

TIME, FEATURES = 9, 3


def deep(dtype: str = "float32", time: int = TIME, last: bool = False) -> cr.Network:
    """All kinds of layers that go from frame to frame, and a residual block."""
    x = cr.Input((time, FEATURES), name="x")
    h = cr.Conv1D(7, 3, padding="causal", dilation=2, activation="relu")(cr.Rescaling(0.5)(x))
    h = cr.Add()([h, cr.Dense(7, activation="tanh")(cr.LayerNormalization()(h))])
    h = cr.Concatenate()([cr.GRU(8, return_sequences=True)(h), x])
    h = cr.BatchNormalization()(cr.LSTM(5, return_sequences=True)(cr.Dropout(0.3)(h)))
    h = cr.SimpleRNN(6, return_sequences=not last)(cr.Scale()(h))
    net = cr.Network(x, cr.Dense(2)(h), seed=3, dtype=dtype)
    rng = np.random.default_rng(8)
    net.set_weights({n: v + rng.uniform(0.01, 0.3, v.shape) for n, v in net.parameters.items()})
    return net


def frames_of(rows: int = 1, time: int = TIME, seed: int = 1) -> Any:
    return np.random.default_rng(seed).normal(size=(rows, time, FEATURES)).astype(np.float32)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_frames_have_the_bits_of_the_sequence(dtype: str) -> None:
    net = deep(dtype)
    x = frames_of(4)
    whole = net.predict(x)
    stream = cr.StreamingPredictor(net)
    for row, expected in zip(x, whole, strict=True):
        given = [stream.step(frame) for frame in row]
        assert given[0].dtype == dtype
        np.testing.assert_array_equal(given, expected)
        stream.reset()
        np.testing.assert_array_equal(stream.step(row), expected)
        stream.reset()


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_those_of_plain_numpy(kind: str) -> None:
    rng = np.random.default_rng(4)
    net = network(KINDS[kind](4, return_sequences=True), rng, head=False)
    x = rng.normal(size=(50, FEATURES))  # longer than the network's time axis
    expected, _ = states(kind, arrays(net), x, backwards=False, length=len(x))
    assert GATES[kind] * 4 == arrays(net)["weight"].shape[1]
    np.testing.assert_allclose(cr.StreamingPredictor(net).step(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("size", "dilation"), [(1, 1), (2, 1), (3, 4), (5, 2)])
def test_convolutions_are_those_of_plain_numpy(size: int, dilation: int) -> None:
    rng = np.random.default_rng(4)
    net = shaken(chain(cr.Conv1D(4, size, padding="causal", dilation=dilation)), rng)
    p = arrays(net)
    x = rng.normal(size=(40, FEATURES))
    expected = np.tile(p["bias"], (40, 1))
    for t in range(40):
        for k in range(size):
            if (at := t - (size - 1 - k) * dilation) >= 0:
                expected[t] += x[at] @ p["weight"][k]
    np.testing.assert_allclose(cr.StreamingPredictor(net).step(x), expected, rtol=0, atol=1e-13)


def test_the_last_state_alone_is_that_of_a_sequence_that_ends_there() -> None:
    stream = cr.StreamingPredictor(deep(last=True))
    x = frames_of()[0]
    for t in range(TIME):
        whole = deep(time=t + 1, last=True)
        np.testing.assert_array_equal(stream.step(x[t]), whole.predict(x[None, : t + 1])[0])


def test_copies_go_on_by_themselves_and_share_weights() -> None:
    net = deep()
    x, y = frames_of(2)
    expected = net.predict(np.stack([x, np.concatenate([x[:4], y[4:]])]))
    stream = cr.StreamingPredictor(net)
    stream.step(x[:4])
    twin = stream.copy()
    np.testing.assert_array_equal(twin.step(y[4:]), expected[1, 4:])
    np.testing.assert_array_equal(stream.step(x[4:]), expected[0, 4:])
    bias = net.parameters["dense_1.bias"]
    net.set_weights({**net.parameters, "dense_1.bias": np.float32([1, 2])})
    before = twin.copy().step(x[0])
    stream.update()
    np.testing.assert_allclose(
        twin.step(x[0]) - before, np.float32([1, 2]) - bias, rtol=0, atol=1e-6
    )


def test_updates_leave_the_state() -> None:
    net = deep()
    x = frames_of()
    stream, changed = cr.StreamingPredictor(net), deep()
    stream.step(x[0, :5])
    for each in (net, changed):
        doubled = {"dense_1.weight": 2 * each.parameters["dense_1.weight"]}
        each.set_weights({**each.parameters, **doubled})
    stream.update()  # of a layer behind all that remember
    np.testing.assert_array_equal(stream.step(x[0, 5:]), changed.predict(x)[0, 5:])


def test_several_inputs_and_outputs_lie_side_by_side() -> None:
    a, b = cr.Input((6, 2), name="a"), cr.Input((6, 1), name="b")
    h = cr.GRU(3, return_sequences=True)(a)
    net = cr.Network([a, b], [h, cr.Conv1D(2, 2, padding="causal")(b)], seed=1)
    x = frames_of(1, 6)
    whole = net.predict({"a": x[..., :2].copy(), "b": x[..., 2:].copy()})
    expected = np.concatenate([part[0] for part in whole.values()], axis=1)
    np.testing.assert_array_equal(cr.StreamingPredictor(net).step(x[0]), expected)


def test_missing_numbers_are_taken_where_the_network_takes_them() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(3, 2, size=(20, 6, 2)).astype(np.float32)
    x[rng.random(x.shape) < 0.3] = np.nan
    net = chain(
        cr.Normalization(missing="zero"), cr.GRU(3, return_sequences=True), shape=(6, 2),
        dtype="float32",
    )  # fmt: skip
    net.adapt(x)
    np.testing.assert_array_equal(cr.StreamingPredictor(net).step(x[0]), net.predict(x[:1])[0])


TABLES = [
    cr.Embedding(11, 4),
    cr.Embedding(11, 4, unknown="zero", missing="code"),
    cr.CategoryEncoding(11),
    cr.CategoryEncoding(11, unknown="code"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("table", TABLES, ids=str)
def test_tokens_one_by_one(table: Any, dtype: str) -> None:
    columns = table.outputs(1)
    layers = [cr.Reshape((TIME, columns)), cr.GRU(6, return_sequences=True), cr.Dense(3)]
    net = cr.Sequential([cr.Input(TIME), table, *layers], seed=1, dtype=dtype)
    tokens = np.random.default_rng(3).integers(0, 11, (4, TIME))
    whole = net.predict(tokens)
    stream = cr.StreamingPredictor(net)
    for row, expected in zip(tokens, whole, strict=True):
        np.testing.assert_array_equal([stream.step([token]) for token in row], expected)
        stream.reset()
        np.testing.assert_array_equal(stream.step(row[:, np.newaxis]), expected)
        stream.reset()


def test_several_tokens_of_a_frame_beside_numbers() -> None:
    words, x = cr.Input(2 * TIME, name="words"), cr.Input((TIME, FEATURES), name="x")
    vectors = cr.Reshape((TIME, 6))(cr.Embedding(11, 3)(words))
    h = cr.LSTM(5, return_sequences=True)(cr.Concatenate()([vectors, x]))
    net = cr.Network([words, x], cr.Dense(2)(cr.Conv1D(4, 2, padding="causal")(h)), seed=1)
    tokens, numbers = np.random.default_rng(3).integers(0, 11, (1, TIME, 2)), frames_of()
    whole = net.predict({"words": tokens.reshape(1, -1), "x": numbers})[0]
    frames = np.concatenate([tokens[0], numbers[0]], axis=1)
    np.testing.assert_array_equal(cr.StreamingPredictor(net).step(frames), whole)


def test_tokens_that_are_none_change_nothing() -> None:
    layers = [cr.Reshape((TIME, 4)), cr.GRU(6, return_sequences=True)]
    tokens = np.random.default_rng(3).integers(0, 11, (1, TIME))
    net = cr.Sequential([cr.Input(TIME), cr.Embedding(11, 4), *layers], seed=1)
    stream = cr.StreamingPredictor(net)
    stream.step(tokens[0, :5, np.newaxis])
    for frame in ([11], [-1], [0.5], [np.nan], [np.inf]):
        with pytest.raises(ValueError, match=r"(frames must hold categories|frame must be finite)"):
            stream.step(frame)
    found = stream.step(tokens[0, 5:, np.newaxis])
    np.testing.assert_array_equal(found, net.predict(tokens)[0, 5:])
    table = cr.Embedding(11, 4, missing="code")
    net = cr.Sequential([cr.Input(TIME), table, *layers], seed=1)
    given = tokens.astype(float)
    given[0, 2] = np.nan
    found = cr.StreamingPredictor(net).step(given.reshape(-1, 1))
    np.testing.assert_array_equal(found, net.predict(given)[0])


@pytest.mark.parametrize(
    "layers",
    [
        [cr.Embedding(11, 4), cr.Dense(3)],
        [cr.Embedding(11, 4), cr.Reshape((4, TIME)), cr.GRU(3)],
        [cr.Embedding((11,) * TIME, 4), cr.Reshape((TIME, 4)), cr.GRU(3)],
        [cr.Embedding(11, 4), cr.Reshape((TIME, 2, 2)), cr.Conv2D(3, 1)],
        [cr.CategoryEncoding(11, "count"), cr.Dense(3)],
    ],
)
def test_other_forms_of_tokens_are_refused(layers: Any) -> None:
    net = cr.Sequential([cr.Input(TIME), *layers], seed=0)
    with pytest.raises(ValueError, match="a StreamingPredictor"):
        cr.StreamingPredictor(net)
    with pytest.raises(ValueError, match="cannot be exported to C"):
        cr.export_c(net, "unused", streaming=True)
    assert not Path("unused").exists()


def digest() -> str:
    """What a process with one instruction set gives."""
    found = hashlib.sha256()
    for dtype in ("float32", "float64"):
        net, x = deep(dtype), frames_of(1, 30)[0]
        given = cr.StreamingPredictor(net).step(x)
        np.testing.assert_array_equal(given[:TIME], net.predict(x[None, :TIME])[0])
        found.update(given.tobytes())
    return found.hexdigest()


def test_the_same_bits_for_all_instruction_sets() -> None:
    program = "import test_streaming_predictor as t; print(t.digest())"
    assert printed_by_each_instruction_set(program) == {digest()}


@pytest.mark.parametrize(
    ("frame", "error", "text"),
    [
        ([1.0, 2.0], ValueError, r"frame has shape \(2,\), expected \(3,\) or \(frames, 3\)"),
        (np.zeros((1, 9, 3)), ValueError, r"frame has shape \(1, 9, 3\), expected \(3,\)"),
        (1.0, TypeError, "frame must be an array, got 1.0"),
        ([], ValueError, r"frame has shape \(0,\), expected \(3,\)"),
        (["a", "b", "c"], TypeError, "frame has dtype"),
        ([1j, 0, 0], TypeError, "frame is complex"),
        ([0.0, np.nan, 0.0], ValueError, "frame must be finite; row 0, column 1 is NaN"),
        ([[0, 0, 0], [0, 0, np.inf]], ValueError, "frame must be finite; row 1, column 2"),
        ([1e300, 0.0, 0.0], ValueError, "frame must be finite; row 0, column 0 is infinite"),
    ],
)
def test_frames_that_do_not_fit_change_nothing(frame: Any, error: Any, text: str) -> None:
    net, x = deep(), frames_of()
    stream = cr.StreamingPredictor(net)
    stream.step(x[0, :5])
    with pytest.raises(error, match=text):
        stream.step(frame)
    np.testing.assert_array_equal(stream.step(x[0, 5:]), net.predict(x)[0, 5:])
    assert stream.step(np.zeros((0, FEATURES))).shape == (0, 2)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (cr.GRU(2, go_backwards=True), r"'gru' \(gru\) cannot: it goes backwards"),
        (cr.Bidirectional(cr.LSTM(2)), r"\(lstm\) cannot: it goes backwards"),
        (cr.Conv1D(2, 3, padding="same"), r"'conv1d' \(conv1d\) cannot: its padding must be 'ca"),
        (cr.Conv1D(2, 3), "its padding must be 'causal'"),
        (cr.Conv1D(2, 3, padding="causal", strides=2), "its strides are 2, expected 1"),
        (cr.MaxPooling(2), "does not work on each frame by itself"),
        (cr.GlobalAveragePooling(), "does not work on each frame by itself"),
        (cr.Flatten(), r"'flatten' \(flatten\) cannot: it does not work on each frame by itself"),
        (cr.Permute((2, 1)), "does not work on each frame by itself"),
        (cr.Lambda(lambda x: x, lambda x, y, dy: dy), "is a Lambda"),
    ],
)
def test_other_networks_are_refused_by_their_layer(layer: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        cr.StreamingPredictor(chain(layer))


def test_other_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"inputs of shape \(time, features\), got .* \(4,\)"):
        cr.StreamingPredictor(cr.Sequential([cr.Input(4), cr.Dense(3)], seed=0))
    x, n = cr.Input((6, 2), name="x"), cr.Input(1, name="n")
    with pytest.raises(ValueError, match="cannot: it reads the lengths of whole sequences"):
        cr.StreamingPredictor(cr.Network([x, n], cr.GRU(2)([x, n]), seed=0))
    stream = cr.StreamingPredictor(deep())
    for way in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="a StreamingPredictor cannot be pickled"):
            way(stream)
