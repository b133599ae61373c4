# SPDX-License-Identifier: Apache-2.0
"""svmlight files: what scikit-learn reads of them, what it refuses, and which line is bad."""

from __future__ import annotations

import gzip
import io
import re
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.data import load_svmlight, save_svmlight
from chainrule.errors import DataFileError

sparse = pytest.importorskip("scipy.sparse")

PLAIN = b"1 1:0.5 3:2\n-1 2:1e-3\n"


def raises(text: str):
    return pytest.raises(DataFileError, match=re.escape(text))


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name: str = "rows.svm"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def assert_same_matrix(found, expected):
    assert isinstance(found, sparse.csr_array)
    assert found.shape == expected.shape
    assert found.has_sorted_indices
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def by_sklearn(content: bytes, **options):
    datasets = pytest.importorskip("sklearn.datasets")
    return datasets.load_svmlight_file(io.BytesIO(content), **options)


decimals = st.one_of(
    st.floats(width=64).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map("{:.17g}".format),
    st.floats(-1e6, 1e6).map("{:.6f}".format),
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(["0", "-0", "+1", "1.", ".5", "-.25", "1E5", "nan", "inf", "-Infinity"]),
    st.sampled_from(["9007199254740993", "0.1234567890123456789", "1" + 25 * "0", "4.9e-324"]),
)
blanks = st.sampled_from([" ", "  ", "\t", " \t "])
comments = st.sampled_from(["", "", "", "# text 1:2", " #"])
newlines = st.sampled_from(["\n", "\r\n", " \n", "\n\n", "\n# a comment\n"])


@st.composite
def files(draw, multilabel=False, queries=False):
    text = draw(st.sampled_from(["", "\n", "# first\n"]))
    lowest = draw(st.integers(0, 1))
    for row in range(draw(st.integers(1, 6))):
        label = draw(decimals)
        if multilabel:
            label = ",".join(map(str, draw(st.lists(st.integers(0, 9), max_size=3, unique=True))))
        indices = draw(st.lists(st.integers(lowest, 2**31 - 2), max_size=5, unique=True))
        words = [label] if label else []
        words += [f"qid:{draw(st.integers(0, 2**40))}"] if queries else []
        words += [f"{index}:{draw(decimals)}" for index in sorted(indices)]
        if not words:
            words = ["3:1"]
        text += "".join(draw(blanks) + word for word in words).lstrip("" if row % 2 else " \t")
        text += draw(comments) + draw(newlines)
    return (text if draw(st.booleans()) else text.rstrip()).encode()


def loaded(tmp_path_factory, content, **options):
    path = tmp_path_factory.getbasetemp() / "drawn.svm"
    path.write_bytes(content)
    return load_svmlight(path, **options)


@given(content=files(), zero_based=st.sampled_from(["auto", True]))
@settings(deadline=None)
def test_same_as_scikit_learn(tmp_path_factory, content, zero_based):
    options = {"zero_based": zero_based, "n_features": 2**31}
    x, y = loaded(tmp_path_factory, content, dtype="float64", **options)
    expected_x, expected_y = by_sklearn(content, **options)
    assert_same_matrix(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)


@given(content=files(queries=True))
@settings(deadline=None)
def test_query_ids_are_those_of_scikit_learn(tmp_path_factory, content):
    x, y, ids = loaded(tmp_path_factory, content, query_id=True, dtype="float64", n_features=2**31)
    expected_x, expected_y, expected_ids = by_sklearn(content, query_id=True, n_features=2**31)
    assert_same_matrix(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)
    np.testing.assert_array_equal(ids, expected_ids)
    ignored, _ = loaded(tmp_path_factory, content, dtype="float64", n_features=2**31)
    assert_same_matrix(ignored, expected_x)


@given(content=files(multilabel=True))
@settings(deadline=None)
def test_several_labels_are_those_of_scikit_learn(tmp_path_factory, content):
    x, y = loaded(tmp_path_factory, content, multilabel=True, dtype="float64", n_features=2**31)
    expected_x, expected_y = by_sklearn(content, multilabel=True, n_features=2**31)
    assert_same_matrix(x, expected_x)
    assert y.dtype == np.float64
    assert [tuple(np.flatnonzero(row)) for row in y.toarray()] == expected_y
    assert set(y.data) <= {1.0}


