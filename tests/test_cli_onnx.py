# SPDX-License-Identifier: Apache-2.0
"""``chainrule export-onnx`` and ``chainrule import-onnx``."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.interop import onnx_check


@pytest.fixture
def model(tmp_path, monkeypatch):
    """Return a trained network whose file is net.safetensors, in the working folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    layers = [cr.Rescaling(1 / 255), cr.Dense(4, activation="silu"), cr.Dense(3)]
    net = cr.Sequential(layers, seed=0)
    net.fit(rng.integers(0, 256, (60, 5)), np.arange(60) % 3, loss="cross_entropy", verbose=0)
    net.save("net.safetensors")
    return net


def test_there_and_back(model, tmp_path, capsys):
    assert main(["export-onnx", "net.safetensors", "net.onnx"]) == 0
    size = (tmp_path / "net.onnx").stat().st_size
    assert capsys.readouterr().out.startswith(f"net.onnx: {size:,} bytes; ")
    assert main(["import-onnx", "net.onnx", "again.safetensors"]) == 0
    assert "Dense(4, activation='silu')" in capsys.readouterr().out
    x = np.arange(20.0).reshape(4, 5)
    np.testing.assert_array_equal(cr.load("again.safetensors").predict(x), model.predict(x))


def test_options(model, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    command = ["export-onnx", "net.safetensors", "net.onnx", "--opset", "20"]
    assert main([*command, "--output", "probabilities", "--input-dtype", "uint8"]) == 0
    assert "onnxruntime differs by at most " in capsys.readouterr().out
    x = np.arange(20, dtype=np.uint8).reshape(4, 5)
    outputs = onnx_check.onnxruntime_outputs((tmp_path / "net.onnx").read_bytes(), x)
    np.testing.assert_allclose(outputs, model.predict_proba(x), rtol=1e-5)
    assert main([*command, "--no-check"]) == 0
    assert "not compared with onnxruntime" in capsys.readouterr().out


def test_import_of_a_named_output(model, capsys):
    assert main(["export-onnx", "net.safetensors", "net.onnx"]) == 0
    assert main(["import-onnx", "net.onnx", "again.safetensors", "--output", "y"]) == 0
    assert main(["import-onnx", "net.onnx", "again.safetensors", "--output", "z"]) == 2
    assert "unknown output 'z'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["export-onnx", "net.safetensors"], "the following arguments are required: ONNX"),
        (["export-onnx", "none.safetensors", "net.onnx"], "none.safetensors: No such file"),
        (["export-onnx", "net.safetensors", "none/net.onnx"], "none: no such folder"),
        (
            ["export-onnx", "net.safetensors", "net.onnx", "--opset", "9"],
            "opset must lie in 13..23",
        ),
        (["import-onnx", "none.onnx", "again.safetensors"], "none.onnx: No such file"),
        (["import-onnx", "net.safetensors", "again.safetensors"], "net.safetensors: "),
    ],
)
def test_errors(model, tmp_path, capsys, argv, text):
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_a_failed_check(model, tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxruntime")
    genuine = onnx_check.onnxruntime_outputs
    monkeypatch.setattr(
        onnx_check, "onnxruntime_outputs", lambda content, rows: genuine(content, rows) + 1
    )
    assert main(["export-onnx", "net.safetensors", "net.onnx"]) == 1
    assert "no file was written" in capsys.readouterr().err
    assert not (tmp_path / "net.onnx").exists()
