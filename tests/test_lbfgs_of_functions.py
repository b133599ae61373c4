# SPDX-License-Identifier: Apache-2.0
"""L-BFGS with a loss and a layer that are functions of the caller."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_lbfgs import flat

import chainrule as cr


def squared(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = y_pred - y_true
    return (d**2).mean(axis=1), 2 * d / d.shape[1]


@pytest.mark.parametrize("weighted", [False, True])
def test_a_loss_and_a_layer_that_are_functions(weighted: bool) -> None:
    """The same as the built-in ones, batch by batch and with weights of rows."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    weights = rng.uniform(0, 2, 60) if weighted else None
    functions = cr.Lambda(np.tanh, lambda x, y, dy: dy * (1 - y**2))
    nets = []
    for middle, loss in ((functions, squared), (cr.Activation("tanh"), "mse")):
        layers = [cr.Input(3), cr.Dense(6), middle, cr.Dense(2)]
        net = cr.Sequential(layers, seed=1, dtype="float64")
        options: Any = {"sample_weight": weights, "batch_size": 25, "num_threads": 3}
        net.fit(x, y, loss=loss, optimizer="lbfgs", epochs=12, verbose=0, **options)
        nets.append(net)
    ours, theirs = nets
    assert ours.history["loss"] == pytest.approx(theirs.history["loss"], rel=1e-9)
    assert flat(ours) == pytest.approx(flat(theirs), rel=1e-6, abs=1e-9)


def test_what_a_function_raises_leaves_the_last_iteration() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=(60, 2))
    calls = 0

    def failing(y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        nonlocal calls
        calls += 1
        if calls > 7:
            raise LookupError("no more")
        return squared(y_true, y_pred)

    net = cr.Sequential([cr.Input(3), cr.Dense(6, activation="tanh"), cr.Dense(2)], seed=1)
    with pytest.raises(LookupError, match="no more"):
        net.fit(x, y, loss=failing, optimizer="lbfgs", epochs=50, verbose=0)
    assert 1 <= len(net.history.epochs) < 8
    assert net.evaluate(x, y, loss="mse")["loss"] == pytest.approx(
        net.history["loss"][-1], rel=1e-6
    )
