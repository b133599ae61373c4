# SPDX-License-Identifier: Apache-2.0
"""Soft updates: weights that follow those of another network."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from small_networks import data, gradients_of, network, plain, same

import chainrule as cr
from chainrule.callbacks import LambdaCallback


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tau", [0.0, 0.005, 0.25, 0.5, 1.0])
def test_interpolate_is_its_formula(dtype: str, tau: float) -> None:
    x, y = data()
    net, target = network(dtype), network(dtype, seed=1)
    net.fit(x, y, loss="mse", verbose=0)
    p, q = target.parameters, net.parameters
    before = target.predict(x)
    target.interpolate(net, tau)
    share = np.dtype(dtype).type(tau)
    for name, value in target.parameters.items():
        expected = q[name] if tau == 1 else p[name] + share * (q[name] - p[name])
        np.testing.assert_array_equal(value, expected)
        np.testing.assert_array_equal(net.parameters[name], q[name])
    assert np.array_equal(target.predict(x), before) == (tau == 0)
    if tau == 1:
        np.testing.assert_array_equal(target.predict(x), net.predict(x))


def test_interpolate_leaves_the_optimizers_state_and_the_gradients_alone() -> None:
    x, y = data()
    net, target = plain(), plain()
    target.fit(x, y, loss="mse", optimizer="adam", epochs=2, verbose=0)
    gradients_of(target, x, y, len(x))
    core = target._core
    assert core is not None
    slots = [core.get_slot(s, "0.weight") for s in core.optimizer_slots]
    gradients = target.gradients
    target.interpolate(net, 0.5)
    for slot, name in zip(slots, core.optimizer_slots, strict=True):
        np.testing.assert_array_equal(core.get_slot(name, "0.weight"), slot)
    np.testing.assert_array_equal(target.gradients["0.weight"], gradients["0.weight"])
    assert target.history.epochs == [1, 2]
    with pytest.raises(RuntimeError, match="call forward first"):
        target.backward(y)


def test_interpolate_with_itself_changes_nothing() -> None:
    net = network()
    before = net.get_weights()
    net.interpolate(net, 0.5)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_interpolate_takes_normalization_along() -> None:
    x = 1e8 + np.arange(60.0).reshape(20, 3)
    net, target = (
        cr.Sequential([cr.Input(3), cr.Normalization(), cr.Dense(2)], seed=seed) for seed in (0, 1)
    )
    net.adapt(x)
    target.interpolate(net, 1)
    np.testing.assert_array_equal(target.predict(x), net.predict(x))
    target.fit(x[::-1] + 5, np.zeros((20, 2)), loss="mse", verbose=0)  # is adapted already
    np.testing.assert_array_equal(target.parameters["0.mean"], net.parameters["0.mean"])


@pytest.mark.parametrize(
    ("source", "tau", "error", "text"),
    [
        (plain(), 0.5, ValueError, "the networks have different layers"),
        (network("float32"), 0.5, ValueError, "source has dtype float32, this network has float64"),
        (
            cr.Sequential([cr.Dense(2)], dtype="float64"),
            0.5,
            RuntimeError,
            "number of inputs is not known",
        ),
        ("net", 0.5, TypeError, "source must be a network, got 'net'"),
        (network(), -0.1, ValueError, "tau must lie in 0..1, got -0.1"),
        (network(), 1.1, ValueError, "tau must lie in 0..1, got 1.1"),
        (network(), float("nan"), ValueError, "tau must lie in 0..1, got nan"),
        (network(), "1", TypeError, "tau must be a number, got '1'"),
        (network(), True, TypeError, "tau must be a number, got True"),
    ],
)
def test_interpolate_refuses(source: Any, tau: Any, error: type[Exception], text: str) -> None:
    net = network()
    before = net.get_weights()
    with pytest.raises(error, match=text):
        net.interpolate(source, tau)
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_interpolate_tells_activations_apart() -> None:
    relu = cr.Sequential([cr.Input(3), cr.Dense(2, activation="relu")], seed=0)
    tanh = cr.Sequential([cr.Input(3), cr.Dense(2, activation="tanh")], seed=0)
    for _ in range(2):
        with pytest.raises(ValueError, match="different layers"):
            tanh.interpolate(relu, 0.5)
        tanh.interpolate(copy.deepcopy(tanh), 0.5)


def test_callbacks_may_step_by_hand() -> None:
    """Between epochs the network is the callback's, and the training goes on from there."""
    x, y = data()
    net, target = plain(), plain()
    soft = LambdaCallback(on_epoch_end=lambda *args: target.interpolate(net, 0.5))
    net.fit(x, y, loss="mse", epochs=3, callbacks=[soft], verbose=0)
    assert not same(net, target)
