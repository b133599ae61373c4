# SPDX-License-Identifier: Apache-2.0
"""TabularClassifier and TabularRegressor on tables with text and missing values."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("narwhals")

import pandas
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from chainrule.sklearn import TabularClassifier, TabularRegressor
from chainrule.tables.calibration import temperature
from chainrule.tables.model import _worth_averaging

RANDOM = np.random.default_rng(0)
ROWS = 600
X = pandas.DataFrame(
    {
        "size": RANDOM.normal(size=ROWS),
        "colour": RANDOM.choice(["red", "green", None], ROWS),
        "town": RANDOM.choice([f"t{i}" for i in range(14)], ROWS),
        "open": RANDOM.random(ROWS) > 0.5,
        "day": pandas.date_range("2020-01-01", periods=ROWS),
        "same": 7,
    }
)
SIGN = np.where(X["colour"] == "red", 1.0, -1.0)
NUMBERS = 50.0 + 10.0 * SIGN * X["size"].to_numpy() + 5.0 * X["open"].to_numpy()
X.loc[::11, "day"] = None
LABELS = np.where(NUMBERS > 55, "much", np.where(NUMBERS > 48, "some", "little"))
QUICK = {"budget": "fast", "random_state": 0}


@pytest.fixture(scope="module")
def classifier():
    return TabularClassifier(**QUICK).fit(X, LABELS)


def test_it_learns_from_text_dates_and_missing_values(classifier):
    assert classifier.classes_.tolist() == ["little", "much", "some"]
    assert classifier.score(X, LABELS) > 0.9
    told = TabularRegressor(**QUICK).fit(X, NUMBERS).predict(X)
    assert r2_score(NUMBERS, told) > 0.95
    assert told.min() >= NUMBERS.min()
    assert told.max() <= NUMBERS.max()


def test_predictions_are_in_the_units_of_the_target():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3))
    y = 100.0 + 7.0 * (x[:, 0] + np.sin(2.0 * x[:, 1])) + rng.normal(size=ROWS)
    model = TabularRegressor(**QUICK).fit(x, y)
    held = model._measured  # the loss of whose rows was worked out before the scaling was undone
    held_y = held.y.ravel()
    trained = np.setdiff1d(y, held_y)
    told = model.predict(held.x)
    assert trained.min() < told.min() < told.max() < trained.max()  # none is clamped
    error = np.mean((told - held_y) ** 2) / np.var(trained)
    assert error == pytest.approx(min(model.history_["val_loss"]), rel=1e-5)


def test_importances_name_the_columns_that_matter(classifier):
    found = dict(zip(classifier.feature_names_in_, classifier.feature_importances_, strict=True))
    assert min(found["size"], found["colour"]) > 0.1
    assert max(found["town"], found["same"]) < 0.1


def test_columns_go_by_name_and_unknown_categories_count_as_missing(classifier):
    turned = X[X.columns[::-1]]
    np.testing.assert_array_equal(classifier.predict_proba(turned), classifier.predict_proba(X))
    new = X.assign(town="elsewhere")
    np.testing.assert_array_equal(
        classifier.predict_proba(new), classifier.predict_proba(new.assign(town=None))
    )
    with pytest.raises(ValueError, match="lacks 'town'"):
        classifier.predict(X.drop(columns="town"))


def test_polars_gives_the_bits_of_pandas(classifier):
    polars = pytest.importorskip("polars")
    table = polars.from_pandas(X)
    again = TabularClassifier(**QUICK).fit(table, polars.Series(LABELS))
    np.testing.assert_array_equal(again.predict_proba(table), classifier.predict_proba(X))


def test_it_is_pickled_and_cloned(classifier):
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict_proba(X), classifier.predict_proba(X))
    assert clone(classifier).get_params() == classifier.get_params()


def test_weighted_rows_are_repeated_rows_to_the_bit():
    few, y = X[:40], LABELS[:40]
    counts = np.arange(40) % 4
    repeated = np.repeat(np.arange(40), counts)
    shuffled = np.random.default_rng(1).permutation(repeated)
    weighted = TabularClassifier(**QUICK).fit(few, y, sample_weight=counts)
    again = TabularClassifier(**QUICK).fit(few.iloc[shuffled], y[shuffled])
    np.testing.assert_array_equal(again.predict_proba(X), weighted.predict_proba(X))


def test_members_are_averaged():
    two = TabularClassifier(members=2, **QUICK).fit(X, LABELS)
    (net,) = two.networks_
    inputs = two.model_.description.matrix(X)
    each = [net.subnetwork(f"member_{m}/activation").predict(inputs) for m in (1, 2)]
    np.testing.assert_allclose(two.predict_proba(X), np.mean(each, axis=0), atol=1e-6)
    assert not np.array_equal(*each)
    assert len(two.model_.histories) == 2


def test_quantiles_are_sorted_and_cover():
    fitted = (0.9, 0.1, 0.5)
    noisy = NUMBERS + RANDOM.normal(size=ROWS) * 5
    model = TabularRegressor(loss="quantile", quantiles=fitted, **QUICK).fit(X, noisy)
    told = model.predict(X)
    assert told.shape == (ROWS, 3)
    assert (np.diff(told, axis=1) >= 0).all()
    np.testing.assert_allclose(
        (noisy[:, np.newaxis] <= told).mean(axis=0), [0.1, 0.5, 0.9], atol=0.1
    )
    between = model.predict(X, quantiles=(0.3, 0.5))
    np.testing.assert_allclose(between[:, 0], (told[:, 0] + told[:, 1]) / 2)
    np.testing.assert_array_equal(model.predict(X, quantiles=0.5), told[:, 1])
    close = TabularRegressor(loss="quantile", quantiles=(0.5, 0.51, 0.52), **QUICK).fit(X, noisy)
    assert (np.diff(close.predict(X), axis=1) >= 0).all()  # those of the networks cross
    with pytest.raises(ValueError, match=r"within the fitted ones, 0.1 to 0.9"):
        model.predict(X, quantiles=[0.95])
    with pytest.raises(ValueError, match="loss='quantile', not 'mse'"):
        TabularRegressor(**QUICK).fit(X[:50], noisy[:50]).predict(X, quantiles=0.5)


@pytest.mark.parametrize("loss", ["mae", "huber"])
def test_losses_of_regression(loss):
    model = TabularRegressor(loss=loss, metric="mae", **QUICK).fit(X, NUMBERS)
    assert model.score(X, NUMBERS) > 0.9
    assert "val_mae" in model.history_


def test_several_outputs_and_several_labels():
    both = np.column_stack([NUMBERS, -1000 * NUMBERS])
    model = TabularRegressor(**QUICK).fit(X, both)
    assert r2_score(both, model.predict(X), multioutput="raw_values").min() > 0.95
    labels = np.column_stack([NUMBERS > 50, X["open"]]).astype(int)
    model = TabularClassifier(**QUICK).fit(X, labels)
    assert (model.predict(X) == labels).mean() > 0.9
    assert model.predict_proba(X).shape == labels.shape


def test_class_weights_move_the_decision():
    y = np.where(RANDOM.random(ROWS) < 0.2, "rare", "often")  # nothing to be learnt
    shares = [
        (TabularClassifier(class_weight=weight, **QUICK).fit(X, y).predict_proba(X)[:, 1]).mean()
        for weight in (None, "balanced", {"rare": 30.0, "often": 1.0})
    ]
    assert shares[0] < shares[1] < shares[2]


def test_validation_rows():
    every = TabularClassifier(validation=None, **QUICK).fit(X, LABELS)
    assert "val_loss" not in every.history_
    given = TabularClassifier(validation=(X[:100], LABELS[:100]), **QUICK).fit(X, LABELS)
    assert len(given.history_["val_accuracy"]) == 64
    assert "val_loss" not in TabularClassifier(**QUICK).fit(X[:400], LABELS[:400]).history_
    with pytest.raises(ValueError, match=r"validation: .*lacks 'town'"):
        TabularClassifier(validation=(X.drop(columns="town"), LABELS)).fit(X, LABELS)


def test_the_temperature_has_the_least_log_loss():
    logits = RANDOM.normal(size=(300, 3)) * 6
    y = np.array([RANDOM.choice(3, p=_softmax(row / 4)) for row in logits])
    found = temperature(logits, y)
    losses = {t: log_loss(y, _softmax(logits / t)) for t in np.linspace(0.5, 9.5, 901)}
    assert abs(found - min(losses, key=losses.get)) < 0.02


@pytest.mark.parametrize("kinds", [2, 3])
def test_the_area_under_the_curve_chooses_the_epoch(kinds):
    generator = np.random.default_rng(7)
    x = generator.normal(size=(700, 3))
    score = x[:, 0] + 0.5 * generator.normal(size=700)
    y = np.array(["a", "b", "c"])[np.digitize(score, [1.0, 1.5][: kinds - 1])]
    model = TabularClassifier(metric="auc", budget="fast", random_state=0).fit(x, y)
    held = model._measured
    p = model._outputs_of(held.x)
    chosen = p[:, 1] if kinds == 2 else p
    expected = roc_auc_score(held.y, chosen, multi_class="ovr")
    assert 1.0 - model._error_of(p, held) == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(max(model.history_["val_auc"]), rel=1e-5)
    assert model.feature_importances_.argmax() == 0
    with pytest.raises(ValueError, match="of the validation rows: auc is undefined"):
        TabularClassifier(metric="auc", validation=(x[:2], y[:1].repeat(2))).fit(x, y)


def _softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_ecosystem(classifier):
    columns = ["size", "colour"]
    some = ColumnTransformer([("all", "passthrough", columns)])
    some.set_output(transform="pandas")
    search = GridSearchCV(
        make_pipeline(some, TabularClassifier(**QUICK)),
        {"tabularclassifier__metric": ["accuracy", "log_loss"]},
        cv=2,
        n_jobs=2,
    ).fit(X[:200], LABELS[:200])
    assert search.best_score_ > 0.6
    assert cross_val_score(TabularRegressor(**QUICK), X[:200], NUMBERS[:200], cv=2).mean() > 0.3
    calibrated = CalibratedClassifierCV(TabularClassifier(**QUICK), cv=2).fit(X, LABELS)
    assert calibrated.score(X, LABELS) > 0.8
    with sklearn.config_context(enable_metadata_routing=True):
        model = TabularClassifier(**QUICK).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scores = cross_val_score(
            model, X[:100], LABELS[:100], cv=2, params={"sample_weight": np.ones(100)}
        )
        assert scores.shape == (2,)


@pytest.mark.parametrize(
    ("estimator", "y", "words"),
    [
        (TabularRegressor(), LABELS, "TabularClassifier takes labels"),
        (TabularRegressor(), np.where(NUMBERS > 60, np.nan, NUMBERS), "NaN"),
        (TabularRegressor(), np.datetime64("2020-01-01") + np.arange(ROWS), "numbers, got dates"),
        (TabularClassifier(), np.full(ROWS, "one"), "only one class, 'one', among"),
        (TabularRegressor(), NUMBERS * 1e37, "y has .*, too large for float32"),
        (TabularRegressor(), pandas.Series([*NUMBERS[1:], None], dtype="Float64"), "NaN"),
        (TabularClassifier(), np.where(NUMBERS > 60, None, "a"), "y contains None"),
        (TabularClassifier(), pandas.Series([*LABELS[1:], None], dtype="string"), "NaN"),
        (TabularRegressor(loss="quantile"), np.column_stack([NUMBERS] * 2), "one target column"),
        (TabularRegressor(loss="quantile", quantiles=(0.5, 1.0)), NUMBERS, "between 0 and 1"),
        (TabularRegressor(budget="huge"), NUMBERS, "budget"),
    ],
)
def test_what_does_not_fit_is_told(estimator, y, words):
    with pytest.raises(ValueError, match=words):
        estimator.fit(X, y)


def test_columns_that_hold_something_else_later():
    days = pandas.date_range("2020-01-01", periods=20)
    frame = pandas.DataFrame({"number": np.arange(20.0), "day": days, "text": ["u", "v"] * 10})
    model = TabularClassifier(**QUICK).fit(frame, np.arange(20) % 2)
    for name, values, text in [
        ("number", days, "'number' held numbers when the model was fitted, now it holds dates"),
        ("number", "word", "'number' held numbers when the model was fitted, now it holds text"),
        ("day", 3.0, "'day' held dates when the model was fitted, now it holds numbers"),
    ]:
        with pytest.raises(ValueError, match=text):
            model.predict(frame.assign(**{name: values}))
    gone = frame.assign(number=None, day=None, text=None)
    assert model.predict(gone).shape == (20,)


def test_many_categories_and_wild_columns():
    generator = np.random.default_rng(0)
    frame = pandas.DataFrame({"id": [f"k{i}" for i in range(3000)]})
    frame["useful"] = generator.normal(size=3000)
    frame["mixed"] = pandas.Series([1, "x", 2.5, None, True] * 600, dtype=object)
    frame["same"] = 4
    y = np.where(frame["useful"] > 0, "up", "down")
    model = TabularClassifier(**QUICK).fit(frame, y)
    assert model.score(frame, y) > 0.9
    assert model.predict(frame.assign(id="new")).shape == (3000,)


def test_columns_that_hold_nothing():
    empty = pandas.DataFrame({"none": [None] * 20, "same": 1.0})
    y = np.arange(20) % 2
    assert TabularClassifier(**QUICK).fit(empty, y).predict(empty).shape == (20,)


def test_the_report_is_one_page(classifier, tmp_path):
    page = classifier.report(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page
    for words in ("town", "category", "true \\ predicted", "Calibration", "Importance"):
        assert words in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    page = TabularRegressor(**QUICK).fit(X[:100], NUMBERS[:100]).report()
    assert "Residuals 0 (100 rows of the training)" in page


def test_the_training_is_drawn(classifier, tmp_path):
    pytest.importorskip("matplotlib")
    classifier.plot_training(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("epochs", "interrupted", "kept"),
    [
        ([50, 48, 2, 0], [True] * 4, [50, 48]),
        ([50, 25, 24], [True] * 3, [50, 25]),
        ([50, 3], [True, False], [50, 3]),  # its own early stopping
        ([0, 0], [True] * 2, [0]),
    ],
)
def test_members_hardly_begun_when_interrupted_are_left_out(epochs, interrupted, kept):
    histories = [
        SimpleNamespace(epochs=list(range(n)), interrupted=stopped)
        for n, stopped in zip(epochs, interrupted, strict=True)
    ]
    nets = [SimpleNamespace(history=history) for history in histories]
    assert [len(net.history.epochs) for net in _worth_averaging(nets)] == kept
