# SPDX-License-Identifier: Apache-2.0
"""Training steps against the plain NumPy network of reference.py."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from step_cases import CLIPPED, LOSSES, OPTIMIZERS, ROWS, TOLERANCE, small_network

import chainrule as cr

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def assert_same_parameters(net, other, tolerance):
    assert net.parameters.keys() == other.parameters.keys()
    for name, values in net.parameters.items():
        assert reference.relative_error(values, other.parameters[name]) <= tolerance, name


def steps_agree(net, x, y, loss, optimizer, **weights):
    """Compare one step and then an epoch of three, the last on a shorter batch."""
    other = reference.Network(net)
    rule = reference.Optimizer(optimizer.config)
    tolerance = TOLERANCE[net.dtype]
    before = net.get_weights()

    got = net.train_on_batch(x, y, loss=loss, optimizer=optimizer, **weights)["loss"]
    expected = other.train_on_batch(x, y, loss.config, rule, **weights)
    assert got == pytest.approx(expected, rel=tolerance)
    assert_same_parameters(net, other, tolerance)
    assert all((a != b).any() for a, b in zip(before, net.get_weights(), strict=True))

    once = {"batch_size": 5, "shuffle": False, "metrics": [], "verbose": 0}
    net.fit(x, y, loss=loss, optimizer=optimizer, **once, **weights)
    by_row = weights.pop("sample_weight", None)
    for rows in (slice(0, 5), slice(5, 10), slice(10, 13)):
        if by_row is not None:
            weights["sample_weight"] = by_row[rows]
        other.train_on_batch(x[rows], y[rows], loss.config, rule, **weights)
    assert_same_parameters(net, other, tolerance)


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
    weight[4] = 0.0
    net = small_network(case.outputs, dtype)
    steps_agree(net, x, y, case.loss, cr.SGD(0.1, momentum=0.5), sample_weight=weight)


@DTYPES
@pytest.mark.parametrize("name", [name for name in LOSSES if name.startswith("cross_entropy")])
@pytest.mark.parametrize("by_row", [False, True], ids=["alone", "with-sample-weights"])
def test_class_weights(name, by_row, dtype, rng):
    case = LOSSES[name]
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    weights = {"class_weight": [0.5, 2.0, 1.25, 3.0]}
    if by_row:
        weights["sample_weight"] = rng.uniform(0.1, 3, size=ROWS)
    net = small_network(case.outputs, dtype)
    steps_agree(net, x, y, case.loss, cr.SGD(0.1, momentum=0.5), **weights)


@DTYPES
@pytest.mark.parametrize("loss", [cr.losses.BinaryCrossEntropy(), cr.losses.Hinge()])
def test_class_weights_of_a_single_output(loss, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), rng.integers(0, 2, size=(ROWS, 1))
    steps_agree(small_network(1, dtype), x, y, loss, cr.SGD(0.1), class_weight=[0.5, 4.0])


@DTYPES
@pytest.mark.parametrize("optimizer", CLIPPED.values(), ids=CLIPPED)
def test_clipping_and_penalties(optimizer, dtype, rng):
    case = LOSSES["cross_entropy"]
    x, y = rng.normal(size=(ROWS, 6)), case.targets(rng, case.outputs)
    steps_agree(small_network(4, dtype, l1=0.01, l2=0.02), x, y, case.loss, optimizer)


@DTYPES
@pytest.mark.parametrize("optimizer", ["sgd-momentum", "adam", "lion"])
def test_normalisation_layers(optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), rng.normal(size=(ROWS, 3))
    layers = [
        cr.Input(6),
        cr.Rescaling(0.7, offset=0.1),
        cr.Dense(7, use_bias=False),
        cr.BatchNormalization(momentum=0.8),
        cr.Activation("silu"),
        cr.Dense(9, activation="gelu"),
        cr.LayerNormalization(),
        cr.Dense(3),
    ]
    net = cr.Sequential(layers, seed=5, dtype=dtype)
    steps_agree(net, x, y, cr.losses.MSE(), OPTIMIZERS[optimizer])


@DTYPES
@pytest.mark.parametrize("optimizer", {**OPTIMIZERS, **CLIPPED}.values())
def test_by_hand_is_fit(optimizer, dtype, rng):
    x, y = rng.normal(size=(ROWS, 6)), rng.normal(size=(ROWS, 3))
    loss = cr.losses.MSE()
    by_hand = small_network(3, dtype, l1=0.01, l2=0.02)
    fitted = small_network(3, dtype, l1=0.01, l2=0.02)
    for _ in range(3):
        by_hand.backward(loss.gradient(by_hand.forward(x), y))
        optimizer.step(by_hand)
    fitted.fit(
        x, y, loss=loss, optimizer=optimizer, epochs=3, batch_size=ROWS, shuffle=False, verbose=0
    )
    for name, values in fitted.parameters.items():
        assert np.array_equal(values, by_hand.parameters[name]), name
