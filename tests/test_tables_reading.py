# SPDX-License-Identifier: Apache-2.0
"""Tables of pandas, polars, pyarrow and NumPy, as one matrix of numbers."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest

from chainrule.tables import Preparation, TableDescription

NAN = np.nan
DAY = datetime.date(2024, 2, 29)
DAYS = (DAY - datetime.date(1970, 1, 1)).days
COLUMNS = {
    "number": [1.5, None, -2.0],
    "whole": [3, 4, 5],
    "flag": [True, None, False],
    "text": ["b", "a", None],
    "date": [DAY, None, DAY],
    "nothing": [None, None, None],
}
MATRIX = [
    [1.5, 3, 1, 1, DAYS, NAN],
    [NAN, 4, NAN, 0, NAN, NAN],
    [-2.0, 5, 0, NAN, DAYS, NAN],
]
KINDS = ["number", "number", "boolean", "category", "date", "empty"]


def frame(library, columns):
    if library == "objects":
        return np.array(list(columns.values()), dtype=object).T
    module = pytest.importorskip(library)
    pytest.importorskip("narwhals")
    if library == "pyarrow":
        return module.table(columns)
    if library == "pandas":
        return module.DataFrame(columns).convert_dtypes()
    return module.DataFrame(columns)


@pytest.mark.parametrize("library", ["objects", "pandas", "polars", "pyarrow"])
def test_every_library_gives_the_same_matrix(library):
    table = frame(library, COLUMNS)
    description = TableDescription.of(table)
    kinds = [column.kind for column in description.columns]
    assert [*kinds[:5], "empty"] == KINDS
    np.testing.assert_array_equal(description.matrix(table)[:, :5], np.array(MATRIX)[:, :5])
    assert np.isnan(description.matrix(table)[:, 5]).all()
    assert description.names == (None if library == "objects" else tuple(COLUMNS))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_go_by_name(library):
    table = frame(library, COLUMNS)
    description = TableDescription.of(table)
    turned = frame(library, dict(reversed(COLUMNS.items())))
    np.testing.assert_array_equal(description.matrix(turned), description.matrix(table))
    fewer = {name: COLUMNS[name] for name in COLUMNS if name not in ("whole", "text")}
    with pytest.raises(ValueError, match=r"lacks 'whole', 'text'.* has 'new'"):
        description.matrix(frame(library, {**fewer, "new": [1, 2, 3]}))


def test_pandas_categories_dates_and_missing_values():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    table = pandas.DataFrame(
        {
            "grade": pandas.Categorical([10, 2, None]),
            "when": pandas.to_datetime(["1970-01-02 12:00", None, "1969-12-31 00:00"]),
            "mixed": [1, "x", 2.0],
        }
    )
    description = TableDescription.of(table)
    assert [c.kind for c in description.columns] == ["category", "date", "category"]
    assert description.columns[0].categories == ("10", "2")
    assert description.columns[2].categories == ("1", "2", "x")
    expected = [[0, 1.5, 0], [1, NAN, 2], [NAN, -1, 1]]
    np.testing.assert_array_equal(description.matrix(table), expected)


def test_repeated_names_and_names_of_several_types_are_refused():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    with pytest.raises(ValueError, match="several columns with the name 'a'"):
        TableDescription.of(pandas.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))
    with pytest.raises(TypeError, match="make all of them text"):
        TableDescription.of(pandas.DataFrame([[1, 2]], columns=["a", 1]))


@pytest.mark.parametrize("library", ["objects", "pandas", "polars", "pyarrow"])
def test_nested_values_name_their_column(library):
    if library == "objects":
        table = np.array([[1.0, None], [2.0, None]], dtype=object)
        table[0, 1] = [1]
    elif library == "pandas":
        pandas = pytest.importorskip("pandas")
        table = pandas.DataFrame({"a": [1, 2], "inside": [[1], [2]]})
    else:
        table = frame(library, {"a": [1, 2], "inside": [[1], [2]]})
    with pytest.raises(TypeError, match=r"column ('inside'|1) holds"):
        TableDescription.of(table)


def test_infinite_and_complex_numbers_are_refused():
    with pytest.raises(ValueError, match=r"column 1 has an infinite value \(-inf, row 1\)"):
        TableDescription.of([[1.0, 2.0], [3.0, -np.inf]])
    with pytest.raises(ValueError, match="column 0 has an infinite value"):
        TableDescription.of(np.array([[np.inf, "a"]], dtype=object))
    with pytest.raises(ValueError, match=r"column 1 has -4e\+38 in row 0, too large for float32"):
        TableDescription.of([[1e38, -4e38]])
    with pytest.raises(ValueError, match="Complex data"):
        TableDescription.of(np.array([[1j]]))


def test_what_columns_hold_later():
    description = TableDescription.of([[1.0, "a", True], [2.0, "b", False]])
    later = np.array([["3.5", "c", "true"], [None, None, None]], dtype=object)
    np.testing.assert_array_equal(description.matrix(later), [[3.5, 2, 1], [NAN, NAN, NAN]])
    with pytest.raises(ValueError, match=r"column 0 held numbers .* such as 'many'"):
        description.matrix([["many", "a", True]])
    with pytest.raises(ValueError, match="X has 2 columns, the model was fitted with 3"):
        description.matrix([[1.0, "a"]])


def test_of_very_many_categories_the_most_frequent_are_known():
    text = np.array([f"c{i:05}" for i in range(12_000)] + ["c11999"] * 3, dtype=object)
    description = TableDescription.of(text[:, np.newaxis])
    assert len(description.columns[0].categories) == 10_000
    assert "c11999" in description.columns[0].categories


def test_the_description_goes_through_json():
    rows = [[1.0, "a", f"{i}", None if i % 3 else 2.0] for i in range(12)]
    description = TableDescription.of(rows)
    again = TableDescription.from_config(json.loads(json.dumps(description.to_config())))
    assert again == description


def test_numbers_are_scaled_by_their_quartiles_and_clipped_smoothly():
    x = np.array([[-4.0], [0.0], [1.0], [2.0], [3.0], [4.0], [1000.0], [NAN]])
    description = TableDescription.of(x)
    numbers = Preparation.of(description, x).inputs(x)
    z = (x[:7, 0] - 2.0) / (4.0 - 0.0)  # median 2; a quarter of seven is below 0, or at it
    np.testing.assert_allclose(numbers[:7, 0], z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-6)
    assert numbers[7, 0] == 0.0
    # Seven of eight indicators are 0, so that their quartiles are one: 2 / (max - min) instead.
    two = 2.0 / np.sqrt(1 + (2.0 / 3) ** 2)
    np.testing.assert_allclose(numbers[:, 1], [0] * 7 + [two], rtol=1e-6)


def test_weights_of_rows_are_repetitions():
    x = np.array([[0.0], [1.0], [5.0], [9.0]])
    counts = np.array([3, 1, 2, 4])
    description = TableDescription.of(x)
    repeated = Preparation.of(description, np.repeat(x, counts, axis=0))
    assert Preparation.of(description, x, counts.astype(float)) == repeated


def test_few_categories_have_columns_and_many_are_embedded():
    few = [["r"], ["g"], ["b"], [None]]
    description = TableDescription.of(few)
    numbers = Preparation.of(description, description.matrix(few)).inputs(
        description.matrix([["r"], ["unknown"], [None]])
    )
    assert numbers.shape == (3, 3)
    assert np.count_nonzero(numbers[0]) == 1
    assert not numbers[1:].any()
    many = [[f"c{i}"] for i in range(10)]
    description = TableDescription.of(many)
    preparation = Preparation.of(description, description.matrix(many))
    codes, numbers = preparation.inputs(description.matrix([["c0"], ["c9"], ["new"], [None]]))
    assert preparation.embedded == {0: 10}
    assert codes[:, 0].tolist() == [1, 10, 0, 0]
    assert not numbers.any()


SPELLINGS = ["TRUE", "FALSE", "true", "False", "1", "0", None, "yes"]


@pytest.mark.parametrize("known", [("TRUE", "FALSE"), ("true", "false"), ("1", "0")])
def test_categories_that_are_truth_values_match_their_other_spellings(known):
    learnt = TableDescription.of(np.array([[known[0]], [known[1]]], dtype=object))
    assert learnt.columns[0].kind == "category"
    true, false = (learnt.columns[0].categories.index(name) for name in known)
    for description in (learnt, TableDescription.from_config(learnt.to_config())):
        texts = np.array(SPELLINGS, dtype=object)[:, np.newaxis]
        expected = [true, false, true, false, true, false, NAN, 2]
        np.testing.assert_array_equal(description.matrix(texts)[:, 0], expected)
        for flags in (np.array([[True], [False]]), [[1.0], [0.0]], [[True], [False]]):
            np.testing.assert_array_equal(description.matrix(flags)[:, 0], [true, false])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_booleans_of_frames_match_truth_values_in_text(library):
    description = TableDescription.of(frame(library, {"a": ["TRUE", "FALSE", None]}))
    flags = frame(library, {"a": [True, None, False]})
    np.testing.assert_array_equal(description.matrix(flags)[:, 0], [1, NAN, 0])


@pytest.mark.parametrize(
    ("known", "given", "codes"),
    [
        (["False", "TRUE", "True"], ["True", "TRUE", "true", True], [2, 1, 3, 2]),
        (["FALSE", "TRUE", "maybe"], ["true", "TRUE", True], [3, 1, 3]),
        (["0", "01", "1"], ["1", "01", "true", "001"], [2, 1, 3, 3]),
        (["00", "01"], ["1", "0", True], [2, 2, 2]),
        (["TRUE"], ["true", "false", False], [0, 1, 1]),
    ],
)
def test_exact_categories_come_first_and_others_stay_as_they_are(known, given, codes):
    description = TableDescription.of(np.array(known, dtype=object)[:, np.newaxis])
    assert description.columns[0].categories == tuple(known)
    found = [description.matrix(np.array([[value]], dtype=object))[0, 0] for value in given]
    assert found == codes
