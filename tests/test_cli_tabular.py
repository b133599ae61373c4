# SPDX-License-Identifier: Apache-2.0
"""Tables with text and missing values on the command line, from every kind of file to every use."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("narwhals")

import pandas
from homes import (
    HOMES,
    KIND,
    KINDS,
    PRICE,
    RANDOM,
    ROWS,
    X,
    homes_model,
    kinds_model,
    numbers,
    predicted,
    refused,
    train,
)
from sklearn.metrics import accuracy_score, mean_absolute_error, mean_squared_error, r2_score

import chainrule as cr
from chainrule.cli import main
from chainrule.sklearn import TabularClassifier, TabularRegressor
from chainrule.tables import SavedModel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def homes(capsys):
    """The name of a model of prices."""
    return homes_model(capsys)


@pytest.fixture
def kinds(capsys):
    """The name of a model of classes, whose columns have few categories."""
    return kinds_model(capsys)


def test_every_format_gives_the_same_model(capsys, homes):
    usual = cr.load(homes).get_weights()
    HOMES.to_csv("homes.tsv", index=False, sep="\t", na_rep="NA")
    HOMES.to_csv("semicolons.csv", index=False, sep=";", na_rep="?")
    HOMES.to_csv("quoted.csv", index=False, quoting=csv.QUOTE_ALL)
    HOMES.to_csv("german.csv", index=False, sep=";", decimal=",")
    Path("homes.csv.gz").write_bytes(gzip.compress(Path("homes.csv").read_bytes()))
    HOMES.to_csv("crlf.csv", index=False, lineterminator="\r\n")
    files = ["homes.tsv", "semicolons.csv", "quoted.csv", "homes.csv.gz", "crlf.csv"]
    options = {"german.csv": ["--decimal", ","]}
    for file in [*files, *options]:
        train(capsys, file, "--target", "price", *options.get(file, []))
        for left, right in zip(cr.load("model").get_weights(), usual, strict=True):
            np.testing.assert_array_equal(left, right, err_msg=file)
    error = refused(capsys, "train", "--data", "german.csv", "--target", "price")
    assert "pass --decimal ','" in error
    expected = predicted(capsys, homes, "homes.csv")
    for file in [*files, *options]:
        assert predicted(capsys, homes, file, *options.get(file, [])) == expected


def test_parquet(capsys, homes):
    pytest.importorskip("pyarrow")
    HOMES.to_parquet("homes.parquet")
    typed = HOMES.assign(
        sold=pandas.to_datetime(HOMES["sold"]), town=HOMES["town"].astype("category")
    )
    typed.to_parquet("typed.parquet")
    expected = predicted(capsys, homes, "homes.csv")
    for file in ("homes.parquet", "typed.parquet"):
        assert predicted(capsys, homes, file) == expected
    # pandas writes an index that is not the order of the rows as a column.
    order = np.random.default_rng(1).permutation(ROWS)
    HOMES.iloc[order].to_parquet("shuffled.parquet")
    found = predicted(capsys, homes, "shuffled.parquet")
    assert found == [expected[0], *(expected[1 + row] for row in order)]
    train(capsys, "typed.parquet", "--label", "price")
    assert predicted(capsys, "model", "homes.csv") == expected
    assert "--decimal is for CSV files" in refused(
        capsys, "predict", homes, "homes.parquet", "--decimal", ","
    )
    Path("none.parquet").write_bytes(b"PAR1 nothing PAR1")
    assert "none.parquet: no Parquet file" in refused(
        capsys, "train", "--data", "none.parquet", "--target", "price"
    )


def test_predictions_are_those_of_the_estimator(capsys, homes):
    rows = predicted(capsys, homes, "homes.csv")
    assert rows[0] == ["output"]
    estimator = TabularRegressor.load(homes)
    table = X.assign(sold=pandas.to_datetime(X["sold"]))
    expected = estimator.predict(table)
    np.testing.assert_allclose(numbers(rows)[:, 0], expected, rtol=1e-6)
    assert r2_score(PRICE, expected) > 0.7


def test_classes_and_their_figures(capsys, kinds):
    rows = predicted(capsys, kinds, "kinds.csv")
    assert rows[0] == ["label", "probability_cheap", "probability_dear"]
    told = TabularClassifier.load(kinds)
    table = X.drop(columns="street").assign(sold=pandas.to_datetime(X["sold"]))
    np.testing.assert_allclose(numbers(rows), told.predict_proba(table), atol=1e-6)
    assert [row[0] for row in rows[1:]] == told.predict(table).tolist()
    assert main(["evaluate", kinds, "--data", "kinds.csv"]) == 0
    text = capsys.readouterr().out
    accuracy = accuracy_score(KIND, told.predict(table))
    assert f"{ROWS} rows  accuracy {accuracy:.4f}" in text
    assert "true \\ predicted  cheap  dear" in text
    assert [row[0] for row in predicted(capsys, kinds, "kinds.csv", "--numbers")[1:]] == [
        str(int(row[0] == "dear")) for row in rows[1:]
    ]
    assert predicted(capsys, kinds, "kinds.csv", "--labels-only") == [[row[0]] for row in rows]


def test_training_says_what_it_took_and_evaluate_finds_the_test_rows_again(capsys):
    HOMES.assign(price=PRICE.where(np.arange(ROWS) % 20 > 0)).to_csv("homes.csv", index=False)
    argv = ["train", "--data", "homes.csv", "--target", "price", "--budget", "fast"]
    assert main([*argv, "--report", "page.html", "--plot", "curves.png"]) == 0
    text = capsys.readouterr().out
    assert "homes.csv: 121 rows to train on, 31 to test on, 4 columns" in text
    assert "1 of numbers, 2 of text, 1 of dates; " in text
    assert "8 rows without a target are left out" in text
    assert "target 'price': numbers from" in text
    assert sum(line.startswith("epoch ") for line in text.splitlines()) == 64
    assert Path("page.html").read_text().count("<h2>") == 5
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")
    figures = re.search(r"^test  (mse .*)$", text, re.MULTILINE)[1]
    following = text.splitlines()[-1].removeprefix("next: chainrule ")
    assert main(following.split()) == 0
    assert f"31 rows  {figures}" in capsys.readouterr().out
    assert main([*argv, "--report", "page.html", "-q"]) == 0  # what it has written is replaced
    Path("page.html").write_text("mine")
    assert main([*argv, "--report", "page.html"]) == 2


def test_evaluation_is_that_of_scikit_learn(capsys, homes):
    told = numbers(predicted(capsys, homes, "homes.csv"))[:, 0]
    assert main(["evaluate", homes, "--data", "homes.csv"]) == 0
    found = dict(re.findall(r"(mse|mae|r2) (\S+)", capsys.readouterr().out))
    for name, metric in (("mse", mean_squared_error), ("mae", mean_absolute_error)):
        assert float(found[name]) == pytest.approx(metric(PRICE, told), rel=1e-3)
    assert float(found["r2"]) == pytest.approx(r2_score(PRICE, told), abs=1e-3)


def test_columns_go_by_name(capsys, homes):
    expected = predicted(capsys, homes, "homes.csv")
    X[X.columns[::-1]].to_csv("turned.csv", index=False)
    assert predicted(capsys, homes, "turned.csv") == expected
    X.drop(columns="town").to_csv("less.csv", index=False)
    assert "less.csv lacks the column 'town'" in refused(capsys, "predict", homes, "less.csv")
    X.assign(floor=3).to_csv("more.csv", index=False)
    error = refused(capsys, "predict", homes, "more.csv")
    assert "more.csv has the column 'floor', unknown to homes; --drop leaves out" in error
    assert predicted(capsys, homes, "more.csv", "--drop", "floor") == expected


def test_files_without_a_header_go_by_place(capsys):
    HOMES.to_csv("bare.csv", index=False, header=False)
    train(capsys, "bare.csv", "--target", "4", "--header", "no")
    X.to_csv("new.csv", index=False, header=False)
    rows = predicted(capsys, "model", "new.csv", "--header", "no")
    assert len(rows) == ROWS + 1
    assert predicted(capsys, "model", "bare.csv", "--header", "no", "--label", "4") == rows
    X[["area", "town"]].to_csv("few.csv", index=False, header=False)
    error = refused(capsys, "predict", "model", "few.csv", "--header", "no")
    assert "few.csv has 2 columns, model takes 4" in error


def test_unseen_categories_are_unknown_and_codes_stay_text(capsys, homes):
    few = X[:5]
    few.assign(town="elsewhere", street="s99").to_csv("new.csv", index=False)
    few.assign(town=None, street=None).to_csv("none.csv", index=False)
    assert predicted(capsys, homes, "new.csv") == predicted(capsys, homes, "none.csv")
    codes = RANDOM.choice(["01", "1", "x"], ROWS)
    table = pandas.DataFrame({"code": codes, "area": X["area"], "kind": (codes == "01") * 1})
    table.to_csv("codes.csv", index=False)
    train(capsys, "codes.csv", "--target", "kind")
    table[table["code"] != "x"][["code", "area"]].to_csv("digits.csv", index=False)
    labels = [row[0] for row in predicted(capsys, "model", "digits.csv")[1:]]
    assert labels == [str(int(code == "01")) for code in codes if code != "x"]


def test_what_columns_hold_may_not_change(capsys, homes):
    X.assign(area="wide").to_csv("text.csv", index=False)
    error = refused(capsys, "predict", homes, "text.csv")
    assert "column 'area' held numbers when the model was fitted, now it holds text" in error
    X.assign(sold="soon").to_csv("text.csv", index=False)
    assert "column 'sold' held dates" in refused(capsys, "predict", homes, "text.csv")
    KINDS.rename(columns={"kind": "price"}).to_csv("kinds.csv", index=False)
    assert "homes predicts numbers" in refused(capsys, "evaluate", homes, "--data", "kinds.csv")


def test_new_classes_are_refused(capsys, kinds):
    odd = KINDS.drop(columns="street").assign(kind="odd")
    odd.to_csv("odd.csv", index=False)
    error = refused(capsys, "evaluate", kinds, "--data", "odd.csv")
    assert "odd.csv has the class 'odd', unknown to kinds" in error
    argv = ["train", "--data", "kinds.csv", "--target", "kind", "--test-data", "odd.csv"]
    assert "odd.csv has the class 'odd'" in refused(capsys, *argv)


def test_test_data(capsys):
    KINDS[:120].to_csv("first.csv", index=False)
    KINDS[120:][KINDS.columns[::-1]].to_csv("rest.csv", index=False)
    text = train(capsys, "first.csv", "--target", "kind", "--test-data", "rest.csv")
    told = [row[0] for row in predicted(capsys, "model", "rest.csv")[1:]]
    assert f"accuracy {accuracy_score(KIND[120:], told):.4f}" in text


def test_a_class_of_one_row_is_learnt_or_left_out(capsys):
    for alone in (0, 1, 2, 3):  # one of them falls among the rows to test on or to train on
        kind = np.where(np.arange(ROWS) == alone, "alone", KIND)
        X.assign(kind=kind).to_csv("kinds.csv", index=False)
        text = train(capsys, "kinds.csv", "--target", "kind")
        assert float(re.search(r"accuracy (\S+)", text)[1]) > 0.5
        assert set(SavedModel.load("model").target.labels) >= {"cheap", "dear"}


@pytest.mark.parametrize("option", [["--class-weight", "dear=5"], ["--class-weight", "balanced"]])
def test_class_weights(capsys, kinds, option):
    train(capsys, "kinds.csv", "--target", "kind", *option)
    told = numbers(predicted(capsys, "model", "kinds.csv"))
    usual = numbers(predicted(capsys, kinds, "kinds.csv"))
    assert told[:, 1].mean() > usual[:, 1].mean()


def test_losses_and_tasks(capsys, homes):
    options = ["--loss", "quantile", "--seed", "3", "--threads", "1"]
    text = train(capsys, "homes.csv", "--target", "price", *options)
    assert text.startswith("test  pinball ")
    rows = predicted(capsys, "model", "homes.csv")
    assert rows[0] == ["output_0.05", "output_0.5", "output_0.95"]
    assert (np.diff(numbers(rows), axis=1) >= 0).all()
    for loss in ("mae", "huber"):
        train(capsys, "homes.csv", "--target", "price", "--loss", loss)
        assert cr.load("model").loss.kind == loss
    argv = ["train", "--data", "homes.csv", "--target"]
    assert "--loss hinge is not for tables" in refused(capsys, *argv, "price", "--loss", "hinge")
    assert "needs numbers" in refused(capsys, *argv, "town", "--loss", "mse")
    assert "needs numbers" in refused(capsys, *argv, "town", "--task", "regression")
    assert "--class-weight is for classes" in refused(
        capsys, *argv, "price", "--class-weight", "balanced"
    )


def test_the_data_decide(capsys):
    """A table of numbers alone is trained as ever; one with text or missing values as a table."""
    full = pandas.DataFrame({"a": X.index * 0.1, "b": PRICE, "kind": KIND})
    full.to_csv("full.csv", index=False)
    assert main(["train", "--data", "full.csv", "-q", "--epochs", "2", "-o", "model"]) == 0
    assert cr.load("model").table is None
    assert main(["train", "--data", "full.csv", "-q", "-o", "model", "--target", "kind"]) == 0
    assert cr.load("model").table["target"]["name"] == "kind"
    full.assign(a=X["area"]).to_csv("gaps.csv", index=False)
    assert main(["train", "--data", "gaps.csv", "-q", "-o", "model"]) == 0
    assert cr.load("model").table is not None
    assert "'kind'" not in capsys.readouterr().err
    error = refused(capsys, "train", "--data", "gaps.csv", "--layers", "8")
    assert "line 2, column 1 ('a'): is missing; without --layers tables may have text" in error
    stray = full.assign(a=np.where(X.index == 60, "1.2x", full["a"].astype(str)))
    stray.to_csv("stray.csv", index=False)
    error = refused(capsys, "train", "--data", "stray.csv")
    assert "line 62, column 1 ('a'): '1.2x' is not a number; --target COLUMN takes such" in error
    argv = ["train", "--data", "stray.csv", "--target", "kind", "--budget", "fast", "-o", "model"]
    assert main(argv) == 0
    assert "('a'): '1.2x' is not a number: the column is taken for text" in capsys.readouterr().out


ERRORS = [
    (["--target", "prise"], "unknown --target column 'prise'; did you mean 'price'?"),
    (["--target", "9"], "--target 9 is out of range: homes.csv has 5 columns"),
    (["--budget", "fast", "--label", "prise"], "unknown --label column 'prise'; did you mean"),
    (["--budget", "fast", "--drop", "0,1,2,3,4"], "has no column but those that --drop leaves out"),
    (["--target", "price", "--drop", "0,1,2,3"], "homes.csv has 160 rows and 0 columns"),
    (["--target", "price", "--label", "town"], "--target and --label both name the column"),
    (["--target", "price", "--layers", "8"], "--layers is for networks of numbers"),
    (["--target", "price", "--early-stopping"], "--early-stopping is for networks of numbers"),
    (["--target", "price", "--resume", "homes"], "--resume is for networks of numbers"),
    (["--layers", "8", "--resume", "homes"], "--layers is for a new network"),
    (["--resume", "homes"], "homes reads tables with text and missing values, which --resume"),
    (["--target", "sold"], "the target 'sold' holds dates"),
    (["--target", "price", "--drop", "price"], "is a column that --drop leaves out"),
    (["--target", "price", "--data", "digits"], "are for tables; --data is digits"),
    (["--budget", "huge"], "invalid choice: 'huge'"),
    (["--target", "price", "--data", "empty.csv"], "empty.csv is empty"),
    (["--target", "price", "--data", "head.csv"], "head.csv has a header but no rows"),
    (["--target", "y", "--data", "blank.csv"], "the target 'y' is missing in all rows"),
    (["--target", "y", "--data", "inf.csv"], "inf.csv, line 3, column 1 ('a'): inf is no finite"),
    (["--target", "y", "--data", "ragged.csv"], "ragged.csv, line 3: 3 fields, expected 2"),
    (["--target", "y", "--data", "twice.csv"], "twice.csv has more than one column 'a'"),
    (["--target", "y", "--data", "x.npz"], "x.npz: a table must be .csv"),
    (["--target", "y", "--data", "gone.csv"], "gone.csv: no such data file"),
    (["--target", "price", "--report", "no/page.html"], "no: no such folder"),
    (["--target", "price", "--report", "homes.csv"], "homes.csv is a file to read and to write"),
]


@pytest.mark.parametrize(("options", "text"), ERRORS)
def test_bad_arguments(capsys, homes, options, text):
    Path("empty.csv").write_text("")
    Path("head.csv").write_text("a,price\n")
    Path("blank.csv").write_text("a,y\n1,\n2,NA\n")
    Path("inf.csv").write_text("a,y\n1,x\ninf,z\n")
    Path("ragged.csv").write_text("a,y\n1,x\n1,2,3\n")
    Path("twice.csv").write_text("a,a,y\n1,x,2\n2,,3\n")
    Path("x.npz").write_text("")
    data = [] if "--data" in options else ["--data", "homes.csv"]
    assert text in refused(capsys, "train", *data, *options)


def test_truth_values_in_text_match_booleans(capsys):
    flags = RANDOM.random(ROWS) < 0.5
    area = RANDOM.normal(size=ROWS)
    price = 10.0 * flags + area
    table = pandas.DataFrame({"pool": np.where(flags, "TRUE", "FALSE"), "area": area})
    table.assign(price=price).to_csv("upper.csv", index=False)
    train(capsys, "upper.csv", "--target", "price")
    expected = predicted(capsys, "model", "upper.csv")
    assert main(["evaluate", "model", "--data", "upper.csv"]) == 0
    figures = capsys.readouterr().out
    assert numbers(expected).std() > 3
    others = {
        "python.csv": flags,
        "lower.csv": np.where(flags, "true", "false"),
        "bits.csv": flags.astype(int),
    }
    for name, pool in others.items():
        table.assign(pool=pool, price=price).to_csv(name, index=False)
    if importlib.util.find_spec("pyarrow"):
        table.assign(pool=flags, price=price).to_parquet("flags.parquet")
        others["flags.parquet"] = flags
    for name in others:
        assert predicted(capsys, "model", name) == expected, name
        assert main(["evaluate", "model", "--data", name]) == 0
        assert capsys.readouterr().out == figures, name
    estimator = TabularRegressor(budget="fast").fit(table, price)
    found = estimator.predict(table.assign(pool=flags))
    np.testing.assert_array_equal(found, estimator.predict(table))
