# SPDX-License-Identifier: Apache-2.0
"""``chainrule export-c``: the files and the report that `export_c` gives."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def digits_model():
    x, y = cr.data.load_digits()
    layers = [cr.Rescaling(1 / 16), cr.Dense(16, activation="relu"), cr.Dense(10)]
    net = cr.Sequential(layers, seed=0)
    net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    net.save("digits.safetensors")
    return net


def printed(capsys, *argv):
    assert main(["export-c", *argv]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_float(capsys, folder):
    net = digits_model()
    report = printed(capsys, "digits.safetensors", "--out", "c").splitlines()
    assert report[0] == "files      c/digits.h, c/digits.c, c/digits_test.c"
    assert [line.split()[0] for line in report] == ["files", "constants", "scratch", "difference"]
    cr.export_c(net, folder / "expected", name="digits")
    assert contents(folder / "c") == contents(folder / "expected")


def test_streaming(capsys, folder):
    x = cr.Input((5, 2))
    net = cr.Network(x, cr.GRU(3, return_sequences=True)(x), seed=0)
    net.save("gru.safetensors")
    printed(capsys, "gru.safetensors", "--out", "c", "--streaming")
    cr.export_c(cr.load("gru.safetensors"), folder / "expected", name="gru", streaming=True)
    assert contents(folder / "c") == contents(folder / "expected")
    assert "void gru_step(gru_state* state," in (folder / "c" / "gru.h").read_text()


def test_int8(capsys, folder):
    net = digits_model()
    argv = ["digits.safetensors", "--out", "c", "--dtype", "int8", "--data", "digits"]
    report = printed(capsys, *argv, "--name", "small")
    x, _ = cr.data.load_digits()
    (x_train, _), (x_test, y_test) = split_by_train()
    assert len(x_train) + len(x_test) == len(x)
    result = cr.export_c(
        net,
        folder / "expected",
        name="small",
        dtype="int8",
        calibration=x_train,
        validation_data=(x_test, y_test),
    )
    assert contents(folder / "c") == contents(folder / "expected")
    before, after = result.before["accuracy"], result.after["accuracy"]
    assert f"accuracy   {before:.4f} before, {after:.4f} after" in report
    assert 0.85 < before < 1


def split_by_train():
    from chainrule.cli.dataset import read_both

    train, test = read_both("digits")
    return (train.x, train.y), (test.x, test.y)


def test_rows_without_labels(capsys, folder, rng):
    net = digits_model()
    x = rng.integers(0, 17, size=(100, 64), dtype=np.uint8)
    np.save("rows.npy", x)
    argv = ["digits.safetensors", "--out", "c", "--dtype", "int8", "--data", "rows.npy"]
    assert "accuracy" not in printed(capsys, *argv)
    cr.export_c(net, folder / "expected", name="digits", dtype="int8", calibration=x)
    assert contents(folder / "c") == contents(folder / "expected")


def test_regression_from_a_table(capsys, folder, rng):
    x = rng.normal(size=(100, 3))
    table = np.column_stack([x, x.sum(axis=1)])
    np.savetxt("sum.csv", table, delimiter=",", header="a,b,c,sum", comments="")
    net = cr.Sequential([cr.Dense(8, activation="tanh"), cr.Dense(1)], seed=0)
    net.fit(x, x.sum(axis=1), loss="mse", epochs=5, verbose=0)
    net.save("sum.safetensors")
    argv = ["sum.safetensors", "--out", "c", "--dtype", "int8", "--data", "sum.csv"]
    report = printed(capsys, *argv, "--label", "sum")
    lines = dict(line.split(maxsplit=1) for line in report.splitlines())
    assert "before" in lines["loss"]
    assert lines["in"] == "float   layer 0 (tanh)"


def test_a_network_without_a_loss(capsys):
    cr.Sequential([cr.Input(64), cr.Dense(2)], seed=0).save("net.safetensors")
    argv = ["net.safetensors", "--out", "c", "--dtype", "int8", "--data", "digits"]
    assert "before" not in printed(capsys, *argv)
