# SPDX-License-Identifier: Apache-2.0
"""Delimiters, decimal commas, grouped digits and left-out columns; and where each row stands."""

from __future__ import annotations

import csv
import gzip
import io
import re

import numpy as np
import pytest

from chainrule.data import load_csv
from chainrule.errors import DataFileError


@pytest.fixture
def write(tmp_path):
    """Write a text to a file and return its path."""

    def write(text: str, name: str = "train.csv"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def raises(text: str, kind: type[Exception] = DataFileError):
    return pytest.raises(kind, match=re.escape(text))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz"])
def test_delimiter_is_found(write, delimiter, header, name):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter)
    if header:
        writer.writerow(["a,;\t|a", "b", "kind"])
    writer.writerows([[1.5, -2, "x, y"], [3, 4e3, "z;|\tz"]])
    table = load_csv(write(buffer.getvalue(), name))
    assert table.x.tolist() == [[1.5, -2], [3, 4000]]
    assert table.classes == ("x, y", "z;|\tz")
    assert table.feature_names == (("a,;\t|a", "b") if header else None)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("name, first;b;y\n1;2;3\n", 2),  # the first line alone would allow both
        ("a;x,b,y\n1,2,3\n", 2),
        ("1,2,cat;dog\n3,4,cow;dog\n", 2),  # only one is between numbers
        ('"a,b";c\n"1";2\n', 1),
        ("a,y\n\n\n1,2\n", 1),
        ('"a\n;b",y\n1,2\n', 1),
    ],
)
def test_delimiter_by_the_second_line(write, text, columns):
    assert load_csv(write(text)).x.shape[1] == columns


@pytest.mark.parametrize("text", ["1,5;2,5;3,5\n2,5;1,5;0,5\n", "a,b;c\n1,2;3\n", "0,5;1\n1,5;0\n"])
def test_unclear_delimiter_is_refused(write, text):
    with raises("train.csv: the delimiter may be ',' or ';'; pass delimiter= to say which"):
        load_csv(write(text))
    assert len(load_csv(write(text), delimiter=";", decimal=",", label=None).x) >= 1


def test_tabs_by_name(write):
    text = "a, b\tc, d\ty\n1\t2\t3\n"
    for name in ("train.tsv", "train.TSV", "train.tsv.gz", "train.tab"):
        assert load_csv(write(text, name)).feature_names == ("a, b", "c, d")
    assert load_csv(write("a,b\n1,2\n", "train.tsv"), delimiter=",").x.tolist() == [[1]]


@pytest.mark.parametrize("delimiter", [None, ";"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_decimal_comma(write, delimiter, dtype):
    text = "a;b;y\n1,5;-2;0,25\n,5;1e3;1\n+3,;1,5E-3;2\n"
    table = load_csv(write(text), decimal=",", delimiter=delimiter, dtype=dtype)
    np.testing.assert_array_equal(table.x, np.array([[1.5, -2], [0.5, 1000], [3, 0.0015]], dtype))
    assert table.y.tolist() == [0.25, 1, 2]


def test_decimal_comma_as_pandas_reads_it(write):
    pandas = pytest.importorskip("pandas")
    values = np.random.default_rng(0).standard_normal((40, 4))
    text = io.StringIO()
    pandas.DataFrame(values, columns=list("abcd")).to_csv(text, sep=";", decimal=",", index=False)
    path = write(text.getvalue())
    expected = pandas.read_csv(path, sep=";", decimal=",").to_numpy()
    table = load_csv(path, decimal=",", label=None, dtype="float64")
    np.testing.assert_array_equal(table.x, expected)


def test_a_point_is_no_decimal_comma(write):
    with raises("line 2, column 1: '1.5' is not a number; pass decimal='.' if that is meant"):
        load_csv(write("1,5;1\n1.5;0\n"), decimal=",")


@pytest.mark.parametrize(
    ("text", "options", "x"),
    [
        ('"97,234.00",1\n"1,234,567",0\n12,1\n', {"thousands": ","}, [97234, 1234567, 12]),
        (
            "97.234,5;1\n-1.234;0\n0,5;1\n",
            {"thousands": ".", "decimal": ","},
            [97234.5, -1234, 0.5],
        ),
        ("1 234.5;1\n-12 345 678;0\n", {"thousands": " "}, [1234.5, -12345678]),
        ("1\u202f234,5;1\n2;0\n", {"thousands": "\u202f", "decimal": ","}, [1234.5, 2]),
        ("'1,00,000';1\n2;0\n".replace("'", '"'), {"thousands": ",", "delimiter": ";"}, [1e5, 2]),
    ],
)
def test_groups_of_digits(write, text, options, x):
    table = load_csv(write(text), dtype="float64", **options)
    assert table.x[:, 0].tolist() == x


@pytest.mark.parametrize("field", ["1,5", "1,2345", ",123", "12,34,5", "1234,567", "1,234,"])
def test_thousands_are_groups_of_three(write, field):
    with raises(f"line 2, column 1: {field!r} is not a number"):
        load_csv(write(f'1,0\n"{field}",1\n'), thousands=",")


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("97,234.00", "; pass thousands=',' if that is meant"),
        ("1,5", "; pass decimal=',' if that is meant"),
        ("97,234", "; pass thousands=',' or decimal=',' if that is meant"),
        ("1.234.567,8", "; pass decimal=',', thousands='.' if that is meant"),
        ("1 234", "; pass thousands=' ' or decimal=',', thousands=' ' if that is meant"),
        ("abc", ""),
        ("1,2,3,4", ""),
    ],
)
def test_faults_say_how_a_field_would_be_a_number(write, field, hint):
    path = write(f'5,0\n"{field}",1\n')
    with raises(f"{path}, line 2, column 1: {field!r} is not a number{hint}"):
        load_csv(path)
    with raises(f"{path}, line 2, column 1: {field!r} is not a number{hint}, though the first"):
        load_csv(path, label="first")


