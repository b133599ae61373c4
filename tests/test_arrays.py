# SPDX-License-Identifier: Apache-2.0
"""Conversion of features, labels, targets and weights, whatever container they come in."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from chainrule.inputs.arrays import (
    as_features,
    as_labels,
    as_targets,
    as_weights,
    check_same_length,
)
from chainrule.inputs.containers import as_array

TARGETS_IN_PLACE = ["uint8", "float32", "float64"]
IN_PLACE = [*TARGETS_IN_PLACE, "int32", "int64"]
FEATURE_TYPES = {
    "bool": "uint8",
    "int8": "float32",
    "int16": "float32",
    "uint16": "float32",
    "float16": "float32",
    "int32": "int32",
    "uint32": "float64",
    "int64": "int64",
    "uint64": "float64",
    "longdouble": "float64",
}
VIEWS = {
    "C order": lambda a: a,
    "Fortran order": lambda a: np.asfortranarray(a),
    "transpose": lambda a: a.T,
    "every other row": lambda a: a[::2],
    "every other column": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[:1], (5, a.shape[1])),
}


class OnDevice:
    """What a tensor library shows of a tensor without handing over its memory."""

    def __init__(self, device: tuple[int, int]) -> None:
        self.device = device

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise AssertionError("memory of another device was read")


class SpeaksOnlyDLPack:
    """A tensor without ``__array__``."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.array.__dlpack_device__()

    def __dlpack__(self, **kwargs: object) -> object:
        return self.array.__dlpack__(**kwargs)


def raises(kind: type[Exception], text: str):
    return pytest.raises(kind, match=re.escape(text))


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("dtype", IN_PLACE)
def test_features_that_the_core_reads_are_not_copied(dtype, view):
    x = view(np.arange(24).reshape(6, 4).astype(dtype))
    converted = as_features(x)
    assert converted.dtype == dtype
    assert converted.strides == x.strides
    assert np.shares_memory(converted, x)
    np.testing.assert_array_equal(converted, x)


@pytest.mark.parametrize(("dtype", "expected"), FEATURE_TYPES.items())
@pytest.mark.parametrize("byte_order", ["=", ">"])
def test_other_feature_types_keep_every_value(dtype, expected, byte_order):
    x = np.array([[0, 1], [2, 100]]).astype(dtype)
    converted = as_features(x.astype(x.dtype.newbyteorder(byte_order)))
    assert converted.dtype == expected
    assert converted.dtype.isnative
    np.testing.assert_array_equal(converted.astype(float), x.astype(float))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_byte_swapped_features_keep_their_precision(dtype):
    x = np.array([[0.1, -2.5]], dtype=dtype)
    converted = as_features(x.astype(x.dtype.newbyteorder(">")))
    assert converted.dtype == dtype
    np.testing.assert_array_equal(converted, x)


def test_bool_features_share_memory():
    x = np.array([[True, False]])
    assert np.shares_memory(as_features(x), x)


def test_misaligned_features_are_copied():
    records = np.zeros(3, dtype=[("flag", "u1"), ("value", "f4", (2,))])
    records["value"] = [[1, 2], [3, 4], [5, 6]]
    assert not records["value"].flags.aligned
    converted = as_features(records["value"])
    assert converted.flags.aligned
    np.testing.assert_array_equal(converted, [[1, 2], [3, 4], [5, 6]])


def test_memory_map_is_read_in_place(tmp_path):
    np.save(tmp_path / "x.npy", np.arange(6.0).reshape(3, 2))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(as_features(x), x)


@given(
    hnp.arrays(
        st.sampled_from([*IN_PLACE, "int16", "uint32"]),
        hnp.array_shapes(min_dims=2, max_dims=5, min_side=1, max_side=4),
        elements=st.integers(0, 100),
    ),
    st.booleans(),
)
def test_features_flatten_trailing_axes_as_reshape_does(x, every_other_row):
    x = x[::2] if every_other_row else x
    converted = as_features(x)
    np.testing.assert_array_equal(converted, x.reshape(len(x), -1))
    assert np.shares_memory(converted, x) == (x.dtype.name in IN_PLACE)


