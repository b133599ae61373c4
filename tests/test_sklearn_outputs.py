# SPDX-License-Identifier: Apache-2.0
"""Classifiers of several outputs, each with its own classes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.multioutput import MultiOutputClassifier

from chainrule.losses import CrossEntropy
from chainrule.sklearn import MLPClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def table():
    """Return rows, and two columns of labels that follow from them: three words and two."""
    random = np.random.default_rng(3)
    x = random.normal(size=(120, 4))
    first = np.array(["a", "b", "c"])[np.digitize(x[:, 0] + x[:, 1], [-0.7, 0.7])]
    second = np.where(x[:, 2] > 0.4, "yes", "no")
    return x, np.column_stack([first, second])


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_a_step_is_that_of_the_sum_of_the_cross_entropies(table):
    x, y = table
    weights = np.random.default_rng(4).uniform(0.5, 2.0, len(x))
    by_label = [{"a": 3.0, "b": 1.0, "c": 0.5}, {"no": 1.0, "yes": 2.0}]
    model = MLPClassifier(
        (5,), activation="tanh", solver="sgd", momentum=0.0, alpha=0.3, learning_rate_init=0.1,
        batch_size=len(x), shuffle=False, max_iter=1, random_state=0, warm_start=True,
        class_weight=by_label,
    )  # fmt: skip
    model.fit(x, y, sample_weight=weights)
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    dz, loss = np.zeros_like(z), 0.0
    for column, part, each in zip(y.T, (slice(0, 3), slice(3, 5)), by_label, strict=True):
        own = weights * np.array([each[label] for label in column])
        right = column[:, np.newaxis] == np.unique(column)
        p = softmax(z[:, part])
        loss += (own * -np.log(p[right])).sum() / own.sum()
        dz[:, part] = own[:, np.newaxis] * (p - right) / own.sum()
    dh = dz @ w2.T * (1.0 - h * h)
    decay = 0.3 / weights.sum()
    model.fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(model.coefs_[1], w2 - 0.1 * (h.T @ dz + decay * w2), rtol=1e-10)
    np.testing.assert_allclose(model.coefs_[0], w1 - 0.1 * (x.T @ dh + decay * w1), rtol=1e-10)
    np.testing.assert_allclose(model.intercepts_[1], b2 - 0.1 * dz.sum(axis=0), rtol=1e-10)
    penalty = 0.5 * decay * ((w1**2).sum() + (w2**2).sum())
    assert model.loss_ == pytest.approx(loss + penalty, rel=1e-10)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_attributes_and_predictions_have_scikit_learns_forms(table, solver):
    x, y = table
    model = MLPClassifier((16,), solver=solver, learning_rate_init=0.02, random_state=0)
    model.fit(x, y)
    peer = MultiOutputClassifier(MLPClassifier((16,), max_iter=5, random_state=0)).fit(x, y)
    for own, other in zip(model.classes_, peer.classes_, strict=True):
        np.testing.assert_array_equal(own, other)
    each, others = model.predict_proba(x), peer.predict_proba(x)
    assert [part.shape for part in each] == [part.shape for part in others] == [(120, 3), (120, 2)]
    (w1, w2), (b1, b2) = model.coefs_, model.intercepts_
    z = np.maximum(x @ w1 + b1, 0.0) @ w2 + b2
    for part, logits, log in zip(
        each, (z[:, :3], z[:, 3:]), model.predict_log_proba(x), strict=True
    ):
        np.testing.assert_allclose(part, softmax(logits), rtol=1e-9)
        np.testing.assert_allclose(log, np.log(part))
    predicted = model.predict(x)
    assert predicted.dtype == y.dtype
    for column, part, known in zip(predicted.T, each, model.classes_, strict=True):
        np.testing.assert_array_equal(column, known[part.argmax(axis=1)])
    assert model.score(x, y) == np.mean((predicted == y).all(axis=1)) > 0.9
    assert peer.score(x, y) == np.mean((peer.predict(x) == y).all(axis=1))
    weights = np.arange(120.0)
    right = (predicted == y).all(axis=1)
    assert model.score(x, y, weights) == pytest.approx((right * weights).sum() / weights.sum())
    assert model.out_activation_ == "softmax"
    assert (model.n_outputs_, model.n_layers_) == (5, 3)


def test_weights_are_repetitions(table):
    x, y = table
    times = np.random.default_rng(0).integers(0, 3, len(x))
    options = {"max_iter": 4, "class_weight": "balanced", "random_state": 1}
    weighted = MLPClassifier((8,), **options).fit(x, y, sample_weight=times)
    repeated = MLPClassifier((8,), **options).fit(x.repeat(times, 0), y.repeat(times, 0))
    for one, other in zip(weighted.coefs_, repeated.coefs_, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_it_goes_on_stops_and_is_copied(table):
    x, y = table
    model = MLPClassifier((8,), random_state=2, max_iter=10)
    twice = clone(model).set_params(max_iter=5, warm_start=True).fit(x, y).fit(x, y)
    model.fit(x, y)
    for one, other in zip(model.coefs_, twice.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), model.predict(x))
    model.coefs_ = [2.0 * array for array in model.coefs_]
    for one, other in zip(model.coefs_, twice.coefs_, strict=True):
        np.testing.assert_array_equal(one, 2.0 * other)
    partial = MLPClassifier((8,), random_state=2)
    partial.partial_fit(x[:3], y[:3], classes=[["a", "b", "c"], ["no", "yes"]]).partial_fit(x, y)
    assert [len(known) for known in partial.classes_] == [3, 2]
    stopped = MLPClassifier((8,), early_stopping=True, random_state=0, max_iter=20).fit(x, y)
    assert stopped.best_validation_score_ == max(stopped.validation_scores_)
    given = MLPClassifier((8,), random_state=0, max_iter=5, batch_norm=True, dropout=0.1)
    given.fit(x, y, eval_set=(x, y))
    assert given.best_validation_score_ == given.score(x, y)
    assert len(cross_val_score(model, x, y, cv=3)) == 3


def test_a_table_of_zeros_and_ones_stays_one_of_labels(table):
    x, y = table
    labels = (y == ["a", "yes"]).astype(int)
    model = MLPClassifier((8,), max_iter=3, random_state=0).fit(x, labels)
    assert model.predict_proba(x).shape == (120, 2)
    assert model.out_activation_ == "logistic"


def test_refusals(table):
    x, y = table
    model = MLPClassifier((8,), max_iter=2)
    with pytest.raises(ValueError, match="loss='hinge' is for one output"):
        clone(model).set_params(loss="hinge").fit(x, y)
    with pytest.raises(ValueError, match="class_weight of 2 outputs must be 'balanced' or a list"):
        clone(model).set_params(class_weight={"a": 2.0}).fit(x, y)
    with pytest.raises(ValueError, match="output 1 of y: y has only one class, 'yes'"):
        model.fit(x[y[:, 1] == "yes"], y[y[:, 1] == "yes"])
    model.set_params(loss=CrossEntropy(label_smoothing=0.1)).fit(x, y)
    before = model.coefs_
    unknown = y.copy()
    unknown[0, 1] = "c"
    with pytest.raises(ValueError, match="output 1 of y: `y` has classes not in"):
        model.partial_fit(x, unknown)
    with pytest.raises(ValueError, match="y must have 2 columns"):
        model.partial_fit(x, y[:, 0])
    with pytest.raises(ValueError, match="eval_set: output 1 of y"):
        model.fit(x, y, eval_set=(x, unknown))
    for one, other in zip(model.coefs_, before, strict=True):
        np.testing.assert_array_equal(one, other)
