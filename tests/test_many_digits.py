# SPDX-License-Identifier: Apache-2.0
"""Columns of more digits than float32 has: shifted in double, before they are rounded."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr

ROWS = 300
COLUMNS = {
    "seconds, int64": 1_700_000_000 + np.arange(ROWS),
    "seconds, float64": 1_700_000_000.25 + np.arange(ROWS),
    "seconds, int32": (1_700_000_000 + np.arange(ROWS)).astype(np.int32),
    "seconds, uint32": (3_700_000_000 + np.arange(ROWS)).astype(np.uint32),
    "milliseconds": 1_700_000_000_000 + 10 * np.arange(ROWS),
    "nanoseconds": 1_700_000_000_000_000_000 + 1_000_000_000 * np.arange(ROWS),
    "uint64": (2**40 + np.arange(ROWS)).astype(np.uint64),
    "negative": -1_700_000_000 - np.arange(ROWS),
    "above 2^24": 2**24 + 1 + np.arange(ROWS),
}
CASES = pytest.mark.parametrize("x", COLUMNS.values(), ids=COLUMNS)


def normalized(x):
    """(x - mean) / standard deviation in long double."""
    x = x.astype(np.longdouble)
    return ((x - x.mean(0)) / x.std(0)).astype(np.float64)


def network(*layers, inputs=1):
    """A network that gives what its first layers make of x."""
    net = cr.Sequential([cr.Input(inputs), *layers, cr.Dense(inputs, use_bias=False)], seed=0)
    net.set_weights({f"{len(layers)}.weight": np.eye(inputs)})
    return net


@CASES
def test_normalization_of_many_digits(x):
    x = x.reshape(-1, 1)
    net = network(cr.Normalization())
    net.adapt(x)
    expected = normalized(x)
    for got in (
        net.predict(x),
        net.predict(x, batch_size=7, num_threads=2),
        net.forward(x, training=True),
        np.concatenate([net.predict(row) for row in x]),
        np.concatenate([net.predict(row[None]) for row in x]),
        net.predict(x[::-1])[::-1],
    ):
        np.testing.assert_allclose(got, expected, atol=2e-4)
        assert got.tobytes() == net.predict(x).tobytes()


@CASES
def test_training_and_evaluation_see_the_same(x):
    x = x.reshape(-1, 1)
    y = normalized(x) * 2 + 1
    net = cr.Sequential([cr.Normalization(), cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(0.1), epochs=10, verbose=0)
    assert net.evaluate(x, y)["loss"] < 1e-4
    plain = cr.Sequential([cr.Input(1), cr.Dense(1)], seed=0)
    plain.fit(normalized(x), y, loss="mse", optimizer=cr.SGD(0.1), epochs=10, verbose=0)
    np.testing.assert_allclose(net.predict(x), plain.predict(normalized(x)), atol=1e-3)


@pytest.mark.parametrize(
    "remade",
    [
        copy.deepcopy,
        lambda net: pickle.loads(pickle.dumps(net)),
        lambda net: net.set_weights(net.get_weights()) or net,
    ],
    ids=["deepcopy", "pickle", "set_weights"],
)
def test_copies_predict_the_same(remade, tmp_path):
    x = COLUMNS["seconds, int64"].reshape(-1, 1)
    net = network(cr.Normalization())
    net.adapt(x)
    expected = net.predict(x).tobytes()
    assert remade(net).predict(x).tobytes() == expected
    net.save(tmp_path / "net.safetensors")
    assert cr.load(tmp_path / "net.safetensors").predict(x).tobytes() == expected


def test_another_mean_is_taken_as_it_is_set():
    x = COLUMNS["seconds, int64"].reshape(-1, 1)
    net = network(cr.Normalization())
    net.adapt(x)
    net.set_weights({"0.mean": [1_700_000_000 - 256.0], "0.variance": [4.0]})
    expected = (x - float(net.parameters["0.mean"][0])) / 2
    assert (net.predict(x) == expected).all()


def test_ordinary_columns_keep_their_bits_beside(rng):
    """Whatever the type of the array they come in."""
    small = rng.normal(3, 2, size=(ROWS, 3)).astype(np.float32)
    time = COLUMNS["seconds, int64"].reshape(-1, 1)
    alone = network(cr.Normalization(), inputs=3)
    alone.adapt(small)
    wide = small.astype(np.float64)
    assert alone.predict(wide).tobytes() == alone.predict(small).tobytes()
    beside = network(cr.Normalization(), inputs=4)
    x = np.concatenate([wide, time], axis=1)
    beside.adapt(x)
    assert beside.predict(x)[:, :3].tobytes() == alone.predict(small).tobytes()
    np.testing.assert_allclose(beside.predict(x)[:, 3:], normalized(time), atol=2e-4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_any_strides(order):
    x = np.stack([COLUMNS["seconds, int64"], COLUMNS["milliseconds"]], axis=1)
    net = network(cr.Normalization(), inputs=2)
    net.adapt(x)
    got = net.predict(np.asarray(x, order=order)[::2])
    np.testing.assert_allclose(got, normalized(x)[::2], atol=2e-4)


@CASES
def test_rescaling_with_an_offset(x):
    x = x.reshape(-1, 1)
    scale = 1.0 / float(np.ptp(x.astype(np.float64)))
    offset = -float(x[0, 0]) * scale
    net = network(cr.Rescaling(scale, offset=offset))
    expected = (x.astype(np.longdouble) - x[0, 0]) / np.ptp(x.astype(np.longdouble))
    np.testing.assert_allclose(net.predict(x), expected.astype(float), atol=1e-3)
    np.testing.assert_allclose(net.forward(x), expected.astype(float), atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.1, 5000.123, 1_700_000_000])
def test_a_column_that_never_varies_is_only_centred(value, dtype):
    x = np.full((11, 1), value)
    net = cr.Sequential([cr.Input(1), cr.Normalization()], seed=0, dtype=dtype)
    net.adapt(x)
    assert net.parameters["0.variance"][0] == 0
    assert abs(net.predict(x)).max() < 1e-9
    np.testing.assert_allclose(net.predict(x + 5), 5, atol=1e-3)


def test_columns_of_tiny_numbers():
    x = 1e-21 * np.arange(1, 6).reshape(-1, 1)
    net = network(cr.Normalization())
    net.adapt(x)
    np.testing.assert_allclose(net.predict(x), normalized(x), atol=0.05)
    with pytest.raises(ValueError, match=r"variance of column 0 of x, 2e-58, is too small"):
        net.adapt(1e-8 * x)


def test_files_of_ordinary_networks_are_as_they_were(tmp_path):
    x = COLUMNS["seconds, int64"].reshape(-1, 1)
    path = tmp_path / "net.safetensors"
    for features, written in ((x, True), (x - x[0], False)):
        net = network(cr.Normalization())
        net.adapt(features)
        net.save(path)
        assert (b"exact_mean" in path.read_bytes()) == written
