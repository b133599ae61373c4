# SPDX-License-Identifier: Apache-2.0
"""What the categories of columns are called, in files and tables."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_table_stage import mixed

import chainrule as cr
from chainrule.tables import TableDescription


def named() -> Any:
    net = mixed()
    net.feature_names = ["a", "town", "sex", "b", "street", "c"]
    streets = [f"street {i}" for i in range(29)] + ["Straße"]
    net.category_names = {1: ["w", "x", "y", "z"], "sex": ("f", "m"), 4: streets}
    return net


def test_category_names_are_kept(tmp_path: Path) -> None:
    net = named()
    net.save(tmp_path / "net.chainrule")
    for again in (
        net,
        copy.deepcopy(net),
        pickle.loads(pickle.dumps(net)),
        cr.load(tmp_path / "net.chainrule"),
    ):
        assert list(again.category_names) == [1, 2, 4]
        assert again.category_names[2] == ("f", "m")
        assert again.category_names[4][-1] == "Straße"
        assert [again._core.category_code(1, name) for name in "wxyz?"] == [0, 1, 2, 3, -1]
        assert again._core.category_code(4, "Straße") == 29
        with pytest.raises(ValueError, match="column 0 of x has no category names"):
            again._core.category_code(0, "w")
    net.category_names = None
    assert net.category_names is None
    assert mixed().category_names is None


def test_text_becomes_codes_by_the_names_of_a_network() -> None:
    pd = pytest.importorskip("pandas")
    net = named()
    table_ = pd.DataFrame(
        {
            "town": ["z", None, "elsewhere"],
            "a": [0.5, np.nan, 1.0],
            "sex": ["m", "f", None],
            "b": [1.0, 2.0, 3.0],
            "street": ["Straße", "street 3", "street 30"],
            "c": [0.0, 0.0, np.nan],
        }
    )
    rows = TableDescription.of_network(net).matrix(table_)
    expected = [[0.5, 3, 1, 1, 29, 0], [np.nan, np.nan, 0, 2, 3, 0], [1, 4, np.nan, 3, 30, np.nan]]
    np.testing.assert_array_equal(rows, expected)
    net.adapt(rows)
    assert np.isfinite(net.predict(rows)).all()


@pytest.mark.parametrize(
    ("names", "error", "text"),
    [
        ({1: ["w", "x"]}, ValueError, r"category_names\[1\] must have 4 names, got 2"),
        ({1: [*"wxyy"]}, ValueError, r"category_names\[1\] must differ .* 'y' twice"),
        ({0: ["w"]}, ValueError, r"category_names\[0\] must be empty: no layer reads categories"),
        ({6: ["w"]}, ValueError, "columns must be 0 to 5, or names of features, got 6"),
        ({"city": ["w"]}, ValueError, "unknown feature 'city'"),
        ({1: "wxyz"}, TypeError, r"category_names\[1\] must be strings or None"),
        ({1: [1, 2, 3, 4]}, TypeError, r"category_names\[1\]\[0\] must be a string, got 1"),
        (["w"], TypeError, "category_names must be a dict by the columns of x or None"),
    ],
)
def test_category_names_are_checked(names: Any, error: type[Exception], text: str) -> None:
    net = named()
    before = net.category_names
    with pytest.raises(error, match=text):
        net.category_names = names
    assert net.category_names == before
