# SPDX-License-Identifier: Apache-2.0
"""Division into training and test parts."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import train_test_split


@given(st.integers(2, 60), st.floats(0.05, 0.95), st.booleans(), st.integers(0, 2**32))
def test_every_row_lands_in_one_part(rows, share, as_count, seed):
    expected = math.ceil(rows * share)
    if expected == rows:
        return
    x = np.arange(rows * 3).reshape(rows, 3)
    y = np.arange(rows) * 10
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=expected if as_count else share, seed=seed
    )
    assert len(x_test) == len(y_test) == expected
    assert sorted([*y_train, *y_test]) == y.tolist()
    np.testing.assert_array_equal(x_train, x[y_train // 10])
    np.testing.assert_array_equal(x_test, x[y_test // 10])


@given(
    st.lists(st.integers(2, 40), min_size=1, max_size=5),
    st.floats(0.1, 0.9),
    st.integers(0, 2**32),
)
def test_stratified_classes_get_their_share(counts, share, seed):
    rows = sum(counts)
    test_rows = math.ceil(rows * share)
    if min(test_rows, rows - test_rows) < len(counts):
        return
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    _, _, y_train, y_test = train_test_split(y, y, test_size=share, stratify=True, seed=seed)
    given_to_test = np.bincount(y_test, minlength=len(counts))
    given_to_train = np.bincount(y_train, minlength=len(counts))
    exact = np.array(counts) * test_rows / rows
    assert given_to_test.sum() == test_rows
    assert (np.abs(given_to_test - exact) < 1).all()
    # Largest remainders: no class rounded down has a larger fraction than one rounded up.
    up = exact[given_to_test > exact] % 1
    down = exact[given_to_test < exact] % 1
    if up.size and down.size:
        assert up.min() >= down.max() - 1e-9
    np.testing.assert_array_equal(given_to_train + given_to_test, counts)


def test_seed_decides_the_division():
    x = np.arange(100)
    first, again = (train_test_split(x, x, seed=3)[1] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, train_test_split(x, x, seed=4)[1])
    generator = np.random.default_rng(3)
    np.testing.assert_array_equal(first, train_test_split(x, x, seed=generator)[1])
    unseeded = [train_test_split(x, x, seed=None)[1] for _ in range(2)]
    assert not np.array_equal(*unseeded)


def test_stratified_rows_are_shuffled():
    y = np.repeat([0, 1], 50)
    _, _, y_train, y_test = train_test_split(y, y, stratify=True)
    assert (np.diff(y_train) != 0).sum() > 10
    assert (np.diff(y_test) != 0).sum() > 3


def test_labels_may_be_a_column():
    y = np.repeat([0, 1, 2], [30, 20, 10])
    parts = train_test_split(y, y, test_size=0.2, stratify=True, seed=3)
    for part, expected in zip(
        train_test_split(y, y[:, None], test_size=0.2, stratify=True, seed=3), parts, strict=True
    ):
        np.testing.assert_array_equal(part.ravel(), expected)
    assert np.bincount(parts[3]).tolist() == [6, 4, 2]


def test_labels_may_be_text():
    y = np.array(["cat", "dog"] * 10)
    _, _, _, y_test = train_test_split(np.arange(20), y, test_size=0.5, stratify=True)
    assert sorted(y_test) == ["cat"] * 5 + ["dog"] * 5


@pytest.mark.parametrize(
    ("rows", "options", "text"),
    [
        ([0] * 10, {"test_size": 0.0}, "test_size = 0.0, expected a share between 0 and 1"),
        ([0] * 10, {"test_size": 1.5}, "test_size = 1.5, expected a share between 0 and 1"),
        ([0] * 10, {"test_size": math.nan}, "test_size = nan, expected a share"),
        ([0] * 10, {"test_size": 10}, "test_size = 10 of 10 rows leaves one part empty"),
        ([0] * 10, {"test_size": 0}, "test_size = 0 of 10 rows leaves one part empty"),
        ([0], {}, "test_size = 0.25 of 1 rows leaves one part empty"),
        ([0, 0, 0, 7], {"stratify": True}, "two rows or more of each class, but 7 has one"),
        ([0, 0, 1, 1], {"stratify": True}, "a row for each of the 2 classes in both parts"),
    ],
)
def test_impossible_divisions_are_refused(rows, options, text):
    with pytest.raises(ValueError, match=text):
        train_test_split(np.zeros((len(rows), 2)), rows, **options)


def test_wrong_types_and_lengths():
    with pytest.raises(TypeError, match="test_size must be a number, got str"):
        train_test_split(np.zeros(4), np.zeros(4), test_size="half")
    with pytest.raises(TypeError, match="test_size must be a number, got bool"):
        train_test_split(np.zeros(4), np.zeros(4), test_size=True)
    with pytest.raises(ValueError, match="x has 4 rows but y has 3"):
        train_test_split(np.zeros(4), np.zeros(3))


@pytest.mark.parametrize("convert", [list, tuple, np.array, lambda c: np.array(c)[:, None]])
@pytest.mark.parametrize("names", [(0, 1, 2), ("cat", "dog", "owl"), (-1.5, 0.0, np.nan)])
def test_stratified_by_other_labels(convert, names):
    classes = [names[0]] * 12 + [names[1]] * 8 + [names[2]] * 4
    order = np.random.default_rng(0).permutation(24)
    x, groups = np.arange(24)[order], convert([classes[i] for i in order])
    parts = train_test_split(x, x * 10.0, test_size=6, stratify=groups, seed=3)
    assert [len(part) for part in parts] == [18, 6, 18, 6]
    np.testing.assert_array_equal(parts[1] * 10, parts[3])
    # 12, 8 and 4 of 24 rows are 3, 2 and 1 of 6.
    assert np.histogram(parts[1], [0, 12, 20, 24])[0].tolist() == [3, 2, 1]


def test_stratified_by_y_is_stratified_by_its_labels():
    y = np.random.default_rng(0).integers(4, size=50)
    x = np.arange(50)
    for other in (y, y.tolist(), y.astype(str), memoryview(y)):
        for a, b in zip(
            train_test_split(x, y, stratify=True, seed=1),
            train_test_split(x, y, stratify=other, seed=1),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


def test_shares_are_those_of_scikit_learn():
    model_selection = pytest.importorskip("sklearn.model_selection")
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = int(rng.integers(20, 60))
        y = np.concatenate([[0, 0, 1, 1, 2, 2], rng.integers(3, size=rows)])
        size = int(rng.integers(4, rows))
        ours = train_test_split(y, y, test_size=size, stratify=y)[3]
        theirs = model_selection.train_test_split(y, y, test_size=size, stratify=y)[3]
        # Ties between remainders are drawn at random there.
        difference = np.bincount(ours, minlength=3) - np.bincount(theirs, minlength=3)
        assert np.abs(difference).max() <= 1


def test_stratified_by_several_columns():
    groups = np.array([[0, 1], [0, 1], [1, 1], [1, 1], [0, 0], [0, 0], [1, 0], [1, 0]])
    x = np.arange(8)
    _, _, train, test = train_test_split(x, groups, test_size=0.5, stratify=groups)
    for part in (train, test):
        assert sorted(map(tuple, part)) == [(0, 0), (0, 1), (1, 0), (1, 1)]


@pytest.mark.parametrize(
    ("stratify", "kind", "text"),
    [
        ([0, 1], ValueError, "x has 8 rows but stratify has 2"),
        ("y", TypeError, "stratify must be an array, got y"),
        (1, TypeError, "stratify must be an array, got 1"),
        ([0, "a", None, 1] * 2, TypeError, "stratify: the labels are of types without an order"),
        ([0] * 7 + [9], ValueError, "two rows or more of each class, but 9 has one"),
    ],
)
def test_what_cannot_be_stratified_by(stratify, kind, text):
    if kind is TypeError and isinstance(stratify, list):
        stratify = np.array(stratify, object)
    with pytest.raises(kind, match=re.escape(text)):
        train_test_split(np.arange(8), np.arange(8) % 2, stratify=stratify)


def test_no_stratification():
    x = np.arange(8)
    for a, b in zip(train_test_split(x, x), train_test_split(x, x, stratify=None), strict=True):
        np.testing.assert_array_equal(a, b)
