# SPDX-License-Identifier: Apache-2.0
"""CSV files: headers, labels, types, faults, and what was written."""

from __future__ import annotations

import gzip
import io
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data import csv_rows, load_csv
from chainrule.errors import DataFileError

IRIS = "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,setosa\n"


@pytest.fixture
def write(tmp_path):
    """Write a text, or bytes, to ``train.csv`` and return its path."""

    def write(text: str | bytes):
        path = tmp_path / "train.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def raises(text: str, kind: type[Exception] = DataFileError):
    return pytest.raises(kind, match=re.escape(text))


def test_names_and_classes(write):
    table = load_csv(write(IRIS))
    x, y = table
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, np.float32([[5.1, 3.5], [7.0, 3.2], [6.3, 3.3]]))
    assert y.dtype == np.int64
    assert y.tolist() == [0, 1, 0]
    assert table.feature_names == ("length", "width")
    assert table.classes == ("setosa", "versicolor")


@pytest.mark.parametrize(
    ("label", "y", "names"),
    [
        ("last", [3, 6], ("a", "b")),
        ("first", [1, 4], ("b", "c")),
        ("b", [2, 5], ("a", "c")),
        (1, [2, 5], ("a", "c")),
        (-3, [1, 4], ("b", "c")),
        (None, None, ("a", "b", "c")),
    ],
)
def test_label_column(write, label, y, names):
    table = load_csv(write("a,b,c\n1,2,3\n4,5,6\n"), label=label)
    assert table.feature_names == names
    assert (table.y is None) == (y is None)
    if y is not None:
        assert table.y.tolist() == y
        assert table.y.dtype == np.int64
    assert table.x.shape == (2, len(names))
    together = table.x.sum() + (0 if y is None else sum(y))
    assert together == 21


@pytest.mark.parametrize(
    ("text", "header", "rows", "names"),
    [
        ("1,2,3\n4,5,6\n", "auto", 2, None),
        ("a,b,c\n4,5,6\n", "auto", 1, ("a", "b")),
        ("1,2,cat\n4,5,dog\n", "auto", 2, None),
        ("a,b,kind\n4,5,dog\n", "auto", 1, ("a", "b")),
        (",2,3\n4,5,6\n", False, None, None),
        ("1,2,3\n4,5,6\n", True, 1, ("1", "2")),
        ("1,2,3", "auto", 1, None),
        ("\n\na,b,c\n\n1,2,3\n\n\n4,5,6\n\n", "auto", 2, ("a", "b")),
        ('"a","b, or so","c"\n1,2,3\n', "auto", 1, ("a", "b, or so")),
        ("\ufeffa,b,c\r\n1,2,3\r\n", "auto", 1, ("a", "b")),
        ("label,0,1\n1,2,3\n", True, 1, ("label", "0")),
    ],
)
def test_header(write, text, header, rows, names):
    if rows is None:
        with raises("train.csv, line 1, column 1: is missing"):
            load_csv(write(text), header=header)
        return
    table = load_csv(write(text), header=header)
    assert len(table.x) == len(table.y) == rows
    assert table.feature_names == names


def test_ambiguous_header_is_refused(write):
    with raises(
        "train.csv, line 1: may or may not be a header: 'label' is not a number but '0' is; "
        "pass header=True or header=False"
    ):
        load_csv(write("label,0,1\n5,0,0\n"))


@pytest.mark.parametrize(
    ("labels", "dtype", "y_type"),
    [
        (["1", "2"], "float32", "int64"),
        (["1.0", "2e0"], "float32", "int64"),
        (["1.5", "2"], "float32", "float32"),
        (["1.5", "2"], "float64", "float64"),
        (["1.5", "2"], "uint8", "float32"),
        (["1e300", "2"], "float64", "float64"),
    ],
)
def test_type_of_labels(write, labels, dtype, y_type):
    table = load_csv(write("".join(f"7,{label}\n" for label in labels)), dtype=dtype)
    assert table.x.dtype == dtype
    assert table.y.dtype == y_type
    np.testing.assert_array_equal(table.y, np.array(labels, dtype=float).astype(y_type))


def test_other_delimiters_and_spaces(write):
    table = load_csv(write("a; b ;c\n 1 ; 2.5; cat \n3;4;dog\n"), delimiter=";")
    assert table.x.tolist() == [[1, 2.5], [3, 4]]
    assert table.feature_names == ("a", "b")
    assert table.classes == ("cat", "dog")


