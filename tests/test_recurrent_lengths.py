# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers on rows of different length, from both sides, and their bits."""

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
    shaken,
    states,
)
from subprocesses import printed_by_each_instruction_set

import chainrule as cr


@pytest.fixture
def x(rng):
    return rng.normal(size=(ROWS, TIME, FEATURES))


LENGTHS = np.array([[3], [1], [TIME], [2], [5]])


def with_lengths(layer, rng, dtype="float64"):
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    h = cr.Dense(3, activation="tanh", name="before")(steps)
    net = cr.Network([steps, length], layer([h, length]), seed=4, dtype=dtype)
    return shaken(net, rng)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("sequences", "backwards"), list(itertools.product((False, True), repeat=2))
)
def test_lengths(kind, sequences, backwards, x, rng) -> None:
    layer = KINDS[kind](UNITS, return_sequences=sequences, go_backwards=backwards, name="r")
    net = with_lengths(layer, rng)
    p = {name[2:]: v for name, v in net.parameters.items() if name.startswith("r.")}
    h = np.tanh(x @ net.parameters["before.weight"] + net.parameters["before.bias"])
    rows = [states(kind, p, row, backwards, n) for row, n in zip(h, LENGTHS[:, 0], strict=True)]
    expected = [y if sequences else last for y, last in rows]
    np.testing.assert_allclose(net.predict([x, LENGTHS]), expected, rtol=1e-12, atol=1e-15)
    y = rng.normal(size=np.shape(expected))
    assert cr.gradient_check(net, [x, LENGTHS], y, "mse").max_relative_error <= 1e-7
    # What lies behind the ends changes no bit of anything, nor does a longer time axis.
    other = np.where(np.arange(TIME)[:, None] < LENGTHS[:, :, None], x, -50.0)
    results = []
    for values in (x, other):
        outputs = net.forward([values, LENGTHS])
        dx = net.backward(y)
        gradients = {name: g.copy() for name, g in net.gradients.items()}
        results.append((outputs, dx, gradients))
    np.testing.assert_array_equal(results[0][0], results[1][0])
    for name, gradient in results[0][2].items():
        np.testing.assert_array_equal(gradient, results[1][2][name])
    dx = results[0][1]["steps"]
    for row, n in zip(dx, LENGTHS[:, 0], strict=True):
        assert not row[n:].any()
        assert row[:n].any()
    np.testing.assert_array_equal(results[0][1]["length"], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_in_training_and_predictors(kind, rng) -> None:
    x = rng.normal(size=(40, TIME, FEATURES))
    lengths, y = rng.integers(1, TIME + 1, (40, 1)), rng.normal(size=(40, 9))
    trained_nets = []
    for threads in (1, 3):
        net = with_lengths(KINDS[kind](9), np.random.default_rng(1), "float32")
        other = np.where(np.arange(TIME)[:, None] < lengths[:, :, None], x, threads)
        options = {"batch_size": 32, "num_threads": threads, "verbose": 0, "epochs": 2}
        net.fit([other, lengths], y, loss="mse", **options)
        trained_nets.append(net)
    for name, values in trained_nets[0].parameters.items():
        np.testing.assert_array_equal(values, trained_nets[1].parameters[name])
    expected = trained_nets[0].predict([x, lengths])
    predictor = cr.Predictor(trained_nets[0])
    for rows in (1, 7):
        some = [x[:rows], lengths[:rows]]
        np.testing.assert_array_equal(predictor.predict(some), expected[:rows])
    whole = np.full((40, 1), TIME)
    assert (trained_nets[0].predict([x, whole]) != expected).any()


@pytest.mark.parametrize("bad", [0, TIME + 1, 2.5, -1])
def test_lengths_beyond_the_time_axis_are_refused(bad, x, rng) -> None:
    net = with_lengths(cr.GRU(UNITS), rng)
    before = {name: values.copy() for name, values in net.parameters.items()}
    lengths = LENGTHS.astype(float)
    lengths[3] = bad
    text = rf"x\['length'\] must hold lengths of rows, whole numbers from 1 to {TIME}; row 3 is"
    y = np.zeros((ROWS, UNITS))
    for call in (
        lambda: net.predict([x, lengths]),
        lambda: net.fit([x, lengths], y, loss="mse", verbose=0),
        lambda: net.evaluate([x, lengths], y, loss="mse"),
        lambda: net.forward([x, lengths]),
    ):
        with pytest.raises(ValueError, match=text):
            call()
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, before[name])
    steps, wide = cr.Input((TIME, 2), name="steps"), cr.Input(2, name="length")
    layer = cr.GRU(3)([steps, wide])
    with pytest.raises(ValueError, match=r"of shape \(1,\), got \(2,\)"):
        cr.Network([steps, wide], layer)


