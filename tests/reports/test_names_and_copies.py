# SPDX-License-Identifier: Apache-2.0
"""Public reports about the names of columns, and about copies of objects that callers extend."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import chainrule as cr

pd = pytest.importorskip("pandas")

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(RNG.normal(size=(40, 3)), columns=["age", "bmi", "s1"])
TARGET = FRAME["age"] - 2 * FRAME["s1"]


def fitted() -> cr.Sequential:
    net = cr.Sequential([cr.Dense(4, activation="tanh"), cr.Dense(1)], seed=0)
    net.fit(FRAME, TARGET, loss="mse", epochs=3, verbose=0)
    return net


def test_columns_in_another_order() -> None:
    """dmlc/xgboost#8357: predictions changed with the order of a frame's columns."""
    net = fitted()
    swapped = FRAME[["age", "s1", "bmi"]]
    np.testing.assert_array_equal(net.predict(swapped), net.predict(FRAME))


def test_a_frame_after_training_on_a_frame() -> None:
    """lightgbm-org/LightGBM#5627: names were stored, and predict went by places all the same."""
    net = fitted()
    assert net.feature_names == ("age", "bmi", "s1")
    rotated = FRAME[["s1", "age", "bmi"]]
    np.testing.assert_array_equal(net.predict(rotated), net.predict(FRAME))


def test_the_loss_of_reversed_columns() -> None:
    """lightgbm-org/LightGBM#4102: the loss rose from 0 to 0.5 when columns were reversed."""
    net = fitted()
    assert net.evaluate(FRAME[FRAME.columns[::-1]], TARGET) == net.evaluate(FRAME, TARGET)


def test_renamed_columns() -> None:
    """scikit-learn/scikit-learn#12936: renamed columns were taken by their places."""
    with pytest.raises(ValueError, match="lacks the feature 'age' and has the unknown column 'x'"):
        fitted().predict(FRAME.rename(columns={"age": "x"}))


class Named(cr.Sequential):
    """Has arguments and attributes of its own."""

    def __init__(self, label: str, units: int) -> None:
        super().__init__([cr.Input(3), cr.Dense(units)], seed=0)
        self.label = label


def test_a_fitted_network_predicts_after_deepcopy() -> None:
    """sktime/sktime#10712: the copy of a fitted network had lost its model."""
    net = fitted()
    np.testing.assert_array_equal(copy.deepcopy(net).predict(FRAME), net.predict(FRAME))


@pytest.mark.parametrize("way", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_required_arguments(way: Any) -> None:
    """huggingface/transformers#8978: copies failed for a missing argument of the constructor."""
    twin = way(Named("first", units=2))
    assert (type(twin), twin.label, twin.outputs) == (Named, "first", 2)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy])
def test_attributes_of_a_subclass(way: Any) -> None:
    """python/cpython#152042: copies of a subclass lost its class and its attributes."""
    net = Named("first", units=2)
    net.tag = "kept"  # type: ignore[attr-defined]
    twin = way(net)
    assert (type(twin).__name__, twin.tag) == ("Named", "kept")
