# SPDX-License-Identifier: Apache-2.0
"""Whatever allocation of Python's fails, a call raises MemoryError and has changed nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr

X = np.arange(12.0).reshape(6, 2) ** 2
Y = np.array([0, 1, 0, 1, 0, 1])

X = np.arange(12.0).reshape(6, 2) ** 2
Y = np.array([0, 1, 0, 1, 0, 1])


def test_every_so_many_th_allocation() -> None:
    pytest.importorskip("_testcapi", reason="CPython without its test modules")
    script = Path(__file__).with_name("failed_allocations.py")
    result = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def network() -> cr.Sequential:
    return cr.Sequential([cr.Input(2), cr.Normalization(), cr.Dense(2)], seed=0)


def raising(error: BaseException):
    def call(*_: object) -> None:
        raise error

    return call


def callback(place: str, error: BaseException) -> cr.callbacks.Callback:
    return type("Failing", (cr.callbacks.Callback,), {place: raising(error)})()


def assert_goes_on_as(net: cr.Sequential, undisturbed: cr.Sequential) -> None:
    for each in (net, undisturbed):
        each.fit(X, Y, loss="cross_entropy", optimizer="adam", verbose=0)
    assert net.history == undisturbed.history
    for now, then in zip(net.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("error", [MemoryError(), ValueError("the caller's"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["on_train_begin", "on_epoch_begin", "on_batch_end"])
@pytest.mark.parametrize("batch_size", [6, 2])
def test_a_first_epoch_that_fails_takes_the_adaptation_back(error, place, batch_size) -> None:
    net = network()
    options = {"batch_size": batch_size, "callbacks": [callback(place, error)], "verbose": 0}
    if isinstance(error, KeyboardInterrupt):
        with pytest.warns(UserWarning, match="training was interrupted"):
            net.fit(X, Y, loss="cross_entropy", **options)
    else:
        with pytest.raises(type(error)):
            net.fit(X, Y, loss="cross_entropy", **options)
        # What the caller chose stays for the next try, unless there was no memory for it.
        assert (net.loss is None) == isinstance(error, MemoryError)
        assert (net.optimizer is None) == isinstance(error, MemoryError)
    # Ctrl-C leaves the steps that there were, which belong to the adaptation.
    stepped = place == "on_batch_end" and isinstance(error, KeyboardInterrupt)
    assert net._core.adapted == stepped
    if not stepped:
        assert_goes_on_as(net, network())


def test_a_divergence_of_the_first_epoch_takes_the_adaptation_back() -> None:
    net = network()
    with pytest.raises(cr.DivergenceError):
        net.fit(X, np.eye(2)[Y], loss="mse", optimizer=cr.SGD(1e30), batch_size=1, verbose=0)
    assert not net._core.adapted
    # The next try may leave them out.
    assert net.loss == cr.losses.MSE()
    assert_goes_on_as(net, network())


def test_an_adaptation_of_the_callers_own_stays() -> None:
    net = network()
    net.adapt(X)
    failing = callback("on_epoch_begin", MemoryError())
    with pytest.raises(MemoryError):
        net.fit(X, Y, loss="cross_entropy", callbacks=[failing], verbose=0)
    assert net._core.adapted


def test_what_is_learnt_from_the_data_is_forgotten_where_nothing_is_trained() -> None:
    built, unbuilt = network(), cr.Sequential([cr.Dense(2)], seed=0)
    for net in (built, unbuilt):
        failing = callback("on_train_begin", MemoryError())
        with pytest.raises(MemoryError):
            net.fit(X, ["no", "yes"] * 3, loss="cross_entropy", callbacks=[failing], verbose=0)
        assert net.class_names is None


def test_an_epoch_that_the_history_cannot_take_has_not_been(monkeypatch) -> None:
    net = network()
    monkeypatch.setattr(type(net.history), "append", raising(MemoryError()))
    with pytest.raises(MemoryError):
        net.fit(X, Y, loss="cross_entropy", verbose=0)
    monkeypatch.undo()
    assert_goes_on_as(net, network())
