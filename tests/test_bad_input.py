# SPDX-License-Identifier: Apache-2.0
"""Bad data is refused by an error that says what is wrong, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from refusals import (
    CLASSES,
    COLUMNS,
    ROWS,
    CudaTensor,
    X,
    Y,
    assert_refused,
    trained,
    with_value,
)

import chainrule as cr

RAGGED = [[1.0] * COLUMNS] * (ROWS - 1) + [[1.0] * (COLUMNS - 1)]
OBJECTS = X.astype(object)
OBJECTS[3, 2] = "red"

# What no method may take for x; {x} stands for the name of the argument.
BAD_X: dict[str, tuple[Any, type[Exception], str]] = {
    "too few columns": (X[:, :3], ValueError, "x has 3 columns; the network expects 5"),
    "too many columns": (
        np.hstack([X, X]),
        ValueError,
        "x has 10 columns; the network expects 5",
    ),
    "nan": (
        with_value(X, (4, 2), np.nan),
        ValueError,
        "x must be finite; row 4, column 2 is NaN",
    ),
    "inf": (
        with_value(X, (23, 0), -np.inf),
        ValueError,
        "x must be finite; row 23, column 0 is infinite",
    ),
    "nan in float64": (
        with_value(X.astype(np.float64), (0, 4), np.nan),
        ValueError,
        "x must be finite; row 0, column 4 is NaN",
    ),
    "nan in a strided array": (
        np.asfortranarray(with_value(X, (4, 2), np.nan)),
        ValueError,
        "x must be finite; row 4, column 2 is NaN",
    ),
    "too large for float32": (
        with_value(X.astype(np.float64), (1, 1), 1e39),
        ValueError,
        "x must be finite; row 1, column 1 is",
    ),
    "no rows": (X[:0], ValueError, "x is empty: shape (0, 5)"),
    "no columns": (X[:, :0], ValueError, "x is empty: shape (24, 0)"),
    "empty list": ([], ValueError, "x is empty: shape (0,)"),
    "objects": (OBJECTS, TypeError, "x has dtype object: x[3, 2] is red (str), expected numbers"),
    "text": (np.full((ROWS, COLUMNS), "1"), TypeError, "x has dtype <U1: x[0, 0] is 1 (str_)"),
    "ragged": (RAGGED, ValueError, "x is ragged: x[23] has 4 entries but x[0] has 5"),
    "complex": (
        X.astype(complex),
        TypeError,
        "x is complex (dtype complex128), expected real numbers",
    ),
    "dates": (X.astype("datetime64[s]"), TypeError, "x has dtype datetime64[s], expected numbers"),
    "masked": (
        np.ma.masked_greater(X, 0),
        ValueError,
        "x is a masked array with masked entries; fill or drop them first",
    ),
    "cuda": (CudaTensor(), TypeError, "x is on device cuda:0; move it to the CPU first"),
    "none": (None, TypeError, "x must be an array, got None (NoneType)"),
    "a number": (3.0, TypeError, "x must be an array, got 3.0 (float)"),
    "a name": ("x.csv", TypeError, "x must be an array, got x.csv (str)"),
}

METHODS: dict[str, Callable[[cr.Sequential, Any], object]] = {
    "fit": lambda net, x: net.fit(x, Y, verbose=0),
    "train_on_batch": lambda net, x: net.train_on_batch(x, Y),
    "evaluate": lambda net, x: net.evaluate(x, Y),
    "predict": lambda net, x: net.predict(x),
    "predict_proba": lambda net, x: net.predict_proba(x),
    "forward": lambda net, x: net.forward(x),
    "adapt": lambda net, x: net.adapt(x),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", BAD_X)
def test_x(case: str, method: str) -> None:
    x, error, text = BAD_X[case]
    net = trained()
    assert_refused(net, lambda: METHODS[method](net, x), error, text)


@pytest.mark.parametrize("case", BAD_X)
def test_x_of_validation(case: str) -> None:
    x, error, text = BAD_X[case]
    net = trained()
    assert_refused(
        net,
        lambda: net.fit(X, Y, validation_data=(x, Y), verbose=0),
        error,
        f"validation_data: {text}",
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", [case for case in BAD_X if "columns;" not in BAD_X[case][2]])
def test_x_builds_no_network(case: str, method: str) -> None:
    x, error, text = BAD_X[case]
    net = cr.Sequential([cr.Dense(CLASSES)], seed=0)
    net.compile(loss="cross_entropy")
    assert_refused(net, lambda: METHODS[method](net, x), error, text)
    assert not net.built


def test_one_dimension() -> None:
    net = trained()
    for method in ("fit", "train_on_batch", "evaluate", "forward"):
        assert_refused(
            net,
            lambda method=method: METHODS[method](net, X[0]),  # type: ignore[misc]
            ValueError,
            "x is 1-D with shape (5,), expected (rows, features); use x.reshape(-1, 1) if it is",
        )


BAD_Y: dict[str, tuple[Any, type[Exception], str]] = {
    "too large a label": (
        with_value(Y, 5, 3),
        ValueError,
        "y[5] = 3.0 is out of range: valid labels are 0 to 2",
    ),
    "a negative label": (Y - 1, ValueError, "y[0] = -1 is out of range: valid labels are 0 to 2"),
    "a fractional label": (
        with_value(Y, 7, 0.5),
        ValueError,
        "y[7] = 0.5 is not a class label: expected 0 to 2",
    ),
    "nan": (
        with_value(Y, 7, np.nan),
        ValueError,
        "y[7] = nan is not a class label: expected 0 to 2",
    ),
    "too short": (Y[:-1], ValueError, "x has 24 rows but y has 23"),
    "too long": (np.append(Y, 0), ValueError, "x has 24 rows but y has 25"),
    "empty": (Y[:0], ValueError, "y is empty: shape (0,)"),
    "probabilities of too few classes": (
        np.full((ROWS, 2), 0.5),
        ValueError,
        "y has shape (24, 2); cross_entropy on 3 outputs expects 3 columns of probabilities, "
        "or class labels of shape (rows,)",
    ),
    "probabilities of wrong sum": (
        np.full((ROWS, 3), 0.5),
        ValueError,
        "y[0] sums to 1.5: expected probabilities of the classes, which sum to 1",
    ),
    "negative probabilities": (
        np.tile([1.5, -0.5, 0.0], (ROWS, 1)),
        ValueError,
        "y[0, 1] = -0.5 is negative: expected probabilities of the classes",
    ),
    "ragged": (
        [[0]] * 23 + [[0, 1]],
        ValueError,
        "y is ragged: y[23] has 2 entries but y[0] has 1",
    ),
    "complex": (Y.astype(complex), TypeError, "y is complex (dtype complex128), expected real"),
    "cuda": (CudaTensor(), TypeError, "y is on device cuda:0; move it to the CPU first"),
    "none": (None, TypeError, "y is missing: give targets beside x"),
}


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "evaluate"])
@pytest.mark.parametrize("case", BAD_Y)
def test_y(case: str, method: str) -> None:
    y, error, text = BAD_Y[case]
    options: dict[str, Any] = {"verbose": 0} if method == "fit" else {}
    for net in (trained(), cr.Sequential([cr.Dense(CLASSES)], seed=0)):
        call = getattr(net, method)
        assert_refused(net, lambda: call(X, y, loss="cross_entropy", **options), error, text)  # noqa: B023


def test_names_that_are_not_those_of_the_classes() -> None:
    y = np.array(["red"] * ROWS)
    for net in (trained(), cr.Sequential([cr.Dense(CLASSES)], seed=0)):
        net.compile(loss="cross_entropy")
        for method in (net.train_on_batch, net.fit):
            text = "y holds 1 classes, 'red', but the network tells 3 apart"
            assert_refused(net, lambda: method(X, y), ValueError, text)  # noqa: B023
        text = "y holds class names, but the network has no class_names"
        assert_refused(net, lambda: net.evaluate(X, y), ValueError, text)  # noqa: B023
    net = trained()
    assert_refused(
        net,
        lambda: net.fit(X, Y, validation_data=(X, y), verbose=0),
        ValueError,
        f"validation_data: {text}",
    )


@pytest.mark.parametrize("case", BAD_Y)
def test_y_of_validation(case: str) -> None:
    y, error, text = BAD_Y[case]
    net = trained()
    assert_refused(
        net,
        lambda: net.fit(X, Y, validation_data=(X, y), verbose=0),
        error,
        f"validation_data: {text}",
    )


@pytest.mark.parametrize(
    ("loss", "y", "text"),
    [
        ("mse", Y, "y has shape (24,); mse on 3 outputs expects 3 columns; for class labels use"),
        (
            "mse",
            with_value(np.zeros((ROWS, 3)), (2, 1), np.nan),
            "y must be finite; row 2, column 1 is",
        ),
        (
            "mse",
            with_value(np.zeros((ROWS, 3)), (2, 1), 1e39),
            "y must be finite; row 2, column 1 is",
        ),
        (
            "binary_cross_entropy",
            np.full((ROWS, 3), 2.0),
            "y[0, 0] = 2.0 is not a target of binary",
        ),
        ("hinge", np.full((ROWS, 3), 2.0), "y[0, 0] = 2.0 is not a target of hinge"),
        ("poisson", np.full((ROWS, 3), -1.0), "y[0, 0] = -1.0 is not a target of poisson"),
        ("quantile", np.zeros((ROWS, 2)), "y has shape (24, 2); quantile on 3 outputs expects 3"),
    ],
)
def test_y_of_other_losses(loss: str, y: Any, text: str) -> None:
    net = trained()
    assert_refused(net, lambda: net.fit(X, y, loss=loss, verbose=0), ValueError, text)
