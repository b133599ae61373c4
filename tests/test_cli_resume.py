# SPDX-License-Identifier: Apache-2.0
"""``chainrule train --resume``, ``--early-stopping`` and ``--metrics``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.network.progress import EpochLines


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def train(*argv, status=0):
    assert main(["train", "--layers", "16", *argv]) == status


def resume(*argv):
    assert main(["train", "--resume", *argv]) == 0


def same(left, right):
    pairs = zip(cr.load(left).get_weights(), cr.load(right).get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.fixture
def interrupted(monkeypatch):
    """A training of six epochs that ended after two."""

    def epoch_end(self, epoch, logs, seconds):
        if epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(EpochLines, "epoch_end", epoch_end)
        train("--epochs", "6", "-o", "part", status=130)


def test_interrupted_training_goes_on_to_the_same_bits(capsys, interrupted):
    train("--epochs", "6", "-o", "whole")
    assert not same("whole", "part")
    capsys.readouterr()
    resume("part")
    lines = capsys.readouterr().out.splitlines()
    # Its schedule is for the epochs that were left, and the model itself is written again.
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == [
        "3/6", "4/6", "5/6", "6/6"
    ]  # fmt: skip
    assert "model written to part" in lines
    assert same("whole", "part")
    assert cr.load("part").history.epochs == [1, 2, 3, 4, 5, 6]


def test_other_output(interrupted):
    before = cr.load("part").get_weights()
    resume("part", "-o", "more", "--epochs", "1")
    assert len(cr.load("more").history.epochs) == 3
    for left, right in zip(before, cr.load("part").get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_finished_training_begins_a_new_schedule():
    train("--epochs", "2", "--learning-rate", "0.002", "-o", "net")
    resume("net", "--epochs", "3")
    net = cr.load("net")
    assert net.history.epochs == [1, 2, 3, 4, 5]
    assert net.optimizer == cr.Adam(cr.schedules.Cosine(0.002, epochs=3))
    assert net.history["learning_rate"][2] > net.history["learning_rate"][1]
    resume("net", "--epochs", "1", "--learning-rate", "0.01", "--schedule", "constant")
    assert cr.load("net").optimizer == cr.Adam(0.01)
    net = cr.load("net")
    net.compile(optimizer=cr.Adam(0.01, beta1=0.8))
    net.save("net")
    # The same optimizer keeps its other options, by whatever name it is called.
    resume("net", "--epochs", "1", "--optimizer", "Adam", "--schedule", "constant")
    assert cr.load("net").optimizer == cr.Adam(0.01, beta1=0.8)
    resume("net", "--epochs", "1", "--optimizer", "sgd", "--schedule", "constant")
    assert cr.load("net").optimizer == cr.SGD()


@pytest.mark.parametrize(
    "option", ["--layers 3", "--activation tanh", "--dropout 0.1", "--seed 1", "--task regression"]
)
def test_options_of_a_new_network(capsys, option):
    train("--epochs", "1", "-o", "net")
    before = cr.load("net").history.epochs
    assert main(["train", "--resume", "net", *option.split()]) == 2
    expected = f"{option.split()[0]} is for a new network; --resume goes on with a trained one"
    assert expected in capsys.readouterr().err
    assert cr.load("net").history.epochs == before


def test_model_that_does_not_fit(capsys):
    train("--epochs", "1", "-o", "net")
    np.savez("three.npz", x=np.zeros((50, 3)), y=np.arange(50) % 2)
    assert main(["train", "--resume", "net", "--data", "three.npz"]) == 2
    assert "3 columns; the network expects 64" in capsys.readouterr().err
    assert main(["train", "--resume", "none"]) == 2
    assert "none: No such file or directory" in capsys.readouterr().err


def test_early_stopping(capsys):
    rng = np.random.default_rng(0)
    # Nothing can be learnt here, so the loss of other rows only rises.
    np.savez("noise.npz", x=rng.normal(size=(200, 5)), y=rng.integers(0, 2, 200))
    train("--data", "noise.npz", "--early-stopping", "2", "--epochs", "500", "-o", "net")
    net = cr.load("net")
    losses = net.history["val_loss"]
    assert 3 <= len(losses) < 500
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 2
    train("--data", "noise.npz", "--epochs", "1", "--early-stopping", "--validation-split", "0.3")
    assert main(["train", "--early-stopping", "--validation-split", "0"]) == 2
    assert "--early-stopping needs rows to measure" in capsys.readouterr().err


def test_metrics(capsys):
    train("--epochs", "1", "--metrics", "top_k, f1", "-o", "net")
    text = capsys.readouterr().out
    line = next(line for line in text.splitlines() if line.startswith("test"))
    assert line.split()[1::2] == ["loss", "top_k", "f1"]
    assert "predicted" not in text
    assert main(["evaluate", "net", "--data", "digits", "--metrics", "accuracy"]) == 0
    assert capsys.readouterr().out.split()[2::2] == ["loss", "accuracy"]
    assert main(["train", "--metrics", "nonsense"]) == 2
    assert "unknown metric 'nonsense'" in capsys.readouterr().err
    assert main(["train", "--metrics", "f1,"]) == 2
    assert "expected names between commas" in capsys.readouterr().err


def test_model_of_python_learns_the_names(capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    kind = np.array(["cat", "dog"])[(x[:, 0] > 0) * 1]
    rows = "".join(f"{a},{b},{k}\n" for (a, b), k in zip(x, kind, strict=True))
    Path("pets.csv").write_text("a,b,kind\n" + rows)
    net = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0)
    net.save("net")
    assert main(["train", "--resume", "net", "--data", "pets.csv"]) == 2
    assert "net was never trained; --loss says for what to train" in capsys.readouterr().err
    resume("net", "--data", "pets.csv", "--loss", "cross_entropy", "--epochs", "30")
    net = cr.load("net")
    assert net.feature_names == ("a", "b")
    assert net.class_names == ("cat", "dog")
    assert net.target_name == "kind"
    assert net.history["loss"][-1] < net.history["loss"][0]
