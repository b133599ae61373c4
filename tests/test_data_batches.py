# SPDX-License-Identifier: Apache-2.0
"""Iteration in batches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import batches


@given(st.integers(1, 50), st.integers(1, 60), st.booleans(), st.booleans(), st.integers(0, 99))
def test_batches_cover_the_rows(rows, size, shuffle, drop_last, seed):
    x = np.arange(rows * 2).reshape(rows, 2)
    y = np.arange(rows)
    pairs = list(batches(x, y, size, shuffle=shuffle, seed=seed, drop_last=drop_last))
    lengths = [len(part) for part, _ in pairs]
    whole, rest = divmod(rows, size)
    assert lengths == [size] * whole + ([rest] if rest and not drop_last else [])
    visited = [label for _, labels in pairs for label in labels]
    if shuffle:
        expected = np.random.default_rng(seed).permutation(rows)[: sum(lengths)]
    else:
        expected = y[: sum(lengths)]
    assert visited == expected.tolist()
    for part, labels in pairs:
        np.testing.assert_array_equal(part, x[labels])
        assert np.shares_memory(part, x) != shuffle


def test_without_labels():
    assert [part.tolist() for part in batches([1, 2, 3], batch_size=2)] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"batch_size": 0}, ValueError, "batch_size = 0, expected 1 or more"),
        ({"batch_size": 2.5}, TypeError, "batch_size must be a whole number, got 2.5"),
        ({"y": np.zeros(3)}, ValueError, "x has 4 rows but y has 3"),
        ({"x": []}, ValueError, "x is empty"),
    ],
)
def test_errors_come_from_the_call_itself(options, kind, text):
    with pytest.raises(kind, match=text):
        batches(**{"x": np.zeros(4), **options})
