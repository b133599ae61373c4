# SPDX-License-Identifier: Apache-2.0
"""Training by fit and train_on_batch: going on, validation, weights, callbacks, metrics."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import FIT, Array, assert_same_state, blobs, differs, network, state

import chainrule as cr
from chainrule import losses, schedules
from chainrule.callbacks import Callback, LambdaCallback, StopTraining
from chainrule.metrics import Metric


@pytest.mark.parametrize("optimizer", ["adam", cr.SGD(0.1, momentum=0.9), cr.RMSprop(1e-3)])
def test_a_second_fit_goes_on(optimizer: Any) -> None:
    x, y = blobs()
    whole, parts = network(), network()
    whole.fit(x, y, optimizer=optimizer, epochs=5, **FIT)
    parts.fit(x, y, optimizer=optimizer, epochs=2, **FIT)
    half = parts.parameters
    history = parts.fit(x, y, epochs=3, batch_size=16, verbose=0)
    assert history is parts.history
    assert history.epochs == [1, 2, 3, 4, 5]
    assert len(history["loss"]) == 5
    assert_same_state(whole, parts)
    assert differs(half, parts.parameters, "0.weight")
    assert whole._core is not None
    assert (whole._core.epochs, whole._core.total_steps) == (5, 30)


def test_a_schedule_goes_on_and_a_new_one_begins_anew() -> None:
    x, y = blobs(64)

    def cosine() -> cr.SGD:
        return cr.SGD(schedules.Cosine(0.1, epochs=4))

    whole, parts = network(), network()
    whole.fit(x, y, optimizer=cosine(), epochs=4, **FIT)
    parts.fit(x, y, optimizer=cosine(), epochs=2, **FIT)
    parts.fit(x, y, optimizer=cosine(), epochs=2, **FIT)  # an equal schedule is the same one
    assert_same_state(whole, parts)
    rates = whole.history["learning_rate"]
    # The last of each epoch's four steps.
    expected = 0.05 * (1 + np.cos(np.pi * np.array([3, 7, 11, 15]) / 16))
    np.testing.assert_allclose(rates, expected)
    whole.fit(x, y, optimizer=cr.SGD(schedules.Step(0.2, gamma=0.5)), epochs=2, **FIT)
    np.testing.assert_allclose(whole.history["learning_rate"][4:], [0.2, 0.1])


def test_another_kind_of_optimizer_starts_afresh() -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, optimizer="adam", epochs=1, **FIT)
    other = copy.deepcopy(net)
    assert other._core is not None
    other._core.reset_optimizer()
    for n in (net, other):
        n.fit(x, y, optimizer=cr.SGD(0.1, momentum=0.9), epochs=1, **FIT)
    assert_same_state(net, other)


def test_reduce_on_plateau_sees_validation() -> None:
    x, y = blobs()
    net = network()
    never_better = schedules.ReduceOnPlateau(0.1, gamma=0.5, patience=0, threshold=0.99)
    net.fit(x, y, optimizer=cr.SGD(never_better), epochs=4, validation_split=0.2, **FIT)
    assert net.history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05, 0.025])


def test_a_callable_learning_rate_gets_the_epoch() -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, optimizer=cr.SGD(lambda epoch: 0.1 / (1 + epoch)), epochs=3, **FIT)
    assert net.history["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3])


def test_compile_gives_defaults() -> None:
    x, y = blobs()
    compiled, direct = network(), network()
    compiled.compile(loss="cross_entropy", optimizer=cr.AdamW(1e-2), metrics=["top_2"])
    compiled.fit(x, y, epochs=2, verbose=0)
    direct.fit(
        x, y, loss="cross_entropy", optimizer=cr.AdamW(1e-2), metrics=["top_2"], epochs=2, verbose=0
    )
    assert_same_state(compiled, direct)
    assert set(compiled.history) == {"loss", "top_2"}
    assert set(compiled.evaluate(x, y)) == {"loss", "top_2"}
    compiled.compile(metrics=[])
    assert set(compiled.evaluate(x, y)) == {"loss"}
    assert compiled.loss == losses.CrossEntropy()
    assert compiled.optimizer == cr.AdamW(1e-2)


def test_defaults_of_fit() -> None:
    x, y = blobs()
    net = network()
    history = net.fit(x, y, loss="cross_entropy", verbose=0)
    assert set(history) == {"loss", "accuracy"}
    assert len(history.epochs) == 1
    assert net.optimizer == cr.Adam()
    assert net._core is not None
    assert net._core.total_steps == 3  # 90 rows by 32


def test_train_on_batch_is_a_fit_of_one_batch() -> None:
    x, y = blobs(16)
    fitted, stepped = network(), network()
    fitted.fit(x, y, optimizer=cr.Adam(1e-2), shuffle=False, **FIT)
    result = stepped.train_on_batch(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2))
    assert result == {"loss": fitted.history["loss"][0]}
    a, b = state(fitted), state(stepped)
    for name in (*fitted.parameters, "steps", "exp_avg.0.weight", "exp_avg_sq.3.bias"):
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert (b["epochs"], len(stepped.history.epochs)) == (0, 0)


def test_train_on_batch_takes_weights() -> None:
    x, y = blobs(16)
    weight = np.arange(16) / 8
    net = cr.Sequential([cr.Dense(3)], seed=0)
    net.build(4)
    logits = net.predict(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    w = weight * np.array([1.0, 2.0, 0.5])[y]
    expected = -(w * log_p[np.arange(16), y]).sum() / w.sum()
    found = net.train_on_batch(
        x, y, loss="cross_entropy", sample_weight=weight, class_weight={1: 2.0, 2: 0.5}
    )
    assert found["loss"] == pytest.approx(expected, rel=1e-6)


def test_shuffle_false_keeps_the_order() -> None:
    x, y = blobs(48)
    a, b, shuffled = network(), network(), network()
    a.fit(x, y, shuffle=False, **FIT)
    for first in range(0, 48, 16):
        b.train_on_batch(x[first : first + 16], y[first : first + 16], loss="cross_entropy")
    shuffled.fit(x, y, **FIT)
    for name, array in a.parameters.items():
        np.testing.assert_array_equal(array, b.parameters[name], err_msg=name)
    assert differs(a.parameters, shuffled.parameters, "0.weight")


def test_num_threads_changes_no_bit() -> None:
    x, y = blobs(200, columns=33)
    nets = [network() for _ in range(3)]
    for threads, net in zip((1, 2, 5), nets, strict=True):
        net.fit(x, y, epochs=2, num_threads=threads, **FIT)
    assert_same_state(nets[0], nets[1])
    assert_same_state(nets[0], nets[2])


def test_training_learns() -> None:
    x, y = blobs(300)
    net = cr.Sequential([cr.Normalization(), cr.Dense(16, activation="relu"), cr.Dense(3)], seed=0)
    history = net.fit(100 * x + 5, y, epochs=20, optimizer=cr.Adam(1e-2), **FIT)
    assert history["loss"][-1] < history["loss"][0] / 4
    assert net.evaluate(100 * x + 5, y)["accuracy"] > 0.9


def test_validation_split_holds_back_the_last_rows() -> None:
    x, y = blobs(100)
    weight = np.linspace(0.5, 1.5, 100)
    split, given = network(), network()
    split.fit(x, y, sample_weight=weight, validation_split=0.25, epochs=2, **FIT)
    given.fit(
        x[:75],
        y[:75],
        sample_weight=weight[:75],
        validation_data=(x[75:], y[75:], weight[75:]),
        epochs=2,
        **FIT,
    )
    assert set(split.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert_same_state(split, given)


def test_validation_is_evaluate() -> None:
    x, y = blobs()
    xv, yv = blobs(40, seed=3)
    net = network()
    net.fit(x, y, validation_data=(xv, yv), metrics=["accuracy", "confusion_matrix"], **FIT)
    found = net.evaluate(xv, yv)
    assert net.history["val_loss"][-1] == found["loss"]
    assert net.history["val_accuracy"][-1] == found["accuracy"]
    assert net.history["val_confusion_matrix"][-1] == found["confusion_matrix"].tolist()
    assert found["confusion_matrix"].sum() == 40


def test_validation_changes_nothing() -> None:
    x, y = blobs()
    a, b = network(), network()
    a.fit(x, y, epochs=2, **FIT)
    b.fit(x, y, epochs=2, validation_data=blobs(40, seed=3), **FIT)
    for name, array in a.parameters.items():
        np.testing.assert_array_equal(array, b.parameters[name], err_msg=name)


@pytest.mark.parametrize(
    "weights", [{"class_weight": {0: 2.0, 1: 3.0}}, {"class_weight": [2, 3, 1]}]
)
def test_class_weights_are_sample_weights(weights: dict[str, Any]) -> None:
    x, y = blobs()
    a, b = network(), network()
    a.fit(x, y, **weights, **FIT)
    b.fit(x, y, sample_weight=np.array([2.0, 3.0, 1.0])[y], **FIT)
    for name, array in a.parameters.items():
        np.testing.assert_allclose(array, b.parameters[name], rtol=1e-5, atol=1e-6, err_msg=name)
    plain = network()
    plain.fit(x, y, **FIT)
    assert differs(a.parameters, plain.parameters, "0.weight")


class Recorder(Callback):
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, float]] = []
        self.weights: list[Array] = []

    def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Mapping[str, Any]) -> None:
        self.batches.append((epoch, batch, logs["loss"]))
        self.weights.append(net.parameters["0.weight"])


@pytest.mark.parametrize(
    "optimizer", [cr.Adam(1e-2), cr.SGD(schedules.Cosine(0.1, 3), clip_norm=1)]
)
def test_batch_callbacks_change_no_bit(optimizer: Any) -> None:
    x, y = blobs()
    weight = np.linspace(0.5, 2.0, len(x))
    plain, watched = network(), network()
    recorder = Recorder()
    common = {"optimizer": optimizer, "epochs": 3, "sample_weight": weight, **FIT}
    plain.fit(x, y, **common)
    watched.fit(x, y, callbacks=[recorder], **common)
    # The epoch's loss is summed by the core in one case and here from the batches in the other.
    losses_of_both = plain.history.history.pop("loss"), watched.history.history.pop("loss")
    np.testing.assert_allclose(*losses_of_both, rtol=1e-12)
    assert_same_state(plain, watched)
    assert [b[:2] for b in recorder.batches] == [(e, b) for e in (1, 2, 3) for b in range(1, 7)]
    assert len({w.tobytes() for w in recorder.weights}) == 18


def test_plain_functions_are_called_after_each_epoch() -> None:
    x, y = blobs()
    seen: list[tuple[int, float]] = []
    net = network()
    net.fit(x, y, epochs=2, callbacks=[lambda e, logs: seen.append((e, logs["loss"]))], **FIT)
    assert seen == list(zip([1, 2], net.history["loss"], strict=True))


def test_early_stopping_restores_the_best_weights() -> None:
    x, y = blobs(60)
    net = network()
    after_epoch: dict[int, dict[str, Array]] = {}
    stopping = cr.EarlyStopping(monitor="val_loss", patience=2)
    keep = LambdaCallback(on_epoch_end=lambda e, logs: after_epoch.update({e: net.parameters}))
    history = net.fit(
        x,
        y,
        optimizer=cr.Adam(0.1),
        epochs=200,
        validation_data=blobs(60, seed=7),  # of other centres, so that it soon gets worse
        callbacks=[keep, stopping],
        **FIT,
    )
    best = int(np.argmin(history["val_loss"])) + 1
    assert stopping.best_epoch == best
    assert stopping.stopped_epoch == history.epochs[-1] == best + 2 < 200
    for name, array in after_epoch[best].items():
        np.testing.assert_array_equal(net.parameters[name], array, err_msg=name)
    assert differs(after_epoch[best + 2], net.parameters, "0.weight")


def test_checkpoint_saves_the_best(tmp_path: Path) -> None:
    x, y = blobs()
    net = network()
    checkpoint = cr.ModelCheckpoint(tmp_path / "{epoch}.safetensors", save_best_only=False)
    net.fit(x, y, epochs=2, callbacks=[checkpoint], **FIT)
    first = cr.load(tmp_path / "1.safetensors")
    first.fit(x, y, epochs=1, **FIT)
    assert_same_state(first, net)


def test_stopping_within_an_epoch() -> None:
    def stop(epoch: int, batch: int, logs: Mapping[str, Any]) -> None:
        if (epoch, batch) == (2, 3):
            raise StopTraining

    x, y = blobs()
    net = network()
    history = net.fit(x, y, epochs=4, callbacks=[LambdaCallback(on_batch_end=stop)], **FIT)
    assert history.epochs == [1]
    assert not history.interrupted
    assert net._core is not None
    assert net._core.total_steps == 6 + 3
    assert net.fit(x, y, epochs=2, **FIT).epochs == [1, 2, 3]


def test_custom_metrics() -> None:
    def wrong(y_true: Array, y_pred: Array) -> float:
        return float(np.sum(y_true != y_pred.argmax(axis=1)))

    x, y = blobs()
    net = network()
    macro = Metric("macro", cr.metrics.f1, options={"average": "macro"})
    net.fit(x, y, metrics=[wrong, macro, "accuracy"], **FIT)
    assert list(net.history) == ["loss", "wrong", "macro", "accuracy"]
    found = net.evaluate(x, y)
    assert found["wrong"] == np.sum(net.predict(x).argmax(axis=1) != y)
    assert found["wrong"] == pytest.approx(len(x) * (1 - found["accuracy"]))


def test_training_metrics_are_of_the_outputs_before_each_update() -> None:
    x, y = blobs(16)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    net.build(4)
    before = net.evaluate(x, y, loss="cross_entropy")
    net.fit(x, y, optimizer=cr.SGD(1.0), **FIT)
    assert net.history["loss"][0] == pytest.approx(before["loss"], rel=1e-6)
    assert net.history["accuracy"][0] == before["accuracy"]


def test_progress_lines(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, loss="cross_entropy", epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    net.fit(x, y, epochs=1, verbose=2)
    assert capsys.readouterr().out.startswith("epoch 3/3  ")
    net.fit(x, y, epochs=1, verbose=0)
    assert capsys.readouterr() == ("", "")


def test_fractions_as_binary_targets_have_no_accuracy() -> None:
    rng = np.random.default_rng(0)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    x, y = rng.normal(size=(50, 4)), rng.random((50, 3))
    history = net.fit(x, y, loss="binary_cross_entropy", epochs=2, verbose=0)
    assert list(history) == ["loss"]
    assert "accuracy" in net.evaluate(x, (y > 0.5).astype(int))


def test_a_plateau_schedule_that_nothing_feeds_is_refused_at_once() -> None:
    rng = np.random.default_rng(0)
    net = cr.Sequential([cr.Input(4), cr.Dense(1)], seed=0)
    before = net.get_weights()
    schedule = cr.schedules.ReduceOnPlateau(0.1)
    with pytest.raises(ValueError, match=r"unknown monitor of ReduceOnPlateau 'val_loss'.*'loss'"):
        net.fit(
            rng.normal(size=(8, 4)),
            rng.normal(size=8),
            loss="mse",
            optimizer=cr.SGD(schedule),
            verbose=0,
        )
    assert all(map(np.array_equal, before, net.get_weights()))
    assert net._built_core().total_steps == 0


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
@pytest.mark.parametrize(("scale", "offset"), [(2e5, 0.0), (1.0, 3e5), (1e-6, 0.0)])
def test_targets_far_from_unit_scale_are_told_once(loss: str, scale: float, offset: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = offset + scale * x[:, 0]
    net = cr.Sequential([cr.Dense(1)], seed=0)
    with pytest.warns(UserWarning, match=r"Normalization of targets.*y\.std\(\)") as caught:
        net.fit(x, y, loss=loss, epochs=3, verbose=0)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    net.fit(x, y, epochs=2, verbose=0)
    # As the text says; and neither counts nor ages are far.
    for near in ((y - y.mean()) / y.std(), rng.integers(0, 100, 200), np.zeros(200)):
        cr.Sequential([cr.Dense(1)], seed=0).fit(x, near, loss=loss, verbose=0)
