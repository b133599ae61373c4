# SPDX-License-Identifier: Apache-2.0
"""Columns and classes go by their names: a file in another order is put right, or refused."""

from __future__ import annotations

import copy
import csv
import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)) * [1.0, 10.0, 100.0]
KIND = np.array(["cat", "dog", "owl"])[(X[:, 0] > 0.3) * 1 + (X[:, 1] > 3)]


def write(name, **columns):
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    write(folder / "pets.csv", a=X[:, 0], b=X[:, 1], c=X[:, 2], kind=KIND)
    argv = ["train", "--quiet", "--data", str(folder / "pets.csv"), "--epochs", "8"]
    assert main([*argv, "-o", str(folder / "pets.safetensors")]) == 0
    return folder


@pytest.fixture(autouse=True)
def inside(trained, monkeypatch):
    monkeypatch.chdir(trained)


def printed(capsys, *argv):
    assert main(list(argv)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def refused(capsys, *argv):
    assert main(list(argv)) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    return captured.err


def evaluated(capsys, name, *options):
    return printed(capsys, "evaluate", "pets.safetensors", "--data", name, *options)


def test_the_model_keeps_the_names(capsys):
    net = cr.load("pets.safetensors")
    assert net.feature_names == ("a", "b", "c")
    assert net.class_names == ("cat", "dog", "owl")
    assert net.target_name == "kind"
    text = printed(capsys, "inspect", "pets.safetensors")
    assert "\nfeatures   a, b, c\nclasses    cat, dog, owl\ntarget     kind\n" in text


@pytest.mark.parametrize("order", ["c a b kind", "kind b a c", "a kind c b", "b c kind a"])
def test_other_orders(capsys, order):
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "kind": KIND}
    write("other.csv", **{name: columns[name] for name in order.split()})
    assert evaluated(capsys, "other.csv") == evaluated(capsys, "pets.csv")
    assert "accuracy 0.9" in evaluated(capsys, "other.csv")
    # The same rows are kept back for testing.
    part = ("--part", "test")
    assert evaluated(capsys, "other.csv", *part) == evaluated(capsys, "pets.csv", *part)
    usual = printed(capsys, "predict", "pets.safetensors", "pets.csv")
    assert printed(capsys, "predict", "pets.safetensors", "other.csv") == usual


def test_predictions_have_names(capsys):
    text = printed(capsys, "predict", "pets.safetensors", "pets.csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["label", "probability_cat", "probability_dog", "probability_owl"]
    net = cr.load("pets.safetensors")
    expected = net.predict_proba(X.astype(np.float32))
    found = np.array([row[1:] for row in rows[1:]]).astype(np.float32)
    np.testing.assert_array_equal(found, expected)
    labels = expected.argmax(axis=1)
    assert [row[0] for row in rows[1:]] == [("cat", "dog", "owl")[i] for i in labels]

    text = printed(capsys, "predict", "pets.safetensors", "pets.csv", "--numbers")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["label", "probability_0", "probability_1", "probability_2"]
    assert [int(row[0]) for row in rows[1:]] == labels.tolist()

    text = printed(capsys, "predict", "pets.safetensors", "pets.csv", "--labels-only")
    assert text.splitlines() == ["label", *(("cat", "dog", "owl")[i] for i in labels)]


def test_names_in_need_of_quotes(capsys):
    names = np.array(['one, "two"', "three"])[(X[:, 0] > 0) * 1]
    write("quoted.csv", a=X[:, 0], b=X[:, 1], y=names)
    main(["train", "--quiet", "--data", "quoted.csv", "--epochs", "5"])
    capsys.readouterr()
    text = printed(capsys, "predict", "quoted.safetensors", "quoted.csv")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0][1:] == ['probability_one, "two"', "probability_three"]
    assert {row[0] for row in rows[1:]} == {'one, "two"', "three"}
    assert {len(row) for row in rows} == {3}
    # Such a file may be written again.
    argv = ["predict", "quoted.safetensors", "quoted.csv", "-o", "out.csv"]
    assert main(argv) == 0
    assert main(argv) == 0


