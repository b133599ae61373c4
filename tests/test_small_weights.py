# SPDX-License-Identifier: Apache-2.0
"""Predictor: predictions from a copy of the weights, in bfloat16 and int8 too."""

import copy
import hashlib
import re

import numpy as np
import pytest

import chainrule as cr

# Of the predictions of all SIZES, on any instruction set.
HASH = "81715f9fde80675297896f50cf5a842e081f3f04c6cd634a2c77041f97b7e0fc"
SIZES = [(5, 3, 2), (37, 64, 50, 33, 1), (130, 80, 200, 48)]


def _network(sizes, dtype="float32"):
    layers = [cr.Dense(units, activation="relu") for units in sizes[1:-1]]
    return cr.Sequential([cr.Input(sizes[0]), *layers, cr.Dense(sizes[-1])], seed=1, dtype=dtype)


def _rows(inputs, low=-1.0, rows=50):
    rng = np.random.default_rng(inputs)
    x = rng.uniform(low, 1, size=(rows, inputs)).astype(np.float32)
    x[rng.random(x.shape) < 0.5] = 0
    return x


def _bfloat16(weight):
    """Round to 8 significant binary digits, ties to even."""
    fraction, exponent = np.frexp(weight.astype(np.float64))
    return np.ldexp(np.rint(fraction * 256), exponent - 8).astype(np.float32)


def _fma(a, b, c):
    return (a.astype(np.float64) * np.float64(b) + np.float64(c)).astype(np.float32)


