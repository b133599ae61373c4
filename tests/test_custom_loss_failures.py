# SPDX-License-Identifier: Apache-2.0
"""Losses given as functions: what fails, in them and around them."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
from test_custom_loss import network, same, squared

import chainrule as cr


class BoomError(Exception):
    pass


def failing(y_true, y_pred):
    raise BoomError("from the function")


BAD = [
    (failing, BoomError, "^from the function$"),
    (lambda t, p: p, TypeError, r"must return \(loss per row, d loss / d y_pred\), got ndarray"),
    (lambda t, p: (p[:, 0], p, 1), TypeError, "got 3 values"),
    (lambda t, p: (p.mean(), p), ValueError, r"the loss per row has shape \(\), expected \(\d+,\)"),
    (lambda t, p: (p[:, :1], p), ValueError, r"the loss per row has shape \(\d+, 1\), expected"),
    (lambda t, p: (p[:, 0], p[:, :2]), ValueError, r"d loss / d y_pred has shape \(\d+, 2\)"),
    (lambda t, p: (p[:, 0], p + 0j), TypeError, "d loss / d y_pred has dtype complex"),
    (lambda t, p: (p[:, 0].astype(str), p), TypeError, "the loss per row has dtype <U"),
    (lambda t, p: (p[:, 0] + np.nan, p), ValueError, "gave a loss of NaN or infinity for row"),
    (
        lambda t, p: (p[:, 0].astype(float) + 1e300, p),
        ValueError,
        "gave a loss of NaN or infinity for row",
    ),
]


CALLS = {
    "fit": lambda net, x, y, f: net.fit(x, y, loss=f, verbose=0, batch_size=8, num_threads=2),
    "train_on_batch": lambda net, x, y, f: net.train_on_batch(x, y, loss=f),
    "evaluate": lambda net, x, y, f: net.evaluate(x, y, loss=f),
}


@pytest.mark.parametrize(("function", "error", "text"), BAD)
@pytest.mark.parametrize("call", CALLS)
def test_what_fails_changes_nothing(call, function, error, text, rng) -> None:
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    layers = [cr.Input(4), cr.Dense(8), cr.BatchNormalization(), cr.Dense(3)]
    net, twin = (cr.Sequential(layers, seed=1, dtype="float32") for _ in range(2))
    for each in (net, twin):
        each.fit(x, y, loss="mse", epochs=1, verbose=0)
    before, loss, history = net.parameters, net.loss, dict(net.history)
    with pytest.raises(error, match=text):
        CALLS[call](net, x, y, function)
    same(net, before)
    assert net.loss is loss
    assert dict(net.history) == history
    for each in (net, twin):
        each.fit(x, y, epochs=2, verbose=0)
    same(net, twin.parameters)


def test_a_gradient_of_nan_is_told(rng) -> None:
    def loss(y_true, y_pred):
        gradient = np.zeros_like(y_pred)
        gradient[1] = np.inf
        return np.zeros(len(y_pred)), gradient

    with pytest.raises(
        ValueError, match="loss 'loss' gave a gradient of NaN or infinity for row 1"
    ):
        network().train_on_batch(rng.normal(size=(3, 4)), rng.normal(size=(3, 3)), loss=loss)


def test_a_failure_within_an_epoch_takes_it_back(rng) -> None:
    x, y = rng.normal(size=(64, 4)), rng.normal(size=(64, 3))
    calls = []

    def later(y_true, y_pred):
        calls.append(1)
        if len(calls) == 6:  # the second batch of the second epoch
            raise BoomError
        return squared(y_true, y_pred)

    net, twin = network(), network()
    twin.fit(x, y, loss=squared, batch_size=16, epochs=1, verbose=0)
    with pytest.raises(BoomError):
        net.fit(x, y, loss=later, batch_size=16, epochs=3, verbose=0)
    same(net, twin.parameters)
    assert net.history["loss"] == twin.history["loss"]
    for each in (net, twin):
        each.fit(x, y, loss=squared, batch_size=16, epochs=1, verbose=0)
    same(net, twin.parameters)


def test_outputs_that_are_not_finite_diverge(rng) -> None:
    net = network(dtype="float32")
    net.set_weights({**net.parameters, "1.weight": np.full((8, 3), 1e38, np.float32)})
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    called = []

    def loss(y_true, y_pred):
        called.append(1)
        return squared(y_true, y_pred)

    with pytest.raises(cr.DivergenceError):
        net.fit(x * 1e30, y, loss=loss, verbose=0, batch_size=20)
    assert not called


def test_the_network_is_in_use_while_the_function_runs(rng) -> None:
    x, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    net = network()

    def trains(y_true, y_pred):
        net.fit(x, y, loss="mse", verbose=0)

    def predicts(y_true, y_pred):
        net._core.predict(x, 32)

    for function in (trains, predicts):
        with pytest.raises(RuntimeError, match=r"in use|being trained"):
            net.fit(x, y, loss=function, verbose=0)
    with pytest.raises(RuntimeError, match="in use"):
        net.evaluate(x, y, loss=lambda t, p: net._core.reset_optimizer())


def test_other_threads_go_on(rng) -> None:
    """Several networks train at once by functions, each on a team of threads."""
    x, y = rng.normal(size=(400, 4)), rng.normal(size=(400, 3))
    wide = [cr.Input(4), cr.Dense(512, activation="tanh"), cr.Dense(3)]
    nets = [cr.Sequential(wide, seed=3) for _ in range(3)]

    def train(net):
        net.fit(x, y, loss=squared, epochs=2, batch_size=100, verbose=0, num_threads=3)

    threads = [threading.Thread(target=train, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for net in nets[1:]:
        same(net, nets[0].parameters)


def test_interrupts(default_signals, rng) -> None:
    x, y = rng.normal(size=(64, 4)), rng.normal(size=(64, 3))
    calls = []

    def interrupted(y_true, y_pred):
        calls.append(1)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(10**6):  # the handler runs before the next of its operations
                pass
        return squared(y_true, y_pred)

    net = network()
    with pytest.warns(UserWarning, match="interrupted"):
        net.fit(x, y, loss=interrupted, batch_size=16, epochs=2, verbose=0)
    assert net.history.interrupted
    assert net._core.total_steps == 2
    net.fit(x, y, loss=squared, verbose=0)
    calls.clear()
    with pytest.raises(KeyboardInterrupt):
        net.evaluate(x, y, loss=interrupted, batch_size=8)
