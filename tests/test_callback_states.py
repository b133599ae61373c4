# SPDX-License-Identifier: Apache-2.0
"""What callbacks remember goes into model files, and a resumed training equals an unbroken one."""

from __future__ import annotations

import copy
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import snapshot

import chainrule as cr
from chainrule.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint, StopTraining

RNG = np.random.default_rng(8)
X = RNG.normal(size=(80, 6))
Y = RNG.integers(2, size=80)
OPTIONS: dict[str, Any] = {
    "loss": "cross_entropy", "optimizer": cr.Adam(0.05), "validation_split": 0.4, "verbose": 0,
    "batch_size": 16,
}  # fmt: skip


def network() -> cr.Sequential:
    return cr.Sequential([cr.Dense(16, activation="relu"), cr.Dense(2)], seed=3)


class Killed(Callback):
    """Ends the process after an epoch, as far as a test can: it keeps the file of then."""

    def __init__(self, epoch: int, path: Path) -> None:
        self.epoch, self.path = epoch, path

    def on_epoch_end(self, net: Any, epoch: int, logs: Any) -> None:
        if epoch == self.epoch:
            shutil.copy(self.path / "last", self.path / "killed")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("broken", [1, 2, 4, 6])
def test_a_resumed_run_is_an_unbroken_one(tmp_path: Path, broken: int, order: int) -> None:
    def callbacks() -> list[Any]:
        made: list[Any] = [
            EarlyStopping(patience=6),
            ModelCheckpoint(tmp_path / "best"),
            CSVLogger(tmp_path / "log.csv"),
            ModelCheckpoint(tmp_path / "last", save_best_only=False),
        ]
        return made[::order]

    unbroken = network()
    made = callbacks()
    stopping = next(one for one in made if isinstance(one, EarlyStopping))
    unbroken.fit(
        X, Y, epochs=20, **OPTIONS,
        callbacks=[*made, Killed(broken, tmp_path)],
    )  # fmt: skip
    assert stopping.stopped_epoch is not None
    log, best = (tmp_path / "log.csv").read_text(), cr.load(tmp_path / "best")

    resumed = cr.load(tmp_path / "killed")
    # A better one than any after this epoch, if it is.
    resumed.fit(X, Y, epochs=20 - broken, callbacks=callbacks(), **OPTIONS)
    assert resumed.history == unbroken.history
    for left, right in zip(resumed.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert (tmp_path / "log.csv").read_text() == log
    for left, right in zip(
        cr.load(tmp_path / "best").get_weights(), best.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(left, right)


def test_a_better_file_is_not_overwritten(tmp_path: Path) -> None:
    net = network()
    net.fit(X, Y, epochs=8, callbacks=[ModelCheckpoint(tmp_path / "best")], **OPTIONS)
    net.save(tmp_path / "last")
    content = (tmp_path / "best").read_bytes()
    again = cr.load(tmp_path / "last")
    checkpoint = ModelCheckpoint(tmp_path / "best")
    # Nothing can be better than the best epoch, since the loss rises.
    again.fit(X, Y, epochs=2, callbacks=[checkpoint], **(OPTIONS | {"optimizer": cr.SGD(1.0)}))
    if min(again.history["val_loss"][8:]) >= min(again.history["val_loss"][:8]):
        assert (tmp_path / "best").read_bytes() == content
    assert checkpoint.best == min(again.history["val_loss"])
    other = ModelCheckpoint(tmp_path / "other")
    cr.load(tmp_path / "last").fit(X, Y, callbacks=[other], **OPTIONS)
    assert (tmp_path / "other").exists()


class Counts(Callback):
    """Remembers how often it was called."""

    def __init__(self) -> None:
        self.count = 0

    def on_epoch_end(self, net: Any, epoch: int, logs: Any) -> None:
        self.count += 1
        if self.count == 5:
            raise StopTraining

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: Any) -> None:
        self.count = state["count"]


@pytest.mark.parametrize(
    "through", [lambda net, path: pickle.loads(pickle.dumps(net)), None], ids=["pickle", "file"]
)
def test_own_callbacks(tmp_path: Path, through: Any) -> None:
    net = network()
    first, second = Counts(), Counts()
    net.fit(X, Y, epochs=3, callbacks=[first, second], **OPTIONS)
    second.count = 1
    net.save(tmp_path / "net")
    again = cr.load(tmp_path / "net") if through is None else through(net, tmp_path)
    loaded = Counts(), Counts()
    again.fit(X, Y, epochs=9, callbacks=loaded, **OPTIONS)
    assert len(again.history.epochs) == 5
    assert [c.count for c in loaded] == [5, 5]
    # What has been in use goes on by itself, and so does a new one in the same process.
    used, new = first, Counts()
    cr.load(tmp_path / "net").fit(X, Y, callbacks=[used], **OPTIONS)
    assert used.count == 4
    again.fit(X, Y, callbacks=[new], **OPTIONS)
    assert new.count == 1


def test_a_callback_that_saves_comes_behind_those_that_remember(tmp_path: Path) -> None:
    """As the file has to hold what they remember of the epoch."""

    class Save(Callback):
        saves_network = True

        def on_epoch_end(self, net: Any, epoch: int, logs: Any) -> None:
            net.save(tmp_path / f"{epoch}")

    counts = Counts()
    network().fit(X, Y, epochs=3, callbacks=[Save(), counts], **OPTIONS)
    loaded = Counts()
    cr.load(tmp_path / "2").fit(X, Y, epochs=1, callbacks=[Save(), loaded], **OPTIONS)
    assert (counts.count, loaded.count) == (3, 3)


def test_early_stopping_that_stopped_leaves_nothing(tmp_path: Path) -> None:
    net = network()
    net.fit(X, Y, epochs=50, callbacks=[EarlyStopping(patience=2)], **OPTIONS)
    net.save(tmp_path / "net")
    again = cr.load(tmp_path / "net")
    stopping = EarlyStopping(patience=2)
    again.fit(X, Y, callbacks=[stopping], **OPTIONS)
    assert stopping.best_epoch == again.history.epochs[-1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_best_weights_that_the_core_keeps_are_those_of_the_best_epoch(dtype: str) -> None:
    layers = [cr.Dense(4, activation="relu"), cr.BatchNormalization(), cr.Dense(2)]
    net = cr.Sequential(layers, seed=3, dtype=dtype)
    stopping = EarlyStopping(patience=3)
    after: dict[int, Any] = {}
    pickled: list[bytes] = []

    def watch(epoch: int, logs: Any) -> None:
        after[epoch] = net.get_weights()
        pickled.append(pickle.dumps(stopping))

    options = {**OPTIONS, "optimizer": cr.Adam(0.1)}
    net.fit(X, Y, epochs=30, callbacks=[stopping, watch], **options)
    assert stopping.best_epoch is not None
    assert stopping.best_epoch < max(after)
    assert any((a != b).any() for a, b in zip(after[max(after)], net.get_weights(), strict=True))
    for left, right in zip(after[stopping.best_epoch], net.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    # A copy that was made while training has the weights by itself, and hands them on.
    again = pickle.loads(pickled[-2])
    other = cr.Sequential(layers, seed=1, dtype=dtype)
    other.build(6)
    again._resumed = True
    again.on_train_begin(other)
    again.on_train_end(other)
    for left, right in zip(after[stopping.best_epoch], other.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_what_does_not_restore_leaves_the_last_weights_after_a_break_too(tmp_path: Path) -> None:
    net = network()
    stopping = EarlyStopping(patience=9)
    saving = [stopping, lambda *_: net.save(tmp_path / "net")]
    net.fit(X, Y, epochs=8, callbacks=saving, **{**OPTIONS, "optimizer": cr.Adam(0.1)})
    assert stopping.best_epoch is not None
    assert stopping.best_epoch < net.history.epochs[-1]
    assert stopping.stopped_epoch is None
    plain, resumed = cr.load(tmp_path / "net"), cr.load(tmp_path / "net")
    plain.fit(X, Y, epochs=2, **OPTIONS)
    keeping = EarlyStopping(patience=9, restore_best_weights=False)
    resumed.fit(X, Y, epochs=2, callbacks=[keeping], **OPTIONS)
    for left, right in zip(plain.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_states_are_plain_data_and_copies_have_them() -> None:
    class Bad(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"array": np.zeros(2)}

    net = network()
    with pytest.raises(TypeError, match="state_dict of Bad must return plain data"):
        net.fit(X, Y, callbacks=[Bad()], **OPTIONS)
    net = network()
    net.fit(X, Y, epochs=2, callbacks=[EarlyStopping()], **OPTIONS)
    copied = copy.deepcopy(net)
    assert copied._callback_states.states() == net._callback_states.states() != {}
    assert snapshot(copied) == snapshot(net)


@pytest.mark.parametrize("state", [{}, {"best": None}, {"best": 1.0, "best_epoch": "x"}])
def test_damaged_states_are_refused(state: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="the state of a callback"):
        EarlyStopping().load_state_dict(state)
    with pytest.raises(ValueError, match="holds no weights"):
        EarlyStopping().load_state_dict(
            {"best": 1.0, "best_epoch": 1, "waited": 0, "best_weights": [{"shape": [1]}]}
        )