def test_float32_values_and_labels(write):
    x, y = load_svmlight(write(PLAIN))
    assert x.dtype == np.float32
    assert x.indices.dtype == x.indptr.dtype == np.int32
    assert x.toarray().tolist() == [[0.5, 0.0, 2.0], [0.0, np.float32(1e-3), 0.0]]
    assert y.tolist() == [1, -1]
    assert y.dtype == np.int64
    _, y = load_svmlight(write(b"0.5 1:1\n1 1:1\n"))
    assert y.dtype == np.float32


def test_faults_at_the_end_of_a_file(write, rng):
    matrix = sparse.random_array((300, 40), density=0.2, rng=rng, format="csr")
    labels = rng.integers(0, 3, 300)
    path = write(b"")
    save_svmlight(path, matrix, labels)
    whole, y = load_svmlight(path, dtype="float64", n_features=40)
    assert_same_matrix(whole, matrix)
    assert y.tolist() == labels.tolist()
    with path.open("ab") as file:
        file.write(b"\n# end_\n1 2:x")
    with raises(f"{path}, line 303: the value of index 2 is 'x', expected a number"):
        load_svmlight(path)


def test_zero_and_one_based(write):
    from_one = write(b"1 1:5 2:6\n")
    assert load_svmlight(from_one)[0].toarray().tolist() == [[5, 6]]
    assert load_svmlight(from_one, zero_based=False)[0].toarray().tolist() == [[5, 6]]
    assert load_svmlight(from_one, zero_based=True)[0].toarray().tolist() == [[0, 5, 6]]
    from_zero = write(b"1 1:5 2:6\n1 0:7\n")
    assert load_svmlight(from_zero)[0].toarray().tolist() == [[0, 5, 6], [7, 0, 0]]
    with raises("rows.svm, line 2: the index is 0, expected 1 or more"):
        load_svmlight(from_zero, zero_based=False)


def test_any_order_and_repeated_indices(write):
    x, _ = load_svmlight(write(b"1 3:1 1:2 3:0.5\n1 9:1\n1 2:1 2:1\n"), zero_based=True)
    assert x.has_canonical_format
    assert x.indices.tolist() == [1, 3, 9, 2]
    assert x.data.tolist() == [2, 1.5, 1, 2]
    assert x.indptr.tolist() == [0, 2, 3, 4]
    # The end of one row and the beginning of the next are not one row out of order.
    x, _ = load_svmlight(write(b"1 3:0\n1 1:0 3:0\n1\n1 2:0\n"))
    assert x.indices.tolist() == [2, 0, 2, 1]


def test_repeated_labels_count_once(write):
    x, y = load_svmlight(write(b"3,1,3 1:1\n1:2\n"), multilabel=True)
    assert x.toarray().tolist() == [[1], [2]]
    assert y.toarray().tolist() == [[0, 1, 0, 1], [0, 0, 0, 0]]


def test_rows_without_features(write):
    x, y = load_svmlight(write(b"1\n2 # nothing\n"))
    assert x.shape == (2, 0)
    assert y.tolist() == [1, 2]
    assert load_svmlight(write(b"1\n"), n_features=5)[0].shape == (1, 5)


