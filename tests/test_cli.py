# SPDX-License-Identifier: Apache-2.0
"""The command line's arguments, exit statuses and one-line errors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main
from chainrule.cli.parser import STATUSES

COMMANDS = (
    "train", "evaluate", "predict", "explain", "inspect", "quantize", "export-c", "export-onnx",
    "import-onnx", "bench",
)  # fmt: skip


def error_of(capsys, *argv):
    """Return the one line of a command that must fail with status 2."""
    assert main(list(argv)) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("chainrule: error: ")
    return lines[0].removeprefix("chainrule: error: ")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a small model and files that are not what they should be."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    net = cr.Sequential([cr.Dense(2)], seed=0)
    net.fit(x, np.arange(40) % 2, loss="cross_entropy", verbose=0)
    net.save("model.safetensors")
    np.save("x.npy", x)
    np.savez("data.npz", x=x, y=np.arange(40) % 2)
    (tmp_path / "text.txt").write_text("1,2,3\n")
    (tmp_path / "bad.csv").write_text("a,b,label\n1,2,0\n1,oops,1\n")
    (tmp_path / "good.csv").write_text("1,2,3,0\n2,3,4,1\n" * 10)
    (tmp_path / "broken.safetensors").write_bytes(
        (tmp_path / "model.safetensors").read_bytes()[:100]
    )
    return tmp_path


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["--data", "x.csv"], "unknown option '--data'; it is an option of train, evaluate, "),
        (["fit"], "unknown command 'fit'; did you mean 'train'?"),
        (["eval"], "unknown command 'eval'; did you mean 'evaluate'?"),
        (["onnx"], "unknown command 'onnx'; did you mean 'export-onnx'?"),
        (["trainn"], "unknown command 'trainn'; did you mean 'train'?"),
        (["wxyz"], "unknown command 'wxyz'; valid: train, evaluate"),
        (["train", "--lr", "1"], "unknown option '--lr'; did you mean '--learning-rate'?"),
        (["train", "-lr=1"], "unknown option '-lr'; did you mean '--learning-rate'?"),
        (["train", "--learning_rate=1"], "'--learning_rate'; did you mean '--learning-rate'?"),
        (["train", "--learning"], "unknown option '--learning'; did you mean '--learning-rate'?"),
        (["train", "--Batch-Size"], "'--Batch-Size'; did you mean '--batch-size'?"),
        (["train", "--hidden", "9"], "unknown option '--hidden'; did you mean '--layers'?"),
        (["train", "--hidden-layer-sizes"], "'--hidden-layer-sizes'; did you mean '--layers'?"),
        (["evaluate", "m", "--data", "d", "--target", "y"], "did you mean '--label'?"),
        (["train", "--optimiser", "y"], "unknown option '--optimiser'; did you mean '--optimize"),
        (["train", "--random_state=1"], "'--random_state'; did you mean '--seed'?"),
        (["train", "--num-workers=1"], "'--num-workers'; did you mean '--threads'?"),
        (["train", "--val-split=1"], "'--val-split'; did you mean '--validation-split'?"),
        (["train", "--force"], "unknown option '--force'; did you mean '--overwrite'?"),
        (["train", "--weight-decay=1"], "unknown option '--weight-decay'; valid: --data, "),
        (["train", "--momentum=1"], "unknown option '--momentum'; valid: --data, "),
        (
            ["train", "--part", "all"],
            "unknown option '--part'; it is an option of evaluate, explain;",
        ),
        (["trian"], "unknown command 'trian'; did you mean 'train'? valid: train, evaluate, "),
        (["--verison"], "unknown option '--verison'; did you mean '--version'?"),
        (["train", "--epoch", "3"], "unknown option '--epoch'; did you mean '--epochs'?"),
        (["train", "--bach-size=3"], "unknown option '--bach-size'; did you mean '--batch-size'?"),
        (["train", "digits"], "unexpected argument 'digits'; did you mean --data digits?"),
        (["train", "--epochs"], "argument --epochs: expected one argument"),
        (["train", "--epochs", "0"], "argument --epochs: expected an integer >= 1, got '0'"),
        (["train", "--epochs", "2.5"], "argument --epochs: expected an integer >= 1, got '2.5'"),
        (["train", "--batch-size", "-1"], "argument --batch-size: expected an integer >= 1"),
        (["train", "--threads", "0"], "argument --threads: expected an integer >= 1, got '0'"),
        (["train", "--seed", "-1"], "argument --seed: expected an integer >= 0, got '-1'"),
        (["train", "--layers", "64,0"], "argument --layers: expected integers >= 1 between commas"),
        (["train", "--layers", "64;32"], "such as 512,256, or none, got '64;32'"),
        (["train", "--learning-rate", "0"], "argument --learning-rate: expected a number > 0"),
        (["train", "--learning-rate", "fast"], "expected a number > 0, got 'fast'"),
        (["train", "--learning-rate", "inf"], "expected a number > 0, got 'inf'"),
        (["train", "--dropout", "1"], "argument --dropout: expected a number in [0, 1), got '1'"),
        (["train", "--validation-split", "-0.1"], "expected a number in [0, 1), got '-0.1'"),
        (["train", "--schedule", "step"], "argument --schedule: invalid choice: 'step'"),
        (["train", "--quiet", "--verbose"], "not allowed with argument"),
        (["train", "--loss", "crossentropy"], "unknown loss 'crossentropy'; did you mean 'cross_"),
        (["train", "--optimizer", "adm"], "unknown optimizer 'adm'; did you mean 'adam'?"),
        (["train", "--activation", "rleu"], "unknown activation 'rleu'; did you mean 'relu'?"),
        (["train", "--loss", "mse", "--seed", str(2**64)], "seed must lie in 0..2^64-1"),
        (["train", "--data", "mnits"], "unknown data 'mnits'; did you mean 'mnist'?"),
        (["train", "--data", "none.csv"], "none.csv: no such data file"),
        (["train", "--data", "none.npz"], "none.npz: no such data file"),
        (["train", "--data", "text.txt"], "data to learn from must be .csv, .csv.gz or .npz"),
        (["train", "--data", "x.npy"], "data to learn from must be .csv, .csv.gz or .npz"),
        (["train", "--data", "bad.csv"], "bad.csv, line 3, column 2 ('b'): 'oops' is not a number"),
        (["train", "--data", "good.csv", "--label", "y"], "--label 'y' names a column, but good.c"),
        (["train", "--data", "good.csv", "--label", "4"], "--label 4 is out of range"),
        (["train", "--data", "good.csv", "--header", "maybe"], "invalid choice: 'maybe'"),
        (["train", "--label", "first"], "--label is for CSV files; --data is digits"),
        (["train", "--data", "mnist", "--header", "no"], "--header is for CSV files; --data is mn"),
        (["train", "--data", "data.npz", "--label", "2"], "--label is for CSV files"),
        (["train", "--output", "nowhere/x.safetensors"], "nowhere: no such folder"),
        (["train", "--output", "."], ".: Is a directory"),
        (["train", "--plot", "nowhere/x.png"], "nowhere: no such folder"),
        (["train", "--plot", "curves.doc"], "--plot curves.doc: expected a name that ends in one"),
        (["evaluate"], "the following arguments are required: MODEL, --data"),
        (["evaluate", "model.safetensors"], "the following arguments are required: --data"),
        (["evaluate", "none", "--data", "digits"], "none: No such file or directory"),
        (
            ["evaluate", "model.safetensors", "--data", "digits"],
            "64 columns; the network expects 3",
        ),
        (["evaluate", "model.safetensors", "--data", "digits", "--part", "x"], "invalid choice"),
        (["evaluate", "broken.safetensors", "--data", "digits"], "broken.safetensors: truncated"),
        (["predict", "model.safetensors"], "the following arguments are required: INPUT"),
        (["predict", "model.safetensors", "none.npy"], "none.npy: no such data file"),
        (["predict", "model.safetensors", "text.txt"], "rows to predict must be .csv, .csv.gz or "),
        (["predict", "model.safetensors", "x.npy", "--header", "no"], "--header is for CSV files"),
        (
            ["predict", "model.safetensors", "good.csv"],
            "good.csv has 4 columns, model.safetensors ",
        ),
        (
            ["predict", "model.safetensors", "bad.csv"],
            "line 3, column 2 ('b'): 'oops' is not a num",
        ),
        (["predict", "model.safetensors", "x.npy", "-o", "nowhere/x.csv"], "nowhere: no such fol"),
        (["predict", "text.txt", "x.npy"], "text.txt: truncated"),
        (["inspect"], "the following arguments are required: MODEL"),
        (["inspect", "none.safetensors"], "none.safetensors: No such file or directory"),
        (["inspect", "data.npz"], "data.npz: not a model file"),
        (["quantize", "model.safetensors"], "the following arguments are required: --out"),
        (["quantize", "model.safetensors", "--out", "s"], "int8 needs --data, rows to choose"),
        (
            ["quantize", "model.safetensors", "--out", "s", "--weights", "bf16", "--label", "0"],
            "for the CSV file of --data",
        ),
        (
            ["quantize", "model.safetensors", "--out", "model.safetensors", "--weights", "bf16"],
            "is a file to read and to write",
        ),
        (["export-c", "model.safetensors"], "the following arguments are required: --out"),
        (["export-c", "none", "--out", "c"], "none: No such file or directory"),
        (["export-c", "model.safetensors", "--out", "c", "--dtype", "int4"], "invalid choice: 'i"),
        (["export-c", "model.safetensors", "--out", "c", "--name", "a b"], "name must be letters"),
        (["export-c", "math.safetensors", "--out", "c"], "--name is needed: name 'math' is that"),
        (["export-c", "model.safetensors", "--out", "c", "--dtype", "int8"], "int8 needs --data"),
        (["export-c", "model.safetensors", "--out", "c", "--label", "0"], "for the CSV file of --"),
        (
            ["export-c", "model.safetensors", "--out", "c", "--data", "digits"],
            "64 columns; the network expects 3",
        ),
        (["export-c", "model.safetensors", "--out", "text.txt"], "text.txt: Not a directory"),
        (["bench", "--json", "nowhere/x.json"], "nowhere: no such folder"),
        (["bench", "--threads", "two"], "argument --threads: expected an integer >= 1, got 'two'"),
    ],
)
def test_bad_arguments(capsys, folder, argv, text):
    before = sorted(folder.iterdir())
    assert text in error_of(capsys, *argv)
    assert sorted(folder.iterdir()) == before


def test_label_column_hint(capsys, folder):
    text = error_of(capsys, "predict", "model.safetensors", "good.csv")
    assert text.endswith("takes 3; rows to predict have no label column")


def test_missing_extra(capsys, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "chainrule.network.notebook_figure", raising=False)
    text = error_of(capsys, "train", "--plot", "curves.png")
    assert text == 'plots need matplotlib: pip install "chainrule[plot]"'


@pytest.mark.parametrize("argv", [["--help"], *([command, "--help"] for command in COMMANDS)])
def test_help(capsys, argv):
    assert main(argv) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith(f"usage: {' '.join(['chainrule', *argv[:-1]])}")
    assert captured.err == ""


def test_help_describes_every_option(capsys):
    for command in set(COMMANDS) - {"inspect"}:
        main([command, "--help"])
        usage, _, descriptions = capsys.readouterr().out.partition("options:")
        options = set(re.findall(r"--[a-z-]+", usage))
        assert len(options) >= (1 if command == "import-onnx" else 3)
        for option in options:
            described = re.search(rf"^  {option}\b.*(\n {{10,}}.*)*", descriptions, re.MULTILINE)
            assert described, (command, option)
            assert described[0].rstrip().endswith("."), (command, option)


def test_alone(capsys):
    assert main([]) == 0
    alone = capsys.readouterr()
    assert main(["--help"]) == 0
    assert alone == capsys.readouterr()
    assert "train" in alone.out


def test_guide_and_help_agree_on_statuses(capsys):
    main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    guide = Path(__file__).parent.parent / "docs/guide.md"
    assert STATUSES in shown
    assert STATUSES in " ".join(guide.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_encoding_of_the_console(folder, encoding):
    lines = [f"{i % 7},{i % 2},{'猫犬'[i % 2]}" for i in range(60)]
    Path("animals.csv").write_text("größe,b,art\n" + "\n".join(lines), encoding="utf-8")

    def run(*argv):
        command = [sys.executable, "-m", "chainrule", *argv]
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        return done.returncode, done.stdout.decode(encoding), done.stderr.decode(encoding)

    cat, umlauts = ("猫", "größe") if encoding == "utf-8" else ("\\u732b", "gr\\xf6\\xdfe")
    umlauts = "größe" if encoding == "cp1252" else umlauts
    status, out, err = run("train", "--data", "animals.csv", "--epochs", "2")
    assert (status, err) == (0, "")
    assert f"2 classes: {'犬' if encoding == 'utf-8' else chr(92) + 'u72ac'}, {cat}" in out
    assert "model written to animals.safetensors" in out
    status, out, err = run("train", "--data", "animals.csv", "--label", "grosse")
    assert (status, out) == (2, "")
    assert umlauts in err


def test_streams_are_as_before(capsys):
    before = sys.stdout.errors, sys.stderr.errors
    main(["train", "--epochs", "0"])
    assert (sys.stdout.errors, sys.stderr.errors) == before


def test_version(capsys):
    assert main(["--version"]) == 0
    expected = (
        f"chainrule {cr.__version__} ({cr.instruction_set()} kernels, "
        f"{cr.threading_layer()} threads: {cr.default_num_threads()})\n"
    )
    assert capsys.readouterr().out == expected


def test_interrupt(capsys, folder, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("chainrule.cli.inspect.run", interrupted)
    assert main(["inspect", "model.safetensors"]) == 130
    assert capsys.readouterr().err == "chainrule: error: interrupted\n"


def test_no_memory(capsys, folder, monkeypatch):
    def exhausted(options):
        raise MemoryError

    monkeypatch.setattr("chainrule.cli.inspect.run", exhausted)
    assert error_of(capsys, "inspect", "model.safetensors") == "not enough memory"


def test_as_module(folder):
    command = [sys.executable, "-m", "chainrule", "predict", "model.safetensors", "x.npy"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(done.stdout.splitlines()) == 41
    assert done.stderr == ""
    command[-1] = "none.npy"
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    assert failed.stderr == "chainrule: error: none.npy: no such data file\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_closed_pipe(folder):
    np.save("many.npy", np.zeros((200_000, 3), np.float32))
    argv = [sys.executable, "-m", "chainrule", "predict", "model.safetensors", "many.npy"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"label,")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
