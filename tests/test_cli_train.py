# SPDX-License-Identifier: Apache-2.0
"""``chainrule train``: what it prints, writes and learns, for every kind of data."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core
from chainrule.cli import main
from chainrule.network.progress import EpochLines


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def blobs():
    """Three overlapping clouds of points, and their numbers."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    x = rng.normal(size=(300, 4)) + 2.0 * y[:, None]
    return x.astype(np.float32), y


def printed(capsys, *argv, status=0):
    assert main(["train", *argv]) == status
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def number(text, name):
    found = re.search(rf"^test .*\b{name} (\S+)", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def write_csv(name, x, y, header=None):
    lines = [] if header is None else [header]
    lines += [",".join([*map(str, row), str(label)]) for row, label in zip(x, y, strict=True)]
    Path(name).write_text("\n".join(lines) + "\n")


def test_without_arguments(capsys, folder):
    text = printed(capsys)
    lines = text.splitlines()
    assert lines[0] == "digits: 1437 rows to train on, 360 to test on, 64 features"
    assert sum(line.startswith("epoch ") for line in lines) == 20
    accuracy = number(text, "accuracy")
    assert accuracy >= 0.96
    start = next(i for i, line in enumerate(lines) if line.lstrip().startswith("true"))
    rows = [line.split() for line in lines[start + 1 : start + 11]]
    assert [row[0] for row in rows] == list("0123456789")
    matrix = np.array([[int(cell.replace(".", "0")) for cell in row[1:]] for row in rows])
    assert matrix.sum() == 360
    assert matrix.trace() / 360 == pytest.approx(accuracy, abs=1e-4)
    assert lines[-2:] == [
        "model written to digits.safetensors",
        "next: chainrule evaluate digits.safetensors --data digits",
    ]
    assert [path.name for path in folder.iterdir()] == ["digits.safetensors"]


@pytest.mark.parametrize("kind", _core.Optimizer.kinds())
def test_every_optimizer_is_there_by_its_name(capsys, folder, kind):
    printed(capsys, *f"--layers 8 --optimizer {kind} --epochs 1 -o mine.safetensors".split())
    assert type(cr.load("mine.safetensors").optimizer) is type(cr.optimizers.get(kind))


def test_options_reach_the_network(capsys, folder):
    options = (
        "--layers 20,10 --activation gelu --dropout 0.1 --optimizer rmsprop "
        "--learning-rate 0.002 --schedule constant --epochs 3 --batch-size 50 --seed 7 "
        "--validation-split 0.1 --threads 1 -o mine.safetensors"
    )
    printed(capsys, *options.split())
    net = cr.load("mine.safetensors")
    kinds = [layer.kind for layer in net.layers]
    assert kinds == ["rescaling", "dense", "dropout", "dense", "dropout", "dense"]
    assert [layer.units for layer in net.layers if layer.kind == "dense"] == [20, 10, 10]
    assert net.layers[1].activation.kind == "gelu"
    assert net.layers[2].rate == 0.1
    assert net.optimizer == cr.RMSprop(0.002)
    assert net.seed == 7
    assert len(net.history.epochs) == 3
    assert "val_accuracy" in net.history
    # 1437 rows, of which a tenth validates, in batches of 50.
    assert net._built_core().total_steps == 3 * 26


def test_learning_rate_falls_to_zero(folder):
    assert main(["train", "--quiet", "--epochs", "4", "--layers", "none"]) == 0
    net = cr.load("digits.safetensors")
    assert net.optimizer.schedule == cr.schedules.Cosine(1e-3, epochs=4)
    rates = net.history["learning_rate"]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < 1e-6
    assert [layer.kind for layer in net.layers] == ["rescaling", "dense"]


def test_seed_and_threads(folder):
    for name, options in {"a": "1 --threads 1", "b": "1 --threads 2", "c": "2"}.items():
        main(["train", "-q", "--epochs", "2", "-o", name, "--seed", *options.split()])
    a, b, c = (cr.load(name).get_weights() for name in "abc")
    for left, right in zip(a, b, strict=True):
        np.testing.assert_array_equal(left, right)
    assert not np.array_equal(a[0], c[0])


def test_quiet_and_verbose(capsys, folder):
    lines = printed(capsys, "--quiet", "--epochs", "2").splitlines()
    assert [line.split()[0] for line in lines] == ["test", "model"]
    text = printed(capsys, "--verbose", "--epochs", "2")
    assert "Dense(256, activation='relu')" in text
    assert "CrossEntropy()" in text


def test_csv_with_class_names(capsys, folder, blobs):
    x, y = blobs
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    write_csv("flowers.csv", x, names, "a,b,c,d,species")
    text = printed(capsys, "--data", "flowers.csv", "--label", "species")
    assert (
        "240 rows to train on, 60 to test on, 4 features, 3 classes: setosa, versicolor, virgi"
        in text
    )
    assert "true \\ predicted  setosa  versicolor  virginica" in text
    assert number(text, "accuracy") > 0.9
    last = text.splitlines()[-1]
    assert last.endswith("--data flowers.csv --label species --part test")
    # The command it names finds the rows again that were kept back.
    accuracy = re.search(r"accuracy \S+", text.partition("test  loss")[2])[0]
    assert main(last.removeprefix("next: chainrule ").split()) == 0
    assert accuracy in capsys.readouterr().out


def test_csv_labels_by_index(capsys, folder, blobs):
    x, y = blobs
    write_csv("points.csv", np.column_stack([y, x[:, :3]]), x[:, 3])
    text = printed(capsys, "--data", "points.csv", "--label", "0", "--header", "no")
    assert number(text, "accuracy") > 0.8
    assert cr.load("points.safetensors").outputs == 3
    assert text.endswith("--data points.csv --label 0 --header no --part test\n")


@pytest.mark.parametrize("loss", [None, "mae", "huber"])
def test_regression(capsys, folder, loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3)) * [1.0, 100.0, 0.01] + [0.0, 1000.0, 5.0]
    y = 250_000.5 + 40_000 * x[:, 0] - 300 * x[:, 1]
    write_csv("houses.csv", x, y)
    options = [] if loss is None else ["--loss", loss]
    text = printed(capsys, "--data", "houses.csv", *options)
    assert number(text, "r2") > 0.97
    assert "predicted" not in text
    net = cr.load("houses.safetensors")
    assert net.loss.kind == (loss or "mse")
    assert net.layers[0].kind == "normalization"