def test_flattening_never_copies():
    images = np.zeros((3, 4, 5), dtype=np.uint8).transpose(0, 2, 1)
    with raises(ValueError, "x has shape (3, 5, 4) and a memory layout that cannot be flattened"):
        as_features(images)


def test_single_row_on_request():
    x = np.arange(3.0)
    row = as_features(x, allow_single=True)
    assert row.shape == (1, 3)
    assert np.shares_memory(row, x)


@pytest.mark.parametrize(
    ("x", "kind", "text"),
    [
        (np.zeros(3), ValueError, "x is 1-D with shape (3,), expected (rows, features)"),
        (np.float64(3.0), TypeError, "x must be an array, got 3.0 (float64)"),
        (np.array(3.0), TypeError, "x must be an array, got 3.0 (ndarray)"),
        (None, TypeError, "x must be an array, got None (NoneType)"),
        ({"a": 1}, TypeError, "x must be an array, got {'a': 1} (dict)"),
        ("text", TypeError, "x must be an array, got text (str)"),
        (np.zeros((0, 3)), ValueError, "x is empty: shape (0, 3)"),
        (np.zeros((3, 0)), ValueError, "x is empty: shape (3, 0)"),
        ([], ValueError, "x is empty: shape (0,)"),
        ([[]], ValueError, "x is empty: shape (1, 0)"),
        ([[1, 2], [3]], ValueError, "x is ragged: x[1] has 1 entry but x[0] has 2"),
        ([[1, 2], 3], ValueError, "x is ragged: x[1] is a single entry but x[0] has 2"),
        ([1, [2, 3]], ValueError, "x is ragged: x[1] has 2 entries but x[0] is one"),
        ([[[1], [2]], [[3], [4, 5]]], ValueError, "x cannot be converted to an array"),
        ([[1, 2j]], TypeError, "x is complex (dtype complex128), expected real numbers"),
        ([["a", "b"]], TypeError, "x has dtype <U1: x[0, 0] is a (str_), expected numbers"),
        (
            np.array([[1, 2], [3, "four"]], dtype=object),
            TypeError,
            "x has dtype object: x[1, 1] is four (str), expected numbers",
        ),
        ([[1, None]], TypeError, "x has dtype object: x[0, 1] is None (NoneType)"),
        (
            np.array([[1, 2]], dtype=object),
            TypeError,
            "x has dtype object, expected numbers; convert it by x.astype(float)",
        ),
        (np.array([["2020-01-01"]], dtype="M8[D]"), TypeError, "x has dtype datetime64[D]"),
        (np.zeros((2, 2), dtype="i4,f8"), TypeError, "x has dtype [('f0'"),
        (
            np.ma.array([[1.0, 2.0]], mask=[[False, True]]),
            ValueError,
            "x is a masked array with masked entries",
        ),
        (OnDevice((2, 0)), TypeError, "x is on device cuda:0; move it to the CPU first"),
        (OnDevice((8, 1)), TypeError, "x is on device metal:1; move it to the CPU first"),
        (OnDevice((99, 0)), TypeError, "x is on device of DLPack type 99:0"),
    ],
)
def test_unusable_features_are_refused(x, kind, text):
    with raises(kind, text):
        as_features(x)


def test_errors_call_the_argument_by_its_name():
    with raises(ValueError, "validation x is empty"):
        as_features([], name="validation x")


def test_unmasked_masked_array_is_an_array():
    np.testing.assert_array_equal(as_features(np.ma.array([[1.0, 2.0]])), [[1.0, 2.0]])


def test_dlpack_alone_is_enough():
    x = np.arange(6.0).reshape(3, 2)
    assert np.shares_memory(as_features(SpeaksOnlyDLPack(x)), x)


