# SPDX-License-Identifier: Apache-2.0
"""What a network cannot take from a data frame is named by its row and its column's name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(7)
AGE, SIZE = RNG.normal(size=(2, 30))
Y = AGE - SIZE
Frame = Callable[[dict[str, Any]], Any]


def pandas(columns: dict[str, Any]) -> Any:
    return pd.DataFrame(columns)


def polars(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


def pyarrow(columns: dict[str, Any]) -> Any:
    return pytest.importorskip("pyarrow").table(columns)


def holed(value: float) -> Any:
    size = SIZE.copy()
    size[3] = value
    return size


def trained() -> cr.Sequential:
    net = cr.Sequential([cr.Dense(1)], seed=0)
    net.fit(pandas({"age": AGE, "size": SIZE}), Y, loss="mse", epochs=1, verbose=0)
    return net


CALLS: dict[str, Callable[[Any], object]] = {
    "first fit": lambda x: cr.Sequential([cr.Dense(1)]).fit(x, Y, loss="mse", verbose=0),
    "fit": lambda x: trained().fit(x, Y, verbose=0),
    "train_on_batch": lambda x: trained().train_on_batch(x, Y),
    "evaluate": lambda x: trained().evaluate(x, Y),
    "predict": lambda x: trained().predict(x),
    "forward": lambda x: trained().forward(x),
    "adapt": lambda x: cr.Sequential([cr.Normalization(), cr.Dense(1)]).adapt(x),
    "plan": lambda x: trained().plan(x=x),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("frame", [pandas, polars, pyarrow])
@pytest.mark.parametrize(
    ("value", "what"), [(np.nan, "NaN"), (-np.inf, "infinite"), (1e300, "1e+300, too large for")]
)
def test_a_cell_is_named_by_its_column(frame: Frame, call: str, value: float, what: str) -> None:
    x = frame({"age": AGE, "size": holed(value)})
    with pytest.raises(ValueError, match=r"^x must be finite; row 3, column 'size' is ") as caught:
        CALLS[call](x)
    assert what in str(caught.value)
    assert len(str(caught.value)) < 100


def test_a_gradient_check_too() -> None:
    with pytest.raises(ValueError, match="row 3, column 'size' is NaN"):
        cr.gradient_check(trained(), pandas({"age": AGE, "size": holed(np.nan)}), Y)


@pytest.mark.parametrize("frame", [pandas, polars])
def test_validation_data_too(frame: Frame) -> None:
    text = "^validation_data: x must be finite; row 3, column 'size' is NaN"
    with pytest.raises(ValueError, match=text):
        trained().fit(
            frame({"age": AGE, "size": SIZE}),
            Y,
            validation_data=(frame({"age": AGE, "size": holed(np.nan)}), Y),
            verbose=0,
        )


@pytest.mark.parametrize("frame", [pandas, polars])
def test_columns_in_another_order_keep_their_names(frame: Frame) -> None:
    with pytest.raises(ValueError, match="row 3, column 'size' is NaN"):
        trained().predict(frame({"size": holed(np.nan), "age": AGE}))


def test_a_series_that_is_one_row() -> None:
    row = pd.Series({"size": np.nan, "age": 1.0})
    with pytest.raises(ValueError, match="row 0, column 'size' is NaN"):
        trained().predict(row)


@pytest.mark.parametrize(
    ("labels", "shown"),
    [
        ([2023, 2024], "'2024'"),
        ([("a", "x"), ("a", "y")], r"'\('a', 'y'\)'"),
        ([0, 1], "1"),
        (["é", "\ud800"], "'\\?'"),
    ],
)
def test_columns_of_other_names(labels: list[Any], shown: str) -> None:
    x = pd.DataFrame(np.column_stack([AGE, holed(np.nan)]))
    x.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    with pytest.raises(ValueError, match=f"row 3, column {shown} is NaN"):
        cr.Sequential([cr.Dense(1)]).fit(x, Y, loss="mse", verbose=0)


def test_arrays_go_by_numbers() -> None:
    with pytest.raises(ValueError, match="row 3, column 1 is NaN"):
        trained().predict(np.column_stack([AGE, holed(np.nan)]))


@pytest.mark.parametrize("frame", [pandas, polars])
@pytest.mark.parametrize(
    ("loss", "value", "text"),
    [
        ("mse", np.nan, "y must be finite; row 3, column 'size' is NaN"),
        ("mse", np.inf, "y must be finite; row 3, column 'size' is infinite"),
        ("binary_cross_entropy", 3.5, "y[3, 'size'] = 3.5 is not a target of binary_cross_entropy"),
        ("poisson", -2.0, "y[3, 'size'] = -2.0 is not a target of poisson"),
        ("hinge", 0.5, "y[3, 'size'] = 0.5 is not a target of hinge"),
        ("cross_entropy", -0.25, "y[3, 'size'] = -0.25 is negative"),
    ],
)
def test_targets_too(frame: Frame, loss: str, value: float, text: str) -> None:
    size = np.ones(30)
    size[3] = value
    y = frame({"age": np.zeros(30), "size": size})
    net = cr.Sequential([cr.Dense(2)], seed=0)
    x = np.column_stack([AGE, SIZE])
    for call in (
        lambda: net.fit(x, y, loss=loss, verbose=0),
        lambda: net.evaluate(x, y, loss=loss),
        lambda: cr.losses.get(loss)(np.zeros((30, 2)), y),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
            call()


@pytest.mark.parametrize("frame", [pandas, polars])
def test_a_series_of_targets(frame: Frame) -> None:
    y = frame({"price": holed(np.nan)})["price"]
    with pytest.raises(ValueError, match=r"^y must be finite; row 3, column 'price' is NaN"):
        cr.Sequential([cr.Dense(1)]).fit(np.column_stack([AGE, SIZE]), y, loss="mse", verbose=0)


@pytest.mark.parametrize("frame", [pandas, polars])
@pytest.mark.parametrize("layer", [cr.CategoryEncoding(3), cr.Embedding(3, 2)])
def test_categories_too(frame: Frame, layer: Any) -> None:
    codes = np.arange(30) % 3
    x = frame({"age": codes, "town": np.where(np.arange(30) == 3, 7, codes)})
    with pytest.raises(ValueError, match=r"x must hold categories in column 'town'.* row 3"):
        cr.Sequential([layer, cr.Dense(1)]).fit(x, Y, loss="mse", verbose=0)


def test_text_among_numbers_is_shown() -> None:
    x = pd.DataFrame({"age": AGE, "size": SIZE.astype(object)})
    x.loc[3, "size"] = "tall"
    text = r"^x has column 'size' of dtype object, expected numbers; row 3 is tall \(str\)"
    with pytest.raises(TypeError, match=text):
        trained().predict(x)
    x.loc[3, "size"] = 1.5
    with pytest.raises(TypeError, match=r"convert it by astype\(float\)"):
        trained().predict(x)


def test_a_lazy_frame_is_refused_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    with pytest.raises(TypeError, match=r"x is a lazy frame; pass x\.collect\(\)"):
        net.predict(polars({"age": AGE, "size": SIZE}).lazy())
    assert not recwarn.list
