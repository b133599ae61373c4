# SPDX-License-Identifier: Apache-2.0
"""Tables whose numbers vary little beside their size: columns and targets."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("narwhals")

import pandas

import chainrule as cr
from chainrule.sklearn import TabularClassifier, TabularRegressor
from chainrule.tables import TableDescription
from chainrule.tables.preparation import Preparation

ROWS = 400
RANDOM = np.random.default_rng(3)
PART = np.round(RANDOM.uniform(0.0, 2000.0, ROWS))
MILLISECONDS = 1_764_500_012_345.0
QUICK = {"budget": "fast", "random_state": 0}
FAR = {
    "milliseconds": MILLISECONDS + PART,
    "negative": -MILLISECONDS - PART,
    "microseconds": 1e3 * MILLISECONDS + PART / 4.0,
    "steps of 2^-14": 2.0**38 + 12345.0 + PART * 2.0**-14,
    "dates": (np.datetime64("2025-11-30T11:00:12.345", "us") + PART.astype("m8[ms]")),
}


def prepared(frame, dtype):
    """What a network of a precision makes of a table, and its preparation."""
    description = TableDescription.of_table(cr.tables.frames.read_columns(frame))
    matrix = description.matrix(frame)
    preparation = Preparation.of(description, matrix)
    x = cr.Input(preparation.columns)
    net = cr.Network(x, preparation.layers(x), dtype=dtype)
    net.set_weights(preparation.statistics())
    return net.predict(matrix), matrix, preparation


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FAR)
def test_a_column_is_centred_on_its_median_whatever_its_offset(name, dtype, missing):
    """Compared with NumPy in long double, where the unit is a power of two near the quartiles'."""
    frame = pandas.DataFrame({"x": FAR[name]})
    if missing:
        frame.loc[::7, "x"] = None
    outputs, matrix, preparation = prepared(frame, dtype)
    x = matrix[:, 0].astype(np.longdouble)
    low, median, high = np.nanquantile(x, (0.25, 0.5, 0.75), method="inverted_cdf")
    unit = preparation.sources[0].spread
    assert 0.7 < unit / (high - low) < 1.42
    expected = (x - median) / unit
    expected = expected / np.sqrt(1.0 + (expected / 3.0) ** 2)
    # Two numbers of 24 bits each tell it.
    tolerance = 2e-6 + 2.0**-48 * float(abs(median)) / unit
    expected = np.where(np.isnan(x), 0.0, expected).astype(np.float64)
    np.testing.assert_allclose(outputs[:, 0], expected, rtol=0.0, atol=tolerance)
    assert outputs.shape[1] == 1 + missing


@pytest.mark.parametrize("members", [1, 2])
@pytest.mark.parametrize("name", FAR)
def test_such_columns_are_learnt_and_saved(name, members, tmp_path):
    frame = pandas.DataFrame({"x": FAR[name], "town": RANDOM.choice(["a", "b", "c"], ROWS)})
    y = np.sin(PART / 300.0)
    model = TabularRegressor(**QUICK, members=members).fit(frame, y)
    assert model.score(frame, y) > 0.95
    assert model.feature_importances_.argmax() == 0
    model.save(tmp_path / "model")
    again = TabularRegressor.load(tmp_path / "model")
    assert again.predict(frame).tobytes() == model.predict(frame).tobytes()
    labels = np.where(y > 0.0, "above", "below")
    assert TabularClassifier(**QUICK).fit(frame, labels).score(frame, labels) > 0.95


def test_other_columns_keep_their_bits_beside_such_a_column():
    others = pandas.DataFrame(
        {
            "size": RANDOM.normal(size=ROWS),
            "gaps": np.where(RANDOM.random(ROWS) < 0.2, np.nan, RANDOM.exponential(9.0, ROWS)),
            "day": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(PART, unit="min"),
            "seconds": 1.7e9 + PART,
            "open": RANDOM.random(ROWS) < 0.5,
        }
    )
    plain, _, preparation = prepared(others, "float32")
    assert "centered.center" not in preparation.statistics()
    beside, _, preparation = prepared(others.assign(far=FAR["milliseconds"]), "float32")
    assert "centered.center" in preparation.statistics()
    assert plain.shape[1] == 6
    assert beside[:, :6].tobytes() == plain.tobytes()