def test_tensor_that_numpy_cannot_read():
    class Broken(OnDevice):
        def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
            raise TypeError("layout is not strided")

    with raises(TypeError, "x cannot be read as a NumPy array: layout is not strided"):
        as_features(Broken((1, 0)))


def test_sparse_matrix_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with raises(TypeError, "x is a sparse matrix; pass the dense array x.toarray()"):
        as_features(sparse.csr_matrix(np.eye(3)))


def test_pandas_frames():
    pd = pytest.importorskip("pandas")
    x = np.arange(6, dtype=np.float32).reshape(3, 2)
    frame = pd.DataFrame(x, columns=["a", "b"])
    np.testing.assert_array_equal(as_features(frame), x)
    assert np.shares_memory(as_features(frame), frame.to_numpy())
    mixed = pd.DataFrame({"i": [1, 2], "f": [0.5, 1.5], "b": [True, False]})
    np.testing.assert_array_equal(as_features(mixed), [[1, 0.5, 1], [2, 1.5, 0]])
    nullable = pd.DataFrame({"i": pd.array([1, None], dtype="Int64"), "f": [0.5, 1.5]})
    np.testing.assert_array_equal(as_features(nullable), [[1, 0.5], [np.nan, 1.5]])
    with raises(TypeError, "x has column 'city' of dtype"):
        as_features(pd.DataFrame({"age": [1, 2], "city": ["Rome", "Oslo"]}))


def test_pandas_series():
    pd = pytest.importorskip("pandas")
    np.testing.assert_array_equal(as_labels(pd.Series([2, 0]), classes=3), [2, 0])
    np.testing.assert_array_equal(as_targets(pd.Series([0.5, 1.5]), outputs=1), [[0.5], [1.5]])
    with raises(TypeError, "y has dtype object: y[0] is cat (str)"):
        as_labels(pd.Series(["cat", "dog"], dtype=object), classes=2)


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6.0).reshape(3, 2)
    converted = as_features(tensor)
    assert converted.dtype == np.float32
    tensor[0, 0] = 42
    assert converted[0, 0] == 42
    np.testing.assert_array_equal(as_features(tensor.T.clone().requires_grad_()), converted.T)
    half = as_features(torch.tensor([[0.5, 2.0]], dtype=torch.bfloat16))
    np.testing.assert_array_equal(half, np.array([[0.5, 2.0]], dtype=np.float32))
    np.testing.assert_array_equal(as_labels(torch.tensor([1, 0]), classes=2), [1, 0])


def test_jax_arrays():
    jnp = pytest.importorskip("jax.numpy")
    np.testing.assert_array_equal(as_features(jnp.ones((2, 3))), np.ones((2, 3)))
    half = as_features(jnp.full((2, 3), 0.5, dtype=jnp.bfloat16))
    assert half.dtype == np.float32
    np.testing.assert_array_equal(half, np.full((2, 3), 0.5))


@given(
    hnp.arrays(
        st.sampled_from(["bool", "uint8", ">i2", "int64", "uint64", "float16", "float64"]),
        hnp.array_shapes(max_dims=1, max_side=20),
        elements=st.integers(0, 1),
    ),
    st.booleans(),
)
def test_labels_of_any_type_become_int64(y, as_column):
    labels = as_labels(y.reshape(-1, 1) if as_column else y, classes=2)
    assert labels.dtype == np.int64
    assert labels.flags.c_contiguous
    np.testing.assert_array_equal(labels, [int(label) for label in y])


def test_labels_in_final_form_are_not_copied():
    y = np.array([0, 2, 1])
    assert np.shares_memory(as_labels(y, classes=None), y)


