# SPDX-License-Identifier: Apache-2.0
"""The estimators of chainrule.sklearn go on: warm starts, partial fits, copies, files."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("sklearn")

import joblib
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

from chainrule.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_digits(return_X_y=True)
X = X[:400] / 16
LABELS = LABELS[:400]
TARGETS = {MLPClassifier: LABELS, MLPRegressor: LABELS / 9.0}
SOLVERS = {
    "adam": {},
    "sgd": {"solver": "sgd"},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling"},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "n_iter_no_change": 1, "tol": 0.1},
    "cosine": {"learning_rate": cr.schedules.Cosine(0.01, epochs=10)},
    # One object for all tests, since an estimator changes none of its parameters.
    "plateau": {
        "learning_rate": cr.schedules.ReduceOnPlateau(
            0.01, monitor="loss", patience=0, threshold=0.2
        )
    },
    "dropout": {"dropout": 0.2, "batch_norm": True},
}
SHORT = {"hidden_layer_sizes": (12, 5), "random_state": 4}


def assert_same(a, b):
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    for one, other in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        np.testing.assert_array_equal(one, other)
    assert a.t_ == b.t_
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-12)


@pytest.mark.parametrize("estimator", TARGETS)
@pytest.mark.parametrize("options", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("rows", [150, 400], ids=["one batch", "batches"])
def test_two_parts_are_a_whole(estimator, options, rows):
    x, y = X[:rows], TARGETS[estimator][:rows]
    whole = estimator(**SHORT, **options, max_iter=10).fit(x, y)
    assert whole.n_iter_ == 10
    parts = estimator(**SHORT, **options, max_iter=4, warm_start=True).fit(x, y)
    assert_same(parts.set_params(max_iter=6).fit(x, y), whole)
    assert parts.n_iter_ == 6
    steps = estimator(**SHORT, **options)
    for _ in range(10):
        steps.partial_fit(x, y, **({"classes": range(10)} if estimator is MLPClassifier else {}))
    assert_same(steps, whole)
    assert steps.n_iter_ == 1


def test_a_fit_without_warm_start_begins_anew():
    model = MLPClassifier(**SHORT, max_iter=3).fit(X, LABELS % 2)
    net = model.network_
    again = model.fit(X[:, :30], LABELS)
    shapes = [coef.shape for coef in again.coefs_]
    assert shapes == [(30, 12), (12, 5), (5, 10)]
    assert net is not model.network_
    fresh = clone(model).fit(X[:, :30], LABELS)
    np.testing.assert_array_equal(fresh.coefs_[0], again.coefs_[0])
    assert len(again.loss_curve_) == 3


@pytest.mark.parametrize("estimator", TARGETS)
def test_copies_and_files(estimator, tmp_path):
    y = TARGETS[estimator]
    callback = cr.EarlyStopping("loss", patience=50)
    options = {**SHORT, "activation": ["relu", cr.activations.Elu(0.5)], "max_iter": 3}
    model = estimator(**options, callbacks=[callback], warm_start=True).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    whole = clone(model).set_params(max_iter=6).fit(X, y)
    assert whole.callbacks[0] is not callback
    for again in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(io.BytesIO((tmp_path / "model.joblib").read_bytes())),
    ):
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert_same(again.fit(X, y), whole)


def test_partial_fits_of_several_labels():
    y = np.stack([LABELS > 4, LABELS % 2, LABELS < 2], axis=1).astype(int)
    model = MLPClassifier(**SHORT)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert_same(model, MLPClassifier(**SHORT, max_iter=3).fit(X, y))


def test_partial_fits_need_not_see_every_class():
    model = MLPClassifier(**SHORT, learning_rate_init=0.01)
    names = np.array(list("abcdefghij"))[LABELS]
    for _ in range(30):
        for letter in "cab":
            model.partial_fit(X[names == letter], names[names == letter], classes=list("abcd"))
    assert list(model.classes_) == list("abcd")
    few = np.isin(names, list("abc"))
    assert model.score(X[few], names[few]) > 0.6


def test_partial_fit_is_not_for_lbfgs():
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")
    assert not hasattr(MLPRegressor(solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize("estimator", TARGETS)
def test_a_first_fit_that_fails_leaves_an_unfitted_estimator(estimator):
    def fail(epoch, logs):
        raise RuntimeError("no more")

    model = estimator(**SHORT, callbacks=[fail])
    with pytest.raises(RuntimeError, match="no more"):
        model.fit(X, TARGETS[estimator])
    with pytest.raises(NotFittedError):
        model.predict(X)
    assert not hasattr(model, "coefs_")


def test_a_network_trained_on_by_itself_goes_on_in_the_estimator():
    model = MLPRegressor(**SHORT, max_iter=2, warm_start=True).fit(X, LABELS / 9.0)
    before = model.predict(X)
    model.network_.fit(X, LABELS / 9.0, epochs=2, verbose=0)
    assert (model.predict(X) != before).all()


def test_a_fitted_estimator_becomes_a_network():
    model = MLPClassifier(**SHORT, max_iter=2).fit(X, np.array(list("abcdefghij"))[LABELS])
    net = cr.from_sklearn(model)
    assert net is not model.network_
    np.testing.assert_array_equal(net.predict_proba(X), model.predict_proba(X))
    assert net.class_names == tuple("abcdefghij")
    with pytest.raises(ValueError, match="MLPRegressor is not fitted yet"):
        cr.from_sklearn(MLPRegressor())


def test_a_second_fit_begins_with_the_schedule_as_it_was_given():
    schedule = SOLVERS["plateau"]["learning_rate"]
    model = MLPClassifier(**SHORT, learning_rate=schedule, max_iter=8)
    first = model.fit(X, LABELS).loss_curve_
    assert model.network_.history["learning_rate"][-1] < 0.01
    assert model.fit(X, LABELS).loss_curve_ == first
    assert schedule.state["rate"] == 0.01
