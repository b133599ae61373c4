# SPDX-License-Identifier: Apache-2.0
"""Frames whose dates and text would pass for numbers, and objects that show a buffer."""

from __future__ import annotations

import array
import datetime as dt
import decimal
import re

import numpy as np
import pytest

import chainrule as cr
from chainrule.inputs.arrays import as_features, as_labels, as_targets, as_weights
from chainrule.inputs.containers import as_array

DAYS = [dt.date(2020, 1, 1), dt.date(2020, 1, 2)]
TIMES = [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)]
COLUMNS = {
    "dates": DAYS,
    "times": TIMES,
    "durations": [dt.timedelta(1), dt.timedelta(2)],
    "clock": [dt.time(1), dt.time(2)],
    "text": ["x", "y"],
    "bytes": [b"x", b"y"],
    "lists": [[1, 2], [3, 4]],
    "records": [{"a": 1}, {"a": 2}],
    "decimals": [decimal.Decimal("1.5"), decimal.Decimal("2.5")],
    "nothing": [None, None],
}


def frames(kind: str, columns: dict[str, list[object]]):
    if kind == "polars":
        return pytest.importorskip("polars").DataFrame(columns)
    if kind == "pandas":
        return pytest.importorskip("pandas").DataFrame(columns)
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table(columns)
    return table if kind == "table" else table.to_batches()[0]


def raises(kind: type[Exception], text: str):
    return pytest.raises(kind, match=re.escape(text))


@pytest.mark.parametrize("kind", ["polars", "pandas", "table", "batch"])
@pytest.mark.parametrize("column", COLUMNS)
def test_columns_of_no_numbers_are_named(kind, column):
    frame = frames(kind, {"a": [1.5, 2], column: COLUMNS[column], "b": [1, 2]})
    for convert in (as_features, lambda y: as_targets(y, outputs=None, name="x")):
        with raises(TypeError, f"x has column {column!r} of dtype "):
            convert(frame)
    with raises(TypeError, f"x has column {column!r} of dtype "):
        as_features(frames(kind, {column: COLUMNS[column]}))
    net = cr.Sequential([cr.Dense(2)], seed=0)
    with raises(TypeError, f"x has column {column!r} of dtype "):
        net.fit(frame, [0, 1], loss="cross_entropy", verbose=0)
    assert not net.built


@pytest.mark.parametrize("values", [["x", "y"], ["x", None]])
def test_categories_are_no_numbers(values):
    polars = pytest.importorskip("polars")
    for dtype in (polars.Categorical, polars.Enum(["x", "y"])):
        frame = polars.DataFrame({"a": [1, 2], "c": polars.Series(values, dtype=dtype)})
        with raises(TypeError, "x has column 'c' of dtype "):
            as_features(frame)
    arrow = pytest.importorskip("pyarrow")
    with raises(TypeError, "x has column 'c' of dtype dictionary"):
        as_features(arrow.table({"a": [1, 2], "c": arrow.array(values).dictionary_encode()}))


@pytest.mark.parametrize("kind", ["polars", "pandas", "table", "batch"])
def test_columns_of_numbers_are_read(kind):
    columns = {"a": [1.5, 2.5], "b": [1, 2], "c": [True, False]}
    x = as_features(frames(kind, columns))
    np.testing.assert_array_equal(x.astype(float), [[1.5, 1, 1], [2.5, 2, 0]])


