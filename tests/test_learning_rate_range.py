# SPDX-License-Identifier: Apache-2.0
"""The range test of learning rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from diagnosed_cases import CROSS, digits, shallow, waves

import chainrule as cr


@pytest.mark.parametrize("optimizer", [cr.SGD(), cr.SGD(momentum=0.9), cr.Adam()], ids=repr)
def test_the_range_test_finds_a_rate_that_trains(optimizer) -> None:
    x, y = digits()

    def trained_at(rate: float) -> float:
        net = cr.Sequential(shallow(), seed=0)
        by = cr.optimizers.get({**optimizer.config, "learning_rate": rate})
        try:
            net.fit(x, y, loss=CROSS, optimizer=by, epochs=3, verbose=0)
        except cr.DivergenceError:
            return math.inf
        return net.evaluate(x, y)["loss"]

    net = cr.Sequential(shallow(), seed=0)
    found = cr.find_learning_rate(net, x, y, loss=CROSS, optimizer=optimizer)
    assert not net.built
    assert found.losses[0] == found.smoothed[0]
    assert found.rates[0] == 1e-6
    assert np.allclose(np.diff(np.log(found.rates)), np.log(1e7) / 99)
    at_it = trained_at(found.suggestion)
    assert at_it < 0.45  # of 2.5 before
    # Rates far from it do worse in the same time.
    assert at_it < trained_at(found.suggestion / 100.0)
    assert at_it < trained_at(found.suggestion * 100.0)


def test_the_range_test_stops_where_the_loss_rises(tmp_path) -> None:
    x, y = waves()
    net = cr.Sequential([cr.Dense(16, "relu"), cr.Dense(1)], seed=0)
    found = cr.find_learning_rate(net, x, y, loss="mse", optimizer="sgd", highest=1e4)
    assert found.rates[-1] < 1e4
    assert found.suggestion < found.rates[-1]
    assert repr(found).startswith("<LearningRates: ")
    pytest.importorskip("matplotlib")
    figure = found.plot(tmp_path / "rates.png")
    assert len(figure.axes[0].get_lines()) == 3


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"lowest": 0.0}, ValueError),
        ({"lowest": 1.0, "highest": 0.1}, ValueError),
        ({"highest": math.inf}, ValueError),
        ({"highest": math.nan}, ValueError),
        ({"lowest": "a"}, TypeError),
        ({"steps": 3}, ValueError),
        ({"batch_size": 0}, ValueError),
    ],
)
def test_the_range_test_refuses_other_numbers(options, error) -> None:
    net = cr.Sequential([cr.Dense(1)], seed=0)
    with pytest.raises(error, match=next(iter(options))):
        cr.find_learning_rate(net, *waves(), loss="mse", **options)