def test_columns_beyond_32_bits(write):
    x, _ = load_svmlight(write(b"1 1:1 2147483647:2\n"))
    assert x.shape == (1, 2**31 - 1)
    assert x.indices.tolist() == [0, 2**31 - 2]
    x, _ = load_svmlight(write(b"1 1:1\n"), n_features=2**40)
    assert x.shape == (1, 2**40)


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "text", "options"),
    [
        (b"", ": no rows, expected lines such as '1 3:0.5 7:2'", {}),
        (b"# nothing\n\n \n", ": no rows", {}),
        (b"\n\nx 1:2\n", ", line 3: the label is 'x', expected a number", {}),
        (b"1_0 1:2\n", ", line 1: the label is '1_0', expected a number", {}),
        (b"1:2 2:3\n", ", line 1: the label is '1:2', expected a number", {}),
        (b"1,2 1:2\n", ", line 1: the label is '1,2', expected a number", {}),
        (b"1 1:2 x\n", ", line 1: 'x' is no feature, expected index:value", {}),
        (b"1 1:2:3\n", ", line 1: the value of index 1 is '2:3', expected a number", {}),
        (b"1 1:1-2\n", ", line 1: the value of index 1 is '1-2', expected a number", {}),
        (b"1+2 1:1\n", ", line 1: the label is '1+2', expected a number", {}),
        (b"1 1:\n", ", line 1: the value of index 1 is '', expected a number", {}),
        (b"1 1:1_0\n", ", line 1: the value of index 1 is '1_0', expected a number", {}),
        (b"1 1: 2\n", ", line 1: the value of index 1 is '', expected a number", {}),
        (b"1 :2\n", ", line 1: the index is '', expected a whole number, 0 or more", {}),
        (b"1 -3:2\n", ", line 1: the index is '-3', expected a whole number, 0 or more", {}),
        (b"1 1.5:2\n", ", line 1: the index is '1.5', expected a whole number, 0 or more", {}),
        (b"1 2147483648:2\n", ", line 1: the index is '2147483648', expected at most 2147", {}),
        (b"1 " + b"9" * 5000 + b":2\n", f", line 1: the index is '{'9' * 40}', expected at", {}),
        (b"1 1:1e39\n", ", line 1: the value of index 1 is 1e+39, too large for float32", {}),
        (b"1 1:1\n1 7:1\n", ", line 2: the index is 7, but n_features = 6", {"n_features": 6}),
        (b"1 0:1 7:1\n", ", line 1: the index is 7, but n_features = 7", {"n_features": 7}),
        (b"1 qid:1 2:1\n1 2:1\n", ", line 2: no query id, expected qid:", {"query_id": True}),
        (b"1 qid:x 2:1\n", ", line 1: the query id is 'x', expected a whole", {"query_id": True}),
        (b"1 2:1 qid:3\n", ", line 1: the index is 'qid', expected a whole number", {}),
        (b"1 qid:9223372036854775808\n", ", line 1: the query id is '92233", {"query_id": True}),
        (b"1,1.5 2:1\n", ", line 1: the labels are [1.0, 1.5], expected", {"multilabel": True}),
        (b"-1 2:1\n", ", line 1: the labels are [-1.0], expected", {"multilabel": True}),
        (b"1,, 2:1\n", ", line 1: a label is '', expected a number", {"multilabel": True}),
        (b"\x00\xff 1\n", r", line 1: the label is '\x00\\xff', expected a number", {}),
    ],
)
def test_bad_files(write, content, text, options, compress):
    path = write(compress(content))
    with raises(f"{path}{text}"):
        load_svmlight(path, **options)


def test_corrupt_gzip_and_missing_file(write, tmp_path):
    with raises("rows.svm: corrupt gzip file"):
        load_svmlight(write(gzip.compress(PLAIN * 100)[:-20]))
    with pytest.raises(FileNotFoundError, match="no such data file"):
        load_svmlight(tmp_path / "absent.svm")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"dtype": "float16"}, "unknown dtype 'float16'"),
        ({"zero_based": "yes"}, "zero_based must be True, False or 'auto', got 'yes'"),
        ({"n_features": 0}, "n_features = 0, expected 1 or more"),
    ],
)
def test_bad_arguments(write, options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        load_svmlight(write(PLAIN), **options)


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("sklearn.datasets", "sklearn", load_svmlight),
        ("scipy.sparse", "sparse", lambda path: save_svmlight(path, [[1]], [1])),
    ],
)
def test_missing_libraries_are_named(write, monkeypatch, module, extra, call):
    path = write(PLAIN)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=re.escape(f'pip install "chainrule[{extra}]"')):
        call(path)
    assert path.read_bytes() == PLAIN


