# SPDX-License-Identifier: Apache-2.0
"""Batches of one row, which have no variance, in networks that normalise over the batch."""

from __future__ import annotations

import numpy as np
import pytest
import reference

import chainrule as cr

ROWS = 65
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": 2e-4, "float64": 1e-10}


def network(dtype: str = "float32") -> cr.Sequential:
    return cr.Sequential(
        [cr.Input(5), cr.Dense(8, use_bias=False), cr.BatchNormalization(), cr.Dense(1)],
        seed=3,
        dtype=dtype,
    )


def examples(rng, rows: int = ROWS):
    x = 2 + 3 * rng.normal(size=(rows, 5))
    return x, x @ rng.normal(size=(5, 1)) + 1


def state(net):
    counters = (net._core.total_steps, net._core.steps, net.loss, net.optimizer, net.built)
    return {name: values.tobytes() for name, values in net.parameters.items()}, counters


@DTYPES
@pytest.mark.parametrize("rows", [65, 67, 33])
def test_a_last_batch_of_one_row_as_in_numpy(rows, dtype, rng):
    x, y = examples(rng, rows)
    net = network(dtype)
    other = reference.Network(net)
    optimizer = cr.SGD(0.01)
    net.fit(
        x, y, loss="mse", optimizer=optimizer, epochs=3, batch_size=32, shuffle=False, verbose=0
    )
    rule = reference.Optimizer(optimizer.config)
    for _ in range(3):
        for first in range(0, rows, 32):
            part = slice(first, first + 32)
            other.train_on_batch(x[part], y[part], net.loss.config, rule)
    for name, values in net.parameters.items():
        error = reference.relative_error(values, other.parameters[name])
        assert error <= TOLERANCE[dtype], name


@DTYPES
def test_a_last_batch_of_one_row_leaves_the_statistics_of_torch(dtype, rng):
    torch = pytest.importorskip("torch")
    x = 2 + 3 * rng.normal(size=(ROWS, 5))
    net = cr.Sequential(
        [cr.Input(5), cr.BatchNormalization(), cr.Dense(1, use_bias=False)], seed=0, dtype=dtype
    )
    # PyTorch refuses the last batch, so the statistics are those of the two before.
    norm = torch.nn.BatchNorm1d(5, dtype=getattr(torch, dtype))
    for first in range(0, 64, 32):
        norm(torch.tensor(x[first : first + 32], dtype=getattr(torch, dtype)))
    with pytest.raises(ValueError, match="more than 1 value"):
        norm(torch.tensor(x[64:], dtype=getattr(torch, dtype)))
    net.fit(
        x, x[:, :1], loss="mse", optimizer=cr.SGD(1e-9), batch_size=32, shuffle=False, verbose=0
    )
    for name, expected in [("mean", norm.running_mean), ("variance", norm.running_var)]:
        got = net.parameters[f"0.running_{name}"]
        np.testing.assert_allclose(got, expected.numpy(), rtol=TOLERANCE[dtype])


def test_evaluation_after_a_last_batch_of_one_row_is_near_that_of_training(rng):
    x, y = examples(rng)
    net = network()
    history = net.fit(x, y, loss="mse", optimizer=cr.SGD(0.02), epochs=60, verbose=0)
    variance = (x @ net.parameters["0.weight"]).var(axis=0)
    assert np.all(abs(net.parameters["1.running_variance"] / variance - 1) < 0.2)
    assert net.evaluate(x, y)["loss"] < 3 * history["loss"][-1] + 0.1


REFUSED = {
    "fit, batches of one": lambda net, x, y: net.fit(x, y, loss="mse", batch_size=1, verbose=0),
    "fit, one row": lambda net, x, y: net.fit(x[:1], y[:1], loss="mse", verbose=0),
    "fit, one row left": lambda net, x, y: net.fit(
        x[:2], y[:2], loss="mse", validation_split=0.5, verbose=0
    ),
    "train_on_batch": lambda net, x, y: net.train_on_batch(x[:1], y[:1], loss="mse"),
    "forward": lambda net, x, y: net.forward(x[:1], training=True),
    "gradient_check": lambda net, x, y: cr.gradient_check(net, x[:1], y[:1], "mse"),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED)
def test_batches_of_one_row_alone_are_refused_before_anything_changes(call, rng):
    x, y = examples(rng)
    net = network()
    before = state(net)
    with pytest.raises(ValueError, match=r"layer 1 \(batch_normalization\) cannot train") as caught:
        call(net, x, y)
    assert "batch_size of 2 or more" in str(caught.value)
    assert "LayerNormalization" in str(caught.value)
    assert state(net) == before


def test_a_network_that_is_not_built_stays_so(rng):
    x, y = examples(rng)
    net = cr.Sequential([cr.Normalization(), cr.BatchNormalization(), cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="cannot train"):
        net.fit(x, y, loss="mse", batch_size=1, verbose=0)
    assert not net.built
    assert net.loss is None


def test_one_row_is_taken_where_nothing_is_learnt_from_it(rng):
    x, y = examples(rng)
    net = network()
    net.fit(x, y, loss="mse", verbose=0)
    assert net.forward(x[:1], training=False).tobytes() == net.predict(x[:1]).tobytes()
    assert np.isfinite(net.evaluate(x[:1], y[:1])["loss"])
    assert cr.gradient_check(net, x[:1], y[:1], "mse", training=False).max_relative_error < 1e-6


def test_layer_normalization_trains_on_single_rows(rng):
    x, y = examples(rng)
    net = cr.Sequential([cr.Dense(8), cr.LayerNormalization(), cr.Dense(1)], seed=0)
    history = net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-3), batch_size=1, epochs=3, verbose=0)
    assert history["loss"][-1] < history["loss"][0]


@DTYPES
@pytest.mark.parametrize("magnitude", [1.0, 1e18])
def test_columns_whose_squares_overflow_only_in_their_sum(magnitude, dtype, rng):
    """The variance fits float32; the sum of squares of all rows does not."""
    x = magnitude * rng.uniform(-10, 10, size=(200, 3))
    net = cr.Sequential([cr.Input(3), cr.BatchNormalization(momentum=0.0)], seed=0, dtype=dtype)
    expected = (x - x.mean(0)) / x.std(0)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(net.parameters["0.running_variance"], x.var(0, ddof=1), rtol=1e-4)


LARGE = {"float32": [1e19, 1e25, 1e37], "float64": [1e19, 1e160, 1e306]}


@pytest.mark.parametrize(
    ("dtype", "magnitude"), [(dtype, m) for dtype in LARGE for m in LARGE[dtype]]
)
def test_layer_normalization_of_huge_values(dtype, magnitude, rng):
    small = rng.uniform(-1, 1, size=(6, 11))
    small[2] += 5  # beside others that do not overflow
    x = magnitude * small
    x[4] = small[4]
    net = cr.Sequential([cr.Input(11), cr.LayerNormalization()], seed=0, dtype=dtype)
    expected = (small - small.mean(1, keepdims=True)) / small.std(1, keepdims=True)
    for got in (net.forward(x), net.predict(x), net.predict(x[2:3])[[0] * 6]):
        np.testing.assert_allclose(got[2], expected[2], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-4, atol=1e-4)
    net.backward(net.forward(x))
    np.testing.assert_allclose(net.gradients["0.gamma"], (expected**2).sum(0), rtol=1e-3, atol=1e-3)
