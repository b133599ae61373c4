# SPDX-License-Identifier: Apache-2.0
"""What users of other programs reported of their command lines and column names, tried here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.network.progress import EpochLines

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2)) * [1.0, 100.0]
Y = X[:, 0] + X[:, 1] / 200


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{a:.5f},{b:.5f},{y:.5f}" for (a, b), y in zip(X, Y, strict=True)]
    Path("mine.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    return tmp_path


def train(*argv):
    return main(["train", "--quiet", "--epochs", "3", "--data", "mine.csv", *argv])


@pytest.mark.parametrize("name", ["mine.csv", "./mine.csv"])
def test_output_that_is_the_input(capsys, name):
    """rspeer/python-ftfy#78 and facebook/zstd#1422: the input is emptied before it is read."""
    before = Path("mine.csv").read_bytes()
    assert train("-o", name) == 2
    assert "to read and to write" in capsys.readouterr().err
    assert train("-o", "net") == 0
    assert main(["predict", "net", "mine.csv", "-o", name]) == 2
    assert Path("mine.csv").read_bytes() == before


def test_output_appended_to_the_input():
    """BurntSushi/xsv#92: the standard output goes to the file that is read."""
    assert train("-o", "net") == 0
    np.savetxt("new.csv", X, delimiter=",")
    before = Path("new.csv").read_bytes()
    with Path("new.csv").open("ab") as file:
        command = [sys.executable, "-m", "chainrule", "predict", "net", "new.csv"]
        assert subprocess.run(command, stdout=file, stderr=subprocess.PIPE).returncode == 2
    assert Path("new.csv").read_bytes() == before


def test_columns_in_another_order(capsys):
    """lightgbm-org/LightGBM#4102 and dmlc/xgboost#8357: other predictions without a word."""
    assert train("-o", "net") == 0
    capsys.readouterr()
    rows = [f"{b:.5f},{a:.5f}" for a, b in X]
    Path("swapped.csv").write_text("\n".join(["b,a", *rows]) + "\n")
    assert main(["predict", "net", "mine.csv"]) == 0
    usual = capsys.readouterr().out
    assert main(["predict", "net", "swapped.csv"]) == 0
    assert capsys.readouterr().out == usual
    Path("renamed.csv").write_text("\n".join(["b,c", *rows]) + "\n")
    assert main(["predict", "net", "renamed.csv"]) == 2
    assert "lacks the column 'a'" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp1252", "cp949", "ascii"])
def test_console_that_cannot_show_a_name(encoding):
    """peteromallet/desloppify#41: the run is lost because its last line cannot be printed."""
    rows = [f"{a:.5f},{'⏳' if y > 0 else 'é'}" for (a, _), y in zip(X, Y, strict=True)]
    Path("names.csv").write_text("a,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "chainrule", "train", "--data", "names.csv", "--epochs", "1"]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u23f3" in done.stdout
    assert cr.load("names.safetensors").class_names == ("é", "⏳")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_model_is_kept_at_sigterm(monkeypatch, default_signals):
    """blue-oil/blueoil#315: what was learnt is lost when a scheduler ends the process."""

    def epoch_end(self, epoch, logs, seconds):
        if epoch == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(EpochLines, "epoch_end", epoch_end)
    assert main(["train", "--data", "mine.csv", "--epochs", "50"]) == 128 + signal.SIGTERM
    assert cr.load("mine.safetensors").history.epochs == [1, 2]
