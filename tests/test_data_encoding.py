# SPDX-License-Identifier: Apache-2.0
"""One-hot encoding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import one_hot


@given(st.lists(st.integers(0, 9), min_size=1), st.sampled_from(["float32", "float64", "uint8"]))
def test_one_hot_picks_rows_of_the_identity(labels, dtype):
    encoded = one_hot(labels, 10, dtype)
    assert encoded.dtype == dtype
    np.testing.assert_array_equal(encoded, np.eye(10)[labels])
    np.testing.assert_array_equal(one_hot(labels), encoded[:, : max(labels) + 1])


@pytest.mark.parametrize(
    ("labels", "classes", "text"),
    [
        ([0, 3], 3, r"labels\[1\] = 3 is out of range: valid labels are 0 to 2"),
        ([0, -1], None, r"labels\[1\] = -1 is out of range"),
        ([0.5], None, r"labels\[0\] = 0.5 is not a class label"),
        ([], None, "labels is empty"),
        ([0], 0, "classes = 0, expected 1 or more"),
    ],
)
def test_unusable_labels_are_refused(labels, classes, text):
    with pytest.raises(ValueError, match=text):
        one_hot(labels, classes)
