# SPDX-License-Identifier: Apache-2.0
"""A loss that diverges ends the training and leaves the last good network."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from refusals import (
    COLUMNS,
    ROWS,
    X,
    snapshot,
)

import chainrule as cr
from chainrule import _core

pytestmark = pytest.mark.filterwarnings("ignore:y is far from unit scale")


def regressor(optimizer: cr.optimizers.Optimizer, dtype: str = "float32") -> cr.Sequential:
    net = cr.Sequential(
        [
            cr.Dense(8, activation="relu"),
            cr.BatchNormalization(),
            cr.Dropout(0.1),
            cr.Dense(8, activation="relu"),
            cr.Dense(1),
        ],
        seed=0,
        dtype=dtype,
    )
    net.fit(X, X[:, :1], loss="mse", optimizer=optimizer, epochs=2, batch_size=7, verbose=0)
    return net


@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("kind", _core.Optimizer.kinds())
def test_divergence_restores_the_network(kind: str, watched: bool) -> None:
    optimizer = cr.optimizers.get(kind)
    config = optimizer.config
    net = regressor(optimizer)
    twin = copy.deepcopy(net)
    before = snapshot(net)
    wild = cr.optimizers.get({**config, "learning_rate": 1e30})
    watch = [cr.callbacks.LambdaCallback(on_batch_end=lambda *args: None)] if watched else []
    with pytest.raises(cr.DivergenceError) as caught:
        net.fit(X, X[:, :1], optimizer=wild, epochs=5, batch_size=7, callbacks=watch, verbose=0)
    error = caught.value
    assert error.epoch == 3
    assert 2 <= error.batch <= 4  # the loss of the first batch is that of the good weights
    assert not np.isfinite(error.loss)
    index, layer = error.layer.split(" ", 1)
    assert layer == f"({net.layers[int(index)].kind})"
    text = str(error)
    assert text.startswith("training diverged: the loss became ")
    for part in (
        f"in epoch 3, batch {error.batch}",
        f"layer {error.layer}",
        "smaller learning rate",
    ):
        assert part in text
    after = snapshot(net)
    assert after.pop("optimizer") == wild
    before.pop("optimizer")
    assert after == before
    for n in (net, twin):
        n.fit(X, X[:, :1], optimizer=config, epochs=1, batch_size=7, verbose=0)
    assert snapshot(net) == snapshot(twin)


def test_divergence_in_a_later_epoch_keeps_the_earlier_ones() -> None:
    net = regressor(cr.SGD(0.01))
    plain = copy.deepcopy(net)
    plain.fit(X, X[:, :1], epochs=1, batch_size=7, verbose=0)
    kept = net.history
    bad = cr.SGD(lambda epoch: 1e30 if epoch else 0.01)
    with pytest.raises(cr.DivergenceError) as caught:
        net.fit(X, X[:, :1], optimizer=bad, epochs=4, batch_size=7, verbose=0)
    assert caught.value.epoch == 4
    assert net.history is kept
    assert net.history.epochs == [1, 2, 3]
    for name, array in plain.parameters.items():
        np.testing.assert_array_equal(net.parameters[name], array, err_msg=name)


def test_an_overflow_in_the_last_update_is_a_divergence() -> None:
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.build(COLUMNS)
    before = snapshot(net)
    with pytest.raises(cr.DivergenceError, match="epoch 1, batch 1"):
        net.fit(
            X,
            np.full(ROWS, 1e6),
            loss="mse",
            optimizer=cr.SGD(1e38),
            batch_size=ROWS,
            verbose=0,
        )
    after = snapshot(net)
    assert {k: v for k, v in after.items() if k not in ("loss", "optimizer", "metrics")} == {
        k: v for k, v in before.items() if k not in ("loss", "optimizer", "metrics")
    }


def test_train_on_batch_never_leaves_weights_that_are_not_finite() -> None:
    net = regressor(cr.SGD(0.01))
    y = np.full((ROWS, 1), 1e6)
    for _ in range(4):
        try:
            net.train_on_batch(X, y, optimizer=cr.SGD(1e38))
        except cr.DivergenceError as error:
            assert error.epoch == 3  # noqa: PT017
            break
    else:
        pytest.fail("it did not diverge")
    assert all(np.isfinite(w).all() for w in net.get_weights())


def test_divergence_of_float64() -> None:
    net = regressor(cr.SGD(0.01), dtype="float64")
    before = snapshot(net)
    with pytest.raises(cr.DivergenceError):
        net.fit(X, X[:, :1], optimizer=cr.SGD(1e200), epochs=5, batch_size=7, verbose=0)
    before["optimizer"] = cr.SGD(1e200)
    assert snapshot(net) == before


def steep(dtype: str = "float32") -> tuple[cr.Sequential, np.ndarray, np.ndarray]:
    """Return a network whose first update gives weights that are finite but too large."""
    net = cr.Sequential(
        [cr.Input(COLUMNS), cr.Dense(8), cr.Dense(8), cr.Dense(1)], seed=0, dtype=dtype
    )
    return net, X, np.full((ROWS, 1), 1e6)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
@pytest.mark.parametrize("watched", [False, True])
def test_with_one_batch_an_epoch_what_is_restored_predicts(kind: str, watched: bool) -> None:
    net, x, y = steep()
    watch = [cr.callbacks.LambdaCallback(on_batch_end=lambda *args: None)] if watched else []
    good = cr.optimizers.get({"kind": kind, "learning_rate": 1e-9})
    options = {"batch_size": ROWS, "verbose": 0, "callbacks": watch}
    net.fit(x, y, loss="mse", optimizer=good, epochs=3, **options)
    before = snapshot(net)
    wild = cr.optimizers.get({"kind": kind, "learning_rate": 1e22 if kind == "adam" else 1e12})
    with pytest.raises(
        cr.DivergenceError, match="the weights are those of before epoch 4"
    ) as caught:
        net.fit(x, y, optimizer=wild, epochs=5, **options)
    assert caught.value.epoch == 5
    assert np.isfinite(net.predict(x)).all()
    after = snapshot(net)
    for name in ("history", "optimizer"):
        before.pop(name, None), after.pop(name, None)
    assert after == before
    assert net.history.epochs == [1, 2, 3]
    net.fit(x, y, optimizer=good, epochs=1, **options)
    assert net.history.epochs == [1, 2, 3, 4]


def test_by_single_batches_what_is_restored_predicts() -> None:
    net, x, y = steep()
    net.train_on_batch(x, y, loss="mse", optimizer=cr.SGD(1e-9))
    weights = net.get_weights()
    with pytest.raises(cr.DivergenceError):  # noqa: PT012
        for _ in range(3):
            net.train_on_batch(x, y, optimizer=cr.SGD(1e12))
    assert np.isfinite(net.predict(x)).all()
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))


def test_weights_that_were_set_are_not_replaced_by_older_ones() -> None:
    net, x, y = steep()
    net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-9), epochs=3, batch_size=ROWS, verbose=0)
    large = [np.full(w.shape, 1e30) for w in net.get_weights()]
    net.set_weights(large)
    with pytest.raises(cr.DivergenceError, match=r"those of before\. Try"):
        net.fit(x, y, batch_size=ROWS, verbose=0)
    assert all((a == np.float32(1e30)).all() for a in net.get_weights())
    assert net.history.epochs == [1, 2, 3]


def test_weights_that_only_a_later_batch_shows_to_be_useless() -> None:
    layers = [cr.Dense(units, use_bias=False) for units in (8, 8, 1)]
    net = cr.Sequential([cr.Input(COLUMNS), *layers], seed=0)
    x = X.copy()
    x[: ROWS // 2] = 0.0  # the first batch, whose outputs are 0 for all weights
    options = {"batch_size": ROWS // 2, "verbose": 0, "shuffle": False}
    y = np.full((ROWS, 1), 1e3)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(1e-9), **options)
    weights = net.get_weights()
    with pytest.raises(cr.DivergenceError, match="those of before epoch 2") as caught:
        net.fit(x, y, optimizer=cr.SGD(1e14), epochs=3, **options)
    assert (caught.value.epoch, caught.value.batch) == (3, 2)
    assert np.isfinite(net.predict(x)).all()
    assert all((a == b).all() for a, b in zip(net.get_weights(), weights, strict=True))
