# SPDX-License-Identifier: Apache-2.0
"""The estimators of chainrule.sklearn beside scikit-learn's: steps, losses, fitted attributes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn import neural_network as theirs
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from chainrule import sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, LABELS = load_digits(return_X_y=True)
X = X[:300, :20] / 16
LABELS = LABELS[:300]
CLASSES = {
    "two": (LABELS > 4).astype(int),
    "ten": LABELS,
    "several": np.stack([LABELS > 4, LABELS % 2 == 0, LABELS % 3 == 0], axis=1).astype(int),
}
NUMBERS = {"one": LABELS / 9.0, "several": np.stack([LABELS / 9.0, LABELS % 2], axis=1)}
SOLVERS = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.1},
    "invscaling": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": 2.0,
        "power_t": 0.3,
        "momentum": 0.5,
    },
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "n_iter_no_change": 2,
        "tol": 0.01,
    },
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}
WHOLE = {
    "hidden_layer_sizes": (12, 7),
    "batch_size": len(X),
    "shuffle": False,
    "max_iter": 30,
    "alpha": 0.1,
    "random_state": 3,
}


def assert_same_training(own, other, tolerance=1e-6):
    """Compare what two fitted estimators say of their trainings, and their weights."""
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=tolerance)
    assert own.n_iter_ == other.n_iter_
    assert own.t_ == other.t_
    for name in ("loss_", "best_loss_"):
        np.testing.assert_allclose(getattr(own, name), getattr(other, name), rtol=tolerance)
    for a, b in zip(own.coefs_ + own.intercepts_, other.coefs_ + other.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, atol=100 * tolerance)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", CLASSES)
def test_a_classifiers_steps_are_scikit_learns(kind, solver):
    options = {**WHOLE, **SOLVERS[solver], "activation": "tanh"}
    own = ours.MLPClassifier(**options).fit(X, CLASSES[kind])
    other = theirs.MLPClassifier(**options).fit(X, CLASSES[kind])
    assert_same_training(own, other)
    np.testing.assert_allclose(own.predict_proba(X), other.predict_proba(X), rtol=1e-3)
    np.testing.assert_array_equal(own.predict(X), other.predict(X))
    assert own.predict(X).dtype == other.predict(X).dtype
    np.testing.assert_array_equal(own.classes_, other.classes_)
    assert own.score(X, CLASSES[kind]) == other.score(X, CLASSES[kind])


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("kind", NUMBERS)
def test_a_regressors_steps_are_scikit_learns(kind, loss, solver):
    options = {**WHOLE, **SOLVERS[solver], "activation": "logistic"}
    if "loss" in theirs.MLPRegressor().get_params():
        options["loss"] = loss
    elif loss == "poisson":
        pytest.skip("this scikit-learn has no Poisson loss")
    own = ours.MLPRegressor(**options).fit(X, NUMBERS[kind])
    other = theirs.MLPRegressor(**options).fit(X, NUMBERS[kind])
    assert_same_training(own, other)
    np.testing.assert_allclose(own.predict(X), other.predict(X), atol=1e-4)


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_minibatches_in_order_are_scikit_learns(activation):
    options = {**WHOLE, **SOLVERS["nesterov"], "activation": activation, "batch_size": 100}
    own = ours.MLPClassifier(**options).fit(X, LABELS)
    other = theirs.MLPClassifier(**options).fit(X, LABELS)
    # The penalty that the reported loss has is that of squares which change evenly in an epoch.
    np.testing.assert_allclose(own.loss_curve_, other.loss_curve_, rtol=1e-4)
    for a, b in zip(own.coefs_, other.coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_weighted_rows_are_scikit_learns(rng):
    if "sample_weight" not in inspect.signature(theirs.MLPRegressor.fit).parameters:
        pytest.skip("this scikit-learn has no sample_weight")
    weights = rng.uniform(0.1, 3.0, len(X))
    options = {**WHOLE, **SOLVERS["nesterov"]}
    own = ours.MLPClassifier(**options).fit(X, LABELS, weights)
    assert_same_training(own, theirs.MLPClassifier(**options).fit(X, LABELS, weights))
    own = ours.MLPRegressor(**options).fit(X, NUMBERS["several"], weights)
    other = theirs.MLPRegressor(**options).fit(X, NUMBERS["several"], weights)
    np.testing.assert_allclose(own.predict(X), other.predict(X), atol=1e-10)


def test_early_stopping_holds_back_scikit_learns_rows():
    options = {
        **WHOLE,
        **SOLVERS["nesterov"],
        "batch_size": 240,
        "validation_fraction": 0.2,
        "early_stopping": True,
        "max_iter": 100,
        "n_iter_no_change": 5,
        "tol": 0.005,
    }
    for own, other, y in (
        (ours.MLPClassifier, theirs.MLPClassifier, LABELS),
        (ours.MLPClassifier, theirs.MLPClassifier, CLASSES["two"]),
        (ours.MLPRegressor, theirs.MLPRegressor, NUMBERS["several"]),
    ):
        a, b = own(**options).fit(X, y), other(**options).fit(X, y)
        assert a.best_loss_ is b.best_loss_ is None
        assert a.n_iter_ == b.n_iter_ < 100
        np.testing.assert_allclose(a.validation_scores_, b.validation_scores_, rtol=1e-9)
        np.testing.assert_allclose(a.best_validation_score_, b.best_validation_score_, rtol=1e-9)
        np.testing.assert_allclose(a.coefs_[0], b.coefs_[0], rtol=1e-9)  # those of the best epoch


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("hidden", [(), 5, (6, 5, 4)])
def test_a_classifiers_fitted_attributes(kind, solver, early_stopping, hidden):
    options = {
        "hidden_layer_sizes": hidden,
        "solver": solver,
        "early_stopping": early_stopping,
        "max_iter": 3,
    }
    own = ours.MLPClassifier(**options).fit(X, CLASSES[kind])
    assert_same_attributes(own, theirs.MLPClassifier(**options).fit(X, CLASSES[kind]))


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_regressors_fitted_attributes(kind, dtype, early_stopping):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X.astype(dtype), columns=[f"p{i}" for i in range(20)])
    options = {"max_iter": 3, "early_stopping": early_stopping}
    own = ours.MLPRegressor(**options).fit(frame, NUMBERS[kind])
    assert_same_attributes(own, theirs.MLPRegressor(**options).fit(frame, NUMBERS[kind]))
    assert own.coefs_[0].dtype == dtype
    assert own.network_.feature_names == tuple(frame)


def assert_same_attributes(own, other, exceptions=()):
    """Compare which attributes there are, their types and lengths."""
    names = [n for n in dir(other) if n.endswith("_") and not n.startswith("_")]
    names = [n for n in names if hasattr(other, n)]
    assert [n for n in names if not hasattr(own, n)] == []
    for name in names:
        a, b = getattr(own, name), getattr(other, name)
        assert np.shape(a) == np.shape(b) if not isinstance(b, list) else len(a) == len(b), name
        assert isinstance(a, type(b)) or np.isscalar(b), name
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_iter_", "t_", "n_features_in_"):
        if name in exceptions:
            continue
        assert getattr(own, name) == getattr(other, name), name
    for name in ("coefs_", "intercepts_"):
        for a, b in zip(getattr(own, name), getattr(other, name), strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype


LBFGS = {"solver": "lbfgs", "hidden_layer_sizes": (8,), "activation": "tanh", "random_state": 1}


@pytest.mark.parametrize("kind", CLASSES)
def test_lbfgs_finds_as_low_a_loss_in_classes(kind):
    alpha = 10.0
    options = {**LBFGS, "alpha": alpha, "max_iter": 3000, "tol": 1e-6}
    own = ours.MLPClassifier(**options).fit(X, CLASSES[kind])
    other = theirs.MLPClassifier(**options).fit(X, CLASSES[kind])
    assert own.loss_ < 1.02 * other.loss_
    assert own.score(X, CLASSES[kind]) > other.score(X, CLASSES[kind]) - 0.02
    np.testing.assert_allclose(own.loss_, objective(own, CLASSES[kind], alpha), rtol=1e-10)
    assert_same_attributes(own, other, exceptions=["n_iter_"])
    assert not hasattr(own, "loss_curve_")
    assert 1 <= own.n_iter_ < 3000


def objective(model, y, alpha):
    """Return what scikit-learn minimises, of a fitted classifier's probabilities and weights."""
    p = model.predict_proba(X)
    if y.ndim == 2:
        loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p), axis=0).sum()
    else:
        loss = -np.mean(np.log(p[np.arange(len(y)), np.searchsorted(model.classes_, y)]))
    return loss + 0.5 * alpha / len(X) * sum((coef**2).sum() for coef in model.coefs_)


