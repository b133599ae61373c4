# SPDX-License-Identifier: Apache-2.0
"""Model files of TabularClassifier and TabularRegressor."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("narwhals")

import pandas

import chainrule as cr
from chainrule.sklearn import TabularClassifier, TabularRegressor
from chainrule.tables import SavedModel, TableDescription

RANDOM = np.random.default_rng(0)
ROWS = 120
X = pandas.DataFrame(
    {
        "size": RANDOM.normal(size=ROWS),
        "colour": RANDOM.choice(["red", "green", "blå", None], ROWS),
        "open": RANDOM.random(ROWS) > 0.5,
        "day": pandas.date_range("2020-01-01", periods=ROWS),
        "none": None,
    }
)
NUMBERS = 10.0 * X["size"].to_numpy() + 5.0 * X["open"].to_numpy()
X.loc[::7, ["size", "day"]] = None
TOWNS = X.assign(town=[f"t{i}" for i in RANDOM.integers(0, 14, ROWS)])
QUICK = {"budget": "fast", "random_state": 0}
LABELS = [
    np.where(NUMBERS > 0, "yes", "no"),
    NUMBERS > 0,
    np.digitize(NUMBERS, [-5, 5]) * 2 - 7,
    np.column_stack([NUMBERS > 0, NUMBERS > 5, NUMBERS < 3]) * 1,
]


def probabilities(model, x=X):
    return model.predict_proba(x) if hasattr(model, "predict_proba") else model.predict(x)


@pytest.mark.parametrize("y", LABELS, ids=["text", "bool", "int", "several"])
def test_classifiers(tmp_path, y):
    path = tmp_path / "model.safetensors"
    model = TabularClassifier(metric="log_loss", **QUICK).fit(X, y)
    model.save(path, target_name="sold")
    again = TabularClassifier.load(path)
    np.testing.assert_array_equal(probabilities(again), probabilities(model))
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.predict(X).dtype == model.predict(X).dtype
    np.testing.assert_array_equal(again.classes_, model.classes_)
    assert again.get_params() == model.get_params()
    assert again.feature_names_in_.tolist() == list(X)
    assert (again.n_features_in_, again.n_outputs_, again.n_iter_) == (5, model.n_outputs_, 64)
    np.testing.assert_array_equal(again.feature_importances_, model.feature_importances_)
    assert again.history_.to_dict() == model.history_.to_dict()
    with pytest.raises(ValueError, match="has not kept"):
        again.report()
    assert cr.load(path).target_name == "sold"
    assert SavedModel.load(path).target.name == "sold"


@pytest.mark.parametrize(
    ("options", "y"),
    [
        ({}, NUMBERS),
        ({"loss": "quantile", "quantiles": (0.9, 0.1)}, NUMBERS),
        ({"loss": "huber"}, np.column_stack([NUMBERS, -NUMBERS])),
    ],
    ids=["one", "quantiles", "several"],
)
def test_regressors(tmp_path, options, y):
    model = TabularRegressor(**options, **QUICK).fit(TOWNS, y)
    model.save(tmp_path / "model")
    again = TabularRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(TOWNS), model.predict(TOWNS))
    assert again.score(TOWNS, y) == model.score(TOWNS, y)
    if options.get("loss") == "quantile":
        np.testing.assert_array_equal(
            again.predict(TOWNS, quantiles=0.5), model.predict(TOWNS, quantiles=0.5)
        )


def test_arrays_have_no_names(tmp_path):
    x = X[["size", "open"]].to_numpy(dtype=object)
    model = TabularRegressor(**QUICK).fit(x, NUMBERS)
    model.save(tmp_path / "model")
    again = TabularRegressor.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert not hasattr(again, "feature_names_in_")


@pytest.mark.parametrize("y", [*LABELS, NUMBERS], ids=["text", "bool", "int", "several", "number"])
@pytest.mark.parametrize("x", [X, TOWNS], ids=["one_hot", "embedded"])
def test_members_are_one_network(tmp_path, x, y):
    kind = TabularRegressor if y.dtype == float else TabularClassifier
    model = kind(members=3, **QUICK).fit(x, y)
    model.save(tmp_path / "model")
    again = kind.load(tmp_path / "model")
    assert len(again.networks_) == 1
    np.testing.assert_array_equal(probabilities(again, x), probabilities(model, x))
    # Whatever runs model files gets the mean: the network's own outputs are it.
    net = cr.load(tmp_path / "model")
    inputs = again.model_.description.matrix(x)
    told = net.predict(inputs)
    expected = probabilities(model, x)
    np.testing.assert_allclose(
        told if expected.ndim == 2 else told[:, 0], expected, rtol=1e-5, atol=1e-5
    )


def test_a_file_has_no_more_than_predictions_need(tmp_path):
    model = TabularClassifier(**QUICK).fit(X, LABELS[0])
    model.save(tmp_path / "model")
    arrays = sum(values.nbytes for values in model.networks_[0].parameters.values())
    assert arrays < (tmp_path / "model").stat().st_size < 1.5 * arrays


def test_the_record_is_json_that_the_core_keeps(tmp_path):
    model = TabularClassifier(**QUICK).fit(X, LABELS[0])
    model.save(tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    table = json.loads(header["__metadata__"]["chainrule"])["training"]["table"]
    names = {column["name"]: column for column in table["columns"]}
    assert names["colour"]["categories"] == ["blå", "green", "red"]
    assert table["target"]["labels"] == ["no", "yes"]
    net = cr.load(tmp_path / "model")
    for other in (copy.deepcopy(net), net):
        other.save(tmp_path / "again")
        again = TabularClassifier.load(tmp_path / "again")
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("members", [1, 2])
def test_the_network_knows_columns_categories_and_classes_by_name(tmp_path, members):
    model = TabularClassifier(members=members, **QUICK).fit(TOWNS, LABELS[2])
    model.save(tmp_path / "model")
    net = cr.load(tmp_path / "model")
    assert net.feature_names == tuple(TOWNS)
    towns = tuple(sorted({f"t{i}" for i in range(14)}))
    assert net.category_names == {1: ("blå", "green", "red"), 5: towns}
    assert net.class_names == ("-7", "-5", "-3")
    assert [net._core.category_code(5, name) for name in ("t1", "t10", "x")] == [1, 2, -1]
    turned = TOWNS[TOWNS.columns[::-1]]
    rows = TableDescription.of_network(net).matrix(turned)  # dates, booleans and text too
    np.testing.assert_array_equal(rows, model.model_.description.matrix(TOWNS))
    frame = pandas.DataFrame(rows, columns=list(TOWNS))[turned.columns]
    one = net.predict(frame)
    np.testing.assert_array_equal(cr.Predictor(net).predict(frame), one)
    told = one if members == 2 else net.predict_proba(frame)
    np.testing.assert_allclose(told, model.predict_proba(TOWNS), rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match="lacks the feature 'town'"):
        net.predict(frame.drop(columns="town"))


def test_text_that_c_cannot_hold_is_no_name(tmp_path):
    x = X.assign(colour=np.where(NUMBERS > 2, "a\0a", "b"), open=np.where(NUMBERS > 2, "a", "b"))
    model = TabularClassifier(**QUICK).fit(x, np.where(NUMBERS > 0, "y\0s", "no"))
    model.save(tmp_path / "model")
    net = cr.load(tmp_path / "model")
    assert (net.category_names, net.class_names) == ({2: ("a", "b")}, None)
    again = TabularClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    array = X[["size"]].assign(text="one").to_numpy(dtype=object)  # which no layer reads
    (net,) = TabularClassifier(**QUICK).fit(array, LABELS[0]).networks_
    assert (net.feature_names, net.category_names) == (None, None)


def test_what_is_no_such_file(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(FileNotFoundError):
        TabularClassifier.load(path)
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    net.save(path)
    with pytest.raises(cr.ModelFileError, match=r"model holds a network without a table"):
        TabularClassifier.load(path)
    TabularRegressor(**QUICK).fit(X, NUMBERS).save(path)
    with pytest.raises(cr.ModelFileError, match="is of a TabularRegressor, not of a TabularClass"):
        TabularClassifier.load(path)


def test_what_has_no_form_in_a_file(tmp_path):
    path = tmp_path / "model"
    model = TabularClassifier(**QUICK).fit(X, LABELS[0])
    model.classes_ = np.array(["2020-01-01", "2020-01-02"], "M8[D]")
    with pytest.raises(ValueError, match="has no form in a model file"):
        model.save(path)
    assert not path.exists()


CHANGES = {
    "no columns": lambda table: table.pop("columns"),
    "fewer columns": lambda table: table["columns"].pop(0) and table["columns"].clear(),
    "columns of numbers": lambda table: table.update(columns=[1, 2]),
    "unknown kind": lambda table: table["columns"][0].update(kind="word"),
    "numbers as categories": lambda table: table["columns"][1].update(categories=[1, 2, 3]),
    "no target": lambda table: table.pop("target"),
    "fewer labels": lambda table: table["target"]["labels"].pop(),
    "labels of labels": lambda table: table["target"].update(labels=[["a"], ["b"]]),
    "no importances": lambda table: table.update(importances=None),
    "no parameters": lambda table: table.update(parameters=3),
    "unknown parameters": lambda table: table["parameters"].update(depth=3),
    "wrong parameters": lambda table: table["parameters"].update(budget="huge"),
    "wrong estimator": lambda table: table.update(estimator="Other"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_records_that_do_not_fit(tmp_path, change):
    path = tmp_path / "model"
    TabularClassifier(**QUICK).fit(X, LABELS[0]).save(path)
    net = cr.load(path)
    change(net.table)
    net.save(path)
    with pytest.raises(cr.ModelFileError, match="model"):
        TabularClassifier.load(path)


def test_the_record_is_an_object(tmp_path):
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    net.table = [1]
    net.save(tmp_path / "model")
    with pytest.raises(cr.ModelFileError, match=r"table is \[1\], expected an object"):
        cr.load(tmp_path / "model")
