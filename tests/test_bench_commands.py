# SPDX-License-Identifier: Apache-2.0
"""The scripts in benchmarks/."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from bench_cases import BENCHMARKS, TABLE, script

import chainrule as cr
import harness
from harness.workloads import Network


def test_table_in_readme():
    readme = (BENCHMARKS / "README.md").read_text()
    for section in ("table", "avx2", "sparse", "density"):
        once = harness.with_table(readme, "| first |", section)
        twice = harness.with_table(once, "| second |", section)
        assert "| first |" in once
        assert "| first |" not in twice
        assert twice.count("| second |") == 1
        begin = f"<!-- {section} begins -->"
        assert twice.partition(begin)[0] == readme.partition(begin)[0]
    with pytest.raises(ValueError, match="has no lines"):
        harness.with_table("nothing marked", "")


def test_run(monkeypatch, capsys, tmp_path):
    run = script("run")
    monkeypatch.setattr(harness, "WORKLOADS", (TABLE,))
    argv = ["--peers", "chainrule", "--threads", "1", "--rounds", "1", "--seconds", "0.001"]
    path = tmp_path / "run.json"
    assert run.main([*argv, "--json", str(path), "--isa", "avx2"]) == 0
    assert f"| {TABLE.name} |" in capsys.readouterr().out
    assert json.loads(path.read_text())["isa"] == "avx2"


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--work", "nothing"], "no work has 'nothing' in its name; valid: '784-128-10, batch"),
        (["--sparse", "--work", "nothing"], "valid: 'MNIST 784-128-10, batch"),
        (["--sparse", "--isa", "avx2", "--write"], "no place for --sparse with --isa"),
        (["--isa", "avx2", "--peers", "ONNX Runtime"], "ONNX Runtime cannot be held to avx2"),
    ],
)
def test_bad_arguments_of_run(argv, text, capsys):
    with pytest.raises(SystemExit):
        script("run").main(argv)
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_memory(dtype):
    command = [sys.executable, str(BENCHMARKS / "memory.py"), "--only", "chainrule", dtype]
    output = subprocess.run(
        [*command, "--rows", "512", "--threads", "1"], capture_output=True, check=True
    ).stdout
    found = json.loads(output)
    # Weights, their two moments and the interpreter.
    assert 30e6 < found["bytes"] < 400e6
    assert 1.0 < found["loss"] < 10.0


def test_counts(capsys):
    counts = script("counts")
    works = counts.small_work()
    assert works
    assert all(sum(work.network.multiply_adds) < 200_000 for work in works)
    assert any("8-64-64-4" in work.name for work in works)
    number = next(i for i, work in enumerate(works) if "8-64-64-4" in work.name)
    assert counts.main(["--only", str(number), "1"]) == 0
    assert capsys.readouterr().out == ""
    assert counts.bytes_per_step(works[number]) is None
    (digits,) = (w for w in works if w.name == "784-128-10, batch 64, sgd")
    # Each weight is read and written, each input read.
    assert counts.bytes_per_step(digits) >= 4 * (2 * 784 * 128 + 64 * 784)


def test_counts_without_valgrind(monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    assert script("counts").main([]) == 2
    assert "valgrind is not installed" in capsys.readouterr().err


DIGITS = replace(TABLE, network=Network((784, 8, 10)), loss="cross_entropy")


def test_density(monkeypatch, capsys):
    density = script("density")
    monkeypatch.setattr(density, "WORKS", (TABLE,))
    assert density.main(["--rows", "64", "--rounds", "2", "--densities", "0.1", "1.0"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["10%", "100%"]


def test_density_of_mnist(mnist, monkeypatch, capsys):
    density = script("density")
    monkeypatch.setattr(density, "WORKS", (DIGITS,))
    assert density.main(["--rows", "64", "--rounds", "2", "--densities", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["50%", "MNIST"]


def test_density_without_mnist(monkeypatch, capsys):
    def missing(part):
        raise FileNotFoundError("no such file")

    density = script("density")
    monkeypatch.setattr(density, "load_mnist", missing)
    monkeypatch.setattr(density, "WORKS", (DIGITS,))
    assert density.main(["--rows", "64", "--rounds", "2", "--densities", "0.5"]) == 0
    captured = capsys.readouterr()
    assert "MNIST is left out: no such file" in captured.err
    assert len(captured.out.splitlines()) == 3


def test_mnist_to_98(monkeypatch, capsys):
    to_98 = script("mnist_to_98")
    monkeypatch.setattr(to_98, "find_spec", lambda name: name == "chainrule" or None)
    lines = iter(["98.10\n", "97.90\n", "98.00\n"])
    monkeypatch.setattr(to_98, "timed", lambda *_: (1.5, next(lines)))
    assert to_98.main(["--seeds", "3"]) == 0
    assert "| chainrule | 1.50 | 1.50 - 1.50 | 98.00 | 97.90 - 98.10 |" in capsys.readouterr().out
    monkeypatch.setattr(to_98, "timed", lambda *_: (1.5, "97.99\n"))
    assert to_98.main(["--seeds", "3"]) == 1


def test_mnist_to_99(monkeypatch, capsys):
    to_98 = script("mnist_to_98")
    monkeypatch.setattr(to_98, "find_spec", lambda name: name == "chainrule" or None)
    asked = []
    monkeypatch.setattr(to_98, "timed", lambda *given: (asked.append(given), (1.5, "99.02\n"))[1])
    assert to_98.main(["--seeds", "1", "--network", "convolution"]) == 0
    assert asked[0][1:] == ("--one", "chainrule", "0", "--network", "convolution")
    assert "| 99.02 |" in capsys.readouterr().out
    monkeypatch.setattr(to_98, "timed", lambda *_: (1.5, "98.99\n"))
    assert to_98.main(["--seeds", "1", "--network", "convolution"]) == 1


def test_one_process_of_mnist_to_98(mnist, capsys):
    assert script("mnist_to_98").main(["--one", "chainrule", "0"]) == 0
    assert float(capsys.readouterr().out) > 97.5


def test_one_process_of_mnist_to_99(mnist, monkeypatch, capsys):
    part = tuple((images[:12000], labels[:12000]) for images, labels in mnist)
    monkeypatch.setattr(cr.data, "load_mnist", lambda: part)
    one = ["--network", "convolution", "--one", "chainrule", "0"]
    assert script("mnist_to_98").main(one) == 0
    assert 90 < float(capsys.readouterr().out) < 99


def test_mnist_convolution(mnist, monkeypatch, capsys):
    convolution = script("mnist_convolution")
    part = tuple((images[:3000], labels[:3000]) for images, labels in mnist)
    monkeypatch.setattr(convolution.cr.data, "load_mnist", lambda: part)
    assert convolution.main(["--seeds", "2", "--epochs", "2"]) == 1
    *seeds, last = capsys.readouterr().out.splitlines()
    found = [float(line.split()[2]) for line in seeds]
    assert [line.split()[:2] for line in seeds] == [["seed", "0:"], ["seed", "1:"]]
    assert 85 < min(found) <= float(last.split()[1]) <= max(found) < 99
    monkeypatch.setattr(convolution, "BAR", 85.0)
    assert convolution.main(["--seeds", "1", "--epochs", "2"]) == 0
