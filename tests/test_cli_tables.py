# SPDX-License-Identifier: Apache-2.0
"""Tables as people have them, on the command line, and errors that name an option and a line."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import chainrule as cr
from chainrule.cli import main

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
Y = (X[:, 0] > 0) * 1
ROWS = [[f"{a:.4f}", f"{b:.4f}", str(y)] for (a, b), y in zip(X, Y, strict=True)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, rows=ROWS, header=("a", "b", "y"), delimiter=","):
    lines = [delimiter.join(row) for row in ([header, *rows] if header else rows)]
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


def refused(capsys, *argv):
    assert main(list(argv)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "=True" not in error
    assert "=False" not in error
    return error


def weights(capsys, data, *options):
    argv = ["train", "--quiet", "--epochs", "2", "--data", data, "-o", "net", *options]
    assert main(argv) == 0
    capsys.readouterr()
    return cr.load("net").get_weights()


def same(left, right):
    return all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_dialects(capsys):
    write("plain.csv")
    usual = weights(capsys, "plain.csv")
    write("tabs.tsv", delimiter="\t")
    write("tabs.csv", delimiter="\t")
    write("semicolons.csv", delimiter=";")
    write("pipes.csv", delimiter="|")
    for name in ("tabs.tsv", "tabs.csv", "semicolons.csv", "pipes.csv"):
        assert same(weights(capsys, name), usual), name
    assert same(weights(capsys, "tabs.csv", "--delimiter", "tab"), usual)
    assert same(weights(capsys, "tabs.csv", "--delimiter", r"\t"), usual)
    Path("tabs.tsv.gz").write_bytes(gzip.compress(Path("tabs.tsv").read_bytes()))
    assert same(weights(capsys, "tabs.tsv.gz"), usual)
    commas = [[cell.replace(".", ",") for cell in row] for row in ROWS]
    write("german.csv", commas, delimiter=";")
    assert same(weights(capsys, "german.csv", "--decimal", ","), usual)
    assert "pass --decimal ','" in refused(capsys, "train", "--data", "german.csv")
    # What is trained on one dialect evaluates and predicts another.
    assert main(["evaluate", "net", "--data", "german.csv", "--decimal", ","]) == 0
    first = capsys.readouterr().out
    assert main(["evaluate", "net", "--data", "tabs.tsv"]) == 0
    assert capsys.readouterr().out == first
    assert main(["predict", "net", "german.csv", "--decimal", ","]) == 0
    first = capsys.readouterr().out
    assert main(["predict", "net", "tabs.tsv.gz"]) == 0
    assert capsys.readouterr().out == first


def test_grouped_digits(capsys):
    prices = 100_000 + 50_000 * X[:, 0]
    write("grouped.csv", [[*r[:2], f'"{p:,.2f}"'] for r, p in zip(ROWS, prices, strict=True)])
    write("plain.csv", [[*r[:2], f"{p:.2f}"] for r, p in zip(ROWS, prices, strict=True)])
    error = refused(capsys, "train", "--data", "grouped.csv")
    assert "is not a number; pass --thousands ','" in error
    usual = weights(capsys, "plain.csv")
    assert same(weights(capsys, "grouped.csv", "--thousands", ","), usual)


def test_dropped_columns(capsys):
    write("plain.csv")
    usual = weights(capsys, "plain.csv")
    rows = [["x7", *row[:2], "text, more".replace(",", ""), row[2]] for row in ROWS]
    write("wide.csv", rows, header=("id", "a", "b", "note", "y"))
    error = refused(capsys, "train", "--data", "wide.csv", "--epochs", "2")
    assert "'x7' is not a number; without --epochs tables may have text and missing" in error
    for drop in ("id,note", "0,3", "id,-2"):
        assert same(weights(capsys, "wide.csv", "--drop", drop), usual)
    write("bare.csv", rows, header=None)
    assert same(weights(capsys, "bare.csv", "--drop", "0,3", "--header", "no"), usual)
    assert "--drop 'id' names a column, but bare.csv has no header" in refused(
        capsys, "train", "--data", "bare.csv", "--drop", "id"
    )
    error = refused(capsys, "train", "--data", "wide.csv", "--drop", "idd")
    assert "unknown --drop column 'idd'; did you mean 'id'?" in error
    assert "between commas" in refused(capsys, "train", "--data", "wide.csv", "--drop", "id,")


def test_a_name_that_is_a_number(capsys):
    write("years.csv", header=("2019", "2020", "y"))
    weights(capsys, "years.csv", "--drop", "2019", "--header", "yes")
    assert cr.load("net").feature_names == ("2020",)
    weights(capsys, "years.csv", "--label", "2019", "--task", "regression", "--header", "yes")
    assert cr.load("net").feature_names == ("2020", "y")


def test_options_that_need_a_table(capsys):
    np.savez("data.npz", x=X, y=Y)
    np.save("x.npy", X)
    for option in (["--delimiter", ";"], ["--decimal", ","], ["--drop", "a"], ["--thousands", "."]):
        for data in ("digits", "mnist", "data.npz"):
            error = refused(capsys, "train", "--data", data, *option)
            assert f"{option[0]} is for CSV files; --data is {data}" in error
    write("plain.csv")
    weights(capsys, "plain.csv")
    assert "--drop is for CSV files" in refused(capsys, "predict", "net", "x.npy", "--drop", "a")
    for option in ("--delimiter", "--decimal", "--thousands"):
        error = refused(capsys, "train", option, ",,")
        assert f"argument {option}: expected one character, got ',,'" in error


def test_words_are_those_of_the_command_line(capsys):
    Path("either.csv").write_text("a,1,0\n2,3,1\n4,5,0\n")
    error = refused(capsys, "train", "--data", "either.csv")
    assert "pass --header yes or --header no" in error
    assert main(
        ["train", "-q", "--epochs", "1", "--data", "either.csv", "--header", "yes"]
    ) != 2 or ("header" not in capsys.readouterr().err)


@pytest.mark.parametrize("header", [True, False])
def test_lines_as_an_editor_counts_them(capsys, header):
    names = ("a", "b", "y") if header else None
    line = 39 + header
    rows = [list(row) for row in ROWS]
    rows[38][1] = "inf"
    write("bad.csv", rows, names)
    error = refused(capsys, "train", "--data", "bad.csv")
    name = " ('b')" if header else ""
    assert f"bad.csv, line {line}, column 2{name}: inf is no finite number" in error
    write("good.csv", header=names)
    weights(capsys, "good.csv")
    for argv in (
        ["evaluate", "net", "--data", "bad.csv"],
        ["predict", "net", "bad.csv", "--label", "last"],
    ):
        assert f"line {line}, column 2" in refused(capsys, *argv)
    rows[38][1] = "nan"
    write("bad.csv", rows, names)
    assert f"line {line}, column 2{name}: is missing" in refused(
        capsys, "train", "--data", "bad.csv", "--layers", "8"
    )
    rows[38][1:] = ["1", "-3.5"]
    write("bad.csv", rows, names)
    error = refused(capsys, "train", "--data", "bad.csv", "--loss", "poisson")
    name = " ('y')" if header else ""
    assert f"bad.csv, line {line}, column 3{name}: -3.5 is not a target of poisson" in error


def test_rows_of_archives_are_those_of_the_file(capsys):
    x = X.copy()
    x[57, 1] = np.nan
    np.savez("data.npz", x=x, y=Y)
    assert "data.npz, row 57, column 1: NaN" in refused(capsys, "train", "--data", "data.npz")
    y = Y - 0.5
    np.savez("data.npz", x=X, y=np.where(np.arange(120) == 57, -2.0, np.abs(y)))
    error = refused(capsys, "train", "--data", "data.npz", "--loss", "poisson")
    assert "data.npz, row 57: -2.0 is not a target of poisson" in error
    np.savez("data.npz", x=np.where(np.arange(240).reshape(120, 2) == 99, 1e300, X), y=Y)
    error = refused(capsys, "train", "--data", "data.npz")
    assert "data.npz, row 49, column 1: 1e+300 is too large for float32" in error


def piped(text, *argv):
    command = [sys.executable, "-m", "chainrule", *argv]
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_standard_input(capsys):
    write("plain.csv")
    usual = weights(capsys, "plain.csv")
    text = Path("plain.csv").read_bytes()
    for content in (text, gzip.compress(text)):
        status, out, err = piped(content, "train", "--data", "-", "--epochs", "2")
        assert (status, err) == (0, "")
        assert "next:" not in out
        assert same(cr.load("stdin.safetensors").get_weights(), usual)
    assert main(["predict", "net", "plain.csv"]) == 0
    assert piped(text, "predict", "net", "-") == (0, capsys.readouterr().out, "")
    assert main(["evaluate", "net", "--data", "plain.csv"]) == 0
    assert piped(text, "evaluate", "net", "--data", "-") == (0, capsys.readouterr().out, "")
    np.save("x.npy", X.astype(np.float32))
    assert main(["predict", "net", "x.npy"]) == 0
    content = Path("x.npy").read_bytes()
    assert piped(content, "predict", "net", "-") == (0, capsys.readouterr().out, "")
    status, out, err = piped(text.replace(b"\n", b",7\n", 9), "predict", "net", "-")
    assert (status, out) == (2, "")
    assert err.startswith("chainrule: error: standard input")
    status, _, err = piped(text, "train", "--data", "-", "--test-data", "-")
    assert (status, err) == (
        2, "chainrule: error: only one option can stand for the standard input\n"
    )  # fmt: skip
    status, _, err = piped(b"", "train", "--data", "-")
    assert (status, err) == (2, "chainrule: error: standard input is empty\n")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_with_names(capsys):
    write("plain.csv")
    weights(capsys, "plain.csv")
    assert main(["predict", "net", "plain.csv"]) == 0
    usual = capsys.readouterr().out
    os.mkfifo("pipe")
    command = f"cat plain.csv > pipe & {sys.executable} -m chainrule predict net pipe"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (usual, "")
