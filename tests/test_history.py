# SPDX-License-Identifier: Apache-2.0
"""The record of a training run."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

from chainrule.network.history import History


def two_runs() -> History:
    history = History()
    history.append(1, {"loss": 0.5, "accuracy": np.float32(0.75)})
    history.append(2, {"loss": 0.25, "accuracy": 0.8})
    history.append(3, {"loss": 0.125, "val_loss": 0.3, "confusion_matrix": np.eye(2, dtype=int)})
    return history


def test_is_a_mapping_of_names_to_lists() -> None:
    history = two_runs()
    assert history["loss"] == [0.5, 0.25, 0.125]
    assert history.history["loss"] is history["loss"]
    assert list(history) == ["loss", "accuracy", "val_loss", "confusion_matrix"]
    assert len(history) == 4
    assert "loss" in history
    assert "val_accuracy" not in history
    assert history.get("val_accuracy") is None
    assert all(type(value) is float for value in history["accuracy"])


def test_lists_stay_as_long_as_epochs_when_metrics_come_and_go() -> None:
    history = two_runs()
    assert history.epochs == [1, 2, 3]
    assert history["accuracy"][:2] == [0.75, 0.8]
    assert math.isnan(history["accuracy"][2])
    assert all(math.isnan(value) for value in history["val_loss"][:2])
    assert history["val_loss"][2] == 0.3
    assert history["confusion_matrix"][2] == [[1, 0], [0, 1]]


def test_order_of_names_is_that_of_first_appearance() -> None:
    history = History()
    names = [f"metric_{i}" for i in range(20)]
    history.append(1, dict.fromkeys(names, 0.0))
    assert list(history) == names


@pytest.mark.parametrize("epoch", [3, 2, 0])
def test_epochs_must_increase(epoch: int) -> None:
    history = two_runs()
    before = history.to_dict()
    with pytest.raises(ValueError, match=f"epoch must be greater than 3, got {epoch}"):
        history.append(epoch, {"loss": 1.0})
    assert history.to_dict() == before


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(KeyError, match="unknown metric 'los'; did you mean 'loss'"):
        two_runs()["los"]


def test_survives_strict_json() -> None:
    history = two_runs()
    text = json.dumps(history.to_dict(), allow_nan=False)
    restored = History.from_dict(json.loads(text))
    assert restored == history
    assert restored.to_dict() == history.to_dict()
    restored.append(4, {"loss": 0.1})
    assert restored != history


def test_copies_and_pickles() -> None:
    history = two_runs()
    assert pickle.loads(pickle.dumps(history)) == history
    twin = copy.deepcopy(history)
    twin.append(4, {"loss": 0.1})
    assert history.epochs == [1, 2, 3]


@pytest.mark.parametrize(
    ("record", "text"),
    [
        ({"epochs": [1]}, r"keys epochs and history, got \['epochs'\]"),
        ({"epochs": [1], "history": {"loss": [1.0, 2.0]}}, "'loss' has 2 values for 1 epochs"),
    ],
)
def test_bad_records(record: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        History.from_dict(record)


def test_repr_shows_the_last_values() -> None:
    assert repr(History()) == "<History of 0 epochs>"
    assert repr(two_runs()) == "<History of 3 epochs: loss 0.125, accuracy nan, val_loss 0.3>"
    assert History() != {}


@pytest.mark.parametrize("value", ["0.5", None, 1j, [1, "a"], [[1], [1, 2]], object(), b"1"])
def test_values_that_are_no_numbers_are_refused(value):
    history = History()
    history.append(1, {"loss": 1.0})
    with pytest.raises(TypeError, match=re.escape("metric 'mine' is ")):
        history.append(2, {"loss": 0.5, "mine": value})
    assert history.epochs == [1]
    assert dict(history) == {"loss": [1.0]}


@pytest.mark.parametrize("value", [True, np.float16(0.5), np.int64(3), [[1, 2], [3, 4]], np.nan])
def test_values_that_are_numbers(value):
    history = History()
    history.append(1, {"mine": value})
    np.testing.assert_array_equal(history["mine"][0], np.float64(value))
    assert History.from_dict(history.to_dict()) == history
