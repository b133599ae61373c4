# SPDX-License-Identifier: Apache-2.0
"""The digits that come with the package, against scikit-learn's copy."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from chainrule.data import load_digits


def test_digits():
    x, y = load_digits()
    assert x.shape == (1797, 64)
    assert x.dtype == np.uint8
    assert (x.min(), x.max()) == (0, 16)
    assert y.dtype == np.int64
    # The class distribution in UCI's description of the test set.
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    x, y = load_digits()
    expected_x, expected_y = datasets.load_digits(return_X_y=True)
    np.testing.assert_array_equal(x, expected_x)
    np.testing.assert_array_equal(y, expected_y)


def test_digits_come_with_their_licence():
    folder = files("chainrule.data") / "digits"
    licence = (folder / "LICENSE.txt").read_text(encoding="utf-8")
    assert "CC BY 4.0" in licence
    assert "https://doi.org/10.24432/C50P49" in licence
    assert len((folder / "digits.npz").read_bytes()) < 60_000
