# SPDX-License-Identifier: Apache-2.0
"""The estimators of chainrule.sklearn in what scikit-learn builds of estimators."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.inspection import permutation_importance
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import ClassifierChain, MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from chainrule.sklearn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True, as_frame=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
X_DIABETES, Y_DIABETES = load_diabetes(return_X_y=True)
Y_DIABETES = (Y_DIABETES - Y_DIABETES.mean()) / Y_DIABETES.std()
QUICK = {"hidden_layer_sizes": (8,), "learning_rate_init": 0.05, "max_iter": 40, "random_state": 0}


def classifier(**options):
    return make_pipeline(StandardScaler(), MLPClassifier(**{**QUICK, **options}))


def regressor(**options):
    options = {**QUICK, "learning_rate_init": 0.01, **options}
    return make_pipeline(StandardScaler(), MLPRegressor(**options))


def test_grid_search_in_two_processes():
    grid = {"mlpclassifier__alpha": [1e-4, 1.0], "mlpclassifier__hidden_layer_sizes": [(4,), (8,)]}
    search = GridSearchCV(classifier(), grid, cv=2, n_jobs=2).fit(X, NAMES)
    alone = GridSearchCV(classifier(), grid, cv=2).fit(X, NAMES)
    assert search.best_score_ > 0.9
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    assert list(search.best_estimator_.classes_) == sorted(set(NAMES))


def test_randomized_search_over_own_parameters():
    choices = {
        "mlpregressor__activation": [["relu"], "gelu"],
        "mlpregressor__loss": ["huber", "squared_error"],
        "mlpregressor__dropout": [0.0, 0.1],
    }
    search = RandomizedSearchCV(regressor(), choices, n_iter=3, cv=2, random_state=0)
    assert search.fit(X_DIABETES, Y_DIABETES).best_score_ > 0.3


def test_cross_validation():
    assert cross_val_score(classifier(), X, NAMES, cv=3).min() > 0.9
    predicted = cross_val_predict(classifier(), X, NAMES, cv=3, method="predict_proba")
    assert predicted.shape == (150, 3)
    results = cross_validate(classifier(), X, Y, cv=3, scoring=["neg_log_loss", "accuracy"])
    assert results["test_neg_log_loss"].min() > -0.5
    sizes, _, scores = learning_curve(
        classifier(), X, Y, cv=3, train_sizes=[0.3, 0.9], shuffle=True, random_state=0
    )
    assert scores.shape == (len(sizes), 3)


def test_a_pipeline_with_columns_of_text():
    frame = X.assign(colour=np.where(Y == 0, "red", "blue"), unused=1.0)
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), list(X)), ("text", OneHotEncoder(), ["colour"])]
    ).set_output(transform="default")
    model = make_pipeline(columns, MLPClassifier(**QUICK)).fit(frame, NAMES)
    assert model.score(frame, NAMES) > 0.95


def test_frames_by_set_output():
    model = classifier().set_output(transform="pandas").fit(X, NAMES)
    assert list(model[-1].feature_names_in_) == list(X)
    assert model[-1].network_.feature_names == tuple(X)
    scaled = model[0].transform(X)
    assert isinstance(scaled, pandas.DataFrame)
    with pytest.raises(ValueError, match="feature names"):
        model[-1].predict(scaled[scaled.columns[::-1]])


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(method):
    model = CalibratedClassifierCV(classifier(), method=method, cv=3).fit(X, NAMES)
    assert model.score(X, NAMES) > 0.9
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1.0)


def test_ensembles():
    named = [("mlp", classifier()), ("wide", classifier(hidden_layer_sizes=(16,)))]
    for model in (
        StackingClassifier(named, GaussianNB(), cv=3),
        VotingClassifier(named, voting="soft"),
        BaggingClassifier(MLPClassifier(**QUICK), n_estimators=3, random_state=0),
    ):
        assert model.fit(X, NAMES).score(X, NAMES) > 0.9
    several = [("a", regressor()), ("b", regressor(hidden_layer_sizes=()))]
    for model in (
        StackingRegressor(several, cv=3),
        AdaBoostRegressor(MLPRegressor(**QUICK), n_estimators=3, random_state=0),
        TransformedTargetRegressor(regressor(), transformer=StandardScaler()),
    ):
        assert model.fit(X_DIABETES, Y_DIABETES).score(X_DIABETES, Y_DIABETES) > 0.4


def test_permutation_importance():
    model = classifier().fit(X, NAMES)
    importance = permutation_importance(model, X, NAMES, n_repeats=3, random_state=0)
    assert importance.importances_mean.argmax() in (2, 3)  # length and width of the petals


def test_several_outputs():
    both = np.stack([Y_DIABETES, -Y_DIABETES], axis=1)
    own = regressor().fit(X_DIABETES, both)
    assert own.predict(X_DIABETES).shape == (442, 2)
    assert own.score(X_DIABETES, both) > 0.4
    assert MultiOutputRegressor(regressor()).fit(X_DIABETES, both).score(X_DIABETES, both) > 0.4
    labels = np.stack([Y == 0, Y == 1], axis=1).astype(int)
    assert classifier().fit(X, labels).score(X, labels) > 0.8
    assert ClassifierChain(classifier()).fit(X.to_numpy(), labels).score(X.to_numpy(), labels) > 0.8


def test_weights_are_routed():
    weights = np.where(Y == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = MLPClassifier(**QUICK).set_fit_request(sample_weight=True)
        model = model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, NAMES, sample_weight=weights)
        assert list(pipeline.classes_) == ["setosa", "versicolor"]
        weights = np.where(Y == 2, 0.5, 1.0)
        result = cross_validate(model, X, NAMES, params={"sample_weight": weights}, cv=3)
        assert result["test_score"].min() > 0.8
        partial = MLPClassifier().set_partial_fit_request(sample_weight=True, classes=True)
        assert partial.get_metadata_routing().partial_fit.requests["classes"]
