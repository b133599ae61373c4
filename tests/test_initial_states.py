# SPDX-License-Identifier: Apache-2.0
"""States that recurrent layers begin with, against NumPy in float64 and themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from recurrent_networks import (
    FEATURES,
    KINDS,
    ROWS,
    TIME,
    UNITS,
    derivatives,
    shaken,
    stacked,
    states,
)
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

LENGTHS = np.array([[3], [1], [TIME], [2], [5]])
STATES = {"simple_rnn": ["h"], "gru": ["h"], "lstm": ["h", "c"]}
CASES = list(itertools.product(KINDS, *[(False, True)] * 3))


def network(kind, rng, lengths=False, dtype="float64", **options):
    """A layer whose inputs are those of the network, but for a dense layer before h."""
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    first = [cr.Input(UNITS, name=name) for name in STATES[kind]]
    layer = KINDS[kind](UNITS, name="r", **options)
    given = [steps, length] if lengths else steps
    before = [cr.Dense(UNITS, activation="tanh", name="before")(first[0]), *first[1:]]
    made = layer(given, initial_state=before if len(before) > 1 else before[0])
    inputs = [steps, *[length] * lengths, *first]
    return shaken(cr.Network(inputs, made, seed=4, dtype=dtype), rng)


def rows(kind, rng, lengths=False, many=ROWS):
    x = {"steps": rng.normal(size=(many, TIME, FEATURES))}
    if lengths:
        x["length"] = np.resize(LENGTHS, (many, 1))
    return x | {name: rng.normal(size=(many, UNITS)) for name in STATES[kind]}


def outputs(kind, p, x, sequences, backwards):
    """What the network makes of rows, in plain NumPy."""
    own = {name[2:]: values for name, values in p.items() if name.startswith("r.")}
    # A bias may have an axis in front, as all of them may, of networks that differ.
    h = np.tanh(x["h"] @ p["before.weight"] + p["before.bias"][..., np.newaxis, :])
    by_row = [np.moveaxis(x["steps"], -3, 0)]
    by_row += [np.moveaxis(state, -2, 0) for state in (h, x.get("c", h))]
    lengths = x.get("length", np.full((len(by_row[0]), 1), TIME))[:, 0]
    made = [
        states(kind, own, row, backwards, n, of)[0 if sequences else 1]
        for n, row, *of in zip(lengths, *by_row, strict=True)
    ]
    return stacked(made, 1 + sequences)


@pytest.mark.parametrize(("kind", "lengths", "sequences", "backwards"), CASES)
def test_outputs_and_gradients(kind, lengths, sequences, backwards, rng) -> None:
    options = {"return_sequences": sequences, "go_backwards": backwards}
    net = network(kind, rng, lengths, **options)
    x = rows(kind, rng, lengths)
    expected = outputs(kind, net.parameters, x, sequences, backwards)
    for found in (net.predict(x), net.forward(x), cr.Predictor(net).predict(x)):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)
    dy = rng.normal(size=expected.shape)
    dx = net.backward(dy)
    moved = {**net.parameters, **{n: v for n, v in x.items() if n != "length"}}

    def function(values):
        return outputs(kind, values, {**x, **values}, sequences, backwards)

    wanted = derivatives(function, {n: np.array(v, float) for n, v in moved.items()}, dy)
    for name, gradient in (net.gradients | dx).items():
        np.testing.assert_allclose(gradient, wanted.get(name, 0), rtol=1e-10, atol=1e-12)
    assert cr.gradient_check(net, x, dy, "mse").max_relative_error <= 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_check_with_dropout(kind, rng) -> None:
    net = network(kind, rng, lengths=True, recurrent_dropout=0.4, return_sequences=True)
    y = rng.normal(size=(ROWS, TIME, UNITS))
    x = rows(kind, rng, lengths=True)
    assert cr.gradient_check(net, x, y, "mse").max_relative_error <= 1e-7


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_gradient_still_reaches_the_first_state(kind, rng) -> None:
    net = network(kind, rng, truncate_gradient=2, return_sequences=True)
    x = rows(kind, rng)
    dy = np.zeros((ROWS, TIME, UNITS))
    dy[:, 1] = rng.normal(size=(ROWS, UNITS))
    net.forward(x)
    dx = net.backward(dy)
    assert dx["h"].all()
    dy[:, 1], dy[:, 2] = 0, dy[:, 1]
    net.forward(x)
    assert not net.backward(dy)["h"].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backwards", [False, True])
def test_zeros_are_what_layers_begin_with(kind, backwards, rng) -> None:
    x = rng.normal(size=(40, TIME, FEATURES))
    steps = cr.Input((TIME, FEATURES), name="steps")
    first = [cr.Input(UNITS, name=name) for name in STATES[kind]]
    options = {"go_backwards": backwards, "return_sequences": True, "name": "r"}
    layer = KINDS[kind](UNITS, **options)
    plain = shaken(cr.Network(steps, layer(steps), seed=1), rng)
    given = cr.Network([steps, *first], layer([steps, *first]), seed=1)
    given.set_weights(plain.parameters)
    zeros = [np.zeros((40, UNITS))] * len(first)
    np.testing.assert_array_equal(given.predict([x, *zeros]), plain.predict(x))
    y = rng.normal(size=(40, TIME, UNITS))
    options = {"loss": "mse", "epochs": 2, "batch_size": 16, "verbose": 0}
    plain.fit(x, y, **options)
    given.fit([x, *zeros], y, **options)
    for name, values in plain.parameters.items():
        np.testing.assert_array_equal(values, given.parameters[name])


def test_a_sequence_in_two_parts(rng) -> None:
    """A shared layer goes on from its own last state."""
    parts = [cr.Input((TIME // 2, FEATURES), name=name) for name in ("first", "second")]
    whole, start = cr.Input((TIME, FEATURES), name="x"), cr.Input(UNITS, name="start")
    layer = cr.GRU(UNITS, name="r")
    middle = layer(parts[0], initial_state=start)
    net = cr.Network([*parts, start], layer(parts[1], initial_state=middle), seed=2)
    shaken(net, rng)
    once = cr.Network(whole, layer(whole), seed=2)
    once.set_weights(net.parameters)
    x = rng.normal(size=(ROWS, TIME, FEATURES))
    halves = [*np.split(x, 2, axis=1), np.zeros((ROWS, UNITS))]
    np.testing.assert_array_equal(net.predict(halves), once.predict(x))
    y = rng.normal(size=(ROWS, UNITS))
    assert cr.gradient_check(net, halves, y, "mse").max_relative_error <= 1e-7


HASH = """
import hashlib
import numpy as np
import chainrule as cr

