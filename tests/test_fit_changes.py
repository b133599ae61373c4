# SPDX-License-Identifier: Apache-2.0
"""What callbacks change in the midst of a fit, and schedules that the core does not know."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import data, plain, same

import chainrule as cr
from chainrule import schedules
from chainrule.callbacks import LambdaCallback


def fit(net: cr.Sequential, optimizer: Any, epochs: int = 3, **options: Any) -> cr.History:
    x, y = data()
    options = {"loss": "mse", "batch_size": 6, "verbose": 0, **options}
    return net.fit(x, y, optimizer=optimizer, epochs=epochs, **options)


def test_another_loss_and_optimizer_are_those_of_the_next_epoch() -> None:
    one, two = plain(), plain()

    def compile_anew(epoch: int, logs: Any) -> None:
        if epoch == 2:
            one.compile(loss="mae", optimizer=cr.SGD(0.05))

    fit(one, cr.Adam(0.01), callbacks=[compile_anew], epochs=4)
    fit(two, cr.Adam(0.01), epochs=2)
    fit(two, cr.SGD(0.05), loss="mae", epochs=2)
    assert same(one, two)
    assert one.history["loss"] == two.history["loss"]


class Halving(schedules.Constant):
    """A class of the caller's, whose rates are its own."""

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return half the rate for each epoch that is done."""
        return super().rate(step, steps_per_epoch) / 2.0 ** (step // steps_per_epoch)


def test_a_schedule_of_the_callers_own_class_is_asked_for_its_rates() -> None:
    one, two = plain(), plain()
    history = fit(one, cr.SGD(Halving(0.1)))
    fit(two, cr.SGD(lambda epoch: 0.1 / 2.0**epoch))
    assert history["learning_rate"] == [0.1, 0.05, 0.025]
    assert same(one, two)


@pytest.mark.parametrize("when", ["on_epoch_begin", "on_batch_end", "on_epoch_end"])
def test_what_a_plateau_remembers_can_be_set_at_any_time(when: str) -> None:
    """Nothing that the core holds meanwhile comes back over it."""
    schedule = schedules.ReduceOnPlateau(0.1, monitor="loss", patience=0)
    # After this, no epoch is an improvement.
    state = {"rate": 0.5, "best": -1.0, "bad_epochs": 0, "cooldown_left": 0}
    seen = []

    def change(epoch: int, *_: Any) -> None:
        if epoch == 2 and schedule.state["rate"] == 0.1:
            schedule.state = state

    watch = LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(schedule.state["rate"]))
    history = fit(
        plain(), cr.SGD(schedule), epochs=4, callbacks=[LambdaCallback(**{when: change}), watch]
    )
    # Rates are those of the beginning of an epoch; its end reduces them.
    second = 0.5 if when == "on_epoch_begin" else 0.1
    third = 0.5 if when == "on_epoch_end" else 0.05
    assert history["learning_rate"][:3] == pytest.approx([0.1, second, third])
    assert seen[1] == pytest.approx(third)
    assert schedule.state["best"] == -1.0


def test_a_plateau_takes_a_validation_without_weights_for_none() -> None:
    x, y = data()
    schedule = schedules.ReduceOnPlateau(0.1, monitor="val_loss", patience=0, gamma=0.5)
    nothing = (x[:4], y[:4], np.zeros(4))
    with pytest.warns(cr.metrics.UndefinedMetricWarning, match="val_loss is NaN"):
        history = fit(plain(), cr.SGD(schedule), validation_data=nothing)
    assert history["learning_rate"] == [0.1, 0.05, 0.025]
    assert schedule.state["best"] == np.inf


def test_a_plateau_that_watches_what_nobody_reports_ends_the_fit_after_the_epoch() -> None:
    net = plain()

    def watch(epoch: int, logs: Any) -> None:
        assert net.optimizer is not None
        net.optimizer.learning_rate = schedules.ReduceOnPlateau(0.1, monitor="val_loss")

    with pytest.raises(ValueError, match="monitors 'val_loss', which this training does not"):
        fit(net, cr.SGD(0.1), callbacks=[watch])
    assert net.history.epochs == [1, 2]
    assert net._built_core().epochs == 2
