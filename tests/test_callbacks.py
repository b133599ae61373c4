# SPDX-License-Identifier: Apache-2.0
"""Callbacks, run by a loop that stands in for ``fit``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from chainrule.callbacks import (
    Callback,
    CallbackList,
    EarlyStopping,
    LambdaCallback,
    ModelCheckpoint,
    StopTraining,
    as_callback,
)

Logs = Mapping[str, Any]


class FakeNet:
    """A network whose only weight is the number of the epoch it has seen."""

    def __init__(self) -> None:
        self.weight = 0
        self.saved: list[tuple[str, int]] = []

    def get_weights(self) -> list[int]:
        return [self.weight]

    def set_weights(self, weights: list[int]) -> None:
        (self.weight,) = weights

    def save(self, path: str) -> None:
        self.saved.append((path, self.weight))

    def _best_weights(self) -> FakeBest:
        return FakeBest(self)


class FakeBest:
    """The weight of its best epoch."""

    def __init__(self, net: FakeNet) -> None:
        self.net, self.kept = net, [0]
        self.held = False

    def take(self) -> None:
        self.hold(self.net.get_weights())

    def put_back(self) -> None:
        self.net.set_weights(self.kept)
        self.held = False

    def arrays(self) -> list[int]:
        return self.kept

    def hold(self, weights: list[int]) -> None:
        self.kept, self.held = weights, True


def train(
    net: FakeNet,
    callbacks: Iterable[Callback | Callable[[int, Logs], object]],
    epochs: Iterable[Logs],
    batches: int = 2,
) -> int:
    run = CallbackList(callbacks)
    seen = 0
    try:
        run.on_train_begin(net)
        for epoch, logs in enumerate(epochs, start=1):
            run.on_epoch_begin(net, epoch)
            for batch in range(1, batches + 1):
                if run.wants_batches:
                    run.on_batch_end(net, epoch, batch, {"loss": 1.0})
            seen = net.weight = epoch
            run.on_epoch_end(net, epoch, logs)
    except StopTraining:
        pass
    run.on_train_end(net)
    return seen


def column(name: str, values: Iterable[float]) -> list[Logs]:
    return [{"loss": 9.0, name: value} for value in values]


class Recorder(Callback):
    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def on_train_begin(self, net: Any) -> None:
        self.events.append(("train_begin",))

    def on_train_end(self, net: Any) -> None:
        self.events.append(("train_end",))

    def on_epoch_begin(self, net: Any, epoch: int) -> None:
        self.events.append(("epoch_begin", epoch))

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> None:
        self.events.append(("epoch_end", epoch, logs["loss"]))


class BatchRecorder(Recorder):
    def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Logs) -> None:
        self.events.append(("batch_end", epoch, batch, logs["loss"]))


def test_methods_run_in_order() -> None:
    recorder = BatchRecorder()
    train(FakeNet(), [recorder], [{"loss": 0.5}])
    assert recorder.events == [
        ("train_begin",),
        ("epoch_begin", 1),
        ("batch_end", 1, 1, 1.0),
        ("batch_end", 1, 2, 1.0),
        ("epoch_end", 1, 0.5),
        ("train_end",),
    ]


def test_base_class_does_nothing_and_runs_everywhere() -> None:
    assert train(FakeNet(), [Callback()], column("x", [1, 2])) == 2
    assert Callback().on_batch_end(FakeNet(), 1, 1, {}) is None  # type: ignore[func-returns-value]


def test_batches_are_wanted_only_by_those_who_override() -> None:
    assert not Callback().wants_batches
    assert not Recorder().wants_batches
    assert BatchRecorder().wants_batches
    assert not LambdaCallback(on_epoch_end=print).wants_batches
    assert LambdaCallback(on_batch_end=print).wants_batches
    assert not CallbackList([]).wants_batches
    assert not CallbackList([Recorder(), print]).wants_batches
    assert CallbackList([Recorder(), BatchRecorder()]).wants_batches


def test_lambda_callback_passes_what_it_documents() -> None:
    events: list[tuple[Any, ...]] = []

    def note(name: str) -> Callable[..., None]:
        return lambda *arguments: events.append((name, *arguments))

    names = ["on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end", "on_batch_end"]
    train(FakeNet(), [LambdaCallback(**{name: note(name) for name in names})], [{"loss": 0.5}], 1)
    assert events == [
        ("on_train_begin",),
        ("on_epoch_begin", 1),
        ("on_batch_end", 1, 1, {"loss": 1.0}),
        ("on_epoch_end", 1, {"loss": 0.5}),
        ("on_train_end",),
    ]


def test_a_plain_function_runs_after_each_epoch() -> None:
    seen: list[tuple[int, float]] = []
    train(FakeNet(), [lambda epoch, logs: seen.append((epoch, logs["x"]))], column("x", [3, 4]))
    assert seen == [(1, 3), (2, 4)]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (EarlyStopping, r"got the class EarlyStopping; pass EarlyStopping\(\.\.\.\)"),
        ("early_stopping", "Callback objects or functions, got 'early_stopping'"),
        (None, "got None"),
    ],
)
def test_as_callback_refuses_the_rest(given: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        as_callback(given)


def test_stopping_leaves_no_callback_out() -> None:
    def stop(epoch: int, logs: Logs) -> None:
        raise StopTraining

    recorder = Recorder()
    assert train(FakeNet(), [stop, recorder], column("x", [1, 2, 3])) == 1
    assert recorder.events[-2:] == [("epoch_end", 1, 9.0), ("train_end",)]


def test_stopping_in_a_batch() -> None:
    def stop(epoch: int, batch: int, logs: Logs) -> None:
        if (epoch, batch) == (2, 1):
            raise StopTraining

    assert train(FakeNet(), [LambdaCallback(on_batch_end=stop)], column("x", [1, 2, 3])) == 1


@pytest.mark.parametrize(
    ("monitor", "mode", "values", "patience", "min_delta", "stopped", "best_epoch"),
    [
        ("val_loss", "auto", [3, 2, 2.5, 2.1, 1], 2, 0, 4, 2),
        ("val_loss", "auto", [3, 2, 2.5, 1.9, 2.5, 1], 2, 0, None, 6),
        ("val_loss", "auto", [3, 2.95, 2.91, 1], 2, 0.1, 3, 1),
        ("val_accuracy", "auto", [0.5, 0.7, 0.6, 0.6, 0.9], 2, 0, 4, 2),
        ("val_mse", "auto", [0.5, 0.7, 0.6, 0.6], 2, 0, 3, 1),
        ("val_top_3", "auto", [0.5, 0.7, 0.6, 0.6], 2, 0, 4, 2),
        ("own", "max", [1, 2, 1, 1], 2, 0, 4, 2),
        ("own", "min", [1, 2, 1, 1], 2, 0, 3, 1),
        ("val_loss", "auto", [1, 1, 1], 0, 0, 2, 1),
        ("val_loss", "auto", [1, 1, 1], 1, 0, 2, 1),
        ("val_loss", "auto", [1, math.nan, math.nan, 0], 2, 0, 3, 1),
        ("val_loss", "auto", [math.nan, 1, 2, 2], 2, 0, 4, 2),
        ("val_loss", "auto", [math.inf, math.inf, 1], 3, 0, None, 3),
    ],
)
def test_early_stopping(
    monitor: str,
    mode: str,
    values: list[float],
    patience: int,
    min_delta: float,
    stopped: int | None,
    best_epoch: int,
) -> None:
    net = FakeNet()
    stopping = EarlyStopping(monitor, patience, min_delta, mode)
    ran = train(net, [stopping], column(monitor, values))
    assert ran == (stopped or len(values))
    assert stopping.stopped_epoch == stopped
    assert stopping.best_epoch == best_epoch
    assert stopping.best == values[best_epoch - 1]
    assert net.weight == best_epoch


def test_early_stopping_restores_the_best_weights_of_a_full_run_too() -> None:
    net = FakeNet()
    train(net, [EarlyStopping(patience=9)], column("val_loss", [2, 1, 3]))
    assert net.weight == 2


def test_early_stopping_can_keep_the_last_weights() -> None:
    net = FakeNet()
    train(net, [EarlyStopping(patience=2, restore_best_weights=False)], column("val_loss", [1] * 9))
    assert net.weight == 3


def test_early_stopping_begins_anew_with_each_fit() -> None:
    stopping = EarlyStopping(patience=2)
    net = FakeNet()
    assert train(net, [stopping], column("val_loss", [1, 2, 3])) == 3
    assert train(net, [stopping], column("val_loss", [9, 8, 7, 6])) == 4
    assert stopping.stopped_epoch is None
    assert stopping.best == 6


@pytest.mark.parametrize("callback", [EarlyStopping(), ModelCheckpoint("x")])
def test_missing_monitor_lists_what_there_is(callback: Callback) -> None:
    with pytest.raises(ValueError, match=r"unknown monitor 'val_loss'.* valid: loss, accuracy"):
        callback.on_epoch_end(FakeNet(), 1, {"loss": 1.0, "accuracy": 0.5})


def test_several_monitors_are_watched_by_their_mean(tmp_path: Path) -> None:
    pairs = zip([0.5, 0.9, 0.6, 0.7], [0.5, 0.2, 0.7, 0.5], strict=True)
    logs = [{"loss": 1.0, "val_a_accuracy": a, "val_b_accuracy": b} for a, b in pairs]
    names = ["val_a_accuracy", "val_b_accuracy"]
    net, stopping = FakeNet(), EarlyStopping(names, patience=9)
    checkpoint = ModelCheckpoint(tmp_path / "{epoch}", monitor=names)
    train(net, [stopping, checkpoint], logs)
    assert (stopping.best_epoch, net.weight) == (3, 3)
    assert checkpoint.best == stopping.best == pytest.approx(0.65)
    assert checkpoint.last_path == str(tmp_path / "3")


def test_monitor_must_be_a_number() -> None:
    stopping = EarlyStopping("val_confusion_matrix", mode="max")
    with pytest.raises(ValueError, match="'val_confusion_matrix' must be a number, got"):
        stopping.on_epoch_end(FakeNet(), 1, {"val_confusion_matrix": [[1, 0], [0, 1]]})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"patience": -1}, "patience must not be negative, got -1"),
        ({"min_delta": -0.1}, "min_delta must not be negative, got -0.1"),
        ({"patience": float("nan")}, "patience must not be negative, got nan"),
        ({"mode": "maximum"}, "unknown mode 'maximum'; did you mean 'max'"),
        ({"monitor": []}, "monitor names nothing"),
        ({"monitor": ["val_loss", "val_auc"]}, "val_loss, val_auc: some are to rise, others to"),
        ({"monitor": "val_own"}, "'val_own' is to fall or to rise; pass mode='min' or mode='max'"),
    ],
)
def test_bad_arguments(options: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        EarlyStopping(**options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"patience": "5"}, "patience must be a number, got '5'"),
        ({"patience": True}, "patience must be a number, got True"),
        ({"min_delta": None}, "min_delta must be a number, got None"),
        ({"restore_best_weights": "no"}, "restore_best_weights must be True or False, got 'no'"),
        ({"monitor": 3}, "monitor must be a name or a list of names, got 3"),
        ({"monitor": ["loss", 3]}, "monitor must be a name or a list of names"),
    ],
)
def test_arguments_of_wrong_type(options: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        EarlyStopping(**options)


def test_lambda_callback_takes_functions_alone() -> None:
    with pytest.raises(TypeError, match="LambdaCallback takes functions, got 3"):
        LambdaCallback(on_epoch_end=3)  # type: ignore[arg-type]


def test_checkpoint_saves_what_is_best_across_fits() -> None:
    net = FakeNet()
    checkpoint = ModelCheckpoint(Path("best-{epoch}.bin"))
    train(net, [checkpoint], column("val_loss", [3, 4, 2]))
    assert net.saved == [("best-1.bin", 1), ("best-3.bin", 3)]
    train(net, [checkpoint], column("val_loss", [2.5, 1]))
    assert net.saved[2:] == [("best-2.bin", 2)]
    assert checkpoint.best == 1
    assert checkpoint.last_path == "best-2.bin"


def test_checkpoint_saves_every_epoch_without_monitor() -> None:
    net = FakeNet()
    checkpoint = ModelCheckpoint("net-{epoch:02d}-{loss:.1f}", "no_such", save_best_only=False)
    train(net, [checkpoint], [{"loss": 0.5}, {"loss": 0.75}])
    assert net.saved == [("net-01-0.5", 1), ("net-02-0.8", 2)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("net-{acuracy}", "'acuracy'; did you mean 'accuracy'. valid: epoch, loss, accuracy"),
        ("net-{}", r"unknown field in path 'net-\{\}' '';"),
    ],
)
def test_checkpoint_with_an_unknown_field(path: str, text: str) -> None:
    net = FakeNet()
    checkpoint = ModelCheckpoint(path, save_best_only=False)
    with pytest.raises(ValueError, match=text):
        checkpoint.on_epoch_end(net, 1, {"loss": 1.0, "accuracy": 0.5})
    assert net.saved == []