@pytest.mark.parametrize(
    ("y", "classes", "kind", "text"),
    [
        ([0, 2.5], 3, ValueError, "y[1] = 2.5 is not a class label: expected 0 to 2"),
        ([0.0, np.nan], 3, ValueError, "y[1] = nan is not a class label: expected 0 to 2"),
        ([0.0, np.inf], 3, ValueError, "y[1] = inf is out of range: valid labels are 0 to 2"),
        ([0.0, np.inf], None, ValueError, "y[1] = inf is out of range"),
        ([0, -1], 3, ValueError, "y[1] = -1 is out of range: valid labels are 0 to 2"),
        ([0, -1], None, ValueError, "y[1] = -1 is out of range: valid labels are 0 or more"),
        ([0, 1, 3], 3, ValueError, "y[2] = 3 is out of range: valid labels are 0 to 2"),
        (np.array([2**63], dtype="u8"), None, ValueError, "y[0] = 9223372036854775808 is out of"),
        (np.array([2.0**63]), None, ValueError, "is out of range"),
        ([], 3, ValueError, "y is empty: shape (0,)"),
        (np.eye(3), 3, ValueError, "y has shape (3, 3), expected one class label per row"),
        (["cat"], 3, TypeError, "class names become by np.unique(y, return_inverse=True)"),
        ([1j], 3, TypeError, "y is complex"),
    ],
)
def test_unusable_labels_are_refused(y, classes, kind, text):
    with raises(kind, text):
        as_labels(y, classes=classes)


@pytest.mark.parametrize("dtype", TARGETS_IN_PLACE)
def test_targets_share_memory(dtype):
    y = np.arange(6).reshape(3, 2).astype(dtype)
    assert np.shares_memory(as_targets(y, outputs=2), y)
    column = as_targets(y[:, 1], outputs=1)
    assert np.shares_memory(column, y)
    np.testing.assert_array_equal(column, y[:, 1:])


@pytest.mark.parametrize(
    ("y", "outputs", "text"),
    [
        (np.zeros((4, 3)), 2, "y has shape (4, 3), expected 2 columns, one per output"),
        (np.zeros(4), 2, "y has shape (4,), expected 2 columns, one per output"),
        (np.zeros((4, 2)), 1, "y has shape (4, 2), expected 1 column, one per output"),
        (np.zeros((4, 3, 2)), None, "y has shape (4, 3, 2), expected (rows, outputs) or (rows,)"),
        (np.zeros((0, 3)), 3, "y is empty: shape (0, 3)"),
    ],
)
def test_unusable_targets_are_refused(y, outputs, text):
    with raises(ValueError, text):
        as_targets(y, outputs=outputs)


def test_weights_become_contiguous_float64():
    weights = as_weights(np.arange(8, dtype=np.float32)[::2], rows=4)
    assert weights.dtype == np.float64
    assert weights.flags.c_contiguous
    np.testing.assert_array_equal(weights, [0, 2, 4, 6])


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ([1, 2, 3], "sample_weight has shape (3,), expected one weight per row: (2,)"),
        ([[1, 2]], "sample_weight has shape (1, 2), expected one weight per row: (2,)"),
        ([1, -2], "sample_weight[1] = -2 is not a weight: expected finite numbers, 0 or more"),
        ([np.nan, 1], "sample_weight[0] = nan is not a weight"),
        ([1, np.inf], "sample_weight[1] = inf is not a weight"),
    ],
)
def test_unusable_weights_are_refused(weights, text):
    with raises(ValueError, text):
        as_weights(weights, rows=2)


def test_lengths_must_agree():
    check_same_length(np.zeros((100, 2)), np.zeros(100))
    with raises(ValueError, "x has 100 rows but y has 99"):
        check_same_length(np.zeros((100, 2)), np.zeros(99))
    with raises(ValueError, "x has 2 rows but sample_weight has 1"):
        check_same_length(np.zeros(2), np.zeros(1), names=("x", "sample_weight"))


def test_as_array_leaves_text_alone():
    assert as_array(["a", "b"], name="y").tolist() == ["a", "b"]