def test_a_spread_that_float32_has_not_is_no_harm():
    """A column that networks of float32 cannot see is not learnt from in double either."""
    frame = pandas.DataFrame({"x": 1e-36 * (1.0 + 1e-10 * PART / 1000.0)})
    assert "centered.center" not in prepared(frame, "float32")[2].statistics()


def test_a_column_of_hardly_any_digits_is_named():
    frame = pandas.DataFrame(
        {"size": RANDOM.normal(size=ROWS), "ns": 2.0**60 + 2.0**35 + PART * 32}
    )
    with pytest.warns(UserWarning, match=r"column 'ns' .* Subtract an offset, such as the minimum"):
        TabularClassifier(**QUICK).fit(frame, PART > 1000)
    with pytest.warns(UserWarning, match="column 1 "):
        TabularClassifier(**QUICK).fit(frame.to_numpy(), PART > 1000)


LINE = RANDOM.normal(size=ROWS)
REMEDY = "Subtract an offset, such as the mean, from y before fit and add it to predictions"


def warnings_of(y, **options):
    """The texts of the warnings of a fit to targets, and the model."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = TabularRegressor(**QUICK, **options).fit(LINE[:, np.newaxis], y)
    assert all(each.category is UserWarning for each in caught)
    assert all(each.filename == __file__ for each in caught)
    return [str(each.message) for each in caught], model


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"members": 2}])
def test_coarse_targets_warn_once(options):
    (text,), model = warnings_of(1e6 + LINE, **options)
    assert f"the spacing at {1e6 + LINE.max():.6g} is 0.0625, more than a hundredth" in text
    assert f"deviation, {LINE.std():.3g}. {REMEDY}" in text
    assert len(np.unique(model.predict(LINE[:, np.newaxis]))) < 200  # of 400 rows


@pytest.mark.parametrize(
    "y",
    [
        LINE,
        1e5 + LINE,  # whose spacing is 1 / 128
        1e30 * LINE,
        1e-30 * LINE,
        np.full(ROWS, 1e9),
        np.full(ROWS, np.finfo(np.float32).max),
        np.column_stack([LINE, np.full(ROWS, 1e9)]),
    ],
)
def test_targets_of_enough_digits_do_not(y):
    assert warnings_of(y)[0] == []


def test_the_coarsest_of_several_targets_is_named():
    (text,), _ = warnings_of(np.column_stack([1e6 + LINE, LINE, 4e6 + LINE]))
    assert text.startswith("column 2 of y is coarse")
    assert "(also coarse: column 0)" in text


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (1_764_500_000.0 + RANDOM.uniform(0.0, 120.0, ROWS), f"is 128, more than the .* {REMEDY}"),
        (1e8 + LINE, "the spacing at 1e.08 is 8, more than the standard deviation"),
        (np.column_stack([LINE, 1e8 + LINE]), "column 1 of y .* Subtract"),
        (1e-48 * LINE, "Multiply y by a large factor"),
        (1e-180 * LINE, "Multiply y by a large factor"),
    ],
)
def test_targets_of_which_float32_leaves_nothing_are_refused(y, words):
    model = TabularRegressor(**QUICK)
    with pytest.raises(ValueError, match=words):
        model.fit(LINE[:, np.newaxis], y)
    assert "model_" not in vars(model)


def test_the_command_tells_the_same(tmp_path, monkeypatch, capsys):
    from chainrule.cli import main

    monkeypatch.chdir(tmp_path)
    pandas.DataFrame({"x": LINE, "y": 1e6 + LINE}).to_csv("some.csv", index=False)
    pandas.DataFrame({"x": LINE, "y": 1e9 + LINE}).to_csv("none.csv", index=False)
    command = ["train", "--target", "y", "--budget", "fast", "--quiet", "--output", "model"]
    with pytest.warns(UserWarning, match=REMEDY) as caught:
        assert main([*command, "--data", "some.csv"]) == 0
    assert len(caught) == 1
    (tmp_path / "model").unlink()
    assert main([*command, "--data", "none.csv"]) == 2
    assert REMEDY in capsys.readouterr().err
    assert not (tmp_path / "model").exists()