def test_every_type_of_number_in_a_frame():
    polars, arrow = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    names = ["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
    for name in [*names, "Float32", "Float64"]:
        column = polars.Series([3, 4], dtype=getattr(polars, name))
        frame = polars.DataFrame({"a": [1, 2], "b": column})
        np.testing.assert_array_equal(as_features(frame), [[1, 3], [2, 4]])
    for name in [*map(str.lower, names), "float32", "float64"]:
        column = arrow.array([3, 4], getattr(arrow, name)())
        table = arrow.table({"a": column, "b": column})
        np.testing.assert_array_equal(as_features(table), [[3, 3], [4, 4]])


@pytest.mark.parametrize(
    "dates",
    [
        np.array(DAYS, "M8[D]"),
        np.array([1, 2], "m8[s]"),
        np.array(TIMES, object),
        DAYS,
        list(np.array(DAYS, "M8[D]")),
    ],
)
def test_dates_are_no_numbers(dates):
    with raises(TypeError, "x has dtype "):
        as_features([[date] for date in dates])
    with raises(TypeError, "x has dtype "):
        as_features(np.asarray(dates)[:, None])
    for convert in (
        lambda y: as_targets(y, outputs=None),
        lambda y: as_labels(y, classes=None),
        lambda y: as_weights(y, rows=2, name="y"),
    ):
        with raises(TypeError, "y has dtype "):
            convert(dates)


@pytest.mark.parametrize("make", ["Series", "array"])
def test_series_of_dates_are_no_numbers(make):
    for library, maker in (("polars", "Series"), ("pandas", "Series"), ("pyarrow", "array")):
        dates = getattr(pytest.importorskip(library), maker)(TIMES)
        with raises(TypeError, "y has dtype "):
            as_targets(dates, outputs=None)


def test_lazy_frames_are_refused():
    polars = pytest.importorskip("polars")
    with raises(TypeError, "x is a lazy frame; pass x.collect()"):
        as_features(polars.DataFrame({"a": [1.0]}).lazy())


VIEWS = {
    "rows": np.arange(12.0).reshape(4, 3),
    "columns": np.asfortranarray(np.arange(12.0).reshape(4, 3)),
    "strided": np.arange(48, dtype=np.float32).reshape(8, 6)[::2, ::2],
    "bytes": np.arange(12, dtype=np.uint8).reshape(4, 3),
    "integers": np.arange(12).reshape(4, 3),
    "images": np.arange(48, dtype=np.uint8).reshape(4, 4, 3),
    "booleans": np.eye(4, 3) > 0,
    "halves": np.arange(12, dtype=np.float16).reshape(4, 3),
}


@pytest.mark.parametrize("x", VIEWS.values(), ids=VIEWS)
def test_memoryviews_are_arrays(x):
    view = memoryview(x)
    converted = as_features(view)
    np.testing.assert_array_equal(converted, x.reshape(4, -1))
    assert np.shares_memory(as_array(view, name="x"), x)
    y = [0, 1, 0, 1]
    nets = [cr.Sequential([cr.Dense(2)], seed=0) for _ in range(2)]
    for net, data in zip(nets, (x, view), strict=True):
        net.fit(data, y, loss="cross_entropy", verbose=0)
    np.testing.assert_array_equal(nets[0].predict(x), nets[1].predict(view))
    assert nets[0].evaluate(x, y) == nets[1].evaluate(view, y)


def test_other_buffers():
    rows = [array.array("d", [1, 2]), array.array("d", [3, 4])]
    np.testing.assert_array_equal(as_features(rows), [[1, 2], [3, 4]])
    assert as_labels(array.array("i", [2, 0]), classes=3).tolist() == [2, 0]
    assert as_labels(memoryview(array.array("i", [2, 0])), classes=3).tolist() == [2, 0]
    raw = memoryview(bytes(range(6))).cast("B", (2, 3))
    np.testing.assert_array_equal(as_features(raw), [[0, 1, 2], [3, 4, 5]])
    x_train, *_ = cr.data.train_test_split(memoryview(np.eye(4)), [0, 1, 0, 1])
    assert x_train.shape == (3, 4)
    assert [len(x) for x in cr.data.batches(memoryview(np.eye(4)), batch_size=3)] == [3, 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"abc", "x is raw bytes; pass np.frombuffer(x, dtype)"),
        (bytearray(b"abc"), "x is raw bytearray; pass np.frombuffer(x, dtype)"),
        ([b"ab", b"cd"], "x has dtype |S2: x[0] is b'ab'"),
        (memoryview(np.array([["a"]])), "x has dtype <U1"),
        (memoryview(b"ab").cast("c"), "x has dtype |S1"),
        (memoryview(np.zeros((2, 2), complex)), "x is complex"),
        (memoryview(np.array(1.0)), "x must be an array"),
    ],
)
def test_buffers_of_no_numbers(value, text):
    with raises(TypeError, text):
        as_features(value)


def test_released_memoryview():
    view = memoryview(np.eye(2))
    view.release()
    with raises(TypeError, "x must be an array, got "):
        as_features(view)
