# SPDX-License-Identifier: Apache-2.0
"""Models of tables in the other commands, through pipes, interrupted, as C and as ONNX."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("narwhals")

import pandas
from compiled_c import COMPILERS, load, needs_compiler, outputs
from homes import (
    HOMES,
    ROWS,
    X,
    hard_rows,
    homes_model,
    kinds_model,
    numbers,
    predicted,
    refused,
    train,
)

import chainrule as cr
from chainrule.cli import main
from chainrule.sklearn import TabularRegressor
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


def test_other_commands_say_so(capsys, homes):
    argv = ["explain", homes, "--data", "homes.csv"]
    assert "reads tables with text and missing values, which explain" in refused(capsys, *argv)
    np.save("x.npy", np.zeros((2, 4)))
    assert "x.npy: a table must be .csv" in refused(capsys, "predict", homes, "x.npy")
    assert main(["inspect", homes]) == 0
    text = capsys.readouterr().out
    assert "area (number), town (category of 3), sold (date), street (category of 14)" in text


@needs_compiler
def test_exported_c_predicts_the_same(capsys, kinds):
    rows = hard_rows().drop(columns="street")
    rows.to_csv("hard.csv", index=False)
    expected = numbers(predicted(capsys, kinds, "hard.csv"))
    assert main(["export-c", kinds, "--out", "c", "--data", "kinds.csv"]) == 0
    assert "accuracy" in capsys.readouterr().out
    saved = SavedModel.load(kinds)
    matrix = saved.model.description.matrix(rows.assign(sold=pandas.to_datetime(rows["sold"])))
    library = load(COMPILERS[0], Path("c"), kinds)
    found = outputs(library, kinds, cr.load(kinds), matrix, "predict_proba")
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("name", ["kinds", "homes"])
def test_exported_onnx_predicts_the_same(capsys, name, request):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = request.getfixturevalue(name)
    rows = hard_rows() if name == "homes" else hard_rows().drop(columns="street")
    rows.to_csv("hard.csv", index=False)
    expected = numbers(predicted(capsys, model, "hard.csv"))
    output = ["--output", "probabilities"] if name == "kinds" else []
    assert main(["export-onnx", model, "model.onnx", *output]) == 0
    saved = SavedModel.load(model)
    matrix = saved.model.description.matrix(rows.assign(sold=pandas.to_datetime(rows["sold"])))
    read = matrix
    session = onnxruntime.InferenceSession("model.onnx")
    arrays = read if isinstance(read, list) else [read]
    fed = {
        given.name: np.asarray(array, np.float32)
        for given, array in zip(session.get_inputs(), arrays, strict=True)
    }
    (found,) = session.run(None, fed)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_standard_input(capsys, homes, monkeypatch):
    expected = predicted(capsys, homes, "homes.csv")
    content = gzip.compress(Path("homes.csv").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert predicted(capsys, homes, "-") == expected
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    train(capsys, "-", "--target", "price")
    assert predicted(capsys, "model", "homes.csv") == expected


def test_only_training_needs_scikit_learn(capsys, homes):
    code = "import sys; sys.modules['sklearn'] = None; from chainrule.cli import main; "
    code += "sys.exit(main(sys.argv[1:]))"
    expected = predicted(capsys, homes, "homes.csv")
    argv = [sys.executable, "-c", code]
    done = subprocess.run([*argv, "predict", homes, "homes.csv"], capture_output=True, text=True)
    assert list(csv.reader(done.stdout.splitlines())) == expected
    training = ["train", "--data", "homes.csv", "--target", "price", "-o", "model"]
    done = subprocess.run([*argv, *training], capture_output=True, text=True)
    assert done.returncode == 2
    assert 'chainrule.sklearn needs scikit-learn: pip install "chainrule[sklearn]"' in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_interrupted(default_signals):
    table = pandas.concat([HOMES.drop(columns="street")] * 20)
    table.to_csv("homes.csv", index=False)
    argv = [sys.executable, "-u", "-m", "chainrule", "train", "--data", "homes.csv"]
    options = ["--target", "price", "--budget", "best"]
    with subprocess.Popen([*argv, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        for line in run.stdout:
            if line.startswith(b"epoch 2/"):
                break
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert re.fullmatch(
        r"chainrule: interrupted after \d+ of 2048 epochs; wrote homes.safetensors\n", err.decode()
    )
    known = X.assign(sold=None).drop(columns="street")
    assert TabularRegressor.load("homes.safetensors").predict(known).shape == (ROWS,)