def test_a_single_output_has_two_classes(capsys):
    write("pair.csv", a=X[:, 0], y=np.where(X[:, 0] > 0, "yes", "no"))
    main(["train", "-q", "--data", "pair.csv", "--loss", "binary_cross_entropy", "--epochs", "9"])
    capsys.readouterr()
    text = printed(capsys, "predict", "pair.safetensors", "pair.csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        assert row["label"] == ("yes" if float(row["probability_yes"]) >= 0.5 else "no")
    assert {row["label"] for row in rows} == {"yes", "no"}


def test_missing_and_unknown_columns(capsys):
    write("less.csv", a=X[:, 0], c=X[:, 2], kind=KIND)
    write("more.csv", d=X[:, 0], a=X[:, 0], b=X[:, 1], c=X[:, 2], e=X[:, 0], kind=KIND)
    write("renamed.csv", a=X[:, 0], B=X[:, 1], c=X[:, 2], kind=KIND)
    for command in (["predict", "pets.safetensors"], ["evaluate", "pets.safetensors", "--data"]):
        assert "less.csv lacks the column 'b', which" in refused(capsys, *command, "less.csv")
        error = refused(capsys, *command, "more.csv")
        assert "more.csv has the columns 'd', 'e', unknown to pets.safetensors" in error
        assert "--drop" in error
        error = refused(capsys, *command, "renamed.csv")
        assert "lacks the column 'b'" in error
        assert "has the column 'B', unknown" in error
        usual = printed(capsys, *command, "pets.csv")
        for drop in (["--drop", "d,e"], ["--drop", "d", "--drop", "e"], ["--drop", "0,-2"]):
            assert printed(capsys, *command, "more.csv", *drop) == usual
        assert "column 'x'; " in refused(capsys, *command, "more.csv", "--drop", "x,e")
        assert "--drop 6 is out of" in refused(capsys, *command, "more.csv", "--drop", "6")


def test_a_label_column_of_another_name(capsys):
    write("species.csv", species=KIND, c=X[:, 2], b=X[:, 1], a=X[:, 0])
    # There is only one column that can hold the labels.
    assert evaluated(capsys, "species.csv") == evaluated(capsys, "pets.csv")
    error = refused(capsys, "predict", "pets.safetensors", "species.csv")
    assert "'species', unknown to pets.safetensors" in error
    text = printed(capsys, "predict", "pets.safetensors", "species.csv", "--label", "species")
    assert text == printed(capsys, "predict", "pets.safetensors", "pets.csv")
    write("none.csv", c=X[:, 2], b=X[:, 1], a=X[:, 0])
    error = refused(capsys, "evaluate", "pets.safetensors", "--data", "none.csv")
    assert "none.csv has no label column 'kind'; --label says which" in error


def test_labels_to_predict_may_be_missing(capsys):
    write("open.csv", kind=["?", ""] * 100, c=X[:, 2], b=X[:, 1], a=X[:, 0])
    text = printed(capsys, "predict", "pets.safetensors", "open.csv")
    assert text == printed(capsys, "predict", "pets.safetensors", "pets.csv")


def test_files_without_names_go_by_place(capsys):
    lines = Path("pets.csv").read_text().splitlines()[1:]
    Path("plain.csv").write_text("\n".join(lines) + "\n")
    assert evaluated(capsys, "plain.csv") == evaluated(capsys, "pets.csv")
    bare = "\n".join(line.rpartition(",")[0] for line in lines)
    Path("bare.csv").write_text(bare + "\n")
    usual = printed(capsys, "predict", "pets.safetensors", "pets.csv")
    assert printed(capsys, "predict", "pets.safetensors", "bare.csv") == usual
    error = refused(capsys, "predict", "pets.safetensors", "plain.csv")
    assert "--label leaves a column out: plain.csv has 4 columns, pets.safetensors takes 3" in error
    argv = ["predict", "pets.safetensors", "plain.csv", "--label"]
    assert printed(capsys, *argv, "last") == usual
    assert printed(capsys, *argv, "-1") == usual


def test_other_classes(capsys):
    columns = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2]}
    write("pig.csv", **columns, kind=np.where(KIND == "cat", "pig", KIND))
    error = refused(capsys, "evaluate", "pets.safetensors", "--data", "pig.csv")
    assert "pig.csv has the class 'pig', unknown to pets.safetensors" in error
    assert "whose classes are cat, dog, owl" in error


