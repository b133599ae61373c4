# SPDX-License-Identifier: Apache-2.0
"""``chainrule predict``: its CSV holds what the network gives, to the last bit."""

from __future__ import annotations

import csv
import gzip
import io

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main

X = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    np.savetxt("x.csv", X, delimiter=",", fmt="%.17g")
    np.savetxt("named.csv", X, delimiter=",", fmt="%.17g", header="a,b,c", comments="")
    with gzip.open("x.csv.gz", "wb") as file:
        file.write((tmp_path / "x.csv").read_bytes())
    return tmp_path


def trained(loss, y, outputs, dtype="float32"):
    net = cr.Sequential([cr.Dense(outputs)], seed=0, dtype=dtype)
    net.fit(X, y, loss=loss, epochs=2, verbose=0)
    net.save("model.safetensors")
    return net


def predicted(capsys, *argv):
    assert main(["predict", "model.safetensors", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    rows = list(csv.reader(io.StringIO(captured.out)))
    return rows[0], np.array(rows[1:])


@pytest.mark.parametrize("name", ["x.npy", "x.csv", "x.csv.gz", "named.csv"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_classes(capsys, name, dtype):
    net = trained("cross_entropy", np.arange(50) % 4, 4, dtype)
    header, rows = predicted(capsys, name)
    assert header == ["label", *(f"probability_{j}" for j in range(4))]
    probabilities = rows[:, 1:].astype(dtype)
    np.testing.assert_array_equal(probabilities, net.predict_proba(X))
    np.testing.assert_array_equal(rows[:, 0].astype(int), probabilities.argmax(axis=1))


def test_binary(capsys):
    net = trained("binary_cross_entropy", X[:, 0] > 0, 1)
    header, rows = predicted(capsys, "x.npy")
    assert header == ["label", "probability"]
    np.testing.assert_array_equal(rows[:, 1].astype(np.float32), net.predict_proba(X)[:, 0])
    np.testing.assert_array_equal(rows[:, 0] == "1", net.predict(X)[:, 0] >= 0)
    assert set(rows[:, 0]) == {"0", "1"}


def test_several_binary(capsys):
    net = trained("binary_cross_entropy", X[:, :2] > 0, 2)
    header, rows = predicted(capsys, "x.npy")
    assert header == ["probability_0", "probability_1"]
    np.testing.assert_array_equal(rows.astype(np.float32), net.predict_proba(X))


@pytest.mark.parametrize("outputs", [1, 2])
def test_numbers(capsys, outputs):
    net = trained("mse", X[:, :outputs], outputs)
    header, rows = predicted(capsys, "x.npy")
    assert header == (["output"] if outputs == 1 else ["output_0", "output_1"])
    np.testing.assert_array_equal(rows.astype(np.float32), net.predict(X))


def test_poisson_predicts_the_mean(capsys):
    net = trained("poisson", np.abs(X[:, :1]), 1)
    _, rows = predicted(capsys, "x.npy")
    np.testing.assert_allclose(
        rows[:, 0].astype(np.float32), np.exp(net.predict(X)[:, 0]), rtol=1e-6
    )


def test_untrained(capsys):
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    net.save("model.safetensors")
    header, rows = predicted(capsys, "x.npy")
    assert header == ["output_0", "output_1"]
    np.testing.assert_array_equal(rows.astype(np.float32), net.predict(X))


def test_output_file(capsys, folder):
    trained("mse", X[:, :1], 1)
    assert main(["predict", "model.safetensors", "x.npy"]) == 0
    shown = capsys.readouterr().out
    assert main(["predict", "model.safetensors", "x.npy", "-o", "out.csv", "--threads", "1"]) == 0
    assert capsys.readouterr().out == ""
    assert (folder / "out.csv").read_text() == shown
    assert sum(path.name.startswith(".") for path in folder.iterdir()) == 0


def test_more_rows_than_a_part(capsys):
    net = trained("mse", X[:, :1], 1)
    x = np.random.default_rng(1).normal(size=(5000, 3)).astype(np.float32)
    np.save("many.npy", x)
    _, rows = predicted(capsys, "many.npy")
    np.testing.assert_array_equal(rows.astype(np.float32), net.predict(x))


def test_header(capsys):
    trained("mse", X[:, :1], 1)
    assert len(predicted(capsys, "x.csv", "--header", "yes")[1]) == 49
    assert main(["predict", "model.safetensors", "named.csv", "--header", "no"]) == 2
    assert "named.csv, line 1, column 1: 'a' is not a number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.array([[1.0, np.nan, 2.0]]), "row 0, column 1"),
        (np.zeros((4, 3), complex), "x is complex"),
        (np.zeros((0, 3)), "empty"),
    ],
)
def test_bad_rows(capsys, folder, x, text):
    trained("mse", X[:, :1], 1)
    np.save("bad.npy", x)
    assert main(["predict", "model.safetensors", "bad.npy", "-o", "out.csv"]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (folder / "out.csv").exists()


def test_hinge(capsys):
    net = trained("hinge", np.where(X[:, 0] > 0, 1, -1), 1)
    # Without names it is unknown whether the classes were 0 and 1 or -1 and 1.
    header, rows = predicted(capsys, "x.npy")
    assert header == ["output"]
    np.testing.assert_array_equal(rows.astype(np.float32), net.predict(X))
    net.class_names = ("left", "right")
    net.save("model.safetensors")
    header, rows = predicted(capsys, "x.npy")
    assert header == ["label", "output"]
    np.testing.assert_array_equal(rows[:, 0] == "right", net.predict(X)[:, 0] >= 0)
