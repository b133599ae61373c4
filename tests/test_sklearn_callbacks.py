# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's callbacks, where its version has them: which hooks are called, and with what."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn.callback")

from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor

from chainrule.sklearn import MLPClassifier, MLPRegressor, TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)
MODELS = [
    MLPClassifier((5,), max_iter=3, random_state=0),
    MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0),
    MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, solver="lbfgs", random_state=0),
    TabularClassifier(budget="fast", random_state=0, members=1),
    TabularRegressor(budget="fast", random_state=0, members=2),
    TabularClassifier(budget="fast", random_state=0, members=2, validation=0.3),
]


class Recorder:
    """Record calls, and stop a network after some epochs."""

    def __init__(self, stop_after=None, fail=False):
        self.calls, self.stop_after, self.fail = [], stop_after, fail
        self.scores, self.metadata = [], []

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        assert X is not None
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, metadata=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        self.metadata.append(metadata)
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, Y))
        if self.fail and context.task_name == "epoch":
            raise RuntimeError("on purpose")
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_each_epoch_is_a_task_that_can_be_the_last(model):
    recorder = Recorder(stop_after=2)
    fitted = clone(model).set_callbacks(recorder).fit(X, Y)
    epochs = ["begin epoch", "end epoch"] * 2
    if getattr(model, "members", 1) == 2:
        epochs = ["begin member", *epochs, "end member"] * 2
    assert recorder.calls == ["setup", "begin fit", *epochs, "end fit", "teardown"]
    assert recorder.scores[-2] == recorder.scores[-1] == fitted.score(X, Y)
    assert len(recorder.scores) == recorder.calls.count("end epoch") + 1


@pytest.mark.parametrize("model", MODELS[3:], ids=repr)
def test_fitted_estimators_of_tables_are_as_if_fit_had_ended_at_the_epoch(model):
    model = clone(model).set_params(members=1)
    recorder = Recorder(stop_after=3)
    clone(model).set_callbacks(recorder).fit(X, Y)
    shorter = [
        clone(model).set_callbacks(Recorder(stop_after=n)).fit(X, Y).score(X, Y) for n in (1, 2, 3)
    ]
    assert recorder.scores == [*shorter, shorter[-1]]


def test_fitted_estimators_of_tables_have_the_best_weights_so_far():
    model = clone(MODELS[-1]).set_params(members=1, metric="log_loss")
    noise = np.random.default_rng(1).integers(0, 2, len(X))
    recorder = Recorder(stop_after=20)
    fitted = model.set_callbacks(recorder).fit(X, noise)
    losses = fitted.history_["val_loss"]
    best = losses.index(min(losses))
    assert best < 15
    assert set(recorder.scores[best:]) == {recorder.scores[-1]}


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_callbacks_leave_no_trace_in_predictions_parameters_and_pickles(model):
    plain = clone(model).fit(X, Y)
    watched = clone(model).set_callbacks(Recorder())
    assert watched.get_params().keys() == model.get_params().keys()
    watched.fit(X, Y)
    np.testing.assert_array_equal(watched.predict(X), plain.predict(X))
    again = pickle.loads(pickle.dumps(watched))
    np.testing.assert_array_equal(again.predict(X), plain.predict(X))
    assert len(clone(watched)._skl_callbacks) == 1
    assert watched.set_callbacks() is watched
    assert not hasattr(watched, "_callback_fit_ctx")


@pytest.mark.parametrize("model", MODELS[:2], ids=repr)
def test_fitted_estimators_are_as_if_fit_had_ended_at_the_epoch(model):
    recorder = Recorder()
    weights = np.linspace(0.5, 2, len(X))
    clone(model).set_callbacks(recorder).fit(X, Y, sample_weight=weights)
    shorter = [
        clone(model).set_params(max_iter=n).fit(X, Y, sample_weight=weights).score(X, Y)
        for n in (1, 2, 3)
    ]
    assert recorder.scores == [*shorter, shorter[-1]]
    assert all(each["sample_weight"] is weights for each in recorder.metadata)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_teardown_comes_after_an_error_too(model):
    recorder = Recorder(fail=True)
    failing = clone(model).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="on purpose"):
        failing.fit(X, Y)
    assert recorder.calls[-1] == "teardown"


def test_scoring_monitor_has_a_score_of_each_epoch_and_of_the_fit():
    monitor = ScoringMonitor(scoring="accuracy")
    fitted = clone(MODELS[0]).set_callbacks(monitor).fit(X, Y)
    assert len(monitor.get_logs().data) == 4
    assert monitor.get_logs().data[-1]["accuracy"] == fitted.score(X, Y)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_progress_bar_works(model):
    pytest.importorskip("rich")
    clone(model).set_callbacks(ProgressBar()).fit(X, Y)


def test_partial_fit_calls_no_hooks():
    recorder = Recorder()
    MLPClassifier((5,)).set_callbacks(recorder).partial_fit(X, Y, classes=[0, 1])
    assert recorder.calls == []
