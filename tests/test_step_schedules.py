# SPDX-License-Identifier: Apache-2.0
"""Schedules of weight decay and of dropout, which the core works out for each step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference

import chainrule as cr
from chainrule.schedules import Constant, CosLog, FlatCosine, PerStep, Piecewise, ReduceOnPlateau

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(20, 6)), RNG.normal(size=(20, 3))


def network(rate: float = 0.0, schedule: Any = None, **options: Any) -> cr.Sequential:
    drop = [cr.Dropout(rate, rate_schedule=schedule)] if rate else []
    layers = [cr.Input(6), cr.Dense(16, activation="tanh"), *drop, cr.Dense(3)]
    return cr.Sequential(layers, seed=1, **options)


@pytest.mark.parametrize("optimizer", [cr.AdamW, cr.SGD, cr.Lion, cr.LAMB, cr.Adam])
def test_weight_decay_is_multiplied(optimizer: type[cr.optimizers.Optimizer]) -> None:
    decay = FlatCosine(1.0, epochs=4)
    rule = optimizer(0.01, weight_decay=0.3, weight_decay_schedule=decay)  # type: ignore[call-arg]
    net = network(dtype="float64")
    other = reference.Network(net)
    config = {k: v for k, v in rule.config.items() if k != "weight_decay_schedule"}
    plain = reference.Optimizer(config)
    fit = {"epochs": 5, "batch_size": 10, "shuffle": False, "verbose": 0}
    net.fit(X, Y, loss="mse", optimizer=rule, **fit)
    for step in range(10):
        t = step / 8
        factor = 0.0 if t >= 1 else (1 + math.cos(math.pi * (max(1.0, 2 * t) - 1))) / 2
        plain.config = {**config, "weight_decay": 0.3 * factor}
        rows = slice(0, 10) if step % 2 == 0 else slice(10, 20)
        other.train_on_batch(X[rows], Y[rows], {"kind": "mse"}, plain)
    for name, values in net.parameters.items():
        assert reference.relative_error(values, other.parameters[name]) <= 1e-12, name


def test_a_schedule_of_ones_changes_no_bit() -> None:
    found = []
    for schedule in (None, Constant(1.0)):
        net = network(0.3, schedule)
        rule = cr.AdamW(0.01, weight_decay=0.1, weight_decay_schedule=schedule)
        net.fit(X, Y, loss="mse", optimizer=rule, epochs=3, batch_size=8, verbose=0)
        found.append(net.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_dropout_follows_its_schedule() -> None:
    # A network of ones tells how much was dropped: its outputs are 0 or 1 / (1 - rate).
    layers = [cr.Input(4000), cr.Dropout(0.5, rate_schedule=Piecewise([1, 2], [1.0, 0.5, 1e-9]))]
    net = cr.Sequential([*layers, cr.Scale(learning_rate_factor=0)], seed=0, dtype="float64")
    seen = []

    class Watch(cr.callbacks.Callback):
        def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
            seen.append(logs["loss"])

    x, y = np.ones((2, 4000)), np.zeros((2, 4000))
    net.fit(x, y, loss="mse", epochs=3, batch_size=1, verbose=0, callbacks=[Watch()])
    # The mean of squares is (1 - rate) / (1 - rate)^2.
    expected = [1 / (1 - rate) for rate in (0.5, 0.5, 0.25, 0.25, 0.0, 0.0)]
    np.testing.assert_allclose(seen, expected, rtol=0.05)


def test_passes_by_hand_count_each_step_as_an_epoch() -> None:
    layer = cr.Dropout(0.5, rate_schedule=Piecewise([2], [1.0, 1e-9]))
    net = cr.Sequential([cr.Input(400), layer, cr.Dense(1)], seed=0)
    x = np.ones((3, 400))
    dropped = []
    for _ in range(4):
        y = net.forward(x, training=True)
        dx = net.backward(np.ones_like(y))
        dropped.append(float((dx == 0).mean()))
        cr.SGD(1e-9).step(net)
    assert [share > 0.3 for share in dropped] == [True, True, False, False]
    assert dropped[2:] == [0.0, 0.0]


def rule() -> cr.optimizers.Optimizer:
    return cr.AdamW(
        CosLog(0.02, epochs=6),
        weight_decay=0.1,
        weight_decay_schedule=FlatCosine(1.0, epochs=6),
    )


def test_a_resumed_training_has_the_bits_of_an_unbroken_one(tmp_path: Path) -> None:
    fit: dict[str, Any] = {"batch_size": 8, "verbose": 0}
    dropout = FlatCosine(1.0, epochs=6)
    whole = network(0.4, dropout)
    whole.fit(X, Y, loss="mse", optimizer="sgd", epochs=1, **fit)  # schedules begin behind it
    whole.fit(X, Y, loss="mse", optimizer=rule(), epochs=6, **fit)
    for stop in (2, 4):
        net = network(0.4, dropout)
        net.fit(X, Y, loss="mse", optimizer="sgd", epochs=1, **fit)
        net.fit(X, Y, loss="mse", optimizer=rule(), epochs=stop, **fit)
        net.save(tmp_path / "net.safetensors")
        again = cr.load(tmp_path / "net.safetensors")
        assert again.layers == net.layers
        assert again.optimizer == rule()
        again.fit(X, Y, epochs=6 - stop, **fit)
        for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_schedules_go_on_behind_a_learning_rate_set_between_batches() -> None:
    fit: dict[str, Any] = {"batch_size": 8, "verbose": 0}
    net = network(0.4, FlatCosine(1.0, epochs=6))
    net.fit(X, Y, loss="mse", optimizer="sgd", epochs=1, **fit)

    class SetRate(cr.callbacks.Callback):
        def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
            if (epoch, batch) == (3, 1):  # behind four steps
                net.optimizer.learning_rate = 0.03

    net.fit(X, Y, optimizer=rule(), epochs=5, callbacks=[SetRate()], **fit)

    by_hand = network(0.4, FlatCosine(1.0, epochs=6))
    by_hand.fit(X, Y, loss="mse", optimizer="sgd", epochs=1, **fit)
    decaying = cr.AdamW(
        PerStep(lambda step: 0.03 if step > 3 else CosLog(0.02, epochs=6).rate(step, 3)),
        weight_decay=0.1,
        weight_decay_schedule=FlatCosine(1.0, epochs=6),
    )
    by_hand.fit(X, Y, optimizer=decaying, epochs=5, **fit)
    for a, b in zip(net.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_any_number_of_threads() -> None:
    found = []
    for threads in (1, 2, 3):
        net = network(0.4, FlatCosine(1.0, epochs=4))
        net.fit(
            X, Y, loss="mse", optimizer=rule(), epochs=4, batch_size=8, verbose=0,
            num_threads=threads,
        )  # fmt: skip
        found.append(np.concatenate([w.ravel() for w in net.get_weights()]))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_what_is_refused() -> None:
    text = "must be a schedule of the step alone, got reduce_on_plateau"
    with pytest.raises(ValueError, match=f"dropout: rate_schedule {text}"):
        cr.Dropout(0.5, rate_schedule={"kind": "reduce_on_plateau"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=f"sgd: weight_decay_schedule {text}"):
        cr.SGD(0.5, weight_decay_schedule={"kind": "reduce_on_plateau"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="rate_schedule"):
        cr.Dropout(0.5, rate_schedule=ReduceOnPlateau(0.1))
    with pytest.raises(ValueError, match="rate_schedule: flat_cosine: epochs must be > 0"):
        cr.Dropout(0.5, rate_schedule={"kind": "flat_cosine", "epochs": 0})  # type: ignore[arg-type]
    assert "rate_schedule" not in cr.Dropout(0.5).config
    assert "weight_decay_schedule" not in cr.SGD().config


def test_the_waves_of_coslog_double() -> None:
    rates = CosLog(2.0, epochs=1).rates(0, 16, 15)
    t = np.arange(16) / 15
    np.testing.assert_allclose(rates, 1 - np.cos(2 * np.pi * np.log2(1 + 15 * t)), atol=1e-13)
    assert CosLog(2.0, epochs=1).rate(40, 15) == 0.0
    flat = FlatCosine(2.0, epochs=3)
    t = np.arange(13) / 12
    expected = 1 + np.cos(np.pi * (np.maximum(1, 2 * t) - 1))
    np.testing.assert_allclose(flat.rates(0, 13, 4), expected, atol=1e-13)
    assert flat.rate(100, 4) == 0.0
    with pytest.raises(ValueError, match=r"coslog: cycles must be in \[1, 50\], got 0"):
        CosLog(0.1, epochs=1, cycles=0)
