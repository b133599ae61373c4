# SPDX-License-Identifier: Apache-2.0
"""Quoted fields of CSV files that do not end, wherever such files are read."""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys

import numpy as np
import pytest

from chainrule.cli import main
from chainrule.data import load_csv
from chainrule.data.csv_layout import open_records
from chainrule.data.source import open_source
from chainrule.errors import DataFileError
from chainrule.tables.files import CsvFile

MORE = "".join(f"{i}.5,{i},b\n" for i in range(40))
# The text, the label column and the line on which the open field begins.
OPEN = {
    "last": ('x,z,y\n1,2,a\n3,4,"b\n' + MORE, "last", 3),
    "last at the end": ('x,z,y\n1,2,a\n3,4,"b', "last", 3),
    "nothing in it": ('x,z,y\n1,2,a\n3,4,"', "last", 3),
    "only a line break in it": ('x,z,y\n1,2,a\n3,4,"\n', "last", 3),
    "first": ('y,x,z\na,1,2\n"b,3,4\n' + MORE, "first", 3),
    "middle": ('x,y,z\n1,a,2\n3,"b,4\n' + MORE, "y", 3),
    "a number": ('x,z\n1,2\n"3,4\n5,6\n', "last", 3),
    "a number at the end": ('x,z\n1,2\n3,"4\n', "last", 3),
    "the only column": ('x\n1\n"3\n', None, 3),
    "header": ('x,"y\n1,2\n3,4\n', "last", 1),
    "first row without header": ('1,"2\n3,4\n', "last", 1),
    "after closed ones": ('x,y\n0,a\n1,"a\n""b"""\n2,"c\n\nd"\n3,"e""\n4,f\n', "last", 8),
    "after a quote within a field": ('x,y\n1,a"b\n2,"c\n3,d\n', "last", 3),
    "doubled at the end": ('x,y\n1,a\n2,"b""', "last", 3),
    "second in its record": ('x,v,y\nd,1,2\n"a\n\nb","3\nd,1,2\n', "x", 5),
    "longer than a field may be": ('x,y\n1,a\n2,"b\n' + "3,c\n" * 50_000, "last", 3),
    "two line breaks": ('x,y\r\n1,a\r\n2,"b\r\n3,c\r\n', "last", 3),
    "returns": ('x,y\r1,a\r2,"b\r3,c\r', "last", 3),
}
# The same behind the lines that tell a file's layout, where another reader is the first to see it.
for case, (text, label, line) in [*OPEN.items()]:
    lines = text.splitlines(keepends=True)
    if line > 2:
        OPEN[f"{case}, later"] = (
            "".join([*lines[:2], *lines[1:2] * 3, *lines[2:]]),
            label,
            line + 3,
        )
CLOSED = {
    "line breaks": ('x,y\n1,"a\nb"\n2,"c\r\n\r\nd"', ["a\nb", "c\r\n\r\nd"]),
    "doubled": ('x,y\n1,"a"""\n2,""""', ['a"', '"']),
    "empty": ('x,y\n1,"a"\n2,"b"\n\n', ["a", "b"]),
    "within a field": ('x,y\n1,5"\n2,6"x"\n', ['5"', '6"x"']),
    "text behind it": ('x,y\n1,"a"b\n2,"c" \n', ["ab", "c"]),
}


def raises(path, line):
    fault = f"{path}, line {line}: a quote opens a field that never ends"
    return pytest.raises(DataFileError, match=re.escape(fault) + "$")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", " "])
@pytest.mark.parametrize("case", OPEN)
def test_an_open_quote_is_an_error(tmp_path, case, delimiter, packed):
    text, label, line = OPEN[case]
    contents = text.replace(",", delimiter).encode()
    path = tmp_path / "train.csv"
    path.write_bytes(gzip.compress(contents) if packed else contents)
    with raises(path, line):
        load_csv(path, label=label, delimiter=delimiter)
    with raises(path, line):
        CsvFile(path, delimiter=delimiter)


@pytest.mark.parametrize("case", OPEN)
def test_it_is_one_with_any_options(tmp_path, case):
    text, label, line = OPEN[case]
    path = tmp_path / "train.csv"
    path.write_bytes(text.encode())
    with raises(path, line):
        load_csv(path, label=label)
    with raises(path, line):
        load_csv(path, label=label, thousands="'", dtype="float64")
    with raises(path, line):
        CsvFile(path)


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("1,2,a\n" * 4 + '3,4,"b\n', -1),
        ("a,1,2\n" * 4 + '"b,3,4\nc,5,6\n', 0),
        ("1,a,2\n" * 4 + '3,"b,4\n', 1),
    ],
)
@pytest.mark.parametrize("label", [None, "first", "last"])
def test_columns_left_out_are_read_too(tmp_path, text, drop, label):
    path = tmp_path / "train.csv"
    path.write_text(text)
    with raises(path, 5):
        load_csv(path, label=label, drop=drop)


@pytest.mark.parametrize("case", CLOSED)
def test_closed_quotes_are_none(tmp_path, case):
    text, labels = CLOSED[case]
    path = tmp_path / "train.csv"
    path.write_bytes(text.encode())
    table = load_csv(path)
    assert [table.classes[i] for i in table.y] == labels
    np.testing.assert_array_equal(table.x[:, 0], [1, 2])
    assert CsvFile(path).values(1).data.tolist() == labels


def test_whatever_the_standard_library_takes_for_open(tmp_path):
    random = np.random.default_rng(0)
    path, seen = tmp_path / "train.csv", set()
    for _ in range(300):
        text = "1,a\n2," + "".join(random.choice([*'ab"\n']) for _ in range(8)) + ",3\n"
        try:
            list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except csv.Error as error:
            fault = str(error)
            if fault != "unexpected end of data":
                continue  # text behind a closing quote
        else:
            fault = ""
        seen.add(fault)
        path.write_text(text)
        told = ""
        try:
            with open_records(open_source(path), ",") as records:
                list(records)
        except DataFileError as error:
            told = str(error)
        assert ("never ends" in told) == bool(fault), text
    assert len(seen) == 2


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("piped", [False, True])
def test_commands_refuse_it(tmp_path, monkeypatch, capsys, piped, table):
    monkeypatch.chdir(tmp_path)
    text = "x,z,y\n" + "".join(
        f"{i},{'pq'[i % 2] if table else i % 5},{i % 2}\n" for i in range(60)
    )
    whole = tmp_path / "whole.csv"
    whole.write_text(text)
    target = ["--target", "y"] if table else ["--label", "y"]
    if table:
        pytest.importorskip("sklearn")
    usual = ["--budget", "fast"] if table else ["--epochs", "1"]
    assert main(["train", "--data", "whole.csv", *target, *usual, "-o", "model"]) == 0
    lines = text.splitlines(keepends=True)
    lines[20] = lines[20].rstrip("\n").rpartition(",")[0] + ',"1\n'
    open_text = "".join(lines)
    (tmp_path / "open.csv").write_text(open_text)
    name = "-" if piped else "open.csv"
    shown = "standard input" if piped else "open.csv"
    for command in (
        ["train", "--data", name, *target, *usual, "-o", "other"],
        ["evaluate", "model", "--data", name],
        ["predict", "model", name],
    ):
        stream = io.TextIOWrapper(io.BytesIO(open_text.encode()))
        monkeypatch.setattr(sys, "stdin", stream)
        capsys.readouterr()
        assert main(command) != 0
        error = capsys.readouterr().err
        assert f"{shown}, line 21: a quote opens a field that never ends" in error
    assert not (tmp_path / "other").exists()
