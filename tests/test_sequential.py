# SPDX-License-Identifier: Apache-2.0
"""What users do with a network: build, train, evaluate, predict, copy."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import chainrule as cr
from chainrule import losses, schedules
from chainrule.callbacks import Callback, LambdaCallback, StopTraining
from chainrule.metrics import Metric

Array = NDArray[Any]


def blobs(rows: int = 90, columns: int = 4, classes: int = 3, seed: int = 0) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    centres = rng.normal(size=(classes, columns)) * 2
    x = centres[y] + rng.normal(size=(rows, columns))
    return x.astype(np.float32), y


def network(dtype: str = "float32", seed: int = 1) -> cr.Sequential:
    return cr.Sequential(
        [
            cr.Dense(7, activation="relu"),
            cr.BatchNormalization(),
            cr.Dropout(0.2),
            cr.Dense(3),
        ],
        seed=seed,
        dtype=dtype,
    )


def state(net: cr.Sequential) -> dict[str, Any]:
    """Everything that training changes."""
    core = net._core
    assert core is not None
    slots = {
        f"{slot}.{p.name}": core.get_slot(slot, p.name)
        for slot in core.optimizer_slots
        for p in core.parameters
        if p.trainable
    }
    counters = {"steps": core.steps, "total_steps": core.total_steps, "epochs": core.epochs}
    return {**net.parameters, **slots, **counters, "history": net.history.to_dict()}


def assert_same_state(a: cr.Sequential, b: cr.Sequential) -> None:
    left, right = state(a), state(b)
    assert left.keys() == right.keys()
    for name, value in left.items():
        np.testing.assert_array_equal(value, right[name], err_msg=name)


def differs(a: Mapping[str, Any], b: Mapping[str, Any], name: str) -> bool:
    return not np.array_equal(a[name], b[name])


FIT: dict[str, Any] = {"loss": "cross_entropy", "batch_size": 16, "verbose": 0}


# Structure -------------------------------------------------------------------------------------


def test_input_size_is_given_or_learnt() -> None:
    given = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0)
    assert given.built
    assert (given.inputs, given.outputs) == (4, 2)
    learnt = cr.Sequential([cr.Dense(2)], seed=0)
    assert not learnt.built
    assert learnt.inputs is None
    learnt.build(4)
    learnt.build(4)
    np.testing.assert_array_equal(learnt.get_weights()[0], given.get_weights()[0])
    assert cr.Sequential([cr.Input((28, 28)), cr.Dense(2)]).inputs == 784


@pytest.mark.parametrize("how", ["fit", "train_on_batch", "evaluate", "predict", "forward"])
def test_first_data_builds(how: str) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3)], seed=0)
    if how == "fit":
        net.fit(x, y, **FIT)
    elif how == "train_on_batch":
        net.train_on_batch(x, y, loss="cross_entropy")
    elif how == "evaluate":
        net.evaluate(x, y, loss="cross_entropy")
    else:
        getattr(net, how)(x)
    assert net.inputs == 4


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net.outputs,
        lambda net: net.parameters,
        lambda net: net.get_weights(),
        lambda net: net.set_weights([]),
        lambda net: net.count_params(),
        lambda net: net.summary(),
        lambda net: net.gradients,
        lambda net: net.backward(np.ones((1, 2))),
        lambda net: net.save("never-written"),
    ],
)
def test_what_needs_parameters_says_how_to_get_them(call: Any) -> None:
    with pytest.raises(RuntimeError, match=r"begin the layers with Input\(n\), call build"):
        call(cr.Sequential([cr.Dense(2)]))


def test_repr_makes_the_network_again() -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="relu"), cr.Dense(2)], seed=5)
    text = (
        "Sequential([Input(3), Dense(4, activation='relu'), Dense(2)], seed=5, dtype='float32')"
    )
    assert repr(net) == text
    again = eval(text, vars(cr).copy())
    np.testing.assert_array_equal(again.get_weights()[0], net.get_weights()[0])
    unbuilt = cr.Sequential([cr.Dense(2)], seed=5, dtype="float64")
    assert repr(unbuilt) == "Sequential([Dense(2)], seed=5, dtype='float64')"


def test_summary() -> None:
    net = cr.Sequential(
        [cr.Input(1000), cr.Dense(7), cr.BatchNormalization(), cr.Dense(3)], seed=0
    )
    stream = io.StringIO()
    net.summary(file=stream)
    lines = stream.getvalue().splitlines()
    assert len({len(line) for line in lines[:7]}) == 1  # one width
    cells = [line.split() for line in lines]
    assert cells[0] == ["layer", "output", "parameters"]
    assert cells[2] == ["Input", "1000", "0"]
    assert cells[3] == ["Dense(7)", "7", "7,007"]
    assert cells[4] == ["BatchNormalization()", "7", "28"]
    assert cells[5] == ["Dense(3)", "3", "24"]
    assert lines[7] == "7,059 parameters in float32, 27.6 KiB"
    assert lines[8] == "14 of them not trained"


def test_summary_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    cr.Sequential([cr.Input(2), cr.Dense(1)]).summary()
    assert "3 parameters in float32, 12 bytes" in capsys.readouterr().out


def test_count_params() -> None:
    net = network()
    net.build(4)
    trained = 4 * 7 + 7 + 2 * 7 + 7 * 3 + 3
    assert net.count_params() == trained + 2 * 7
    assert net.count_params(trainable_only=True) == trained


def test_seed_none_is_random_and_told() -> None:
    a, b = (cr.Sequential([cr.Input(4), cr.Dense(3)]) for _ in range(2))
    assert a.seed != b.seed
    again = cr.Sequential([cr.Input(4), cr.Dense(3)], seed=a.seed)
    np.testing.assert_array_equal(again.get_weights()[0], a.get_weights()[0])
    assert not np.array_equal(b.get_weights()[0], a.get_weights()[0])


def test_plan_lists_stages() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(5, activation="relu"), cr.Dense(2)])
    lines = net.plan(8, num_threads=1)
    assert lines
    assert all(isinstance(line, str) for line in lines)


# Parameters ------------------------------------------------------------------------------------


def test_parameters_are_named_copies() -> None:
    net = network()
    net.build(4)
    parameters = net.parameters
    assert {name: array.shape for name, array in parameters.items()} == {
        "0.weight": (4, 7),
        "0.bias": (7,),
        "1.gamma": (7,),
        "1.beta": (7,),
        "1.running_mean": (7,),
        "1.running_variance": (7,),
        "3.weight": (7, 3),
        "3.bias": (3,),
    }
    parameters["0.weight"][:] = 7
    assert not (net.parameters["0.weight"] == 7).any()


def test_set_weights_in_order_and_by_name() -> None:
    a, b = network(seed=1), network(seed=2)
    a.build(4)
    b.build(4)
    b.set_weights(a.get_weights())
    assert_same_state(a, b)
    bias = np.array([1, 2, 3])  # integers are numbers too
    a.set_weights({"3.bias": bias})
    np.testing.assert_array_equal(a.parameters["3.bias"], bias.astype(np.float32))
    np.testing.assert_array_equal(a.parameters["0.weight"], b.parameters["0.weight"])


def test_outputs_are_those_of_the_weights() -> None:
    net = cr.Sequential([cr.Input(4), cr.Dense(6, activation="tanh"), cr.Dense(2)], seed=0)
    x, _ = blobs()
    w0, b0, w1, b1 = (w.astype(np.float64) for w in net.get_weights())
    expected = np.tanh(x @ w0 + b0) @ w1 + b1
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(net.forward(x), expected, rtol=1e-5, atol=1e-6)


# Going on --------------------------------------------------------------------------------------


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
    net.fit(
        x, y, optimizer=cr.SGD(never_better), epochs=4, validation_split=0.2, **FIT
    )
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


# Validation and weights ------------------------------------------------------------------------


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


@pytest.mark.parametrize("weights", [{"class_weight": {0: 2.0, 1: 3.0}}, {"class_weight": [2, 3, 1]}])
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


# Evaluate and predict --------------------------------------------------------------------------


def test_evaluate_against_numpy() -> None:
    x, y = blobs()
    weight = np.linspace(0.1, 2, len(x))
    net = network()
    net.fit(x, y, **FIT)
    logits = net.predict(x).astype(np.float64)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    right = logits.argmax(axis=1) == y
    row_losses = -log_p[np.arange(len(x)), y]
    plain = net.evaluate(x, y)
    assert plain["loss"] == pytest.approx(row_losses.mean(), rel=1e-5)
    assert plain["accuracy"] == pytest.approx(right.mean())
    weighted = net.evaluate(x, y, sample_weight=weight, batch_size=7)
    assert weighted["loss"] == pytest.approx(np.average(row_losses, weights=weight), rel=1e-5)
    assert weighted["accuracy"] == pytest.approx(np.average(right, weights=weight))


def test_evaluate_changes_nothing() -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, **FIT)
    before = copy.deepcopy(net)
    net.evaluate(x, y, loss=losses.CrossEntropy(label_smoothing=0.1), metrics=["f1"])
    net.predict(x)
    assert_same_state(before, net)
    assert net.loss == losses.CrossEntropy()


def test_predict_rows_alone_and_in_batches() -> None:
    x, y = blobs(50)
    net = network()
    net.fit(x, y, **FIT)
    whole = net.predict(x)
    assert (whole.shape, whole.dtype) == ((50, 3), np.float32)
    np.testing.assert_array_equal(net.predict(x, batch_size=7), whole)
    np.testing.assert_array_equal(net.predict(x, num_threads=2), whole)
    np.testing.assert_array_equal(np.vstack([net.predict(row) for row in x]), whole)


def test_predict_into_out() -> None:
    x, _ = blobs(50)
    net = network()
    out = np.full((50, 3), np.nan, dtype=np.float32)
    assert net.predict(x, out=out) is out
    np.testing.assert_array_equal(out, net.predict(x))


@pytest.mark.parametrize("activation", ["linear", "softmax"])
def test_predict_proba_of_classes(activation: str) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(3, activation=activation)], seed=0)
    net.fit(x, y, epochs=3, **FIT)
    w, b = net.get_weights()
    e = np.exp(x.astype(np.float64) @ w + b)
    np.testing.assert_allclose(net.predict_proba(x), e / e.sum(axis=1, keepdims=True), rtol=1e-5)


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_predict_proba_and_accuracy_of_one_output(activation: str) -> None:
    x, y = blobs(classes=2)
    y[:9] = 1 - y[:9]  # which no network of this size can get right
    net = cr.Sequential([cr.Dense(1), cr.Activation(activation)], seed=0)
    net.fit(
        x, y, loss="binary_cross_entropy", optimizer=cr.SGD(0.5), epochs=5, batch_size=16, verbose=0
    )
    w, b = net.get_weights()
    p = 1 / (1 + np.exp(-(x.astype(np.float64) @ w + b)))
    np.testing.assert_allclose(net.predict_proba(x), p, rtol=1e-5)
    right = np.mean((p[:, 0] > 0.5) == y)
    assert 0.5 < right < 1.0
    assert net.evaluate(x, y)["accuracy"] == pytest.approx(right)


def test_predict_proba_of_counts() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, y, loss="poisson", verbose=0)
    np.testing.assert_allclose(net.predict_proba(x), np.exp(net.predict(x)), rtol=1e-5)


def test_predict_proba_needs_a_link() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    with pytest.raises(ValueError, match="the network has no loss yet"):
        net.predict_proba(x)
    net.fit(x, y, loss="mse", verbose=0)
    with pytest.raises(ValueError, match="mse has no link to probabilities; use predict"):
        net.predict_proba(x)


def test_independent_outputs_are_measured_as_such() -> None:
    x, _ = blobs()
    y = (x[:, :3] > 0).astype(np.float32)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    net.fit(x, y, loss="binary_cross_entropy", epochs=3, verbose=0)
    expected = np.mean((net.predict(x) > 0) == (y > 0))
    assert net.evaluate(x, y)["accuracy"] == pytest.approx(expected)


# Callbacks and metrics -------------------------------------------------------------------------


class Recorder(Callback):
    def __init__(self) -> None:
        self.batches: list[tuple[int, int, float]] = []
        self.weights: list[Array] = []

    def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Mapping[str, Any]) -> None:
        self.batches.append((epoch, batch, logs["loss"]))
        self.weights.append(net.parameters["0.weight"])


@pytest.mark.parametrize("optimizer", [cr.Adam(1e-2), cr.SGD(schedules.Cosine(0.1, 3), clip_norm=1)])
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


# Copies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_go_on_alike_and_apart(duplicate: Any) -> None:
    x, y = blobs()
    net = network()
    net.fit(x, y, optimizer=cr.Adam(1e-2), epochs=2, **FIT)
    twin = duplicate(net)
    assert_same_state(net, twin)
    assert repr(twin) == repr(net)
    before = net.parameters
    twin.fit(x, y, epochs=2, batch_size=16, verbose=0)
    np.testing.assert_array_equal(net.parameters["0.weight"], before["0.weight"])
    assert net.history.epochs == [1, 2]
    assert differs(twin.parameters, before, "0.weight")
    net.fit(x, y, epochs=2, batch_size=16, verbose=0)
    assert_same_state(net, twin)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_of_an_unbuilt_network(duplicate: Any) -> None:
    x, y = blobs()
    net = network()
    net.compile(loss="cross_entropy", optimizer=cr.Adam(1e-2), metrics=["top_2"])
    twin = duplicate(net)
    for n in (net, twin):
        n.fit(x, y, verbose=0)
    assert_same_state(net, twin)


def halved(epoch: int) -> float:
    return 0.1 * 0.5**epoch


def largest_error(y_true: Array, y_pred: Array) -> float:
    return float(np.abs(y_true - y_pred[:, 0]).max())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_keep_functions(duplicate: Any) -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, y, loss="mse", optimizer=cr.SGD(halved), metrics=[largest_error], verbose=0)
    twin = duplicate(net)
    for n in (net, twin):
        n.fit(x, y, verbose=0)
    assert_same_state(net, twin)
    assert twin.history["learning_rate"] == [0.1, 0.05]
    assert "largest_error" in twin.evaluate(x, y)


# What x may be ---------------------------------------------------------------------------------


def as_strided(x: Array) -> Array:
    wide = np.zeros((2 * len(x), 3 * x.shape[1]), dtype=x.dtype)
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def as_reversed(x: Array) -> Array:
    return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]


def as_frame(x: Array) -> Any:
    return pytest.importorskip("pandas").DataFrame(x)


def as_tensor(x: Array) -> Any:
    return pytest.importorskip("torch").from_numpy(x.copy())


def as_read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        as_strided,
        as_reversed,
        as_read_only,
        as_frame,
        as_tensor,
        np.ndarray.tolist,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int64),
        lambda x: x.reshape(-1, 3, 4),
    ],
)
def test_containers_give_the_same_bits(convert: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(40, 12)).astype(dtype)  # values that every type here holds
    y = rng.integers(3, size=40)
    plain, other = network(), network()
    plain.fit(x.astype(np.float32), y, **FIT)
    other.fit(convert(x), y, validation_data=(convert(x), y), **FIT)
    for name, array in plain.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[name], err_msg=name)
    np.testing.assert_array_equal(plain.predict(x), other.predict(convert(x)))


def test_memory_maps_give_the_same_bits(tmp_path: Path) -> None:
    x, y = blobs()
    x.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", dtype=np.float32, mode="r", shape=x.shape)
    a, b = network(), network()
    a.fit(x, y, **FIT)
    b.fit(mapped, y, **FIT)
    assert_same_state(a, b)


def test_labels_of_any_integer_type() -> None:
    x, y = blobs()
    plain = network()
    plain.fit(x, y, **FIT)
    for labels in (y.astype(np.uint8), y.astype(np.float64), y[:, None], y.tolist()):
        other = network()
        other.fit(x, labels, **FIT)
        assert_same_state(plain, other)


def test_images_are_flattened() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(30, 28, 28), dtype=np.uint8)
    y = rng.integers(3, size=30)
    layers = [cr.Input((28, 28)), cr.Rescaling(1 / 255), cr.Dense(3)]
    a, b = (cr.Sequential(layers, seed=0) for _ in range(2))
    a.fit(images, y, **FIT)
    b.fit(images.reshape(30, 784), y, **FIT)
    assert_same_state(a, b)
    np.testing.assert_array_equal(a.predict(images), b.predict(images.reshape(30, 784)))


def test_rescaling_is_that_of_floats() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(30, 10), dtype=np.uint8)
    fused = cr.Sequential([cr.Rescaling(1 / 255), cr.Dense(3)], seed=0)
    plain = cr.Sequential([cr.Dense(3)], seed=0)
    fused.build(10)
    plain.build(10)
    plain.set_weights(fused.get_weights())
    np.testing.assert_allclose(fused.predict(x), plain.predict(x / 255), rtol=1e-5, atol=1e-6)


def test_float64_is_float64() -> None:
    x, y = blobs()
    wide = cr.Sequential([cr.Dense(5, activation="tanh"), cr.Dense(3)], seed=0, dtype="float64")
    wide.fit(x, y, epochs=2, **FIT)
    assert wide.predict(x).dtype == np.float64
    assert wide.parameters["0.weight"].dtype == np.float64
    w0, b0, w1, b1 = wide.get_weights()
    expected = np.tanh(x.astype(np.float64) @ w0 + b0) @ w1 + b1
    np.testing.assert_allclose(wide.predict(x), expected, rtol=1e-13, atol=1e-13)


def test_normalization_is_adapted_once() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    net.fit(x, y, **FIT)
    mean, variance = net.parameters["0.mean"], net.parameters["0.variance"]
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance, x.var(axis=0, dtype=np.float64), rtol=1e-6)
    net.fit(x + 10, y, **FIT)
    np.testing.assert_array_equal(net.parameters["0.mean"], mean)
    net.adapt(x + 10)
    np.testing.assert_allclose(net.parameters["0.mean"], mean + 10, rtol=1e-6)


def test_adapted_before_fit_is_kept() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    net.adapt(x[:10])
    mean = net.parameters["0.mean"]
    net.fit(x, y, **FIT)
    np.testing.assert_array_equal(net.parameters["0.mean"], mean)


# By hand ---------------------------------------------------------------------------------------


def test_steps_by_hand_are_those_of_train_on_batch() -> None:
    x, y = blobs(16)
    layers = [cr.Dense(7, activation="relu"), cr.Dense(3)]
    by_hand = cr.Sequential(layers, seed=1, dtype="float64")
    trained = cr.Sequential(layers, seed=1, dtype="float64")
    loss, optimizer = losses.CrossEntropy(), cr.SGD(0.1, momentum=0.9)
    for _ in range(3):
        by_hand.backward(loss.gradient(by_hand.forward(x), y))
        optimizer.step(by_hand)
        trained.train_on_batch(x, y, loss=loss, optimizer=optimizer)
    for name, array in trained.parameters.items():
        np.testing.assert_allclose(by_hand.parameters[name], array, rtol=1e-12, atol=1e-14)
    assert by_hand.optimizer == optimizer


def test_backward_gives_the_input_gradient() -> None:
    x, _ = blobs(16)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    dy = np.random.default_rng(1).normal(size=(16, 3))
    net.forward(x)
    dx = net.backward(dy)
    w = net.parameters["0.weight"].astype(np.float64)
    np.testing.assert_allclose(dx, dy @ w.T, rtol=1e-5, atol=1e-6)
    gradients = net.gradients
    assert set(gradients) == {"0.weight", "0.bias"}
    np.testing.assert_allclose(gradients["0.weight"], x.T @ dy, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradients["0.bias"], dy.sum(axis=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda net, x, y: net.set_weights(net.get_weights()),
        lambda net, x, y: net.train_on_batch(x, y, loss="cross_entropy"),
        lambda net, x, y: net.fit(x, y, **FIT),
        lambda net, x, y: net.adapt(x),
    ],
)
def test_backward_needs_a_forward_of_the_present_weights(change: Any) -> None:
    x, y = blobs(16)
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    with pytest.raises(RuntimeError, match="the number of inputs is not known yet"):
        net.backward(np.ones((16, 3)))
    net.build(4)
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(np.ones((16, 3)))
    with pytest.raises(RuntimeError, match="call backward first"):
        cr.SGD(0.1).step(net)
    net.forward(x)
    change(net, x, y)
    with pytest.raises(RuntimeError, match="call forward first"):
        net.backward(np.ones((16, 3)))
