# SPDX-License-Identifier: Apache-2.0
"""A learning rate that is set between steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from small_networks import data, gradients_of, plain, same

import chainrule as cr
from chainrule import schedules
from chainrule.callbacks import Callback


class SetRate(Callback):
    """Sets another rate after epoch or batch number `at`."""

    def __init__(self, rate: Any, at: int) -> None:
        self.rate, self.at = rate, at

    def on_epoch_end(self, net: cr.Sequential, epoch: int, logs: Mapping[str, Any]) -> None:
        if epoch == self.at:
            assert net.optimizer is not None
            net.optimizer.learning_rate = self.rate


class SetRateInBatch(SetRate):
    """The same by batches."""

    def on_epoch_end(self, net: cr.Sequential, epoch: int, logs: Mapping[str, Any]) -> None:
        pass

    def on_batch_end(
        self, net: cr.Sequential, epoch: int, batch: int, logs: Mapping[str, Any]
    ) -> None:
        if batch == self.at:
            assert net.optimizer is not None
            net.optimizer.learning_rate = self.rate


@pytest.mark.parametrize("rate", [0.003, schedules.Cosine(0.05, 5)])
def test_a_learning_rate_that_a_callback_sets_is_the_next_epochs(rate: Any) -> None:
    x, y = data()
    options: dict[str, Any] = {"loss": "mse", "batch_size": 6, "verbose": 0}
    one, two = plain(), plain()
    one.fit(x, y, optimizer=cr.Adam(0.01), epochs=4, callbacks=[SetRate(rate, 2)], **options)
    two.fit(x, y, optimizer=cr.Adam(0.01), epochs=2, **options)
    two.fit(x, y, optimizer=cr.Adam(rate), epochs=2, **options)
    assert same(one, two)


def test_a_learning_rate_that_a_callback_sets_between_batches_is_the_next_steps() -> None:
    x, y = data()
    one, two = plain(), plain()
    callback = SetRateInBatch(0.003, 2)
    options: dict[str, Any] = {"loss": "mse", "shuffle": False, "verbose": 0}
    one.fit(x, y, optimizer=cr.SGD(0.1), batch_size=6, callbacks=[callback], **options)
    for batch, rate in enumerate([0.1, 0.1, 0.003, 0.003]):
        part = slice(6 * batch, 6 * batch + 6)
        two.train_on_batch(x[part], y[part], loss="mse", optimizer=cr.SGD(rate))
    assert same(one, two)


def test_a_learning_rate_set_between_batches_of_rows_that_are_not_in_memory() -> None:
    x, y = data()
    options: dict[str, Any] = {"loss": "mse", "batch_size": 4, "verbose": 0, "epochs": 2}
    one, two = plain(), plain()
    for net, rows in ((one, x), (two, Unread(x))):
        net.fit(rows, y, optimizer=cr.SGD(0.1), callbacks=[SetRateInBatch(0.003, 2)], **options)
    assert same(one, two)
    assert one.history["loss"] == two.history["loss"]


class Unread:
    """Rows that have to be read, as h5py's are."""

    def __init__(self, x: NDArray[Any]) -> None:
        self._x, self.shape, self.dtype, self.ndim = x, x.shape, x.dtype, x.ndim

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return self._x[index]

    def __len__(self) -> int:
        return len(self._x)


def test_an_optimizer_keeps_its_place_in_sets_and_its_class_when_its_rate_changes() -> None:
    class Own(cr.SGD):
        """A subclass of the caller's."""

    for optimizer in (cr.Adam(0.1), Own(0.1, momentum=0.5)):
        known = {optimizer: 1}
        optimizer.learning_rate = 0.2
        assert known[optimizer] == 1
        assert optimizer.learning_rate == 0.2
        optimizer.learning_rate = schedules.Cosine(0.1, 5)
        assert known[optimizer] == 1
    assert hash(cr.Adam(0.1)) == hash(cr.Adam(0.1))
    assert cr.Adam(0.1) != cr.Adam(0.2)


def test_a_learning_rate_can_be_set_in_every_form() -> None:
    optimizer = cr.RMSprop(0.1, momentum=0.5)
    optimizer.learning_rate = 0.25
    assert optimizer == cr.RMSprop(0.25, momentum=0.5)
    optimizer.learning_rate = schedules.Cosine(0.1, 5)
    assert optimizer == cr.RMSprop(schedules.Cosine(0.1, 5), momentum=0.5)
    assert optimizer.schedule == schedules.Cosine(0.1, 5)
    optimizer.learning_rate = np.float32(0.5)
    assert optimizer.schedule is None
    assert optimizer.config["learning_rate"] == 0.5
    optimizer.learning_rate = lambda epoch: 0.1 / (epoch + 1)
    assert optimizer.learning_rate == 0.1
    for rate, error, text in [
        (0.0, ValueError, "rmsprop: learning_rate must be > 0, got 0"),
        (float("nan"), ValueError, "learning_rate must be finite and > 0, got nan"),
        ("fast", ValueError, "learning_rate must be a number, got 'fast'"),
        (None, TypeError, "learning_rate must not be None"),
    ]:
        with pytest.raises(error, match=text):
            optimizer.learning_rate = rate  # type: ignore[assignment]
        assert optimizer.learning_rate == 0.1


def test_a_step_by_hand_and_a_batch_take_the_rate_that_was_set() -> None:
    x, y = data()
    one, two = plain(), plain()
    optimizer = cr.SGD(0.5)
    optimizer.learning_rate = 0.125
    for net, chosen in ((one, optimizer), (two, cr.SGD(0.125))):
        gradients_of(net, x, y, len(x))
        chosen.step(net)
        net.train_on_batch(x, y, loss="mse", optimizer=chosen)
    assert same(one, two)
