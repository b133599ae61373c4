# SPDX-License-Identifier: Apache-2.0
"""Recurrent dropout and truncated gradients against NumPy in float64, and their bits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from augmented import LOW, philox_block
from recurrent_networks import (
    FEATURES,
    KINDS,
    ROWS,
    TIME,
    UNITS,
    arrays,
    chain,
    derivatives,
    network,
    shaken,
    stacked,
    states,
)
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

DIRECTIONS = list(itertools.product((False, True), repeat=2))
LENGTHS = np.array([[3], [1], [TIME], [2], [5]])
DROPOUT = 3  # the use of its random words


@pytest.fixture
def x(rng):
    return rng.normal(size=(ROWS, TIME, FEATURES))


def dropout_factors(seed, rate, rows=ROWS, units=UNITS, layer=0, step=0):
    """What the layer of that number multiplies the rows of a batch by, in one step."""
    blocks, factors = -(-units // 4), []
    for row in range(rows):
        found = []
        for block in range(row * blocks, (row + 1) * blocks):
            stream = layer << 48 | step
            counter = [block & LOW, (block >> 32) << 8 | DROPOUT, stream & LOW, stream >> 32]
            found += philox_block(counter, [seed & LOW, seed >> 32])
        factors.append([0.0 if word < rate * 2**32 else 1 / (1 - rate) for word in found[:units]])
    return np.array(factors)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sequences", "backwards"), DIRECTIONS)
def test_recurrent_dropout_is_that_of_the_formulas(kind, sequences, backwards, x, rng) -> None:
    options = {"return_sequences": sequences, "go_backwards": backwards}
    net = network(KINDS[kind](UNITS, recurrent_dropout=0.4, **options), rng, head=False)
    factors = dropout_factors(net.seed, 0.4)
    assert 0 < (factors == 0).sum() < factors.size

    def outputs(p, factors):
        rows = [states(kind, p, *of, factors=m) for *of, m in zip(x, *rest, factors, strict=True)]
        return stacked([y if sequences else last for y, last in rows], 1 + sequences)

    rest = [[backwards] * ROWS, [TIME] * ROWS]
    found = net.forward(x, training=True)
    np.testing.assert_allclose(found, outputs(arrays(net), factors), rtol=1e-12, atol=1e-15)
    plain = outputs(arrays(net), np.ones((ROWS, 1)))
    for values in (net.predict(x), net.forward(x, training=False)):
        np.testing.assert_allclose(values, plain, rtol=1e-12, atol=1e-15)
    dy = rng.normal(size=found.shape)
    net.forward(x, training=True)
    net.backward(dy)
    expected = derivatives(lambda p: outputs(p, factors), arrays(net), dy)
    for name, gradient in net.gradients.items():
        np.testing.assert_allclose(gradient, expected[name.split(".")[1]], rtol=1e-10, atol=1e-12)
    report = cr.gradient_check(net, x, rng.normal(size=found.shape), "mse")
    assert report.max_relative_error <= 1e-7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sequences", "backwards"), DIRECTIONS)
def test_gradient_check_of_dropout_with_lengths(kind, sequences, backwards, x, rng) -> None:
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    options = {"return_sequences": sequences, "go_backwards": backwards, "recurrent_dropout": 0.3}
    h = KINDS[kind](UNITS, name="r", **options)([cr.Dense(3)(steps), length])
    net = shaken(cr.Network([steps, length], h, seed=4, dtype="float64"), rng)
    y = rng.normal(size=(ROWS, TIME, UNITS) if sequences else (ROWS, UNITS))
    assert cr.gradient_check(net, [x, LENGTHS], y, "mse").max_relative_error <= 1e-7


def with_lengths(layer, rng, time=TIME):
    steps, length = cr.Input((time, FEATURES), name="steps"), cr.Input(1, name="length")
    net = cr.Network([steps, length], layer([steps, length]), seed=4, dtype="float64")
    return shaken(net, rng)


def pieces(kind, p, x, backwards, length, k):
    """The states of one row, those before each piece of k positions taken for constants."""
    kept = {}
    real = {name: values.real for name, values in p.items()}
    states(kind, real, x.real, backwards, length, None, 1.0, lambda t, *s: kept.setdefault(t, s))

    def before(t, h, c):
        later = t + 1 if backwards else t
        inside = 0 < later < length
        return kept[t] if inside and later % k == 0 else (h, c)

    return states(kind, p, x, backwards, length, before=before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(("sequences", "backwards"), DIRECTIONS)
def test_truncated_gradients_take_states_before_a_piece_for_constants(
    kind, k, sequences, backwards, x, rng
) -> None:
    options = {"return_sequences": sequences, "go_backwards": backwards, "name": "r"}
    net = with_lengths(KINDS[kind](UNITS, truncate_gradient=k, **options), rng)
    dy = rng.normal(size=(ROWS, TIME, UNITS) if sequences else (ROWS, UNITS))

    def outputs(p):
        p = dict(p)
        rows = zip(np.moveaxis(p.pop("steps"), -3, 0), LENGTHS[:, 0], strict=True)
        made = [pieces(kind, p, row, backwards, n, k)[0 if sequences else 1] for row, n in rows]
        return stacked(made, 1 + sequences)

    expected = derivatives(outputs, {**arrays(net), "steps": x}, dy)
    whole = with_lengths(KINDS[kind](UNITS, **options), rng)
    whole.set_weights(net.parameters)
    np.testing.assert_array_equal(
        net.forward([x, LENGTHS], training=True), whole.forward([x, LENGTHS], training=True)
    )
    dx, whole_dx = net.backward(dy)["steps"], whole.backward(dy)["steps"]
    np.testing.assert_allclose(dx, expected.pop("steps"), rtol=1e-10, atol=1e-12)
    assert (dx != whole_dx).any()
    for name, gradient in expected.items():
        np.testing.assert_allclose(net.gradients[f"r.{name}"], gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_longer_time_axis_cuts_gradients_at_the_same_places(kind, backwards, x, rng) -> None:
    layer = KINDS[kind](UNITS, go_backwards=backwards, truncate_gradient=2, name="r")
    short = with_lengths(layer, rng)
    longer = with_lengths(layer, rng, TIME + 3)
    longer.set_weights(short.parameters)
    dy = rng.normal(size=(ROWS, UNITS))
    for net, axis in ((short, TIME), (longer, TIME + 3)):
        net.forward([np.pad(x, ((0, 0), (0, axis - TIME), (0, 0))), LENGTHS], training=True)
    dx = short.backward(dy)["steps"], longer.backward(dy)["steps"][:, :TIME]
    np.testing.assert_array_equal(*dx)
    assert all(row[:n].any() for row, n in zip(dx[0], LENGTHS[:, 0], strict=True))
    for name, gradient in short.gradients.items():  # sums over other numbers of zeros
        np.testing.assert_allclose(gradient, longer.gradients[name], rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_as_long_as_the_time_axis_are_no_truncation(kind, rng) -> None:
    x, y = rng.normal(size=(40, TIME, FEATURES)), rng.normal(size=(40, 3))
    nets = [chain(KINDS[kind](3, truncate_gradient=k), dtype="float32") for k in (0, TIME, 2)]
    for net in nets:
        net.fit(x, y, loss="mse", epochs=2, batch_size=16, verbose=0)
    for name, values in nets[0].parameters.items():
        np.testing.assert_array_equal(values, nets[1].parameters[name])
    weight = f"{kind}.recurrent_weight"
    assert (nets[0].parameters[weight] != nets[2].parameters[weight]).any()


OPTIONS = {"recurrent_dropout": 0.25, "truncate_gradient": 3}


@pytest.mark.parametrize("kind", KINDS)
def test_options_in_files_and_training_that_goes_on(kind, tmp_path, rng) -> None:
    layer = KINDS[kind](9, **OPTIONS)
    assert layer.config["recurrent_dropout"] == 0.25
    assert layer.config["truncate_gradient"] == 3
    old = {n: v for n, v in KINDS[kind](9).config.items() if n not in OPTIONS}
    assert cr.layers.Layer.from_config(old) == KINDS[kind](9)
    assert cr.Bidirectional(layer).backward_layer.recurrent_dropout == 0.25
    x, y = rng.normal(size=(50, TIME, FEATURES)), rng.normal(size=(50, 9))
    options = {"epochs": 2, "batch_size": 16, "verbose": 0}
    net = chain(layer, dtype="float32")
    net.fit(x, y, loss="mse", optimizer=cr.Adam(0.01), **options)
    net.save(tmp_path / "model.safetensors")
    loaded = cr.load(tmp_path / "model.safetensors")
    assert loaded.layers == net.layers
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))
    for each in (net, loaded):
        each.fit(x, y, **options)
    for name, values in net.parameters.items():
        np.testing.assert_array_equal(values, loaded.parameters[name])


HASH = """
import hashlib
import numpy as np
import chainrule as cr

