# SPDX-License-Identifier: Apache-2.0
"""What the estimators of chainrule.sklearn have beyond scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("sklearn")

from scipy import sparse
from sklearn.datasets import load_digits, make_classification, make_multilabel_classification
from sklearn.metrics import d2_pinball_score, recall_score
from sklearn.utils.class_weight import compute_sample_weight

from chainrule.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_digits(return_X_y=True)
X = X[:400] / 16
LABELS = LABELS[:400]
SHORT = {"hidden_layer_sizes": (12,), "max_iter": 8, "random_state": 0}


def same_predictions(a, b, x=X):
    np.testing.assert_array_equal(a.predict(x), b.predict(x))
    for one, other in zip(a.coefs_, b.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


# Class weights


@pytest.mark.parametrize("y", [LABELS % 2, LABELS % 3], ids=["two", "three"])
@pytest.mark.parametrize("loss", ["log_loss", "mse", "binary_cross_entropy"])
def test_class_weights_are_weights_of_rows(y, loss):
    names = np.array(["a", "b", "c"])[y]
    weights = {"a": 1.0, "b": 5.0, "c": 0.25}
    weights = {name: weights[name] for name in set(names)}
    options = {**SHORT, "loss": loss, "alpha": 0.0}
    by_class = MLPClassifier(**options, class_weight=weights).fit(X, names)
    by_row = MLPClassifier(**options).fit(X, names, compute_sample_weight(weights, names))
    np.testing.assert_allclose(by_class.coefs_[0], by_row.coefs_[0], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("loss", ["log_loss", "mse"])
def test_balanced_classes_count_weights_as_rows(loss, rng):
    y = np.where(LABELS == 3, "rare", np.where(LABELS > 5, "some", "most"))
    times = rng.integers(1, 4, len(y))
    options = {**SHORT, "loss": loss, "batch_size": 2000, "class_weight": "balanced"}
    with pytest.warns(UserWarning, match="batch_size"):
        weighted = MLPClassifier(**options).fit(X, y, times)
    with pytest.warns(UserWarning, match="batch_size"):
        repeated = MLPClassifier(**options).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coefs_[0], repeated.coefs_[0], rtol=1e-9, atol=1e-12)


def test_balanced_classes_find_the_rare_one():
    x, y = make_classification(500, weights=[0.95], class_sep=0.4, flip_y=0.05, random_state=0)
    plain = MLPClassifier((8,), max_iter=40, random_state=0).fit(x, y)
    weighted = MLPClassifier((8,), max_iter=40, random_state=0, class_weight="balanced").fit(x, y)
    assert recall_score(y, weighted.predict(x)) > recall_score(y, plain.predict(x)) + 0.3


def test_class_weights_of_several_labels():
    x, y = make_multilabel_classification(100, random_state=0)
    weights = [{0: 1.0, 1: 3.0}] * y.shape[1]
    by_class = MLPClassifier(**SHORT, class_weight=weights).fit(x, y)
    by_row = MLPClassifier(**SHORT).fit(x, y, compute_sample_weight(weights, y))
    same_predictions(by_class, by_row, x)


# Losses


@pytest.mark.parametrize("loss", sorted(MLPClassifier._parameter_constraints["loss"][0].options))
@pytest.mark.parametrize("kind", ["two", "ten"])
def test_a_classifier_learns_with_each_loss(loss, kind):
    y = LABELS if kind == "ten" else np.where(LABELS > 4, "high", "low")
    options = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "random_state": 0}
    model = MLPClassifier(loss=loss, max_iter=60, **options).fit(X, y)
    assert model.score(X, y) > (0.5 if loss == "mae" else 0.95)
    assert model.n_outputs_ == (10 if kind == "ten" else 1 + (loss == "cross_entropy"))
    if loss in ("log_loss", "cross_entropy", "binary_cross_entropy"):
        probabilities = model.predict_proba(X)
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
        np.testing.assert_array_equal(model.classes_[probabilities.argmax(1)], model.predict(X))
    else:
        assert not hasattr(model, "predict_proba")
        assert not hasattr(model, "predict_log_proba")


def test_losses_of_chainrule_are_reported_as_they_are():
    loss = cr.losses.CrossEntropy(label_smoothing=0.1)
    model = MLPClassifier(loss=loss, **SHORT, alpha=0.0, shuffle=False).fit(X, LABELS)
    net = model.network_
    assert net.loss == loss
    np.testing.assert_allclose(model.loss_curve_, net.history["loss"])
    again = MLPRegressor(cr.losses.Huber(delta=0.5), **SHORT, alpha=0.0).fit(X, LABELS / 9.0)
    np.testing.assert_allclose(again.loss_curve_, again.network_.history["loss"])


@pytest.mark.parametrize("loss", ["squared_error", "mse", "mae", "huber", "log_cosh", "quantile"])
def test_a_regressor_learns_with_each_loss(loss):
    options = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01, "random_state": 0}
    model = MLPRegressor(loss, max_iter=100, **options).fit(X, LABELS / 9.0)
    assert model.score(X, LABELS / 9.0) > 0.75


@pytest.mark.parametrize("columns", [1, 2])
def test_quantiles(columns, rng):
    x = rng.uniform(-1, 1, (400, 1))
    y = np.hstack([x + rng.normal(0, 0.3, x.shape) for _ in range(columns)])
    y = y[:, 0] if columns == 1 else y
    loss = cr.losses.Quantile((0.1, 0.5, 0.9))
    model = MLPRegressor(loss, (16,), learning_rate_init=0.02, random_state=0, early_stopping=True)
    predicted = model.fit(x, y).predict(x)
    assert predicted.shape == (400, 3 * columns)
    groups = [predicted[:, columns * i : columns * (i + 1)] for i in range(3)]
    shares = [np.mean(y.reshape(400, -1) < group) for group in groups]
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.9], atol=0.07)
    groups = [group[:, 0] if columns == 1 else group for group in groups]
    scores = [d2_pinball_score(y, g, alpha=q) for g, q in zip(groups, loss.quantiles, strict=True)]
    assert model.score(x, y) == pytest.approx(np.mean(scores))
    assert max(model.validation_scores_) == model.best_validation_score_


# Layers


def test_an_activation_and_a_dropout_for_each_layer():
    model = MLPClassifier(
        (9, 8, 7), activation=["relu", cr.activations.LeakyRelu(0.2), "gelu"], dropout=[0, 0.1, 0.2]
    )
    model.set_params(max_iter=2, random_state=0).fit(X, LABELS)
    first, second, middle, third, last, output = model.network_.layers
    kinds = [layer.activation for layer in (first, second, third, output)]
    assert [kind.kind for kind in kinds] == ["relu", "leaky_relu", "gelu", "linear"]
    assert kinds[1] == cr.activations.LeakyRelu(0.2)
    assert (middle, last) == (cr.Dropout(0.1), cr.Dropout(0.2))
    assert [coef.shape for coef in model.coefs_] == [(64, 9), (9, 8), (8, 7), (7, 10)]


def test_batch_norm_stands_before_the_activation():
    model = MLPRegressor("mse", (9, 8), "tanh", batch_norm=True, dropout=0.1, max_iter=30)
    model.set_params(random_state=0, learning_rate_init=0.01).fit(X, LABELS / 9.0)
    kinds = [type(layer) for layer in model.network_.layers]
    block = [cr.Dense, cr.BatchNormalization, cr.Activation, cr.Dropout]
    assert kinds == [*block, *block, cr.Dense]
    assert [coef.shape for coef in model.coefs_] == [(64, 9), (9, 8), (8, 1)]
    assert model.score(X, LABELS / 9.0) > 0.5


def test_weights_that_are_set_are_used():
    model = MLPRegressor(hidden_layer_sizes=(), max_iter=1).fit(X[:, :2], LABELS)
    model.coefs_, model.intercepts_ = [[[2.0], [3.0]]], [[1.0]]
    np.testing.assert_allclose(model.predict([[1.0, 10.0]]), [33.0])
    with pytest.raises(ValueError, match="expected 1 arrays, got 2"):
        model.coefs_ = [1, 2]


# Training


def test_float32_rows_make_a_float32_network():
    for y in (LABELS, LABELS / 9.0):
        estimator = MLPClassifier if y is LABELS else MLPRegressor
        model = estimator(**SHORT).fit(X.astype(np.float32), y)
        assert model.network_.dtype == "float32"
        assert all(array.dtype == np.float32 for array in model.coefs_ + model.intercepts_)
    assert MLPClassifier(**SHORT).fit((X * 16).astype(np.uint8), LABELS).network_.dtype == "float64"
    assert model.predict(X).dtype == np.float32


@pytest.mark.parametrize("rows", [100, 400], ids=["one batch", "batches"])
@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows_give_the_same_bits(make, rows):
    dense = MLPClassifier(**SHORT).fit(X[:rows], LABELS[:rows])
    thin = MLPClassifier(**SHORT).fit(make(X[:rows]), LABELS[:rows])
    same_predictions(dense, thin)
    np.testing.assert_array_equal(dense.predict_proba(X), thin.predict_proba(make(X)))


@pytest.mark.parametrize("early_stopping", [False, True])
def test_eval_set_keeps_the_best_weights(early_stopping):
    train, held = slice(0, 200), slice(200, None)
    model = MLPClassifier((30,), solver="sgd", learning_rate_init=0.5, random_state=0, max_iter=40)
    model.set_params(early_stopping=early_stopping, n_iter_no_change=5, tol=0.0)
    model.fit(X[train], LABELS[train], eval_set=(X[held], LABELS[held]))
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_)
    assert model.score(X[held], LABELS[held]) == max(model.validation_scores_)
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[-1] < max(model.validation_scores_)
    assert (model.best_loss_ is None) == early_stopping
    assert (model.n_iter_ < 40) == early_stopping


def test_eval_set_may_have_weights(rng):
    weights = rng.uniform(0, 1, 200)
    held = X[200:], LABELS[200:] / 9.0, weights
    model = MLPRegressor(**SHORT).fit(X[:200], LABELS[:200] / 9.0, eval_set=held)
    assert max(model.validation_scores_) == model.score(*held)


def test_schedules_give_the_rates():
    rates = []

    def note(epoch, logs):
        rates.append(logs["learning_rate"])

    schedule = cr.schedules.Cosine(0.1, epochs=8)
    for chosen in (schedule, lambda epoch: 0.1 / (1 + epoch)):
        for solver in ("adam", "sgd"):
            rates.clear()
            options = {**SHORT, "solver": solver, "batch_size": 400}
            MLPClassifier(**options, learning_rate=chosen, callbacks=[note]).fit(X, LABELS)
            if chosen is schedule:
                np.testing.assert_allclose(rates, schedule.rates(0, 8, 1))
            else:
                np.testing.assert_allclose(rates, 0.1 / np.arange(1, 9))


def test_callbacks_see_each_epoch_and_may_end_the_training():
    seen = []

    def look(epoch, logs):
        seen.append((epoch, sorted(logs)))
        if epoch == 3:
            raise cr.callbacks.StopTraining

    held = X[300:], LABELS[300:]
    model = MLPClassifier(**SHORT, callbacks=[look]).fit(X, LABELS, eval_set=held)
    names = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert seen == [(1, names), (2, names), (3, names)]
    assert model.n_iter_ == 3
    stopping = cr.EarlyStopping("val_loss", patience=1, min_delta=10.0)
    model = MLPRegressor(**SHORT, callbacks=[stopping])
    assert model.fit(X, LABELS / 9.0, eval_set=held).n_iter_ == 2


def test_any_order_of_the_rows_gives_the_same_bits_within_one_batch(rng):
    x, y, weights = X[:150], LABELS[:150], rng.integers(0, 4, 150)
    order = rng.permutation(150)
    for options in ({}, {"dropout": 0.3}, {"batch_norm": True}, {"solver": "sgd"}):
        model = MLPClassifier(**SHORT, **options).fit(x, y, weights)
        shuffled = MLPClassifier(**SHORT, **options).fit(x[order], y[order], weights[order])
        same_predictions(model, shuffled)
        repeated = rng.permutation(np.repeat(np.arange(150), weights))
        assert len(repeated) > 200
        large = MLPClassifier(**SHORT, **options, batch_size=len(repeated))
        same_predictions(model, large.fit(x[repeated], y[repeated]))
