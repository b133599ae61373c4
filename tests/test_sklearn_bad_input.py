# SPDX-License-Identifier: Apache-2.0
"""What the estimators of chainrule.sklearn refuse, and what they say then."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import chainrule as cr

pytest.importorskip("sklearn")

from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from chainrule.sklearn import MLPClassifier, MLPRegressor

X, Y = load_iris(return_X_y=True)
BOTH = [MLPClassifier, MLPRegressor]
quick = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_layer_sizes", "8"),
        ("activation", "softmax"),
        ("activation", "sine"),
        ("solver", "rmsprop"),
        ("alpha", -1),
        ("batch_size", 0),
        ("learning_rate", "cosine"),
        ("learning_rate_init", 0),
        ("power_t", "a"),
        ("max_iter", 0),
        ("shuffle", "no"),
        ("tol", -0.1),
        ("momentum", 1.0),
        ("validation_fraction", 1.0),
        ("beta_1", 1.0),
        ("epsilon", 0.0),
        ("n_iter_no_change", 0.5),
        ("max_fun", 0),
        ("dropout", 1.0),
        ("batch_norm", "before"),
        ("callbacks", 3),
        ("loss", "cosine"),
        ("loss", 3),
    ],
)
def test_parameters(estimator, parameter, value):
    text = f"The '{parameter}' parameter of {estimator.__name__} must be"
    with pytest.raises(ValueError, match=text):
        estimator(**{parameter: value}).fit(X, Y)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"hidden_layer_sizes": (8, 0)}, r"hidden_layer_sizes must be > 0, got \[8, 0\]"),
        ({"hidden_layer_sizes": (8, 2.5)}, "hidden_layer_sizes must be > 0"),
        ({"activation": ["relu"]}, "activation has 1 values for 2 hidden layers"),
        ({"activation": ["relu", "sine"]}, "unknown activation 'sine'"),
        ({"dropout": [0.1]}, "dropout has 1 values for 2 hidden layers"),
        ({"dropout": [0.1, 1.5]}, r"dropout must be numbers in \[0, 1\), got 1.5"),
        ({"callbacks": [3]}, "callbacks must be Callback objects or functions, got 3"),
    ],
)
def test_lists(options, text):
    with pytest.raises((TypeError, ValueError), match=text):
        MLPClassifier(**{"hidden_layer_sizes": (8, 4), **options}).fit(X, Y)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.zeros(150), r"only one class, .*0\.0.*; a classifier needs two"),
        (np.full(150, "a"), "only one class, 'a', among"),
        (np.where(Y == 0, None, "a"), "y contains None"),
        (Y + 0.5, "Unknown label type"),
        (np.where(Y == 0, np.nan, 1.0), "NaN"),
        (Y[:10], "inconsistent numbers of samples"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_labels(y, text):
    with pytest.raises(ValueError, match=text):
        MLPClassifier().fit(X, y)


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.where(Y == 0, np.nan, 1.0), "NaN"),
        (np.where(Y == 0, np.inf, 1.0), "infinity"),
        (np.array(["low", "high", "none"])[Y], "y must be numbers, got dtype <U4"),
        (np.array(["low", "high", "none"], dtype=object)[Y], "could not convert string to float"),
        (np.zeros((150, 2, 2)), "dim 3"),
        (Y[:10], "inconsistent numbers of samples"),
    ],
)
def test_numbers(y, text):
    with pytest.raises(ValueError, match=text):
        MLPRegressor().fit(X, y)


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.zeros(150), "Sample weights must contain at least one non-zero number"),
        (np.where(Y == 0, -1.0, 1.0), "Negative values in data passed to `sample_weight`"),
        (np.ones(3), "sample_weight.shape"),
        (np.full(150, np.nan), "NaN"),
    ],
)
def test_weights(estimator, weights, text):
    with pytest.raises(ValueError, match=text):
        estimator().fit(X, Y, weights)


@pytest.mark.parametrize("estimator", BOTH)
def test_targets_that_pandas_knows_to_be_missing(estimator):
    pandas = pytest.importorskip("pandas")
    kind = "string" if estimator is MLPClassifier else "Int64"
    y = pandas.Series([*Y[1:], None], dtype="Int64").astype(kind)
    with pytest.raises(ValueError, match="NaN: leave rows without a target out"):
        estimator().fit(X, y)
    with pytest.raises(ValueError, match="eval_set: Input y contains NaN"):
        estimator().fit(X, y.fillna(y[0]), eval_set=(X, y))


@quick
@pytest.mark.parametrize("estimator", BOTH)
def test_frames_are_refused_by_column(estimator):
    pandas = pytest.importorskip("pandas")
    name = estimator.__name__
    frame = pandas.DataFrame(X, columns=["p", "q", "r", "s"])
    days = pandas.date_range("2020-01-01", periods=150)
    cases = [
        (frame.assign(q="word"), f"column 'q' holds text, and {name} takes numbers only; Tabular"),
        (frame.assign(q=days), "column 'q' holds dates"),
        (frame.assign(q=[day.date() for day in days]), "column 'q' holds dates"),
        (frame.assign(q=[[1]] * 150), f"{name}: column 'q' holds a list"),
        (frame.assign(q=np.inf), "column 'q' has an infinite value"),
        (pandas.concat([frame, frame[["p"]]], axis=1), "several columns with the name 'p'"),
        (frame[[]], r"0 feature\(s\)"),
        (frame.assign(q=np.nan), "NaN"),
    ]
    for given, text in cases:
        with pytest.raises(ValueError, match=text):
            estimator().fit(given, Y)
    model = estimator(max_iter=1).fit(frame, Y)
    for given, text in cases[:4]:
        with pytest.raises(ValueError, match=text):
            model.predict(given)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.drop(columns="q"))


def test_one_class_left_by_weights():
    with pytest.raises(ValueError, match=r"only one class, .*2.*weight is not 0"):
        MLPClassifier().fit(X, Y, Y == 2)


@quick
@pytest.mark.parametrize("estimator", BOTH)
def test_rows_at_prediction(estimator):
    model = estimator(max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4 features"):
        model.predict(X[:, :3])
    with pytest.raises(ValueError, match="NaN"):
        model.predict(np.full((1, 4), np.nan))
    with pytest.raises(ValueError, match="2D array"):
        model.predict(X[0])
    with pytest.raises(NotFittedError, match="not fitted yet"):
        estimator().predict(X)


@quick
def test_labels_of_later_calls():
    model = MLPClassifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`"):
        model.partial_fit(X, Y, classes=[0, 1])
    model.partial_fit(X, Y, classes=[0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"`y` has classes not in `self\.classes_`.*\[4 5 6\]"):
        model.partial_fit(X, Y + 4)
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="X has 2 features"):
        model.partial_fit(X[:, :2], Y)
    warm = MLPClassifier(max_iter=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="warm_start can only be used where `y` has the same"):
        warm.fit(X, np.where(Y == 2, 0, Y))
    with pytest.raises(ValueError, match=r"layers of \[100, 3\] units.*ask for \[8, 3\]"):
        warm.set_params(hidden_layer_sizes=(8,)).fit(X, Y)
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        MLPClassifier(early_stopping=True).partial_fit(X, Y, classes=[0, 1, 2])
    regressor = MLPRegressor(max_iter=1).partial_fit(X, Y)
    with pytest.raises(ValueError, match="y has 2 columns, expected 1"):
        regressor.partial_fit(X, np.stack([Y, Y], axis=1))


@quick
@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (X, TypeError, r"eval_set must be \(X, y\) or \(X, y, sample_weight\), got ndarray"),
        ((X,), ValueError, "got 1 items"),
        ((X[:, :2], Y), ValueError, "eval_set: X has 2 features"),
        ((X, Y + 1), ValueError, "eval_set: `y` has classes not in"),
        ((X, Y, -np.ones(150)), ValueError, "eval_set: Negative values"),
    ],
)
def test_validation_rows(given, error, text):
    with pytest.raises(error, match=text):
        MLPClassifier(max_iter=1).fit(X, Y, eval_set=given)


@quick
def test_too_few_rows_to_hold_back():
    with pytest.raises(ValueError, match="The validation set is too small"):
        MLPRegressor(early_stopping=True, validation_fraction=0.001).fit(X, Y)


def test_losses_that_do_not_fit():
    several = np.stack([Y == 0, Y == 1], axis=1).astype(int)
    with pytest.raises(ValueError, match="is for one label a row, y has several"):
        MLPClassifier(loss="cross_entropy").fit(X, several)
    with pytest.raises(ValueError, match="The 'loss' parameter of MLPClassifier"):
        MLPClassifier(loss=cr.losses.Quantile((0.1, 0.9))).fit(X, Y)
    with pytest.raises(ValueError, match="The 'loss' parameter of MLPRegressor"):
        MLPRegressor(loss=cr.losses.CrossEntropy()).fit(X, Y)
    with pytest.raises(ValueError, match=r"y\[0\] = -1.0 is not a target of poisson"):
        MLPRegressor(loss="poisson").fit(X, Y - 1.0)


def test_unknown_class_weights():
    with pytest.raises(ValueError, match="class"):
        MLPClassifier(class_weight={7: 1.0}).fit(X, Y)


def test_a_divergence():
    model = MLPRegressor(activation="identity", solver="sgd", learning_rate_init=1e3)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        model.fit(X * 1e3, Y)


def test_what_has_not_converged_warns():
    text = r"Stochastic Optimizer: Maximum iterations \(2\) reached and the optimization"
    with pytest.warns(ConvergenceWarning, match=text):
        MLPClassifier(max_iter=2).fit(X, Y)
    MLPClassifier(max_iter=200, tol=10.0).fit(X, Y)  # without a warning


def test_without_scikit_learn():
    code = """
import sys
import chainrule
assert "sklearn" not in sys.modules and "chainrule.sklearn" not in sys.modules
sys.modules["sklearn"] = None
try:
    import chainrule.sklearn
except ImportError as error:
    assert 'pip install "chainrule[sklearn]"' in str(error), error
else:
    raise AssertionError("it was imported")
"""
    subprocess.run([sys.executable, "-c", code], check=True)