def test_gzip_is_told_by_contents(write):
    table = load_csv(write(gzip.compress(IRIS.encode())))
    assert table.y.tolist() == [0, 1, 0]
    assert table.x.shape == (3, 2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("age,y\n1,0\nabc,1\n", "line 3, column 1 ('age'): 'abc' is not a number"),
        ("1,0\nabc,1\n", "line 2, column 1: 'abc' is not a number"),
        ("1,0\n1_000,1\n", "line 2, column 1: '1_000' is not a number"),
        ("1,0\n0x10,1\n", "line 2, column 1: '0x10' is not a number"),
        ("1,0\n\u0661,1\n", "line 2, column 1: '\u0661' is not a number"),
        ("y,age\n1,2\n\n\n0,abc\n", "line 5, column 2 ('age'): 'abc' is not a number"),
        ("age,y\n1,0\n,1\n", "line 3, column 1 ('age'): is missing"),
        ("age,y\n1,0\nNA,1\n", "line 3, column 1 ('age'): is missing"),
        ("age,y\n1,0\nnan,1\n", "line 3, column 1 ('age'): is missing"),
        ("age,y\n1,0\n2,\n", "line 3, column 2 ('y'): is missing"),
        ("age,y\n1,cat\n2,?\n", "line 3, column 2 ('y'): is missing"),
        ("age,y\n1,5\n2,x\n", "line 3, column 2 ('y'): 'x' is not a number, though the first"),
        ("age,y\n1,0\n1e39,1\n", "line 3, column 1 ('age'): 1e+39 does not fit float32"),
        ("a,b,y\n1,2,0\n1,2\n", "line 3: 2 fields, expected 3"),
        ("a,b,y\n1,2,0\n1,2,0,0\n", "line 3: 4 fields, expected 3"),
        ("a,b,y\n1,2,0\n1\n", "line 3: 1 field, expected 3"),
    ],
)
def test_faults_are_located(write, text, fault):
    first = text.startswith("y")
    path = write(text)
    with raises(f"{path}, {fault}"):
        load_csv(path, label="first" if first else "last")


@pytest.mark.parametrize("value", ["256", "-1", "0.5"])
def test_values_that_do_not_fit_bytes(write, value):
    with raises(f"train.csv, line 2, column 1: {value} does not fit uint8"):
        load_csv(write(f"255,0\n{value},1\n"), dtype="uint8")


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        (b"", "train.csv is empty"),
        (b"\n\n", "train.csv is empty"),
        (b"a,b\n", "train.csv has a header but no rows"),
        (b"a\n1\n", "train.csv has one column (by delimiter ','), so label = 'last' leaves no"),
        (b"a,b\n1,\xff\n", "not UTF-8 text"),
    ],
)
def test_unreadable_files(write, contents, text):
    with raises(text):
        load_csv(write(contents))


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_truncated_gzip(write, cut):
    contents = gzip.compress(b"1.5,2\n3,4\n" * 1000)
    assert load_csv(write(contents)).x.shape == (2000, 1)
    with raises("train.csv: corrupt gzip file"):
        load_csv(write(contents[:-cut]))


def test_altered_gzip(write):
    contents = bytearray(gzip.compress(b"1.5,2\n3,4\n" * 1000))
    contents[-8] ^= 0xFF  # Part of the checksum of the contents.
    with raises("train.csv: corrupt gzip file"):
        load_csv(write(bytes(contents)))


def test_overlong_field_is_located(write):
    with raises("train.csv, line 2: field larger than field limit"):
        load_csv(write("1,2\n" + "x" * 200_000 + ",2\n"))


def test_missing_file(tmp_path):
    with raises("no such data file", FileNotFoundError):
        load_csv(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"label": "specie"},
            ValueError,
            "unknown label column 'specie'; did you mean 'species'? valid: length, width, species",
        ),
        ({"label": 3}, ValueError, "label = 3 is out of range: "),
        ({"label": -4}, ValueError, "has 3 columns"),
        ({"label": True}, TypeError, "label must be a column's name or index"),
        ({"label": 1.0}, TypeError, "label must be a column's name or index"),
        ({"label": "species", "header": False}, ValueError, "names a column, but "),
        ({"header": "yes"}, ValueError, "header must be True, False or 'auto', got 'yes'"),
        ({"delimiter": ",,"}, ValueError, "delimiter must be one character, got ',,'"),
        ({"dtype": "float16"}, ValueError, "unknown dtype 'float16'; did you mean 'float"),
    ],
)
def test_wrong_arguments(write, options, kind, text):
    with raises(text, kind):
        load_csv(write(IRIS), **options)


def test_name_that_two_columns_share(write):
    with raises("label = 'a' names 2 columns of", ValueError):
        load_csv(write("a,a,b\n1,2,3\n"), label="a")


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    rows=st.integers(1, 4).flatmap(
        lambda columns: st.lists(
            st.lists(numbers, min_size=columns + 1, max_size=columns + 1), min_size=1, max_size=8
        )
    ),
    header=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_reads_what_was_written(write, rows, header):
    text = io.StringIO()
    if header:
        text.write(",".join(f"c{i}" for i in range(len(rows[0]))) + "\n")
    for row in rows:
        text.write(",".join(repr(value) for value in row) + "\n")
    x, y = load_csv(write(text.getvalue()), header=header)
    expected = np.array(rows)
    np.testing.assert_array_equal(x, expected[:, :-1].astype(np.float32))
    np.testing.assert_array_equal(y.astype(np.float32), expected[:, -1].astype(np.float32))


def test_numpy_alone_reads_what_has_no_fault(monkeypatch, write):
    def fail(*_: object) -> None:
        raise AssertionError("read twice")

    monkeypatch.setattr(csv_rows, "_records", fail)
    assert load_csv(write(IRIS)).y.tolist() == [0, 1, 0]
    assert load_csv(write(gzip.compress(IRIS.encode()))).y.tolist() == [0, 1, 0]
    table = load_csv(
        write('a;id;y\n"1.234,5";x;"big; dog"\n-2;y;cat\n'), decimal=",", thousands=".", drop="id"
    )
    assert table.x.tolist() == [[1234.5], [-2]]
    assert table.classes == ("big; dog", "cat")


def test_options_go_by_name(write):
    path = write(IRIS)
    with pytest.raises(TypeError, match="positional argument"):
        load_csv(path, "species")
    assert load_csv(path=path, label="species").label_name == "species"
