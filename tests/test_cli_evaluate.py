# SPDX-License-Identifier: Apache-2.0
"""``chainrule evaluate``, against metrics computed from predictions by plain NumPy."""

from __future__ import annotations

import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.report import confusion_text


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluate")
    x, y = cr.data.load_digits()
    net = cr.Sequential([cr.Dense(16, activation="relu"), cr.Dense(10)], seed=0)
    net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
    net.save(folder / "digits.safetensors")

    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32)
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, x[:, 0], loss="mse", optimizer=cr.Adam(0.05), epochs=5, verbose=0)
    net.save(folder / "line.safetensors")
    np.savez(folder / "line.npz", x=x, y=x[:, 0])
    names = np.array(["a", "b"])[(x[:, 0] > 0) * 1]
    np.savez(folder / "names.npz", x=x, y=names)
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(x, x[:, 0] > 0, loss="binary_cross_entropy", verbose=0)
    net.save(folder / "binary.safetensors")
    net.fit(x, np.column_stack([x[:, 0] > 0] * 1), loss="hinge", verbose=0)
    net.save(folder / "hinge.safetensors")
    cr.Sequential([cr.Input(3), cr.Dense(2)]).save(folder / "untrained.safetensors")
    return folder


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def printed(capsys, *argv):
    assert main(["evaluate", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def number(text, name):
    return float(re.search(rf"\b{name} (\S+)", text)[1])


@pytest.mark.parametrize(("part", "rows"), [("train", 1437), ("test", 360), ("all", 1797)])
def test_parts(capsys, part, rows):
    text = printed(capsys, "digits.safetensors", "--data", "digits", "--part", part)
    assert text.startswith(f"{rows} rows  loss ")


def test_classes(capsys):
    text = printed(capsys, "digits.safetensors", "--data", "digits", "--part", "all")
    x, y = cr.data.load_digits()
    logits = cr.load("digits.safetensors").predict(x).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    assert number(text, "loss") == pytest.approx(losses.mean(), abs=1e-4)
    assert number(text, "accuracy") == pytest.approx((logits.argmax(axis=1) == y).mean(), abs=1e-4)
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (y, logits.argmax(axis=1)), 1)
    cells = [line.split()[1:] for line in text.splitlines()[2:]]
    assert [[int(c.replace(".", "0")) for c in row] for row in cells] == matrix.tolist()


def test_several_labels_at_once(capsys):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3)).astype(np.float32)
    y = (x[:, :2] > 0.3).astype(np.float32)
    net = cr.Sequential([cr.Dense(2)], seed=0)
    net.fit(x, y, loss="binary_cross_entropy", verbose=0)
    net.save("labels.safetensors")
    np.savez("labels.npz", x=x, y=y)
    text = printed(capsys, "labels.safetensors", "--data", "labels.npz", "--part", "all")
    right = (net.predict(x) > 0) == (y > 0)
    assert 0.1 < right.mean() < 0.9
    assert len(text.splitlines()) == 1
    assert number(text, "accuracy") == pytest.approx(right.mean(), abs=1e-4)


def test_default_part_of_named_data_is_test(capsys):
    text = printed(capsys, "digits.safetensors", "--data", "digits")
    assert text.startswith("360 rows")


def test_numbers(capsys):
    text = printed(capsys, "line.safetensors", "--data", "line.npz")
    assert text.startswith("100 rows")
    assert text.count("\n") == 1
    with np.load("line.npz") as archive:
        x, y = archive["x"], archive["y"].astype(np.float64)
    error = cr.load("line.safetensors").predict(x)[:, 0] - y
    assert number(text, "mse") == pytest.approx((error**2).mean(), abs=1e-4)
    assert number(text, "mae") == pytest.approx(np.abs(error).mean(), abs=1e-4)
    assert number(text, "r2") == pytest.approx(1 - (error**2).mean() / y.var(), abs=1e-4)


def test_binary(capsys):
    text = printed(capsys, "binary.safetensors", "--data", "names.npz")
    with np.load("names.npz") as archive:
        x, y = archive["x"], archive["y"] == "b"
    accuracy = ((cr.load("binary.safetensors").predict(x)[:, 0] > 0) == y).mean()
    assert number(text, "accuracy") == pytest.approx(accuracy, abs=1e-4)
    assert text.splitlines()[1].split() == ["true", "\\", "predicted", "a", "b"]


def test_loss_alone(capsys):
    assert printed(capsys, "hinge.safetensors", "--data", "names.npz").split()[2::2] == ["loss"]


@pytest.mark.parametrize(
    ("model", "data", "text"),
    [
        ("untrained.safetensors", "line.npz", "the network has no loss; it was never trained"),
        ("line.safetensors", "names.npz", "has 2 classes, but line.safetensors predicts numbers"),
        ("digits.safetensors", "names.npz", "has 2 classes, but digits.safetensors knows 10"),
        ("binary.safetensors", "line.npz", "is not a target of binary_cross_entropy"),
    ],
)
def test_data_that_do_not_fit(capsys, model, data, text):
    assert main(["evaluate", model, "--data", data]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1


def test_long_class_names_are_cut():
    lines = confusion_text(np.array([[10, 0], [3, 4]]), ["a" * 30, "b"]).splitlines()
    assert lines == [
        "true \\ predicted  aaaaaaaaaaaa  b",
        "    aaaaaaaaaaaa            10  .",
        "               b             3  4",
    ]


def test_many_classes_without_confusion():
    assert confusion_text(np.eye(25, dtype=int)) == "no confusions of 25 classes"
