# SPDX-License-Identifier: Apache-2.0
"""``chainrule bench``: what it counts, what it prints, what it writes."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import dataset, main, speed


@pytest.fixture
def net():
    layers = [cr.Input(20), cr.Dense(16, activation="relu"), cr.Dense(3)]
    return cr.Sequential(layers, seed=0)


def bench(path, *argv):
    """Return what the command writes; its rounds are shorter than even the quick ones."""
    with pytest.MonkeyPatch.context() as patch:
        short = functools.partial(speed.measure, seconds=0.005)
        patch.setattr(speed, "measure", lambda *args, seconds, **options: short(*args, **options))
        assert main(["bench", *argv, "--quick", "--json", str(path)]) == 0
    return json.loads(path.read_text())


def test_digits(tmp_path, capsys):
    found = bench(tmp_path / "out.json", "--threads", "1", "--batch-size", "64")
    names = [result["work"] for result in found["results"]]
    assert names == [
        "digits 64-256-128-10, training, batch 64",
        "digits 64-256-128-10, prediction, 1024 rows",
        "digits 64-256-128-10, prediction, 1 row",
    ]
    weights = np.array([64 * 256, 256 * 128, 128 * 10])
    training, many, one = found["results"]
    # Three products of each layer, but no gradient of the first one's input.
    assert training["operations_per_row"] == 6 * weights.sum() - 2 * weights[0]
    assert many["operations_per_row"] == one["operations_per_row"] == 2 * weights.sum()
    for result in found["results"]:
        assert result["threads"] == 1
        assert len(result["rounds"]) == 3
        assert result["rows_per_second"] == np.median(result["rounds"])
        gflops = 1e-9 * result["rows_per_second"] * result["operations_per_row"]
        assert result["gflops"] == pytest.approx(gflops)
        assert result["share_of_peak"] == pytest.approx(gflops / result["peak_gflops"])
    printed = capsys.readouterr().out
    assert "Gflop/s by multiply-adds in float32" in printed
    assert f"{found['machine']['kernels']} kernels" in printed
    lines = [line for line in printed.splitlines() if line.startswith("digits")]
    assert len(lines) == 3
    assert lines[0].split()[-5:-3] == [f"{training['rows_per_second']:,.0f}", "rows/s"]
    assert lines[2].split()[-5:-3] == [f"{1e6 / one['rows_per_second']:.2f}", "us"]


def test_mnist(mnist, tmp_path, monkeypatch):
    train, test = dataset.read_both("mnist")
    few = replace(train, x=train.x[:3000], y=train.y[:3000])  # a round is an epoch at least
    monkeypatch.setattr(dataset, "read_both", lambda name: {"mnist": (few, test)}[name])
    found = bench(tmp_path / "out.json", "--threads", "1", "--data", "mnist")
    assert found["results"][0]["work"] == "mnist 784-256-128-10, training, batch 128"


def test_a_model_file(net, tmp_path):
    net.save(tmp_path / "net.safetensors")
    found = bench(tmp_path / "out.json", str(tmp_path / "net.safetensors"), "--threads", "2")
    assert [(r["work"], r["threads"]) for r in found["results"]] == [
        ("net.safetensors, prediction, 1024 rows", 2),
        ("net.safetensors, prediction, 1 row", 2),
    ]
    assert found["results"][0]["operations_per_row"] == 2 * (20 * 16 + 16 * 3)


@pytest.mark.parametrize(
    ("first", "inputs"),
    [
        (cr.CategoryEncoding((3, 5)), 2),
        (cr.CategoryEncoding(4, "count"), 3),
        (cr.Embedding((3, 5), 2, columns=(0, 2)), 4),
        (cr.Embedding(7, 2), 2),
    ],
)
def test_models_of_categories(first, inputs, tmp_path):
    net = cr.Sequential([cr.Input(inputs), first, cr.Dense(2)], seed=0)
    x = speed.made_up_rows(net)
    assert len(np.unique(x[:, 0])) >= 3
    net.save(tmp_path / "net.safetensors")
    found = bench(tmp_path / "out.json", str(tmp_path / "net.safetensors"), "--threads", "1")
    dense = net.parameters["1.weight"].size
    assert found["results"][0]["operations_per_row"] == 2 * dense


def test_one_thread_and_all(monkeypatch, net, tmp_path):
    monkeypatch.setattr("chainrule._core.default_num_threads", lambda: 3)
    net.save(tmp_path / "net.safetensors")
    found = bench(tmp_path / "out.json", str(tmp_path / "net.safetensors"))
    assert [result["threads"] for result in found["results"]] == [1, 3, 1, 3]


def test_works_are_timed_in_turns(monkeypatch):
    done = []
    clock = iter(range(1000))
    monkeypatch.setattr(speed.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(speed.time, "sleep", lambda seconds: None)
    works = [
        speed.Work(
            name, 10, 1e9, "float32", lambda threads, name=name: done.append((name, threads))
        )
        for name in "ab"
    ]
    found = speed.measure(works, [1, 2], rounds=2, seconds=0.5)
    turns = [("a", 1), ("a", 2), ("b", 1), ("b", 2)]
    assert done[8:] == turns * 2
    assert [(s.work.name, s.threads) for s in found] == turns
    assert found[0].rows_per_second == [10.0, 10.0]
    assert found[0].gflops == 10.0


def test_a_busy_machine_is_named(monkeypatch, capsys, net, tmp_path):
    def measure(works, threads, **_):
        rates = iter([100.0, 100.0, 90.0, 100.0, 60.0, 140.0])
        return [speed.Speed(work, 1, [next(rates) for _ in range(3)], [50.0] * 3) for work in works]

    net.save(tmp_path / "net.safetensors")
    monkeypatch.setattr(speed, "measure", measure)
    assert main(["bench", str(tmp_path / "net.safetensors")]) == 0
    printed = capsys.readouterr().out
    assert "The machine was busy" in printed
    assert "10%" in printed
    assert "80%" in printed


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--data", "diggits"], "unknown data 'diggits'; did you mean 'digits'?"),
        (["--data", "mine.csv"], "unknown data 'mine.csv'; valid: digits, mnist, fashion-mnist"),
        (["net.safetensors", "--data", "digits"], "--data is for bench without a model file"),
        (["net.safetensors", "--batch-size", "3"], "--batch-size is for bench without a model"),
        (["absent.safetensors"], "absent.safetensors"),
    ],
)
def test_wrong_arguments(argv, text, capsys):
    assert main(["bench", *argv]) == 2
    assert text in capsys.readouterr().err