def test_memory_is_about_three_times_that_of_the_result(write):
    line = b"1 " + b" ".join(b"%d:0.%d" % (i, i) for i in range(1, 200)) + b"\n"
    path = write(line * 2000)
    load_svmlight(path)
    tracemalloc.start()
    try:
        x, _ = load_svmlight(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    result = x.data.nbytes + x.indices.nbytes
    assert result > 3e6
    # scikit-learn's indices are 64 bits wide, and grow in arrays that are longer than they.
    assert peak < 3 * result + 1e6


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("name", ["saved.svm", "saved.svm.gz"])
def test_round_trip(tmp_path, rng, dtype, name):
    dense = rng.standard_normal((50, 7)) * 10.0 ** rng.integers(-30, 30, (50, 7))
    dense = np.where(rng.random(dense.shape) < 0.5, 0, dense if dtype != "int32" else 3)
    dense = dense.astype(dtype)
    labels = rng.integers(-1, 2, 50)
    path = tmp_path / name
    save_svmlight(path, sparse.coo_array(dense), labels)
    x, y = load_svmlight(path, n_features=7, dtype="float64" if dtype == "float64" else "float32")
    np.testing.assert_array_equal(x.toarray(), dense)
    np.testing.assert_array_equal(y, labels)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")
    save_svmlight(path, dense, labels.astype("float32") / 3)
    np.testing.assert_array_equal(load_svmlight(path)[1], labels.astype("float32") / 3)


def test_scikit_learn_reads_what_is_saved(tmp_path, rng):
    matrix = sparse.random_array((20, 6), density=0.4, rng=rng, format="csr")
    labels = rng.standard_normal(20)
    save_svmlight(tmp_path / "saved.svm", matrix, labels)
    x, y = by_sklearn((tmp_path / "saved.svm").read_bytes(), n_features=6)
    assert_same_matrix(sparse.csr_array(x), matrix)
    np.testing.assert_array_equal(y, labels)


@pytest.mark.parametrize("zero_based", [True, False])
def test_reads_what_scikit_learn_saves(write, rng, zero_based):
    datasets = pytest.importorskip("sklearn.datasets")
    matrix = sparse.random_array((40, 9), density=0.3, rng=rng, format="csr")
    indicator = (rng.random((40, 4)) < 0.4).astype(int)
    for labels, multilabel in ((rng.standard_normal(40), False), (indicator, True)):
        buffer = io.BytesIO()
        datasets.dump_svmlight_file(
            matrix, labels, buffer, zero_based=zero_based, comment="made", multilabel=multilabel
        )
        options = {"zero_based": zero_based, "multilabel": multilabel, "n_features": 9}
        x, y = load_svmlight(write(buffer.getvalue()), dtype="float64", **options)
        expected_x, expected_y = by_sklearn(buffer.getvalue(), **options)
        assert_same_matrix(x, expected_x)
        if multilabel:
            y = [tuple(np.flatnonzero(row)) for row in y.toarray()]
        assert list(y) == list(expected_y)


def test_several_labels_round_trip(tmp_path):
    y = sparse.csr_array(np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0]], "float32"))
    x = sparse.csr_array(np.array([[1.0, 0], [0, 2], [0, 0]]))
    save_svmlight(tmp_path / "saved.svm", x, y)
    assert (tmp_path / "saved.svm").read_text() == "1,2 1:1.0\n2:2.0\n0\n"
    found_x, found_y = load_svmlight(tmp_path / "saved.svm", multilabel=True)
    assert_same_matrix(found_x, x)
    assert_same_matrix(found_y, y)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "saved.svm"
    with pytest.raises(ValueError, match=re.escape("x has 2 rows but y has shape (3,)")):
        save_svmlight(path, np.eye(2), [1, 2, 3])
    with pytest.raises(ValueError, match="row 1 has neither label nor feature"):
        save_svmlight(path, [[1, 0], [0, 0]], [[0, 1], [0, 0]])
    with pytest.raises(ValueError, match=re.escape("x has shape (2,), expected (rows, features)")):
        save_svmlight(path, [1, 2], [1, 2])
    assert not path.exists()