rng = np.random.default_rng(5)
x = rng.normal(size=(104, 9, 5)), rng.normal(size=(104, 4)), rng.integers(1, 10, (104, 1))
y = rng.integers(0, 3, 104)
for threads in (1, 2, 3, 7):
    steps, code = cr.Input((9, 5), name="steps"), cr.Input(4, name="code")
    length = cr.Input(1, name="length")
    h = cr.GRU(33, return_sequences=True)([steps, length], cr.Dense(33)(code))
    h = cr.LSTM(17)(h, initial_state=[cr.Dense(17)(code), cr.Dense(17)(code)])
    net = cr.Network([steps, code, length], cr.Dense(3)(h), seed=2)
    for rows, epochs in ((101, 1), (200, 2))[: 1 + VECTORS]:
        some = [each[:rows] for each in x]
        net.fit(some, y[:rows], loss="cross_entropy", epochs=epochs, batch_size=96, verbose=0,
                num_threads=threads)
        print(hashlib.sha256(net.predict(some).tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 2


def test_files_and_lists_of_sequences(rng, tmp_path) -> None:
    net = network("lstm", rng, lengths=True, dtype="float32")
    x = rows("lstm", rng, lengths=True)
    net.save(tmp_path / "model.safetensors")
    loaded = cr.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))
    ragged = [row[:n] for row, n in zip(x["steps"], x["length"][:, 0], strict=True)]
    given = {"steps": ragged, "h": x["h"], "c": x["c"]}
    np.testing.assert_array_equal(net.predict(given), net.predict(x))


def test_what_does_not_fit_is_refused(rng) -> None:
    x, h, wide = cr.Input((TIME, 2), name="x"), cr.Input(3, name="h"), cr.Input(4, name="wide")
    one, length = cr.Input(1, name="one"), cr.Input(1, name="length")
    text = r"may read the state to begin with, of shape \(3,\), .* shape \(1,\), got \(4,\)"
    with pytest.raises(ValueError, match=text):
        cr.Network([x, wide], cr.GRU(3)(x, initial_state=wide))
    with pytest.raises(ValueError, match=r"two states to begin with, .* got \(3,\)"):
        cr.Network([x, h], cr.LSTM(3)([x, h]))
    with pytest.raises(ValueError, match=r"LSTM\(3\) has initial_state of two, h and c, got 1"):
        cr.LSTM(3)(x, initial_state=h)
    with pytest.raises(ValueError, match=r"GRU\(3\) has initial_state of one, got 2"):
        cr.GRU(3)(x, initial_state=[h, h])
    with pytest.raises(TypeError, match="takes symbolic tensors"):
        cr.GRU(3)(x, initial_state=np.zeros(3))
    with pytest.raises(ValueError, match="give lengths as well"):
        cr.GRU(1)(x, initial_state=one)
    net = cr.Network([x, length, one], cr.GRU(1)([x, length], initial_state=one), seed=0)
    rows = [rng.normal(size=(ROWS, TIME, 2)), LENGTHS, rng.normal(size=(ROWS, 1))]
    assert net.predict(rows).shape == (ROWS, 1)
    with pytest.raises(ValueError, match=r"x\['length'\] must hold lengths"):
        net.predict([rows[0], rows[2], rows[1]])
    with pytest.raises(ValueError, match="h"):
        network("gru", rng).predict([rows[0], rows[2]])
    state = cr.Network([x, h], cr.GRU(3)(x, initial_state=h), seed=0)
    with pytest.raises(ValueError, match=r"begins with a state that another node gives"):
        cr.StreamingPredictor(state)