@pytest.mark.parametrize("kind", NUMBERS)
def test_lbfgs_finds_as_low_a_loss_in_numbers(kind):
    options = {**LBFGS, "alpha": 1.0, "max_iter": 3000, "tol": 1e-6}
    own = ours.MLPRegressor(**options).fit(X, NUMBERS[kind])
    other = theirs.MLPRegressor(**options).fit(X, NUMBERS[kind])
    errors = 0.5 * np.mean((own.predict(X) - NUMBERS[kind]) ** 2)
    squares = sum((coef**2).sum() for coef in own.coefs_)
    np.testing.assert_allclose(own.loss_, errors + 0.5 / len(X) * squares, rtol=1e-10)
    assert own.loss_ < 1.02 * other.loss_ or own.score(X, NUMBERS[kind]) > 0.9


def test_lbfgs_says_that_it_has_not_converged():
    with pytest.warns(ConvergenceWarning, match=r"lbfgs failed to converge after 3 iteration\(s\)"):
        model = ours.MLPClassifier(**LBFGS, max_iter=3).fit(X, LABELS)
    assert model.n_iter_ == 3
    with pytest.warns(ConvergenceWarning, match="maximum of evaluations"):
        ours.MLPClassifier(**LBFGS, max_fun=4).fit(X, LABELS)


