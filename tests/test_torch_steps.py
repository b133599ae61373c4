# SPDX-License-Identifier: Apache-2.0
"""Training steps against PyTorch, from the same weights in the same precision."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from reference import relative_error
from step_cases import CLIPPED, LOSSES, OPTIMIZERS, ROWS, TOLERANCE, small_network
from torch_network import TorchNetwork, torch_optimizer

import chainrule as cr

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def steps_agree(net, x, y, loss, optimizer, **weights):
    """Compare one step and then an epoch of three, the last on a shorter batch."""
    other = TorchNetwork(net)
    rule = torch_optimizer(optimizer.config, other.module.parameters())
    tolerance = TOLERANCE[net.dtype]

    def step(rows):
        by_row = weights.get("sample_weight")
        own = {**weights, "sample_weight": None if by_row is None else by_row[rows]}
        return other.train_on_batch(
            x[rows], y[rows], loss.config, rule, clipping=optimizer.config, **own
        )

    def agree(steps):
        # The rounding errors of each step, of both sides, are carried on by the next.
        for name, values in net.parameters.items():
            error = relative_error(values, other.parameters[name])
            assert error <= steps * tolerance, name

    start = net.get_weights()
    got = net.train_on_batch(x, y, loss=loss, optimizer=optimizer, **weights)["loss"]
    assert got == pytest.approx(step(slice(None)), rel=tolerance)
    agree(steps=1)
    assert all((a != b).any() for a, b in zip(start, net.get_weights(), strict=True))

    once = {"batch_size": 5, "shuffle": False, "metrics": [], "verbose": 0}
    net.fit(x, y, loss=loss, optimizer=optimizer, **once, **weights)
    for rows in (slice(0, 5), slice(5, 10), slice(10, 13)):
        step(rows)
    agree(steps=4)


@DTYPES
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_every_loss_and_optimizer(case, optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    steps_agree(small_network(case.outputs, dtype), x, y, case.loss, optimizer)


@DTYPES
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_sample_weights(case, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    weight = rng.uniform(0, 3, size=ROWS)
    net = small_network(case.outputs, dtype)
    steps_agree(net, x, y, case.loss, cr.Adam(0.01), sample_weight=weight)


@DTYPES
@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("cross_entropy")])
@pytest.mark.parametrize("by_row", [False, True], ids=["alone", "with-sample-weights"])
def test_class_weights(name, by_row, dtype, rng):
    case = LOSSES[name]
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    weights = {"class_weight": [0.5, 2.0, 1.25, 3.0]}
    if by_row:
        weights["sample_weight"] = rng.uniform(0.1, 3, size=ROWS)
    steps_agree(small_network(case.outputs, dtype), x, y, case.loss, cr.Adam(0.01), **weights)


@DTYPES
@pytest.mark.parametrize("optimizer", CLIPPED.values(), ids=CLIPPED)
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_clipping_and_penalties(case, optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    net = small_network(case.outputs, dtype, l1=0.01, l2=0.02)
    steps_agree(net, x, y, case.loss, optimizer)


@DTYPES
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_normalisation_layers(optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), rng.normal(size=(ROWS, 3))
    layers = [
        cr.Input(6),
        cr.Dense(7, activation="silu"),
        cr.BatchNormalization(momentum=0.8),
        cr.Dense(9, activation="gelu"),
        cr.LayerNormalization(),
        cr.Dense(3),
    ]
    steps_agree(cr.Sequential(layers, seed=5, dtype=dtype), x, y, cr.losses.MSE(), optimizer)


@DTYPES
@pytest.mark.parametrize("optimizer", ["adam", "sgd-momentum", "adagrad-all"])
def test_schedules_change_the_rate_as_in_torch(optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), rng.normal(size=(ROWS, 3))
    plain = OPTIMIZERS[optimizer]
    schedule = cr.schedules.Exponential(0.05, gamma=0.5)
    scheduled = type(plain).from_config({**plain.config, "learning_rate": schedule.config})
    net = small_network(3, dtype)
    other = TorchNetwork(net)
    rule = torch_optimizer({**plain.config, "learning_rate": 0.05}, other.module.parameters())
    net.fit(x, y, loss="mse", optimizer=scheduled, epochs=3, batch_size=7, shuffle=False, verbose=0)
    for step in range(6):
        rule.param_groups[0]["lr"] = 0.05 * 0.5 ** (step / 2)
        rows = slice(0, 7) if step % 2 == 0 else slice(7, 13)
        other.train_on_batch(x[rows], y[rows], {"kind": "mse"}, rule, clipping=plain.config)
    for name, values in net.parameters.items():
        assert relative_error(values, other.parameters[name]) <= TOLERANCE[dtype], name
