# SPDX-License-Identifier: Apache-2.0
"""The rows that ``--data`` stands for."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule import data
from chainrule.cli import dataset


@pytest.fixture(params=["mnist", "fashion-mnist"])
def published(request, monkeypatch):
    """Stand-ins for the published files; their pixels tell which part they are."""
    parts = {
        "train": (np.full((6, 784), 1, np.uint8), np.arange(6)),
        "test": (np.full((3, 784), 2, np.uint8), np.arange(3)),
    }
    monkeypatch.setattr(data, f"load_{request.param.replace('-', '_')}", parts.__getitem__)
    return request.param


def test_published(published):
    train, test = dataset.read_both(published)
    assert (len(train.x), len(test.x)) == (6, 3)
    assert (train.x == 1).all()
    assert (test.x == 2).all()
    assert train.largest == 255.0
    assert train.features == 784
    assert train.has_classes
    for part, rows in {"train": 6, "test": 3, "all": 9, None: 3}.items():
        assert len(dataset.read_part(published, part).y) == rows


def test_parts_divide_a_file(tmp_path):
    x = np.arange(50.0)
    np.savez(tmp_path / "data.npz", x=x[:, None], y=np.arange(50) % 5)
    name = str(tmp_path / "data.npz")
    train, test = dataset.read_both(name)
    for part, rows in {"train": train, "test": test}.items():
        np.testing.assert_array_equal(dataset.read_part(name, part).x, rows.x)
    assert len(dataset.read_part(name, None).x) == 50
    np.testing.assert_array_equal(np.sort(np.concatenate([train.x, test.x])[:, 0]), x)
    # Every class gives the same share.
    assert np.bincount(test.y).tolist() == [2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("y", "has_classes"),
    [
        (np.array([0, 1]), True),
        (np.array([True, False]), True),
        (np.array([0, 999], np.uint16), True),
        (np.array([0, 1000]), False),
        (np.array([-1, 1]), False),
        (np.array([0.0, 1.0]), False),
        (np.array([[0, 1], [1, 0]]), False),
        (np.array([], int), False),
    ],
)
def test_has_classes(y, has_classes):
    assert dataset.Rows(np.zeros((len(y), 1)), y).has_classes == has_classes


def test_many_names():
    assert dataset.listed([*"abcdefghijkl"]) == "a, b, c, d, e, f, g, h, i, j, ..."


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_bytes_of_an_archive_are_pixels(tmp_path, dtype):
    np.savez(tmp_path / "data.npz", x=np.ones((4, 3), dtype), y=[0, 1, 0, 1])
    rows = dataset.read_all(str(tmp_path / "data.npz"))
    assert rows.largest == (255.0 if dtype == "uint8" else None)
