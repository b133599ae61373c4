# SPDX-License-Identifier: Apache-2.0
"""The commands on models of several inputs or outputs, or of outputs with positions."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main

X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
KINDS = np.array(["a", "b", "c,d"])[np.arange(40) % 3]
OPTIONS = {"epochs": 2, "verbose": 0}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", X)
    rows = np.column_stack([X, np.arange(40) % 2])
    np.savetxt("rows.csv", rows, delimiter=",", fmt="%.9g")


def two_outputs():
    x = cr.Input(3, name="x")
    h = cr.Dense(8, activation="tanh")(x)
    outputs = {"kind": cr.Dense(3)(h), "size": cr.Dense(1)(h), "both": cr.Dense(1)(h)}
    return cr.Network(x, outputs, seed=0)


def trained():
    net = two_outputs()
    y = {"kind": KINDS, "size": X[:, 0], "both": X[:, 1] > 0}
    loss = {"kind": "cross_entropy", "size": "mse", "both": "binary_cross_entropy"}
    net.fit(X, y, loss=loss, **OPTIONS)
    net.save("model.safetensors")
    return net


def predicted(capsys, *options):
    assert main(["predict", "model.safetensors", "x.npy", *options]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    header, *rows = csv.reader(io.StringIO(captured.out))
    return header, np.array(rows)


def refused(capsys, *arguments):
    assert main([*arguments]) == 2
    return capsys.readouterr().err


def test_predictions_of_each_output(capsys):
    net = trained()
    header, rows = predicted(capsys)
    names = ["a", "b", "c,d"]
    assert header == [
        "kind_label",
        *(f"kind_probability_{name}" for name in names),
        "size_output",
        "both_label",
        "both_probability",
    ]
    z = net.predict(X)
    e = np.exp(z["kind"].astype(np.float64))
    np.testing.assert_allclose(
        rows[:, 1:4].astype(float), e / e.sum(axis=1, keepdims=True), rtol=1e-5
    )
    np.testing.assert_array_equal(rows[:, 0], np.array(names)[z["kind"].argmax(axis=1)])
    np.testing.assert_array_equal(rows[:, 4].astype(np.float32), z["size"][:, 0])
    np.testing.assert_array_equal(rows[:, 5] == "1", z["both"][:, 0] >= 0)
    p = 1 / (1 + np.exp(-z["both"][:, 0].astype(np.float64)))
    np.testing.assert_allclose(rows[:, 6].astype(float), p, rtol=1e-5)
    header, numbered = predicted(capsys, "--numbers")
    assert header[:2] == ["kind_label", "kind_probability_0"]
    np.testing.assert_array_equal(numbered[:, 0].astype(int), z["kind"].argmax(axis=1))
    text = refused(capsys, "predict", "model.safetensors", "x.npy", "--labels-only")
    assert "output 'size' of model.safetensors predicts numbers" in text


def test_labels_alone_where_all_outputs_have_some(capsys):
    x = cr.Input(3, name="x")
    net = cr.Network(x, {"p": cr.Dense(2)(x), "q": cr.Dense(4)(x)}, seed=0)
    y = {"p": np.arange(40) % 2, "q": np.arange(40) % 4}
    net.fit(X, y, loss="cross_entropy", **OPTIONS)
    net.save("model.safetensors")
    header, rows = predicted(capsys, "--labels-only")
    assert header == ["p_label", "q_label"]
    for column, part in zip(rows.T, net.predict(X).values(), strict=True):
        np.testing.assert_array_equal(column.astype(int), part.argmax(axis=1))


def test_a_model_that_was_never_trained(capsys):
    net = two_outputs()
    net.save("model.safetensors")
    header, rows = predicted(capsys)
    assert header == [*(f"kind_output_{j}" for j in range(3)), "size_output", "both_output"]
    expected = np.hstack([*net.predict(X).values()])
    np.testing.assert_array_equal(rows.astype(np.float32), expected)


@pytest.mark.parametrize(("loss", "head"), [("mse", "output"), ("cross_entropy", "probability")])
def test_positions_stand_side_by_side(capsys, loss, head):
    x = np.random.default_rng(1).normal(size=(40, 2, 3)).astype(np.float32)
    np.save("x.npy", x)
    steps = cr.Input((2, 3))
    net = cr.Network(steps, cr.Dense(3)(steps), seed=0)
    y = x if loss == "mse" else x.argmax(axis=2)
    net.fit(x, y, loss=loss, **OPTIONS)
    net.save("model.safetensors")
    header, rows = predicted(capsys)
    assert header == [f"{step}_{head}_{j}" for step in range(2) for j in range(3)]
    expected = net.predict(x) if loss == "mse" else net.predict_proba(x)
    np.testing.assert_array_equal(rows.astype(np.float32), expected.reshape(40, 6))


COMMANDS = (
    ("evaluate", "model.safetensors", "--data", "rows.csv"),
    ("explain", "model.safetensors", "--data", "rows.csv"),
    ("export-c", "model.safetensors", "--out", "c", "--data", "rows.csv"),
    ("quantize", "model.safetensors", "--out", "small.safetensors", "--data", "rows.csv"),
    ("train", "--data", "rows.csv", "--resume", "model.safetensors"),
    ("bench", "model.safetensors"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=[command[0] for command in COMMANDS])
def test_labels_of_several_outputs_are_refused(capsys, command, tmp_path):
    trained()
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    text = refused(capsys, *command)
    assert "model.safetensors has several outputs (kind, size, both), which files of" in text
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    "command",
    [("predict", "model.safetensors", "x.npy"), *COMMANDS],
    ids=["predict", *(command[0] for command in COMMANDS)],
)
def test_several_inputs_are_refused(capsys, command):
    left, right = cr.Input(2, name="left"), cr.Input(1, name="right")
    joined = cr.Concatenate()([left, right])
    net = cr.Network([left, right], cr.Dense(1)(joined), seed=0)
    net.fit([X[:, :2], X[:, 2:]], X[:, 0], loss="mse", **OPTIONS)
    net.save("model.safetensors")
    assert "model.safetensors has several inputs (left, right), which" in refused(capsys, *command)


def test_rows_without_labels_calibrate_each_output(capsys, tmp_path):
    trained()
    command = ("export-c", "model.safetensors", "--out", "c", "--data", "x.npy")
    assert main([*command, "--dtype", "int8"]) == 0
    assert "difference" in capsys.readouterr().out
    assert (tmp_path / "c" / "model.c").exists()


def arrays(path="data.npz", **changed):
    y = {"kind": KINDS, "size": X[:, 0], "both": X[:, 1] > 0}
    given = {"x": X, **y, **changed}
    np.savez(path, **{name: value for name, value in given.items() if value is not None})


def figures(line):
    words = line.split("  ")[1:]
    return {name: float(value) for name, value in (word.split() for word in words)}


def test_an_archive_has_the_labels_of_each_output(capsys):
    net = trained()
    arrays()
    assert main(["evaluate", "model.safetensors", "--data", "data.npz"]) == 0
    line, *rest = capsys.readouterr().out.splitlines()
    assert line.startswith("40 rows  ")
    found = figures(line)
    z = {name: each.astype(np.float64) for name, each in net.predict(X).items()}
    kinds = np.arange(40) % 3
    logs = z["kind"] - np.log(np.exp(z["kind"]).sum(axis=1, keepdims=True))
    wrong = z["size"][:, 0] - X[:, 0]
    expected = {
        "kind_loss": -logs[np.arange(40), kinds].mean(),
        "kind_accuracy": (z["kind"].argmax(axis=1) == kinds).mean(),
        "size_mae": np.abs(wrong).mean(),
        "both_accuracy": ((z["both"][:, 0] > 0) == (X[:, 1] > 0)).mean(),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3), name
    assert rest[0] == "kind:"
    assert rest[1].split()[-3:] == ["a", "b", "c,d"]
    assert "both:" in rest
    counts = [main(["evaluate", "model.safetensors", "--data", "data.npz", "--part", part])
              for part in ("train", "test")]  # fmt: skip
    assert counts == [0, 0]
    assert [line[:8] for line in capsys.readouterr().out.splitlines() if " rows" in line] == [
        "32 rows ", "8 rows  "
    ]  # fmt: skip


def test_an_archive_measures_small_weights_and_c(capsys):
    trained()
    arrays()
    command = ["quantize", "model.safetensors", "--out", "small.safetensors", "--data", "data.npz"]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:-1]] == [
        "loss", "kind_loss", "size_loss", "both_loss", "kind_accuracy", "both_accuracy",
    ]  # fmt: skip
    command = ["export-c", "model.safetensors", "--out", "c", "--data", "data.npz"]
    assert main([*command, "--dtype", "int8"]) == 0
    assert "kind_accuracy" in capsys.readouterr().out


def test_an_archive_has_the_rows_of_each_input(capsys):
    left, right = cr.Input(2, name="left"), cr.Input(1, name="right")
    net = cr.Network([left, right], cr.Dense(1)(cr.Concatenate()([left, right])), seed=0)
    x = {"left": X[:, :2], "right": X[:, 2:]}
    net.fit(x, X[:, 0], loss="mse", **OPTIONS)
    net.save("model.safetensors")
    arrays(x=None, **x, y=X[:, 0])
    assert main(["evaluate", "model.safetensors", "--data", "data.npz"]) == 0
    found = figures(capsys.readouterr().out)
    expected = np.mean((net.predict(x)[:, 0].astype(np.float64) - X[:, 0]) ** 2)
    assert found["mse"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("command", ["evaluate", "quantize", "export-c"])
def test_archives_that_do_not_fit_are_refused(capsys, command):
    trained()
    given = [command, "model.safetensors", "--data", "data.npz"]
    given += [] if command == "evaluate" else ["--out", "made"]
    arrays(size=None)
    assert "unknown array 'size'" in refused(capsys, *given)
    arrays(both=np.ones(39))
    assert "'both' has the shape (39,), 'x' (40, 3)" in refused(capsys, *given)
    arrays(x=None)
    assert "unknown array 'x'" in refused(capsys, *given)
    arrays()
    assert "--drop is for CSV files" in refused(capsys, *given, "--drop", "0")
