# SPDX-License-Identifier: Apache-2.0
"""No command destroys a file: not its input, and nothing that it has not written itself."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main

needs_links = pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3)).astype(np.float32)
    y = np.arange(40) % 2
    net = cr.Sequential([cr.Dense(2)], seed=0)
    net.fit(x, y, loss="cross_entropy", verbose=0)
    net.save("net.safetensors")
    cr.to_onnx(net, "net.onnx", check=False)
    np.savez("mine.npz", x=x, y=y)
    np.save("new.npy", x)
    np.savetxt("mine.csv", np.column_stack([x, y]), delimiter=",", fmt="%.6g")
    np.savetxt("new.csv", x, delimiter=",", fmt="%.6g")
    Path("notes.txt").write_text("not to be lost\n")
    Path("gear.c").write_text("int main(void) { return 0; }\n")
    return tmp_path


@pytest.fixture
def untrained(monkeypatch):
    """Whatever reads or trains fails: the refusal has to come before."""

    def reached(*args, **options):
        raise AssertionError("read before the output was refused")

    for name in ("data.load_csv", "data.load_npz", "data.load_npy", "data.load_digits"):
        monkeypatch.setattr(f"chainrule.{name}", reached)
    monkeypatch.setattr("chainrule.Sequential.fit", reached)
    for module in ("predict", "export_onnx", "export_c"):
        monkeypatch.setattr(f"chainrule.cli.{module}.load", reached)
    monkeypatch.setattr("chainrule.cli.import_onnx.from_onnx", reached)
    monkeypatch.setattr("chainrule.cli.speed.measure", reached)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(capsys, folder, text, *argv):
    before = contents(folder)
    assert main(list(argv)) == 2
    error = capsys.readouterr().err
    assert error.startswith("chainrule: error: ")
    assert error.count("\n") == 1
    assert text in error
    assert contents(folder) == before


SAME = [
    ["train", "--data", "mine.csv", "-o", "mine.csv"],
    ["train", "--data", "mine.npz", "-o", "mine.npz"],
    ["train", "--data", "mine.csv", "--plot", "mine.csv"],
    ["predict", "net.safetensors", "new.csv", "-o", "new.csv"],
    ["predict", "net.safetensors", "new.npy", "-o", "new.npy"],
    ["predict", "net.safetensors", "new.csv", "-o", "net.safetensors"],
    ["export-onnx", "net.safetensors", "net.safetensors"],
    ["explain", "net.safetensors", "--data", "mine.csv", "--out", "mine.csv"],
    ["import-onnx", "net.onnx", "net.onnx"],
]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("argv", SAME)
@pytest.mark.usefixtures("untrained")
def test_output_is_input(capsys, folder, argv, overwrite):
    refused(capsys, folder, "to read and to write", *argv, *["--overwrite"] * overwrite)


@needs_links
@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("argv", SAME)
@pytest.mark.usefixtures("untrained")
def test_output_is_input_by_a_link(capsys, folder, argv, link):
    link(argv[-1], "link")
    refused(capsys, folder, f"also called {argv[-1]}", *argv[:-1], "link", "--overwrite")


@needs_links
@pytest.mark.usefixtures("untrained")
def test_output_is_input_by_another_path(capsys, folder):
    Path("sub").mkdir()
    Path("here").symlink_to(".")
    for name in ("./mine.csv", "sub/../mine.csv", "here/mine.csv", str(folder / "mine.csv")):
        refused(capsys, folder, "to read and to write", "train", "--data", "mine.csv", "-o", name)


@needs_links
@pytest.mark.usefixtures("untrained")
def test_links_to_nothing(capsys, folder):
    Path("link").symlink_to("curves.png")
    text = "is to be written twice, also called link"
    refused(capsys, folder, text, "train", "-o", "link", "--plot", "curves.png")
    Path("away").symlink_to("nowhere/net.safetensors")
    refused(capsys, folder, f"{folder / 'nowhere'}: no such folder", "train", "-o", "away")
    refused(capsys, folder, "nowhere: no such folder", "train", "-o", "nowhere/")
    Path("loop").symlink_to("loop")
    refused(capsys, folder, f"loop: {os.strerror(errno.ELOOP)}", "train", "-o", "loop")


def test_two_outputs_are_one_file(capsys, folder):
    text = "digits.safetensors is to be written twice"
    refused(capsys, folder, text, "train", "--plot", "digits.safetensors")


@pytest.mark.parametrize(
    ("argv", "kind"),
    [
        (["train", "-o", "notes.txt"], "a model file"),
        (["train", "-o", "mine.csv"], "a model file"),
        (["train", "-o", "net.onnx"], "a model file"),
        (["train", "--data", "mine.csv", "-o", "mine.npz"], "a model file"),
        (["train", "--plot", "notes.txt"], "a figure"),
        (["train", "--plot", "net.safetensors"], "a figure"),
        (["import-onnx", "net.onnx", "notes.txt"], "a model file"),
        (["predict", "net.safetensors", "new.csv", "-o", "mine.csv"], "predictions"),
        (["predict", "net.safetensors", "new.csv", "-o", "net.onnx"], "predictions"),
        (["export-onnx", "net.safetensors", "notes.txt"], "an ONNX file"),
        (["export-onnx", "net.safetensors", "mine.csv"], "an ONNX file"),
        (["explain", "net.safetensors", "--data", "mine.csv", "--out", "notes.txt"], "a page"),
        (["export-c", "net.safetensors", "--out", ".", "--name", "gear"], "C code written by ch"),
        (["bench", "--json", "notes.txt"], "measurements of bench"),
    ],
)
@pytest.mark.usefixtures("untrained")
def test_file_of_another_kind(capsys, folder, argv, kind):
    refused(capsys, folder, f"exists and is not {kind}", *argv)


def test_default_output_is_no_model(capsys, folder):
    Path("mine.safetensors").write_text("weights of somebody else")
    text = "mine.safetensors: this file exists and is not a model file; --overwrite replaces it"
    refused(capsys, folder, text, "train", "--data", "mine.csv")


@pytest.mark.parametrize(
    ("argv", "output"),
    [
        (["train", "--quiet", "--epochs", "1", "--data", "mine.csv", "-o", "out"], "out"),
        (["predict", "net.safetensors", "new.csv", "-o", "out"], "out"),
        (["export-onnx", "net.safetensors", "out", "--no-check"], "out"),
        (["explain", "net.safetensors", "--data", "mine.csv", "--out", "out"], "out"),
        (["import-onnx", "net.onnx", "out"], "out"),
        (["export-c", "net.safetensors", "--out", ".", "--name", "wheel"], "wheel.c"),
        (["export-c", "net.safetensors", "--out", ".", "--name", "wheel"], "wheel.h"),
        (["export-c", "net.safetensors", "--out", ".", "--name", "wheel"], "wheel_test.c"),
    ],
)
def test_what_a_command_wrote_it_may_replace(capsys, argv, output):
    assert main(argv) == 0
    written = Path(output).read_bytes()
    assert main(argv) == 0
    assert Path(output).read_bytes() == written
    # With the option also what it has not written; an empty file holds nothing to lose.
    Path(output).write_text("somebody's text\n")
    assert main(argv) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert main([*argv, "--overwrite"]) == 0
    assert Path(output).read_bytes() == written
    Path(output).write_bytes(b"")
    assert main(argv) == 0
    assert Path(output).read_bytes() == written


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg", "jpg"])
def test_a_figure_may_be_replaced(suffix):
    pytest.importorskip("matplotlib")
    argv = ["train", "--quiet", "--epochs", "1", "--data", "mine.csv", "--plot", f"curves.{suffix}"]
    assert main(argv) == 0
    assert main(argv) == 0


def test_measurements_may_be_replaced():
    assert main(["bench", "net.safetensors", "--quick", "--json", "out.json"]) == 0
    assert main(["bench", "net.safetensors", "--quick", "--json", "out.json"]) == 0


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no devices")
def test_devices():
    assert main(["predict", "net.safetensors", "new.csv", "-o", "/dev/null"]) == 0
    assert main(["train", "--quiet", "--epochs", "1", "-o", "/dev/null"]) == 0


def test_standard_output_by_name(capsys):
    assert main(["predict", "net.safetensors", "new.csv"]) == 0
    usual = capsys.readouterr().out
    assert main(["predict", "net.safetensors", "new.csv", "-o", "-"]) == 0
    assert capsys.readouterr().out == usual
    assert not Path("-").exists()


def test_name_of_data_is_no_file():
    # The shipped digits are not read from a file of this name.
    assert main(["train", "--quiet", "--epochs", "1", "-o", "digits"]) == 0
    assert cr.load("digits").inputs == 64


def test_standard_output_goes_to_the_input(folder):
    before = Path("new.csv").read_bytes()
    with Path("new.csv").open("ab") as file:
        command = [sys.executable, "-m", "chainrule", "predict", "net.safetensors", "new.csv"]
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        "chainrule: error: new.csv is the file to read and where the output goes\n"
    )
    assert Path("new.csv").read_bytes() == before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs rights to be missing")
@pytest.mark.usefixtures("untrained")
def test_folder_that_cannot_be_written_to(capsys, folder):
    Path("closed").mkdir(mode=0o500)
    refused(capsys, folder, "closed: this folder cannot be", "train", "-o", "closed/net")