def test_whole_numbers_as_targets(capsys, folder, blobs):
    x, y = blobs
    write_csv("points.csv", x, y)
    text = printed(capsys, "--data", "points.csv", "--loss", "mse")
    assert 0.5 < number(text, "r2") <= 1.0
    assert cr.load("points.safetensors").outputs == 1
    write_csv("large.csv", x, 1000 * y)
    printed(capsys, "--data", "large.csv")
    assert cr.load("large.safetensors").loss.kind == "mse"


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "hinge"])
def test_two_classes_with_one_output(capsys, folder, blobs, loss):
    x, y = blobs
    write_csv("pairs.csv", x, np.where(y == 2, "yes", "no"))
    text = printed(capsys, "--data", "pairs.csv", "--loss", loss)
    assert cr.load("pairs.safetensors").outputs == 1
    if loss == "binary_cross_entropy":
        assert number(text, "accuracy") > 0.9
        assert "no  yes" in text


@pytest.mark.parametrize("loss", ["mse", "hinge"])
def test_loss_that_does_not_suit_classes(capsys, folder, blobs, loss):
    x, y = blobs
    write_csv("flowers.csv", x, np.array(["a", "b", "c"])[y])
    assert main(["train", "--data", "flowers.csv", "--loss", loss]) == 2
    expected = f"--loss {loss} does not suit 3 classes (a, b, c); use cross_entropy\n"
    assert capsys.readouterr().err == f"chainrule: error: {expected}"


def test_archives(capsys, folder, blobs):
    x, y = blobs
    pixels = np.clip(x * 20 + 60, 0, 255).astype(np.uint8).reshape(300, 2, 2)
    np.savez("pixels.npz", x=pixels, y=y[:, None])
    assert number(printed(capsys, "--data", "pixels.npz"), "accuracy") > 0.8
    assert cr.load("pixels.safetensors").layers[0] == cr.Rescaling(1 / 255)

    np.savez("names.npz", x=x, y=np.array(["a", "b", "c"])[y])
    assert "3 classes: a, b, c" in printed(capsys, "--data", "names.npz")

    np.savez("targets.npz", x=x, y=np.column_stack([x.sum(axis=1), x[:, 0]]))
    assert number(printed(capsys, "--data", "targets.npz"), "r2") > 0.7
    assert cr.load("targets.safetensors").outputs == 2

    np.savez("rows.npz", x=x, y=np.eye(3)[y])
    text = printed(capsys, "--data", "rows.npz", "--loss", "cross_entropy")
    assert number(text, "accuracy") > 0.8


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (np.array([0, 1] * 149 + [np.nan] * 2), "NaN"),
        (np.zeros(299), "x has 300 rows but y has 299"),
        (np.zeros(300, complex), "complex"),
        (np.zeros((300, 0)), "empty"),
    ],
)
def test_bad_targets(capsys, folder, blobs, y, text):
    np.savez("bad.npz", x=blobs[0], y=y)
    assert main(["train", "--data", "bad.npz"]) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not (folder / "bad.safetensors").exists()


def test_rare_class(capsys, folder, blobs):
    x, y = blobs
    write_csv("rare.csv", x, [7, *y[1:]])
    printed(capsys, "--data", "rare.csv", "--loss", "cross_entropy")
    net = cr.load("rare.safetensors")
    assert net.class_names == ("0", "1", "2", "7")
    assert net.outputs == 4


def test_many_classes(capsys, folder):
    y = np.arange(600) % 30
    x = np.random.default_rng(0).normal(size=(600, 3)).astype(np.float32)
    np.savez("many.npz", x=x, y=y)
    text = printed(capsys, "--data", "many.npz", "--epochs", "1")
    assert "most frequent confusions of 30 classes:" in text
    assert len(re.findall(r"^  \d+ x \d+ taken for \d+$", text, re.MULTILINE)) == 10


def test_plot(capsys, folder):
    text = printed(capsys, "--epochs", "2", "--plot", "curves.png")
    assert "curves drawn to curves.png" in text
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_divergence(capsys, folder, blobs):
    x, y = blobs
    np.savez("far.npz", x=x, y=1e6 * y.astype(np.float64))
    assert main(["train", "--data", "far.npz", "--optimizer", "sgd", "--learning-rate", "9"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("chainrule: error: training diverged: the loss became ")
    assert error.count("\n") == 1
    assert not (folder / "far.safetensors").exists()


def test_interrupt(capsys, folder, monkeypatch):
    def epoch_end(self, epoch, logs, seconds):
        if epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(EpochLines, "epoch_end", epoch_end)
    assert main(["train"]) == 130
    captured = capsys.readouterr()
    assert captured.err == "chainrule: interrupted after 3 of 20 epochs; wrote digits.safetensors\n"
    assert len(cr.load("digits.safetensors").history.epochs) == 3
    assert "test  loss" not in captured.out
