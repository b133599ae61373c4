# SPDX-License-Identifier: Apache-2.0
"""Models of tables with several targets, on the command line: measured, written as C, quantised."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pandas = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

from compiled_c import COMPILERS, needs_compiler, self_test  # noqa: E402
from homes import refused  # noqa: E402

import chainrule as cr  # noqa: E402
from chainrule.cli import dataset, main  # noqa: E402
from chainrule.sklearn import TabularClassifier, TabularRegressor  # noqa: E402

RANDOM = np.random.default_rng(4)
ROWS = 200
X = pandas.DataFrame(
    {
        "size": RANDOM.normal(size=ROWS).round(3),
        "colour": RANDOM.choice(["red", "green", None], ROWS),
        "age": RANDOM.normal(size=ROWS).round(3),
    }
)
RED = (X["colour"] == "red").to_numpy()
SUM = X["size"].to_numpy() + RED
NOISE = RANDOM.normal(size=(ROWS, 2))
CLASSES = pandas.DataFrame(
    {
        "kind": np.array(["a", "b", "c"])[np.digitize(SUM + 0.3 * NOISE[:, 0], [-0.5, 0.9])],
        "old": np.where(X["age"] + 0.3 * NOISE[:, 1] > 0.4, 7, 3),
    }
)
LABELS = pandas.DataFrame({"big": (SUM > 0.2) * 1, "aged": (X["age"] > 0) * 1, "red": RED * 1})
NUMBERS = pandas.DataFrame({"sum": SUM + NOISE[:, 0], "double": 2 * X["age"] + NOISE[:, 1]})
QUICK = {"budget": "fast", "random_state": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module", params=["classes", "members", "labels", "numbers"])
def case(request):
    """A fitted estimator, its targets, and the metrics of its predictions as NumPy has them."""
    if request.param == "numbers":
        model = TabularRegressor(**QUICK).fit(X, NUMBERS)
        wrong = model.predict(X) - NUMBERS
        return model, NUMBERS, {"mse": np.mean(wrong**2), "mae": np.mean(np.abs(wrong))}
    if request.param == "labels":
        model = TabularClassifier(**QUICK).fit(X, LABELS)
        return model, LABELS, {"accuracy": np.mean(model.predict(X) == LABELS.to_numpy())}
    members = 2 if request.param == "members" else 1
    model = TabularClassifier(members=members, **QUICK).fit(X, CLASSES)
    right = np.mean(model.predict(X) == CLASSES.to_numpy(), axis=0)
    return model, CLASSES, {"kind_accuracy": right[0], "old_accuracy": right[1]}


def measured(capsys, *argv):
    assert main(["evaluate", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    line = next(each for each in captured.out.splitlines() if re.match(r"\d+ rows  ", each))
    found = re.findall(r"  (\w+) ([-\d.e]+)", line)
    return {name: float(value) for name, value in found}, captured.out


def test_columns_are_found_by_their_names(case, capsys):
    model, y, expected = case
    model.save("model")
    # In another order, beside rows that lack a target.
    table = pandas.concat([y, X], axis=1)[[*X, *y][::-1]]
    lacking = table[:3].astype(object)
    lacking.loc[:, y.columns[1]] = None
    pandas.concat([table, lacking]).to_csv("all.csv", index=False)
    found, text = measured(capsys, "model", "--data", "all.csv")
    assert "200 rows" in text
    assert "3 rows without a target are left out" in text
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3)
    assert main(["inspect", "model"]) == 0
    assert f"target     {', '.join(y)}\n" in capsys.readouterr().out
    # Where they are called otherwise, the option has them in the model's order.
    names = [f"{name} 2" for name in y][::-1]
    table.rename(columns={name: f"{name} 2" for name in y}).to_csv("other.csv", index=False)
    again, _ = measured(capsys, "model", "--data", "other.csv", "--label", ",".join(names[::-1]))
    assert again == pytest.approx(found)
    # Rows to predict may have them.
    for data in ("all.csv", "x.csv"):
        X.to_csv("x.csv", index=False)
        assert main(["predict", "model", data, "-o", f"{data}.told"]) == 0
    told = [Path(f"{data}.told").read_text().splitlines() for data in ("all.csv", "x.csv")]
    assert told[0][: 1 + ROWS] == told[1]


def test_the_confusions_of_each_output(capsys):
    model = TabularClassifier(**QUICK).fit(X, CLASSES)
    model.save("model")
    pandas.concat([X, CLASSES], axis=1).to_csv("all.csv", index=False)
    _, text = measured(capsys, "model", "--data", "all.csv")
    told = model.predict(X)
    for place, name in enumerate(CLASSES):
        _, _, rest = text.partition(f"{name}:\n")
        lines = rest.splitlines()[1 : 1 + len(model.classes_[place])]
        counts = pandas.crosstab(CLASSES[name].astype(str), told[:, place].astype(str))
        for line, (known, row) in zip(lines, counts.iterrows(), strict=True):
            assert line.split() == [known, *(str(n) if n else "." for n in row)]
    found, _ = measured(capsys, "model", "--data", "all.csv", "--metrics", "f1", "--part", "test")
    assert {*found} == {"kind_f1", "old_f1"}


def test_truth_values_are_labels(capsys):
    pytest.importorskip("pyarrow")
    model = TabularClassifier(**QUICK).fit(X, LABELS)
    model.save("model")
    pandas.concat([X, LABELS.astype(bool)], axis=1).to_parquet("all.parquet")
    pandas.concat([X, LABELS], axis=1).to_csv("all.csv", index=False)
    assert (
        measured(capsys, "model", "--data", "all.parquet")[0]
        == measured(capsys, "model", "--data", "all.csv")[0]
    )


def test_without_names_the_last_columns_are_the_targets(capsys):
    codes = X.assign(colour=RED * 1.0)
    TabularRegressor(**QUICK).fit(codes.to_numpy(), NUMBERS.to_numpy()).save("model")
    pandas.concat([codes, NUMBERS], axis=1).to_csv("all.csv", index=False, header=False)
    found, _ = measured(capsys, "model", "--data", "all.csv")
    named, _ = measured(capsys, "model", "--data", "all.csv", "--label", "3,4")
    assert found == named
    assert found["r2"] > 0.5
    swapped, _ = measured(capsys, "model", "--data", "all.csv", "--label", "4,3")
    assert swapped["r2"] < 0.5


@needs_compiler
@pytest.mark.parametrize("dtype", ["float", "int8"])
def test_as_c(case, capsys, dtype):
    model, y, _ = case
    model.save("model")
    pandas.concat([X, y], axis=1).to_csv("all.csv", index=False)
    command = ["export-c", "model", "--out", "c", "--data", "all.csv", "--dtype", dtype]
    assert main(command) == 0
    text = capsys.readouterr().out
    found = re.findall(r"(\w+) +([-\d.e]+) before, ([-\d.e]+) after", text)
    names = ["loss"]
    if y is CLASSES:
        names += ["y0_loss", "y1_loss", "y0_accuracy", "y1_accuracy"]
    assert [name for name, _, _ in found] == names + ["accuracy"] * (y is LABELS)
    for name, before, after in found:
        if dtype == "float":
            assert float(after) == pytest.approx(float(before), rel=1e-3, abs=1e-6), name
    assert self_test(COMPILERS[0], Path("c"), "model").returncode == 0
    # The rows to test on, as evaluate takes them.
    if y is CLASSES:
        test, _ = measured(capsys, "model", "--data", "all.csv", "--part", "test")
        before = {name: float(value) for name, value, _ in found}
        assert before["y0_accuracy"] == pytest.approx(test["kind_accuracy"], rel=1e-3)
        assert before["y1_accuracy"] == pytest.approx(test["old_accuracy"], rel=1e-3)


def test_with_small_weights(case, capsys):
    model, y, _ = case
    model.save("model")
    pandas.concat([X, y], axis=1).to_csv("all.csv", index=False)
    assert main(["quantize", "model", "--out", "small", "--data", "all.csv"]) == 0
    assert "int8: outputs change by up to" in capsys.readouterr().out
    assert cr.load("small").predict(np.zeros((1, 3))) is not None


def test_names_are_saved(tmp_path):
    model = TabularClassifier(**QUICK).fit(X, CLASSES)
    model.save("model")
    assert cr.load("model").table["target"]["name"] == ["kind", "old"]
    TabularClassifier.load("model").save("again")
    assert cr.load("again").table["target"]["name"] == ["kind", "old"]
    model.save("model", target_name=["k", "o"])
    assert cr.load("model").table["target"]["name"] == ["k", "o"]
    with pytest.raises(ValueError, match=r"target_name has 1 names, \('k',\), for 2 targets"):
        model.save("model", target_name=["k"])
    one = TabularRegressor(**QUICK).fit(X, NUMBERS["sum"])
    one.save("model")
    assert (cr.load("model").table["target"]["name"], cr.load("model").target_name) == ("sum",) * 2
    net = cr.load("again")
    net.table["target"]["name"] = ["one"]
    net.save("wrong")
    with pytest.raises(cr.ModelFileError, match="does not fit"):
        TabularClassifier.load("wrong")


def test_what_does_not_fit_is_refused(capsys):
    model = TabularClassifier(**QUICK).fit(X, CLASSES.to_numpy())
    model.save("model")
    table = pandas.concat([X, CLASSES], axis=1)
    table.to_csv("all.csv", index=False)
    argv = ["evaluate", "model", "--data", "all.csv"]
    assert "which has 2 targets: --label has their columns in its order" in refused(capsys, *argv)
    assert "--label must be 2 columns" in refused(capsys, *argv, "--label", "kind")
    assert "--label must be 2 columns" in refused(capsys, *argv, "--label", "kind,kind")
    assert "label column 'kid'" in refused(capsys, *argv, "--label", "kid,old")
    wrong = refused(capsys, *argv, "--label", "old,kind")
    assert "has the classes '3', '7', unknown to model" in wrong
    table.assign(old=None).to_csv("all.csv", index=False)
    argv += ["--label", "kind,old"]
    assert "the target 'old' is missing in all rows" in refused(capsys, *argv)
    halves = np.arange(ROWS) % 2 == 0
    table["kind"] = table["kind"].where(halves)
    table["old"] = table["old"].where(~halves)
    table.to_csv("all.csv", index=False)
    assert "each row lacks a target" in refused(capsys, *argv)
    model.save("model", target_name=("kind", "old"))
    table.assign(old=3).drop(columns="kind").to_csv("all.csv", index=False)
    assert "2 targets, 'kind', 'old'" in refused(capsys, "evaluate", "model", "--data", "all.csv")


def test_measuring_needs_no_scikit_learn():
    model = TabularClassifier(**QUICK).fit(X, CLASSES)
    model.save("model")
    pandas.concat([X, CLASSES], axis=1).to_csv("all.csv", index=False)
    code = "import sys; sys.modules['sklearn'] = None; from chainrule.cli import main; "
    code += "sys.exit(main(['evaluate', 'model', '--data', 'all.csv']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


TASK = ["--task", "classification"]


def trained(capsys, data, targets, *options):
    argv = ["train", "--data", data, "--target", targets, "--budget", "fast", "-o", "model"]
    assert main([*argv, *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_several_are_trained(capsys):
    """The files of the command line are those of the estimator on the same rows."""
    cases = [
        (TabularRegressor, NUMBERS, "target 'double': numbers from", []),
        (TabularClassifier, CLASSES, "kind: 3 classes: a, b, c, old: 2 classes: 3, 7", TASK),
        (TabularClassifier, LABELS, "0 to 1: 2 classes; --task regression for numbers", []),
    ]
    for estimator, y, said, options in cases:
        table = pandas.concat([y.iloc[:, :1], X, y.iloc[:, 1:]], axis=1)
        table.iloc[:160].to_csv("train.csv", index=False)
        table.iloc[160:].to_csv("test.csv", index=False)
        text = trained(capsys, "train.csv", ",".join(y), "--test-data", "test.csv", *options)
        assert said in text
        found = estimator.load("model")
        if y is CLASSES:
            y = y.astype({"old": str})
        model = estimator(**QUICK).fit(X[:160], y[:160])
        model.save("python")
        assert main(["predict", "python", "test.csv"]) == 0
        expected = capsys.readouterr().out
        assert main(["predict", "model", "test.csv"]) == 0
        assert capsys.readouterr().out == expected
        assert cr.load("model").table["target"]["name"] == [*y]
        np.testing.assert_array_equal(found.predict(X[160:]), model.predict(X[160:]))
        line = next(each for each in text.splitlines() if each.startswith("test  "))
        assert main(["evaluate", "model", "--data", "test.csv"]) == 0
        assert line.removeprefix("test") in capsys.readouterr().out


def test_several_are_split_as_they_are_measured(capsys):
    table = pandas.concat([X, CLASSES], axis=1)
    table["kind"] = table["kind"].where(np.arange(ROWS) % 9 > 0)
    table.to_csv("all.csv", index=False)
    text = trained(capsys, "all.csv", "old, kind", *TASK, "--class-weight", "balanced")
    assert "23 rows without a target are left out" in text
    assert "kind:\ntrue" in text
    line = next(each for each in text.splitlines() if each.startswith("test  "))
    last = text.splitlines()[-1]
    assert last == "next: chainrule evaluate model --data all.csv --label 'old, kind' --part test"
    assert main(["evaluate", "model", "--data", "all.csv", "--part", "test"]) == 0
    assert line.removeprefix("test") in capsys.readouterr().out


def test_a_class_that_is_only_measured_is_left_out(capsys):
    _, test = dataset.split(dataset.Rows(np.arange(ROWS), np.zeros((ROWS, 2)), None))
    names = CLASSES["kind"].where(np.arange(ROWS) != test.x[0], "z")
    pandas.concat([X, CLASSES.assign(kind=names)], axis=1).to_csv("all.csv", index=False)
    text = trained(capsys, "all.csv", "old,kind", *TASK)
    assert "1 test rows of classes without other rows are left out" in text
    assert cr.load("model").table["target"]["labels"] == [["3", "7"], ["a", "b", "c"]]


def test_what_cannot_be_learnt_together_is_refused(capsys):
    table = pandas.concat([X, CLASSES, NUMBERS], axis=1)
    table.to_csv("all.csv", index=False)
    argv = ["train", "--data", "all.csv", "--target"]
    for targets, said in {
        "kind,old,kind": "--target 'kind,old,kind' has the column 'kind' twice",
        "kind,3": "has the column '3' twice",
        "kind,": "--target: expected names between commas, got 'kind,'",
        "kind,olt": "unknown --target column 'olt'; did you mean 'old'?",
        "kind,old": "but 'kind' would be classes and 'old' numbers; --task says",
        "kind,sum": "but 'kind' would be classes and 'sum' numbers",
    }.items():
        assert said in refused(capsys, *argv, targets), targets
    assert "--task regression needs numbers" in refused(
        capsys, *argv, "kind,sum", "--task", "regression"
    )
    assert "is a column that --drop leaves out" in refused(
        capsys, *argv, "double,sum", "--drop", "sum"
    )
    error = refused(capsys, *argv, "old,kind", *TASK, "--class-weight", "a=2")
    assert "--class-weight of several targets is balanced or none" in error
    error = refused(capsys, *argv, "sum,double", "--class-weight", "balanced")
    assert "--class-weight is for classes" in error
    assert "takes one target column" in refused(
        capsys, *argv, "sum,double", "--loss", "quantile", "--budget", "fast"
    )
    # A column whose name has a comma is one target.
    table.rename(columns={"sum": "kind,old"}).to_csv("all.csv", index=False)
    trained(capsys, "all.csv", "kind,old", "--quiet")
    assert cr.load("model").table["target"]["name"] == "kind,old"