def test_lbfgs_keeps_the_best_weights_and_any_order_of_the_rows(rng):
    model = ours.MLPClassifier(**LBFGS, max_iter=100, tol=1e-9)
    model.fit(X[:150], LABELS[:150], eval_set=(X[150:], LABELS[150:]))
    assert model.score(X[150:], LABELS[150:]) == max(model.validation_scores_)
    order = rng.permutation(len(X))
    plain = ours.MLPRegressor(**LBFGS, max_iter=20).fit(X, LABELS / 9.0)
    shuffled = ours.MLPRegressor(**LBFGS, max_iter=20).fit(X[order], LABELS[order] / 9.0)
    np.testing.assert_array_equal(plain.predict(X), shuffled.predict(X))


def test_lbfgs_takes_no_layers_that_draw():
    with pytest.raises(ValueError, match="dropout"):
        ours.MLPClassifier(**LBFGS, dropout=0.1).fit(X, LABELS)


def test_parameters_and_defaults_are_scikit_learns():
    for own, other in (
        (ours.MLPClassifier(), theirs.MLPClassifier()),
        (ours.MLPRegressor(), theirs.MLPRegressor()),
    ):
        expected, given = other.get_params(), own.get_params()
        assert {name: given[name] for name in expected} == expected


def test_the_same_lines_are_printed(capsys):
    for early_stopping in (False, True):
        options = {**WHOLE, **SOLVERS["adaptive"], "verbose": True, "batch_size": 270}
        options.update(early_stopping=early_stopping, max_iter=100, alpha=0.0)
        ours.MLPClassifier(**options).fit(X, LABELS)
        own = capsys.readouterr().out.splitlines()
        theirs.MLPClassifier(**options).fit(X, LABELS)
        assert own == capsys.readouterr().out.splitlines()
        assert len(own) > 5
