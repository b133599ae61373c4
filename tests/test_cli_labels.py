# SPDX-License-Identifier: Apache-2.0
"""What ``chainrule train`` takes labels for, classes or numbers, and how it says so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.dataset import read_both
from chainrule.cli.labels import are_classes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 2))
GROUP = (X[:, 0] > 0.4) * 1 + (X[:, 1] > 0.4)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(labels, name="age", path="some.csv"):
    rows = [f"{a:.5f},{b:.5f},{label}" for (a, b), label in zip(X, labels, strict=True)]
    Path(path).write_text("\n".join([f"a,b,{name}", *rows]) + "\n", encoding="utf-8")


def trained(capsys, *options):
    assert main(["train", "--data", "some.csv", "--epochs", "3", *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines(), cr.load("some.safetensors")


def refused(capsys, *argv):
    assert main(list(argv)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_ages(capsys):
    ages = np.clip((50 + 15 * X[:, 0]).astype(int), 17, 90)
    distinct = len(set(ages.tolist()))
    write(ages)
    lines, net = trained(capsys)
    assert lines[1] == (
        f"target 'age': {distinct} distinct whole numbers from 17 to {ages.max()}: regression; "
        "--task classification for classes"
    )
    assert (net.loss.kind, net.outputs, net.class_names) == ("mse", 1, None)
    for option in (["--task", "classification"], ["--loss", "cross_entropy"]):
        lines, net = trained(capsys, *option)
        assert lines[1].endswith(f"from 17 to {ages.max()}: {distinct} classes")
        assert net.class_names == tuple(str(age) for age in sorted(set(ages.tolist())))


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        ([0, 1, 2], 3, None),
        ([1, 2, 3], 3, ("1", "2", "3")),
        ([-1, 1, 1], 2, ("-1", "1")),
        ([1, 0, 0], 2, None),
        ([2, 1, 1], 2, ("1", "2")),
    ],
)
def test_few_numbers_without_gaps_are_classes(capsys, labels, classes, names):
    write(np.array(labels)[GROUP])
    lines, net = trained(capsys)
    assert re.fullmatch(rf"target 'age': .*: {classes} classes; --task regression .*", lines[1])
    assert net.class_names == names
    assert net.outputs == classes
    main(["predict", "some.safetensors", "some.csv", "--labels-only"])
    found = set(capsys.readouterr().out.split()[1:])
    assert found <= {str(label) for label in labels}
    lines, net = trained(capsys, "--task", "regression")
    assert lines[1].endswith(": regression")
    assert (net.loss.kind, net.outputs) == ("mse", 1)


@pytest.mark.parametrize("labels", [[3, 5, 8], [0, 1, 7], [10, 20, 30], [-3, -2, -1], [0, 2, 4]])
def test_numbers_with_gaps_are_a_regression(capsys, labels):
    write(np.array(labels)[GROUP])
    lines, net = trained(capsys)
    assert re.fullmatch(r"target 'age': .*: regression; --task classification .*", lines[1])
    assert net.loss.kind == "mse"
    lines, net = trained(capsys, "--task", "classification")
    assert net.class_names == tuple(map(str, sorted(labels)))
    # Evaluating knows them by their numbers, also where some are missing.
    write(np.array([labels[0], labels[2], labels[2]])[GROUP], path="two.csv")
    assert main(["evaluate", "some.safetensors", "--data", "two.csv"]) == 0
    counts = capsys.readouterr().out.splitlines()[2:]
    assert set("".join(counts[1].split()[1:])) == {"."}
    write(np.array([4711, 1, 1])[GROUP], path="other.csv")
    error = refused(capsys, "evaluate", "some.safetensors", "--data", "other.csv")
    assert "'4711'" in error


def test_many_numbers_are_a_regression():
    assert are_classes(np.arange(300) % 50)
    assert not are_classes(np.arange(300) % 51)
    # Every label only once: a number of the row rather than a class.
    assert not are_classes(np.arange(9))


def test_fractions(capsys):
    write([f"{value:.3f}" for value in X[:, 0]])
    lines, _ = trained(capsys)
    assert re.fullmatch(r"target 'age': numbers from -\S+ to \S+: regression", lines[1])
    error = refused(capsys, "train", "--data", "some.csv", "--task", "classification")
    assert "is no whole number and no text" in error


def test_what_does_not_go_together(capsys):
    write(GROUP)
    for task, loss in (("classification", "mse"), ("regression", "cross_entropy")):
        error = refused(capsys, "train", "--data", "some.csv", "--task", task, "--loss", loss)
        assert f"--task {task} does not go with --loss {loss}" in error
    write(np.array(["a", "b", "c"])[GROUP])
    error = refused(capsys, "train", "--data", "some.csv", "--task", "regression")
    assert "--task regression needs numbers; the labels are a, b, c" in error


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "hinge"])
def test_two_numbers_with_one_output(capsys, loss):
    write(np.array([-1, 1, 1])[GROUP])
    net = trained(capsys, "--loss", loss)[1]
    assert net.outputs == 1
    assert net.class_names == ("-1", "1")
    main(["predict", "some.safetensors", "some.csv", "--labels-only"])
    labels = np.array(capsys.readouterr().out.split()[1:]).astype(int)
    outputs = net.predict(X.astype(np.float32))[:, 0]
    np.testing.assert_array_equal(labels[np.abs(outputs) > 1e-3], np.where(outputs > 0, 1, -1)[
        np.abs(outputs) > 1e-3
    ])  # fmt: skip


def test_spellings_of_yes_and_no(capsys):
    spelt = np.array(["No", "NO ", "no", "Yes", "yes", " YES"])
    write(spelt[(GROUP > 0) * 3 + np.arange(240) % 3])
    lines, net = trained(capsys)
    assert lines[0].endswith("2 classes: no, yes")
    assert net.class_names == ("no", "yes")
    write(np.where(GROUP > 0, "Yes", "No"), path="other.csv")
    for name in ("some.csv", "other.csv"):
        assert main(["evaluate", "some.safetensors", "--data", name]) == 0
        assert "no  yes" in capsys.readouterr().out
    # One spelling each stays as it is.
    write(np.where(GROUP > 0, "True", "False"))
    assert trained(capsys)[1].class_names == ("False", "True")


def test_labels_that_differ_in_case_only(capsys):
    write(np.array(["Cat", "cat", "dog"])[GROUP])
    error = refused(capsys, "train", "--data", "some.csv")
    assert "the labels 'Cat' and 'cat' differ in case only" in error
    net = trained(capsys, "--keep-case")[1]
    assert net.class_names == ("Cat", "cat", "dog")


def test_archives(capsys):
    np.savez("some.npz", x=X, y=np.array([3, 5, 8])[GROUP])
    assert main(["train", "--data", "some.npz", "--epochs", "1"]) == 0
    text = capsys.readouterr().out
    assert "\ntarget: 3 distinct whole numbers from 3 to 8: regression; --task class" in text
    assert main(["train", "--data", "some.npz", "--epochs", "1", "--task", "classification"]) == 0
    assert cr.load("some.safetensors").class_names == ("3", "5", "8")


def test_published_data_have_classes(capsys):
    assert main(["train", "--epochs", "1"]) == 0
    assert "target" not in capsys.readouterr().out
    assert cr.load("digits.safetensors").outputs == 10


def test_class_weights(capsys):
    write(np.array(["a", "b", "c"])[GROUP])
    weighted = trained(capsys, "--class-weight", "b=0,c=0")[1]
    main(["predict", "some.safetensors", "some.csv", "--labels-only"])
    assert set(capsys.readouterr().out.split()[1:]) == {"a"}
    plain = trained(capsys)[1]
    assert not np.array_equal(weighted.get_weights()[-1], plain.get_weights()[-1])
    error = refused(capsys, "train", "--data", "some.csv", "--class-weight", "cow=1")
    assert "cow" in error
    write(GROUP)
    by_number = trained(capsys, "--class-weight", "1=0,2=0")[1]
    for left, right in zip(by_number.get_weights(), weighted.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
    assert "names classes" in refused(
        capsys, "train", "--data", "some.csv", "--class-weight", "b=1"
    )
    write(X[:, 0])
    error = refused(capsys, "train", "--data", "some.csv", "--class-weight", "balanced")
    assert "--class-weight is for classes; the labels are numbers" in error
    for text in ("equal", "a", "a=-1", "a=x", "=1"):
        error = refused(capsys, "train", "--class-weight", text)
        assert "argument --class-weight: expected balanced, or numbers >= 0" in error


@pytest.mark.parametrize("loss", ["cross_entropy", "binary_cross_entropy"])
def test_balanced_class_weights(capsys, loss):
    utils = pytest.importorskip("sklearn.utils.class_weight")
    rare = np.where(X[:, 0] > 1.0, "rare", "usual")
    write(rare)
    balanced = trained(capsys, "--loss", loss, "--class-weight", "balanced")[1]
    kept = read_both("some.csv")[0].y
    weights = utils.compute_class_weight("balanced", classes=np.unique(kept), y=kept)
    assert weights[0] > 2 * weights[1]
    given = f"rare={weights[0]!r},usual={weights[1]!r}".replace("np.float64(", "").replace(")", "")
    explicit = trained(capsys, "--loss", loss, "--class-weight", given)[1]
    for left, right in zip(balanced.get_weights(), explicit.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)