rng = np.random.default_rng(5)
x, lengths = rng.normal(size=(104, 9, 5)), rng.integers(1, 10, (104, 1))
y = rng.integers(0, 3, 104)
options = {"recurrent_dropout": 0.3, "truncate_gradient": 4}
for threads in (1, 2, 3, 7):
    steps, length = cr.Input((9, 5), name="steps"), cr.Input(1, name="length")
    h = cr.Bidirectional(cr.GRU(33, return_sequences=True, **options))([steps, length])
    h = cr.SimpleRNN(20, return_sequences=True, **options)([h, length])
    h = cr.LSTM(17, **options)([h, length])
    net = cr.Network([steps, length], cr.Dense(3)(h), seed=2)
    for rows, epochs in ((101, 1), (200, 2))[: 1 + VECTORS]:
        some = [x[:rows], lengths[:rows]]
        net.fit(some, y[:rows], loss="cross_entropy", epochs=epochs, batch_size=96, verbose=0,
                num_threads=threads)
        print(hashlib.sha256(net.predict(some).tobytes()).hexdigest())
"""


def test_the_same_bits_for_threads_and_instruction_sets() -> None:
    assert len(printed_by_each_instruction_set(HASH)) == 2


def test_bad_options_are_refused() -> None:
    for options, text in (
        ({"recurrent_dropout": 1.0}, r"gru: recurrent_dropout must be in \[0, 1\), got 1"),
        ({"recurrent_dropout": -0.1}, r"recurrent_dropout must be in \[0, 1\), got -0.1"),
        ({"recurrent_dropout": float("nan")}, "recurrent_dropout must be finite and in"),
        ({"truncate_gradient": -1}, "gru: truncate_gradient must be >= 0, got -1"),
    ):
        with pytest.raises(ValueError, match=text):
            cr.GRU(3, **options)
    with pytest.raises((TypeError, ValueError), match="truncate_gradient"):
        cr.GRU(3, truncate_gradient=2.5)


def test_exporters_leave_out_what_is_for_training_alone(x, rng, tmp_path) -> None:
    net = shaken(chain(cr.GRU(UNITS, **OPTIONS), dtype="float32"), rng)
    cr.export_c(net, tmp_path)
    assert "gru(" in (tmp_path / "model.c").read_text()
    frames = cr.StreamingPredictor(net)
    for place in range(TIME):
        y = frames.step(x[0, place])
    np.testing.assert_array_equal(y.ravel(), net.predict(x[:1]).ravel())


def test_onnx_has_the_same_outputs(x, rng, tmp_path) -> None:
    pytest.importorskip("onnx")
    net = shaken(chain(cr.LSTM(UNITS, **OPTIONS), dtype="float32"), rng)
    cr.to_onnx(net, tmp_path / "net.onnx")
    read = cr.from_onnx(tmp_path / "net.onnx")
    np.testing.assert_allclose(read.predict(x), net.predict(x), rtol=1e-6)