def test_grouped_targets_are_no_classes(write):
    text = 'a,price\n1,"97,234.00"\n2,600.00\n3,"1,100.50"\n'
    with raises("line 2, column 2 ('price'): '97,234.00' is not a number; pass thousands=','"):
        load_csv(write(text))
    table = load_csv(write(text), thousands=",", dtype="float64")
    assert table.classes is None
    assert table.y.tolist() == [97234, 600, 1100.5]
    with raises("line 1, column 2: '0,5' is not a number; pass decimal=','"):
        load_csv(write("1;0,5\n2;1,5\n"), delimiter=";")
    # Names among which one looks like such a number are names.
    assert load_csv(write('1,"2,5"\n2,cat\n')).classes == ("2,5", "cat")


@pytest.mark.parametrize(
    ("drop", "label", "names", "x", "y"),
    [
        ("id", "last", ("a", "b"), [[1, 2], [4, 5]], [3, 6]),
        (["id", "b"], "last", ("a",), [[1], [4]], [3, 6]),
        (0, "first", ("b", "y"), [[2, 3], [5, 6]], [1, 4]),
        ([0, -1], "last", ("a",), [[1], [4]], [2, 5]),
        (np.int64(0), "b", ("a", "y"), [[1, 3], [4, 6]], [2, 5]),
        (("id",), None, ("a", "b", "y"), [[1, 2, 3], [4, 5, 6]], None),
    ],
)
def test_columns_left_out(write, drop, label, names, x, y):
    table = load_csv(write("id,a,b,y\nx1,1,2,3\n,4,5,6\n"), drop=drop, label=label)
    assert table.feature_names == names
    assert table.x.tolist() == x
    assert (None if table.y is None else table.y.tolist()) == y
    header = ["id", "a", "b", "y"]
    assert [header[i] for i in table.feature_columns] == list(names)
    assert table.label_name == (None if label is None else header[table.label_column])


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"drop": "idd"}, ValueError, "unknown drop column 'idd'; did you mean 'id'?"),
        ({"drop": 4}, ValueError, "drop = 4 is out of range"),
        ({"drop": True}, TypeError, "drop must be a column's name or index, got True"),
        ({"drop": [1.5]}, TypeError, "drop must be a column's name or index, got 1.5"),
        ({"drop": "y", "label": "y"}, ValueError, "label = 'y' is a column that drop leaves out"),
        ({"drop": ["id", "a", "b"]}, DataFileError, "label = 'last' and drop leaves no features"),
        ({"drop": ["id", "a", "b", "y"]}, DataFileError, "train.csv has 4 columns"),
        ({"decimal": ""}, ValueError, "decimal must be one character, got ''"),
        ({"decimal": None}, TypeError, "decimal must be one character, got None"),
        ({"decimal": "5"}, ValueError, "decimal must be one character, got '5'"),
        ({"thousands": "."}, ValueError, "decimal and thousands are both '.'"),
        ({"thousands": "1"}, ValueError, "thousands must be one character, got '1'"),
        ({"delimiter": 3}, TypeError, "delimiter must be one character, got 3"),
        ({"max_bytes": 0}, ValueError, "max_bytes = 0, expected 1 or more"),
        ({"max_bytes": 1.5}, TypeError, "max_bytes must be a whole number, got 1.5"),
    ],
)
def test_wrong_arguments(write, options, kind, text):
    with raises(text, kind):
        load_csv(write("id,a,b,y\nx1,1,2,3\n,4,5,6\n"), **options)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("1,2\n3,4\n", [1, 2]),
        ("1,2\n3,4", [1, 2]),
        ("a,y\n1,2\n3,4\n", [2, 3]),
        ("\n\na,y\n\n1,2\n\n\n3,4\n", [5, 8]),
        ('"a\nb",y\n1,cat\n2,"big\ndog"\n3,cat\n', [3, 4, 6]),
        ("a,y\r\n1,2\r\n\r\n3,4\r\n", [2, 4]),
        ("a,y\r1,2\r3,4\r", [2, 3]),
        ("a,y\n\n1,2\r3,4\n", [3, 4]),  # as many newlines as rows, by chance
    ],
)
@pytest.mark.parametrize("name", ["train.csv", "train.csv.gz"])
def test_lines_of_rows(write, text, lines, name):
    table = load_csv(write(text, name))
    assert table.lines.dtype == np.int64
    assert table.lines.tolist() == lines
    assert table.place(len(lines) - 1).startswith(f"line {lines[-1]}, column 2")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" * 400])
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_numbers_beyond_float64(write, number, dtype):
    for label in ("first", "last"):
        with raises(f"line 3, column 1 ('a'): {number!r} is too large for float64"):
            load_csv(write(f"a,y\n1,2\n{number},3\n"), label=label, dtype=dtype)
    assert np.isinf(load_csv(write("a,y\n1,2\ninf,3\n")).x[1, 0])


def test_labels_beyond_float32(write):
    text = "a,y\n1,2.5\n1,1e39\n"
    with raises("line 3, column 2 ('y'): 1e+39 does not fit float32; pass dtype='float64'"):
        load_csv(write(text))
    assert load_csv(write(text), dtype="float64").y.tolist() == [2.5, 1e39]
