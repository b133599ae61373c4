# SPDX-License-Identifier: Apache-2.0
"""What `save_svmlight` writes reads back to the same numbers, or nothing is written."""

from __future__ import annotations

import re

import numpy as np
import pytest

from chainrule.data import load_svmlight, save_svmlight
from chainrule.errors import DataFileError

sparse = pytest.importorskip("scipy.sparse")

LONG = np.longdouble
MORE_THAN_DOUBLE = np.finfo(LONG).nmant > np.finfo(np.float64).nmant
KINDS = [
    *("bool", "int8", "uint8", "int16", "int32", "int64", "uint64"),
    *("float16", "float32", "float64", "longdouble", ">f4", ">i8"),
]
CONVERT = {"dense": np.asarray, "csr": sparse.csr_array, "coo": sparse.coo_matrix}


def numbers(dtype: str) -> np.ndarray:
    """Return a table of numbers at the ends of a type, as far as float64 holds them too."""
    kind = np.dtype(dtype)
    if kind.kind == "b":
        return np.array([[True, False], [False, True], [True, True]])
    if kind.kind in "iu":
        info = np.iinfo(kind)
        ends = [info.min, info.max] if kind.itemsize < 8 else [info.min, 2**53, 2**53 - 1, 2**60]
        return np.array([[7, 1], [0, ends[0]], [ends[1], ends[-1]]], dtype=kind)
    info = np.finfo(kind if kind.itemsize <= 8 else np.float64)
    row = [info.max, info.smallest_subnormal, -info.tiny, 1 / 3, -0.0, np.nan, np.inf, -np.inf]
    return np.array(row, dtype=np.float64).astype(kind).reshape(-1, 2)


@pytest.mark.parametrize("container", CONVERT)
@pytest.mark.parametrize("dtype", KINDS)
def test_every_type_of_number_reads_back(tmp_path, dtype, container):
    x = numbers(dtype)
    if dtype in ("float16", ">f4", ">i8") and container != "dense":
        pytest.skip("SciPy has no such matrices")
    y = x[:, 1]
    path = tmp_path / "rows.svm"
    save_svmlight(path, CONVERT[container](x), y)
    # A float32 has the digits that tell it from other ones.
    read_as = "float32" if x.dtype.kind == "f" and x.dtype.itemsize <= 4 else "float64"
    found_x, found_y = load_svmlight(path, n_features=2, dtype=read_as)
    np.testing.assert_array_equal(found_x.toarray(), x.astype(np.float64))
    np.testing.assert_array_equal(found_y.astype(np.float64), y.astype(np.float64))


def test_matrices_of_booleans(tmp_path):
    y = np.array([[True, False, True], [False, True, False]])
    save_svmlight(tmp_path / "rows.svm", np.eye(2, dtype=bool), y)
    assert (tmp_path / "rows.svm").read_text() == "0,2 1:1\n1 2:1\n"
    for form in (sparse.csr_array, sparse.csc_matrix):
        save_svmlight(tmp_path / "rows.svm", np.eye(2), form(y))
        assert (load_svmlight(tmp_path / "rows.svm", multilabel=True)[1].toarray() == y).all()


def test_repeated_small_integers_are_added(tmp_path):
    x = sparse.coo_array((np.array([200, 100], np.uint8), ([0, 0], [1, 1])), shape=(1, 2))
    save_svmlight(tmp_path / "rows.svm", x, [1])
    assert (tmp_path / "rows.svm").read_text() == "1 2:300\n"


EYE = np.eye(2)
COMPLEX, TEXT = np.array([1j, 2]), np.array(["cat", "dog"])


