# SPDX-License-Identifier: Apache-2.0
"""What an epoch would fail at is refused before the first one, and changes nothing."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from refusals import assert_refused, snapshot

import chainrule as cr
from chainrule import metrics
from chainrule.callbacks import Callback, CSVLogger, EarlyStopping, ModelCheckpoint
from chainrule.metrics import Metric

RNG = np.random.default_rng(4)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(2, size=60)
Y[:2] = 0, 1
WEIGHTS = RNG.uniform(0.5, 2, size=60)


def network(outputs: int = 2, activation: str = "linear") -> cr.Sequential:
    return cr.Sequential([cr.Dense(5, activation="relu"), cr.Dense(outputs, activation)], seed=0)


def constant(y_true: Any, y_pred: Any) -> float:
    return 0.5


def loss(y_true: Any, y_pred: Any) -> float:
    return 0.0


def needs_both_classes(y_true: Any, y_pred: Any) -> float:
    return float(sklearn.metrics.log_loss(y_true, y_pred))


def broken(y_true: Any, y_pred: Any) -> float:
    raise ZeroDivisionError("mine")


def renamed(name: str) -> Metric:
    return Metric(name, constant)


def always(y_true: Any, y_pred: Any) -> Any:
    return None


CE = {"loss": "cross_entropy"}
REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    (CE | {"metrics": ["top_5"]}, ValueError, "k must be from 1 to the number of classes 2"),
    (CE | {"metrics": ["accuracy", "accuracy"]}, ValueError, "are both called 'accuracy'"),
    (CE | {"metrics": ["accuracy", metrics.accuracy]}, ValueError, "both called 'accuracy'"),
    (CE | {"metrics": [loss]}, ValueError, "metrics[0] is called 'loss'"),
    (CE | {"metrics": ["auc", renamed("val_loss")]}, ValueError, "metrics[1] is called 'val_loss'"),
    (CE | {"metrics": [renamed("epoch")]}, ValueError, "called 'epoch'"),
    (CE | {"metrics": [renamed("learning_rate")]}, ValueError, "called 'learning_rate'"),
    (
        CE | {"metrics": [lambda t, p: 0.0, lambda t, p: 1.0]},
        ValueError,
        "metrics[0] and metrics[1] are both called '<lambda>'; give each a name of its own by "
        "Metric(name, function)",
    ),
    (CE | {"metrics": [functools.partial(constant)]}, ValueError, "pass Metric(name, function)"),
    (CE | {"metrics": [Metric]}, TypeError, "got the class Metric"),
    (CE | {"metrics": 3}, TypeError, "metrics must be a list, got 3"),
    (CE | {"metrics": [broken]}, ZeroDivisionError, "mine"),
    (CE | {"metrics": [always]}, TypeError, "metric 'always' must return a number"),
    (
        CE | {"metrics": [constant], "sample_weight": WEIGHTS},
        TypeError,
        "metric 'constant' takes no sample_weight",
    ),
    (
        CE | {"metrics": [constant], "validation_data": (X, Y, WEIGHTS)},
        TypeError,
        "metric 'constant' takes no sample_weight",
    ),
    (CE | {"callbacks": [EarlyStopping()]}, ValueError, "unknown monitor 'val_loss'"),
    (
        CE
        | {"callbacks": [EarlyStopping("confusion_matrix", mode="max")]}
        | {"metrics": ["confusion_matrix"]},
        ValueError,
        "monitor 'confusion_matrix' must be a number",
    ),
    (CE | {"callbacks": [ModelCheckpoint("x")]}, ValueError, "unknown monitor 'val_loss'"),
    (
        CE
        | {"callbacks": [ModelCheckpoint("x-{acuracy}", save_best_only=False)]}
        | {"metrics": ["accuracy"]},
        ValueError,
        "did you mean 'accuracy'",
    ),
    (
        CE | {"callbacks": [ModelCheckpoint("x-{loss:d}", save_best_only=False)]},
        ValueError,
        "cannot be filled in",
    ),
    (
        CE | {"callbacks": [ModelCheckpoint("no/such/folder/x", "loss")]},
        FileNotFoundError,
        "no/such/folder/x",
    ),
    (CE | {"callbacks": [ModelCheckpoint(".", "loss")]}, IsADirectoryError, "."),
    (CE | {"callbacks": [CSVLogger("no/such/folder/x.csv")]}, FileNotFoundError, "folder"),
    (
        CE | {"optimizer": cr.Adam(cr.schedules.ReduceOnPlateau(0.1, monitor="val_acc"))},
        ValueError,
        "monitor of ReduceOnPlateau",
    ),
]


@pytest.mark.parametrize("built", [False, True])
@pytest.mark.parametrize(("options", "error", "text"), REFUSED)
def test_refused(
    options: dict[str, Any],
    error: type[Exception],
    text: str,
    built: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    net = network()
    y: Any = Y
    if options["loss"] != "cross_entropy":
        y = np.eye(2)[Y]
    if built:
        net.fit(X, y, loss=options["loss"], verbose=0, metrics=[])
    assert_refused(net, lambda: net.fit(X, y, verbose=0, epochs=2, **options), error, text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metric", ["accuracy", "precision", "f1", "confusion_matrix"])
@pytest.mark.parametrize("name", ["mse", "mae", "hinge", "poisson"])
def test_decisions_by_an_output_that_is_no_probability(name: str, metric: str) -> None:
    net = network(1)
    text = f"metric '{metric}' decides by the probability of a class"
    assert_refused(
        net, lambda: net.fit(X, Y, loss=name, metrics=[metric], verbose=0), ValueError, text
    )
    sigmoid = network(1, "sigmoid")
    sigmoid.fit(X, Y, loss="mse", metrics=[metric], verbose=0)


def test_a_function_that_needs_more_than_the_first_rows_is_tried_on_all() -> None:
    order = np.argsort(Y, kind="stable")
    net = network()
    history = net.fit(
        X[order], Y[order], loss="cross_entropy", metrics=[needs_both_classes], verbose=0
    )
    assert np.isfinite(history["needs_both_classes"]).all()


def test_the_trial_changes_no_bit() -> None:
    nets = [network(), network()]
    for net, chosen in zip(nets, ([], ["auc", constant]), strict=True):
        net.fit(X, Y, loss="cross_entropy", metrics=chosen, epochs=3, verbose=0)
    for left, right in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    ("metric", "y", "validation"),
    [("auc", Y, (X[:5], np.zeros(5, int))), ("r2", X[:, 0], (X[:1], X[:1, 0]))],
)
def test_what_the_data_leave_undefined_is_nan_with_one_warning(
    metric: str, y: Any, validation: Any
) -> None:
    net = network(2 if metric == "auc" else 1)
    name = "cross_entropy" if metric == "auc" else "mse"
    with pytest.warns(metrics.UndefinedMetricWarning, match=f"val_{metric} is NaN") as caught:
        history = net.fit(
            X, y, loss=name, metrics=[metric], epochs=3, validation_data=validation, verbose=0
        )
    assert len(caught) == 1
    assert np.isnan(history[f"val_{metric}"]).all()
    assert np.isfinite(history[metric]).all()
    with pytest.warns(metrics.UndefinedMetricWarning):
        assert np.isnan(net.evaluate(*validation)[metric])
    with pytest.raises(ValueError, match=metric):
        metrics.get(metric)(validation[1], np.zeros(len(validation[1])))


def test_validation_rows_that_weigh_nothing() -> None:
    net = network()
    weight = np.ones(60)
    weight[48:] = 0
    with pytest.warns(metrics.UndefinedMetricWarning) as caught:
        history = net.fit(
            X,
            Y,
            loss="cross_entropy",
            sample_weight=weight,
            validation_split=0.2,
            epochs=2,
            verbose=0,
        )
    assert {str(w.message).split(" is NaN")[0] for w in caught} == {"val_loss", "val_accuracy"}
    assert np.isnan([history["val_loss"], history["val_accuracy"]]).all()


class Fails(Callback):
    """Raises in the second epoch, where it is told to."""

    def __init__(self, place: str) -> None:
        self.place = place

    def _at(self, place: str, epoch: int) -> None:
        if place == self.place and epoch == 2:
            raise OSError("disk full")

    @property
    def wants_batches(self) -> bool:
        return self.place == "batch"

    def on_epoch_begin(self, net: Any, epoch: int) -> None:
        self._at("begin", epoch)

    def on_batch_end(self, net: Any, epoch: int, batch: int, logs: Any) -> None:
        if batch == 2:
            self._at("batch", epoch)

    def on_epoch_end(self, net: Any, epoch: int, logs: Any) -> None:
        self._at("end", epoch)


@pytest.mark.parametrize("place", ["begin", "batch", "end", "metric", "validation"])
def test_history_and_weights_agree_after_an_exception(place: str) -> None:
    calls = []

    def fragile(y_true: Any, y_pred: Any) -> float:
        calls.append(len(y_true))
        # Two calls an epoch, behind two of the trial.
        if (place, len(calls)) in (("metric", 5), ("validation", 6)):
            raise OSError("disk full")
        return 0.0

    def options() -> dict[str, Any]:
        return {"batch_size": 20, "validation_data": (X, Y), "verbose": 0}

    net = network()
    net.fit(X, Y, loss="cross_entropy", metrics=["auc"], **options())
    before = net.metrics
    with pytest.raises(OSError, match="disk full"):
        net.fit(
            X,
            Y,
            epochs=5,
            callbacks=[Fails(place)],
            metrics=[fragile],
            **options(),
        )
    epochs = len(net.history.epochs)
    assert net._core is not None
    assert net._core.epochs == epochs == net.history.epochs[-1]
    assert all(len(column) == epochs for column in net.history.values())
    assert net.metrics == before
    # The weights are those of an undisturbed run of so many epochs.
    other = network()
    other.fit(X, Y, loss="cross_entropy", epochs=epochs, metrics=[], **options())
    left, right = snapshot(net), snapshot(other)
    for name in [*net.parameters, "counters"]:
        assert left[name] == right[name], name
    net.fit(X, Y, verbose=0)


@pytest.mark.parametrize("where", ["validation", "metric", "validation metric"])
@pytest.mark.parametrize("batch_size", [60, 20])
def test_divergence_is_told_by_whoever_meets_it_first(where: str, batch_size: int) -> None:
    net = network(1)
    x = X.astype(np.float32)
    options: dict[str, Any] = {"loss": "mse", "verbose": 0, "batch_size": batch_size}
    if where != "metric":
        options["validation_data"] = (x, X[:, :1])
    options["metrics"] = [] if where == "validation" else ["mae"]
    net.fit(x, X[:, :1], epochs=2, **options)
    with pytest.raises(cr.DivergenceError, match="training diverged") as caught:
        net.fit(x, X[:, :1], optimizer=cr.SGD(1e12), epochs=60, **options)
    assert net._core is not None
    assert caught.value.epoch == net._core.epochs + 1 == len(net.history.epochs) + 1
    assert np.isfinite(net.predict(x)).all()
    assert all(np.isfinite(column).all() for column in net.history.values())