def _int8(net, calibration, x):
    """Predict by integers, as the documentation says."""
    parameters = net.get_weights()
    reference, values = calibration.astype(np.float32), x.astype(np.float32)
    for layer in range(len(parameters) // 2):
        weight, bias = parameters[2 * layer], parameters[2 * layer + 1]
        entering = np.sort(reference, axis=None)
        outside = entering.size // 10_000
        low = min(entering[outside], np.float32(0))
        high = max(entering[-1 - outside], np.float32(0))
        step = np.float32(high - low) / np.float32(127)
        zero = np.rint(-low / step)
        real = np.clip(_fma(values, np.float32(1) / step, zero), 0, 127)
        q = np.floor(real + np.float32(0.5)).astype(np.int64) - int(zero)
        largest = np.abs(weight).max(axis=0) / np.float32(127)
        fraction, exponent = np.frexp(largest.astype(np.float64))
        scale = np.ldexp(np.floor(fraction * 2**17 + 0.5), exponent - 17).astype(np.float32)
        sums = q @ np.rint(weight / scale).astype(np.int64)
        values = _fma(sums.astype(np.float32), (scale * step).astype(np.float32), bias)
        last = layer == len(parameters) // 2 - 1
        values = values if last else np.maximum(values, 0)
        following = reference @ weight + bias
        reference = following if last else np.maximum(following, 0)
    return values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_without_small_weights_predictions_are_the_networks(dtype):
    net = _network(SIZES[1], dtype)
    x = _rows(37)
    predictor = cr.Predictor(net)
    assert predictor.weights is None
    np.testing.assert_array_equal(predictor.predict(x), net.predict(x))
    np.testing.assert_array_equal(predictor.predict(x[3]), net.predict(x[3]))


@pytest.mark.parametrize("sizes", SIZES)
def test_bf16_has_the_bits_of_rounded_weights(sizes):
    net = _network(sizes)
    rounded = copy.deepcopy(net)
    rounded.set_weights([_bfloat16(w) if w.ndim == 2 else w for w in net.get_weights()])
    x = _rows(sizes[0])
    predictor = cr.Predictor(net, weights="bf16")
    np.testing.assert_array_equal(predictor.predict(x), rounded.predict(x))
    alone = np.concatenate([predictor.predict(row) for row in x])
    np.testing.assert_array_equal(alone, rounded.predict(x))
    assert not np.array_equal(predictor.predict(x), net.predict(x))


@pytest.mark.parametrize("low", [0.0, -1.0])
@pytest.mark.parametrize("sizes", SIZES)
def test_int8_is_what_the_documentation_says(sizes, low):
    # Of one layer all bits are known; the ranges of later ones hang on the order of float sums.
    x = _rows(sizes[0], low)
    one = _network((sizes[0], sizes[-1]))
    predictor = cr.Predictor(one, weights="int8", calibration=x)
    np.testing.assert_array_equal(predictor.predict(x), _int8(one, x, x))
    net = _network(sizes)
    predictor = cr.Predictor(net, weights="int8", calibration=x)
    outputs = predictor.predict(x)
    largest = np.abs(outputs).max()
    np.testing.assert_allclose(outputs, _int8(net, x, x), atol=0.02 * largest)
    np.testing.assert_allclose(outputs, net.predict(x), atol=0.08 * largest)
    alone = np.concatenate([predictor.predict(row) for row in x])
    np.testing.assert_array_equal(alone, outputs)


def test_int8_has_the_same_bits_everywhere():
    digest = hashlib.sha256()
    for sizes in SIZES:
        x = _rows(sizes[0])
        predictor = cr.Predictor(_network(sizes), weights="int8", calibration=x)
        digest.update(predictor.predict(x).astype("<f4").tobytes())
    assert digest.hexdigest() == HASH


def test_what_lies_beyond_the_calibration_counts_as_its_limit():
    net = _network((4, 2))
    x = np.array([[0.0, 0.25, 0.5, 1.0]], np.float32)
    predictor = cr.Predictor(net, weights="int8", calibration=x)
    far = np.array([[-7.0, 0.25, 0.5, 1e30]], np.float32)
    np.testing.assert_array_equal(predictor.predict(far), predictor.predict(x))
    far[0, 1] = np.nan
    with pytest.raises(ValueError, match="x must be finite; row 0, column 1 is NaN"):
        predictor.predict(far)


def test_layers_other_than_dense_stay_as_they_are():
    x, y = cr.data.load_digits()
    net = cr.Sequential(
        [cr.Normalization(), cr.Dense(32), cr.LayerNormalization(), cr.PReLU(), cr.Dense(10)],
        seed=0,
    )
    net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    for weights, calibration in (("bf16", None), ("int8", x)):
        predictor = cr.Predictor(net, weights, calibration=calibration)
        same = predictor.predict(x).argmax(1) == net.predict(x).argmax(1)
        assert same.mean() > 0.98


def test_update_takes_over_new_weights():
    net = _network((5, 3))
    x = _rows(5, low=0.0)
    predictor = cr.Predictor(net, weights="int8", calibration=x)
    before = predictor.predict(x)
    net.set_weights([2 * w for w in net.get_weights()])
    np.testing.assert_array_equal(predictor.predict(x), before)
    predictor.update()
    np.testing.assert_array_equal(predictor.predict(x), 2 * before)


def test_out_is_filled_and_returned():
    net, x = _network(SIZES[0]), _rows(5)
    predictor = cr.Predictor(net, weights="bf16")
    out = np.empty((len(x), 2), np.float32)
    assert predictor.predict(x, out=out) is out
    np.testing.assert_array_equal(out, predictor.predict(x))
    with pytest.raises(ValueError, match=r"out has shape \(50, 2\), expected \(49, 2\)"):
        predictor.predict(x[1:], out=out)


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("last", ["linear", "sigmoid", "softmax"])
def test_metrics_are_those_of_the_network(last, members, capsys):
    x, y = cr.data.load_digits()
    y = y if last == "softmax" else y > 4
    loss = "cross_entropy" if last == "softmax" else "binary_cross_entropy"
    layers = [cr.Input(64), cr.Rescaling(1 / 16), cr.Dense(8, "relu")]
    net = cr.Sequential([*layers, cr.Dense(10 if last == "softmax" else 1, last)], seed=0)
    net = net if members == 1 else cr.ensemble(net, members=members)
    net.fit(x, y, loss=loss, epochs=3, metrics=["accuracy", "brier"], verbose=0)
    net.quantize(x, y, weights="bf16")
    found = dict(re.findall(r"bf16: (\w+) (\S+) ->", capsys.readouterr().out))
    expected = net.evaluate(x, y)
    assert found == {name: f"{expected[name]:.4f}" for name in ("loss", "accuracy", "brier")}


def test_quantize_prints_metrics_before_and_after(capsys):
    x, y = cr.data.load_digits()
    net = cr.Sequential([cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0)
    net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    predictor = net.quantize(x, y)
    accuracy = [
        (outputs.argmax(1) == y).mean() for outputs in (net.predict(x), predictor.predict(x))
    ]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("int8: outputs change by up to ")
    assert lines[1].startswith(f"int8: loss {net.evaluate(x, y)['loss']:.4f} -> ")
    assert lines[2] == f"int8: accuracy {accuracy[0]:.4f} -> {accuracy[1]:.4f}"
    net.quantize(x, y, weights="bf16", verbose=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weights": "int4"}, "weights is 'int4', expected 'bf16', 'int8' or None"),
        ({"weights": "int8"}, "weights='int8' needs calibration"),
        ({"weights": "bf16", "calibration": [[0.0] * 5]}, "calibration is for weights='int8'"),
        ({"weights": "int8", "calibration": [[0.0] * 4]}, "4 columns"),
        ({"weights": "int8", "calibration": np.empty((0, 5))}, "x is empty"),
        ({"weights": "int8", "calibration": [[np.inf] * 5]}, "x must be finite"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        cr.Predictor(_network(SIZES[0]), **arguments)


def test_small_weights_are_of_float32_networks():
    net = _network(SIZES[0], "float64")
    for arguments in ({"weights": "bf16"}, {"weights": "int8", "calibration": _rows(5)}):
        with pytest.raises(ValueError, match="small weights are those of a network of float"):
            cr.Predictor(net, **arguments)


def test_int8_needs_a_dense_layer():
    net = cr.Sequential([cr.Input(3), cr.Activation("relu")], seed=0)
    with pytest.raises(ValueError, match="the network has no dense layer"):
        cr.Predictor(net, weights="int8", calibration=_rows(3))
