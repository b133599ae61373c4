# SPDX-License-Identifier: Apache-2.0
"""Conversion and checks of targets and class weights."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.inputs.targets import class_weights_array, prepare_targets
from chainrule.losses import (
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Loss,
    Poisson,
    Quantile,
)

ROWS = np.array([[0.25, 0.75, 0.0], [0.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    "y",
    [
        [2, 0, 1],
        [[2], [0], [1]],
        np.array([2.0, 0.0, 1.0]),
        np.array([[2], [0], [1]], np.uint8),
        np.array([2, 9, 0, 9, 1, 9], np.int64)[::2],
    ],
)
def test_labels(y: Any) -> None:
    labels = prepare_targets(CrossEntropy()._core, y, outputs=3)
    assert labels.dtype == np.int64
    assert labels.flags.c_contiguous
    assert labels.tolist() == [2, 0, 1]


def test_labels_of_the_right_form_are_not_copied() -> None:
    y = np.array([0, 1, 2], np.int64)
    assert np.shares_memory(prepare_targets(CrossEntropy()._core, y, outputs=3), y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_the_right_form_are_not_copied(dtype: type) -> None:
    for loss in (MSE(), CrossEntropy(), BinaryCrossEntropy()):
        y = ROWS.astype(dtype)
        targets = prepare_targets(loss._core, y, outputs=3)
        assert targets.shape == (2, 3)
        assert np.shares_memory(targets, y)


def test_one_hot_bytes_are_probabilities() -> None:
    y = np.eye(3, dtype=np.uint8)
    assert prepare_targets(CrossEntropy()._core, y, outputs=3).dtype == np.uint8
    assert prepare_targets(CrossEntropy()._core, y.astype(bool), outputs=3).shape == (3, 3)


def test_one_column_may_be_flat() -> None:
    assert prepare_targets(MSE()._core, [1.5, 2.5], outputs=1).shape == (2, 1)
    assert prepare_targets(BinaryCrossEntropy()._core, [True, False], outputs=1).tolist() == [
        [1],
        [0],
    ]


def test_quantile_targets_have_a_column_per_group() -> None:
    loss = Quantile([0.1, 0.5, 0.9])
    assert prepare_targets(loss._core, [1.0, 2.0], outputs=3).shape == (2, 1)
    assert prepare_targets(loss._core, [[1.0, 2.0]], outputs=6).shape == (1, 2)


@pytest.mark.parametrize(
    ("loss", "y"),
    [
        (BinaryCrossEntropy(), [0.0, 0.3, 1.0]),
        (Hinge(), [-1, 1, -1]),
        (Hinge(), [0, 1, 0]),
        (Hinge(), [1, 1, 1]),
        (Poisson(), [0, 3, 2.5]),
        (MSE(), [-1e300, 0, 1]),
    ],
)
def test_valid_targets(loss: Loss, y: Any) -> None:
    np.testing.assert_array_equal(prepare_targets(loss._core, y, outputs=1)[:, 0], y)


def test_sums_may_be_off_by_rounding() -> None:
    y = ROWS.astype(np.float16) + np.float16(0.0002)
    assert prepare_targets(CrossEntropy()._core, y, outputs=3).dtype == np.float32


@pytest.mark.parametrize(
    ("loss", "y", "outputs", "error", "text"),
    [
        (
            CrossEntropy(),
            [0, 3],
            3,
            ValueError,
            "y[1] = 3 is out of range: valid labels are 0 to 2",
        ),
        (CrossEntropy(), [0, -1], 3, ValueError, "y[1] = -1 is out of range"),
        (CrossEntropy(), [0, 0.5], 3, ValueError, "y[1] = 0.5 is not a class label"),
        (CrossEntropy(), ["a", "b"], 3, TypeError, "np.unique(y, return_inverse=True)"),
        (
            CrossEntropy(),
            [[0.5, 0.5, 0.0], [0.5, 0.6, 0.0]],
            3,
            ValueError,
            "y[1] sums to 1.1: expected probabilities of the classes, which sum to 1",
        ),
        (CrossEntropy(), [[1.5, -0.5]], 2, ValueError, "y[0, 1] = -0.5 is negative: expected prob"),
        (
            CrossEntropy(),
            ROWS,
            4,
            ValueError,
            "y has shape (2, 3); cross_entropy on 4 outputs expects 4 columns of probabilities, or "
            "class labels of shape (rows,)",
        ),
        (CrossEntropy(), [0, 1], 1, ValueError, "needs at least 2 outputs, one per class, got 1"),
        (
            BinaryCrossEntropy(),
            [0, 1, 2],
            1,
            ValueError,
            "y[2] = 2.0 is not a target of binary_cross_entropy: expected numbers in [0, 1]",
        ),
        (BinaryCrossEntropy(), [[0, -0.1]], 2, ValueError, "y[0, 1] = -0.1 is not a target of bin"),
        (
            Hinge(),
            [-1, 0, 1],
            1,
            ValueError,
            "y[1] = 0.0 is not a target of hinge: expected only -1 and 1, or only 0 and 1",
        ),
        (Hinge(), [0.5, 1], 1, ValueError, "y[0] = 0.5 is not a target of hinge"),
        (Poisson(), [1, -1], 1, ValueError, "y[1] = -1.0 is not a target of poisson: expected num"),
        (MSE(), [1, np.nan], 1, ValueError, "y must be finite; row 1, column 0 is NaN"),
        (Poisson(), [[0, np.inf]], 2, ValueError, "y must be finite; row 0, column 1 is infinite"),
        (BinaryCrossEntropy(), [np.nan], 1, ValueError, "y must be finite; row 0"),
        (CrossEntropy(), [[np.nan, 1.0]], 2, ValueError, "y must be finite; row 0"),
        (MSE(), [1.5, 2.5], 3, ValueError, "y has shape (2,); mse on 3 outputs expects 3 columns"),
        (
            MSE(),
            [1, 2],
            3,
            ValueError,
            "mse on 3 outputs expects 3 columns; for class labels use cross_entropy",
        ),
        (
            Quantile([0.1, 0.9]),
            [[1.0, 2.0]],
            2,
            ValueError,
            "y has shape (1, 2); quantile on 2 outputs expects 1 column",
        ),
        (
            Quantile([0.1, 0.9]),
            [1.0],
            3,
            ValueError,
            "must be a multiple of the 2 quantiles, got 3",
        ),
        (MSE(), np.zeros((2, 2, 2)), 2, ValueError, "y has shape (2, 2, 2)"),
        (MSE(), [], 1, ValueError, "y is empty"),
        (MSE(), [1j], 1, TypeError, "y is complex"),
        (MSE(), [[1, 2], [3]], 2, ValueError, "y is ragged"),
        (MSE(), np.array([None, 1.0]), 1, TypeError, "y has dtype object"),
    ],
)
def test_bad_targets(loss: Loss, y: Any, outputs: int, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        prepare_targets(loss._core, y, outputs)


def test_errors_name_the_argument() -> None:
    with pytest.raises(ValueError, match=r"^labels\[0\] = 7 is out of range"):
        prepare_targets(CrossEntropy()._core, [7], outputs=3, name="labels")
    with pytest.raises(ValueError, match=r"^t must be finite"):
        prepare_targets(MSE()._core, [np.inf], outputs=1, name="t")


def test_bad_row_far_down_is_named() -> None:
    y = np.tile(np.float32([0.5, 0.5]), (100_000, 1))
    y[70_001, 1] = 0.7
    with pytest.raises(ValueError, match=r"^y\[70001\] sums to 1\.2"):
        prepare_targets(CrossEntropy()._core, y, outputs=2)


def test_numbers_beyond_float32_are_refused_where_it_matters() -> None:
    assert prepare_targets(MSE()._core, [1e300], outputs=1) == 1e300
    with pytest.raises(ValueError, match=r"too large for float32"):
        prepare_targets(MSE()._core, [1e300], outputs=1, single=True)


@pytest.mark.parametrize("loss", [MSE(), CrossEntropy(), BinaryCrossEntropy(), Poisson()])
def test_large_targets_are_checked_in_place(loss: Loss) -> None:
    y = np.full((400_000, 4), 0.25, np.float32)
    tracemalloc.start()
    try:
        targets = prepare_targets(loss._core, y, outputs=4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.shares_memory(targets, y)
    assert peak < y.nbytes / 3


@given(st.dictionaries(st.integers(0, 9), st.floats(0, 1e6)))
def test_class_weights_by_label(weights: dict[int, float]) -> None:
    array = class_weights_array(weights, classes=10)
    assert array.dtype == np.float64
    assert array.tolist() == [weights.get(label, 1.0) for label in range(10)]


@pytest.mark.parametrize("given_weights", [[1, 2, 0.5], (1, 2, 0.5), np.float32([1, 2, 0.5])])
def test_class_weights_in_order(given_weights: Any) -> None:
    array = class_weights_array(given_weights, classes=3)
    assert array.dtype == np.float64
    assert array.tolist() == [1.0, 2.0, 0.5]


def test_class_weight_keys_may_be_numpy_integers() -> None:
    assert class_weights_array({np.int64(1): 2}, classes=2).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("given_weights", "error", "text"),
    [
        ({3: 1.0}, ValueError, "class_weight has the key 3; valid labels are 0 to 2"),
        ({-1: 1.0}, ValueError, "class_weight has the key -1; valid labels are 0 to 2"),
        ({"a": 1.0}, TypeError, "class_weight has the key 'a'; keys are labels 0 to 2"),
        ({True: 1.0}, TypeError, "class_weight has the key True; keys are labels 0 to 2"),
        ({1: -1.0}, ValueError, "class_weight[1] = -1.0 is not a weight: expected finite numbers"),
        ({1: np.nan}, ValueError, "class_weight[1] = nan is not a weight"),
        ({1: "x"}, TypeError, "class_weight has dtype"),
        ([1.0, 2.0], ValueError, "has shape (2,), expected one weight per class: (3,)"),
        ([1.0, np.inf, 2.0], ValueError, "class_weight[1] = inf is not a weight"),
        ("balanced", TypeError, "must map labels to weights or list them, got 'balanced'"),
        (2.0, TypeError, "class_weight must be an array, got 2.0"),
    ],
)
def test_bad_class_weights(given_weights: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        class_weights_array(given_weights, classes=3)