@pytest.mark.parametrize("left", [["dog", "owl"], ["owl"], ["cat", "owl"]])
def test_some_classes(capsys, left):
    rows = np.isin(KIND, left)
    write("some.csv", a=X[rows, 0], b=X[rows, 1], c=X[rows, 2], kind=KIND[rows])
    text = evaluated(capsys, "some.csv")
    net = cr.load("pets.safetensors")
    found = np.array(["cat", "dog", "owl"])[net.predict(X[rows].astype(np.float32)).argmax(axis=1)]
    accuracy = float(re.search(r"accuracy (\S+)", text)[1])
    assert accuracy == pytest.approx((found == KIND[rows]).mean(), abs=1e-4)
    assert text.splitlines()[1].split()[-3:] == ["cat", "dog", "owl"]
    for line in text.splitlines()[2:]:
        name, *cells = line.split()
        counts = [
            ((KIND[rows] == name) & (found == other)).sum() for other in ("cat", "dog", "owl")
        ]
        assert [int(cell.replace(".", "0")) for cell in cells] == counts


def test_test_data(capsys):
    rows = KIND != "cat"
    write("test.csv", kind=KIND[rows], c=X[rows, 2], a=X[rows, 0], b=X[rows, 1])
    argv = ["train", "--data", "pets.csv", "--test-data", "test.csv", "--epochs", "3", "-o", "t"]
    text = printed(capsys, *argv)
    assert f"pets.csv: 200 rows to train on, {rows.sum()} to test on" in text
    result = re.search(r"^test  (.*)", text, re.MULTILINE)[1]
    assert text.splitlines()[-1] == "next: chainrule evaluate t --data test.csv"
    assert result in printed(capsys, "evaluate", "t", "--data", "test.csv")
    write("pig.csv", kind=["pig"] * 200, c=X[:, 2], a=X[:, 0], b=X[:, 1])
    argv[4] = "pig.csv"
    assert "has the class 'pig', unknown to pets.csv" in refused(capsys, *argv)
    write("less.csv", kind=KIND, a=X[:, 0], b=X[:, 1])
    argv[4] = "less.csv"
    assert "lacks the column 'c'" in refused(capsys, *argv)
    write("numbers.csv", a=X[:, 0], y=[0, 1] * 100)
    argv[2:5] = ["digits", "--test-data", "numbers.csv"]
    assert "numbers.csv has 1 features, digits has 64" in refused(capsys, *argv)


def test_columns_of_one_name(capsys):
    lines = Path("pets.csv").read_text().replace("a,b,c", "a,a,c", 1)
    Path("twice.csv").write_text(lines)
    assert "columns go by their places" in printed(
        capsys, "train", "--data", "twice.csv", "--epochs", "1"
    )
    assert cr.load("twice.safetensors").feature_names is None
    error = refused(capsys, "predict", "pets.safetensors", "twice.csv")
    assert "lacks the column 'b'" in error
    Path("again.csv").write_text(lines.replace("a,a,c,kind", "a,b,c,a"))
    error = refused(capsys, "predict", "pets.safetensors", "again.csv")
    assert "again.csv has more than one column 'a'" in error
    Path("again.csv").write_text(lines.replace("a,a,c,kind", "a,b,c,kind,b,a"))
    error = refused(capsys, "predict", "pets.safetensors", "again.csv")
    assert "again.csv has more than one column 'a'" in error


def test_calibration_by_name(capsys):
    columns = {"kind": KIND, "c": X[:, 2], "b": X[:, 1], "a": X[:, 0]}
    write("other.csv", **columns)
    argv = ["export-c", "pets.safetensors", "--dtype", "int8", "--name", "pets", "--data"]
    first = printed(capsys, *argv, "pets.csv", "--out", "first")
    second = printed(capsys, *argv, "other.csv", "--out", "second")
    assert first.replace("first", "second") == second
    assert Path("first/pets.c").read_bytes() == Path("second/pets.c").read_bytes()


def test_the_name_of_the_target_is_kept(tmp_path):
    net = cr.load("pets.safetensors")
    for copied in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert copied.target_name == "kind"
    net.target_name = None
    net.save(tmp_path / "none")
    assert cr.load(tmp_path / "none").target_name is None
    net.target_name = 3
    with pytest.raises(TypeError, match="target_name is 3, expected text"):
        net.save(tmp_path / "wrong")