def test_padding_of_sequences(rng) -> None:
    sequences = [rng.normal(size=(n, 2)) for n in (3, 1, 4)]
    x, lengths = cr.data.pad_sequences(sequences)
    assert x.shape == (3, 4, 2)
    assert lengths.ravel().tolist() == [3, 1, 4]
    for row, sequence in zip(x, sequences, strict=True):
        np.testing.assert_array_equal(row[: len(sequence)], sequence)
        assert not row[len(sequence) :].any()
    assert cr.data.pad_sequences(sequences, time=6)[0].shape == (3, 6, 2)
    for bad, text in (
        ([np.ones((2, 3)), np.ones((2, 2))], r"sequences\[1\] has 2 features and .* has 3"),
        ([np.ones((2, 3)), np.ones((0, 3))], r"sequences\[1\] has shape \(0, 3\)"),
        ([], "there are no sequences"),
    ):
        with pytest.raises(ValueError, match=text):
            cr.data.pad_sequences(bad)
    with pytest.raises(ValueError, match="has 4 steps, more than time = 3"):
        cr.data.pad_sequences(sequences, time=3)
    with pytest.raises(TypeError, match=r"sequences\[0\] has dtype"):
        cr.data.pad_sequences([["a", "b"]])


def test_bidirectional(x, rng) -> None:
    both = cr.Bidirectional(cr.GRU(UNITS, return_sequences=True, name="r"))
    assert repr(both) == "Bidirectional(GRU(4, return_sequences=True, name='r'))"
    tensor = cr.Input((TIME, FEATURES))
    net = shaken(cr.Network(tensor, both(tensor), seed=0, dtype="float64"), rng)
    expected = []
    for name, backwards in (("r.", False), ("r_backward.", True)):
        p = {k[len(name) :]: v for k, v in net.parameters.items() if k.startswith(name)}
        expected.append([states("gru", p, row, backwards, TIME)[0] for row in x])
    np.testing.assert_allclose(net.predict(x), np.concatenate(expected, axis=-1), rtol=1e-12)
    y = rng.normal(size=(ROWS, TIME, 2 * UNITS))
    assert cr.gradient_check(net, x, y, "mse").max_relative_error <= 1e-7
    with pytest.raises(TypeError, match="takes a recurrent layer, got Dense"):
        cr.Bidirectional(cr.Dense(3))
    with pytest.raises(ValueError, match="goes forward"):
        cr.Bidirectional(both.backward_layer)
    with pytest.raises(TypeError, match="must be a Layer, got Bidirectional"):
        cr.Sequential([cr.Reshape((TIME, FEATURES)), both])


HASH = """
import hashlib
import numpy as np
import chainrule as cr

rng = np.random.default_rng(5)
x, lengths = rng.normal(size=(104, 9, 5)), rng.integers(1, 10, (104, 1))
y = rng.integers(0, 3, 104)
for threads in (1, 2, 3, 7):
    steps, length = cr.Input((9, 5), name="steps"), cr.Input(1, name="length")
    h = cr.Bidirectional(cr.GRU(33, return_sequences=True))([steps, length])
    h = cr.SimpleRNN(20, return_sequences=True)([cr.Dropout(0.3)(h), length])
    h = cr.LSTM(17)([h, length])
    net = cr.Network([steps, length], cr.Dense(3)(h), seed=2)
    for rows, epochs in ((101, 1), (200, 2))[: 1 + VECTORS]:
        some = [x[:rows], lengths[:rows]]
        net.fit(some, y[:rows], loss="cross_entropy", epochs=epochs, batch_size=96, verbose=0,
                num_threads=threads)
        print(hashlib.sha256(net.predict(some).tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 2