@pytest.mark.parametrize(
    ("x", "y", "kind", "text"),
    [
        (EYE, COMPLEX, TypeError, "y is complex (dtype complex128), expected real numbers"),
        (EYE * 1j, [1, 2], TypeError, "x is complex (dtype complex128)"),
        (sparse.csr_array(EYE * 1j), [1, 2], TypeError, "x is complex"),
        (EYE, TEXT, TypeError, "y has dtype <U3: y[0] is cat (str_), expected numbers"),
        (EYE, ["1", "2"], TypeError, "y has dtype <U1: y[0] is 1 (str_), expected numbers"),
        (EYE, [b"1", b"2"], TypeError, "y has dtype |S1"),
        (TEXT[:, None], [1, 2], TypeError, "x has dtype <U3: x[0, 0] is cat"),
        (EYE.astype(object), [1, 2], TypeError, "x has dtype object, expected numbers; convert"),
        (EYE, np.array([1, None]), TypeError, "y has dtype object: y[1] is None"),
        (EYE, np.array([1, 2], "M8[s]"), TypeError, "y has dtype datetime64[s], expected"),
        (EYE, np.array([1, 2], "m8[s]"), TypeError, "y has dtype timedelta64[s], expected"),
        (EYE, sparse.csr_array(EYE * 1j), TypeError, "y is complex"),
        (EYE, [[0, 1], [0.5, 1]], ValueError, "y[1, 0] = 0.5, expected 0 or 1"),
        (EYE, sparse.csr_array([[0, 2], [0, 1]]), ValueError, "y[0, 1] = 2, expected 0 or 1"),
        (EYE, [[np.nan, 1], [0, 1]], ValueError, "y[0, 0] = nan, expected 0 or 1"),
        (EYE, [[3], [7]], ValueError, "y has shape (2, 1), which may be a label a row"),
        (EYE, [[[1]], [[1]]], ValueError, "x has 2 rows but y has shape (2, 1, 1)"),
        (EYE, 3, TypeError, "y must be an array, got 3"),
        (EYE, [2**53 + 1, 0], ValueError, "y[0] = 9007199254740993 is not exact in float64"),
        (np.diag([0, 2**63 - 1]), [1, 2], ValueError, "x[1, 1] = 9223372036854775807 is not exact"),
        (np.array([[2**64 - 1]], "u8"), [1], ValueError, "x[0, 0] = 18446744073709551615 is not"),
        (np.zeros((0, 2)), np.zeros(0), ValueError, "x is empty: shape (0, 2)"),
        (np.ma.masked_equal(EYE, 1), [1, 2], ValueError, "x is a masked array"),
        (EYE, np.ma.masked_equal([1, 2], 1), ValueError, "y is a masked array"),
    ],
)
def test_what_would_not_read_back_is_not_written(tmp_path, x, y, kind, text):
    path = tmp_path / "rows.svm"
    with pytest.raises(kind, match=re.escape(text)):
        save_svmlight(path, x, y)
    assert not path.exists()
    path.write_text("what there was")
    with pytest.raises(kind, match=re.escape(text)):
        save_svmlight(path, x, y)
    assert path.read_text() == "what there was"


@pytest.mark.skipif(not MORE_THAN_DOUBLE, reason="long double is double here")
@pytest.mark.parametrize("value", [LONG(1) / 3, LONG("1e4000")])
def test_long_doubles_that_float64_does_not_hold(tmp_path, value):
    with pytest.raises(ValueError, match=re.escape(f"x[1, 0] = {value!s} is not exact in")):
        save_svmlight(tmp_path / "rows.svm", np.array([[1], [value]]), [0, 1])
    with pytest.raises(ValueError, match=re.escape(f"y[1] = {value!s} is not exact in")):
        save_svmlight(tmp_path / "rows.svm", [[1], [2]], np.array([0, value]))


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 400])
def test_numbers_beyond_float64_are_located(tmp_path, number, multilabel):
    path = tmp_path / "rows.svm"
    path.write_text(f"1 1:2\n\n1 1:2 7:{number}\n")
    text = f"{path}, line 3: the value of index 7 is {number[:40]!r}, too large for float64"
    with pytest.raises(DataFileError, match=re.escape(text)):
        load_svmlight(path, multilabel=multilabel, dtype="float64")
    path.write_text(f"1 1:2\n{number} 1:2\n")
    text = f"{path}, line 2: {'a' if multilabel else 'the'} label is {number[:40]!r}, too large"
    with pytest.raises(DataFileError, match=re.escape(text)):
        load_svmlight(path, multilabel=multilabel, dtype="float64")


def test_labels_beyond_float32_are_located(tmp_path):
    path = tmp_path / "rows.svm"
    path.write_text("1 1:2\n-1e39 1:2\n")
    with pytest.raises(DataFileError, match=re.escape("line 2: the label is -1e+39, too large")):
        load_svmlight(path)
    assert load_svmlight(path, dtype="float64")[1].tolist() == [1, -1e39]
