# SPDX-License-Identifier: Apache-2.0
"""What metrics refuse, and the objects that `metrics.get` gives by name."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from metric_cases import classification_case, close, predictions_for, targets_for
from numpy.typing import NDArray

from chainrule import metrics


@pytest.mark.parametrize("name", sorted(metrics.METRICS))
@pytest.mark.parametrize(
    ("y", "p", "weight", "error", "text"),
    [
        ([0, 1], [0.5, 0.5, 0.5], None, ValueError, "y_true has 2 rows but y_pred has 3"),
        ([], [], None, ValueError, "y_true is empty"),
        ([0, 1], np.empty((2, 0)), None, ValueError, "y_pred is empty"),
        ([0, 1], np.zeros((2, 2, 2)), None, ValueError, r"y_pred has shape \(2, 2, 2\), expected"),
        ([0, 1], [0.5, np.nan], None, ValueError, "y_pred must be finite"),
        ([0, 1], ["a", "b"], None, TypeError, "y_pred has dtype <U1"),
        ([0, 1j], [0.5, 0.5], None, TypeError, "y_true is complex"),
        ([0, None], [0.5, 0.5], None, TypeError, "y_true has dtype object"),
        ([[0], [0, 1]], [0.5, 0.5], None, ValueError, "y_true is ragged"),
    ],
)
def test_bad_arguments(
    name: str, y: Any, p: Any, weight: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        metrics.get(name)(y, p, weight)


@pytest.mark.parametrize("name", sorted(set(metrics.METRICS)))
@pytest.mark.parametrize(
    ("weight", "text"),
    [
        ([1.0], r"sample_weight has shape \(1,\), expected .*\(10,\)"),
        ([-1.0] + [1.0] * 9, r"sample_weight\[0\] = -1.0 is not a weight"),
        ([0.0] * 10, "sample_weight holds zeros only"),
        ([np.inf] * 10, r"sample_weight\[0\] = inf is not a weight"),
    ],
)
def test_bad_weights(name: str, weight: list[float], text: str) -> None:
    y, p, _ = classification_case(10, 10, False)
    p, targets = predictions_for(name, p), targets_for(name, y, 10)
    with pytest.raises(ValueError, match=text):
        metrics.get(name)(targets, p, weight)


THREE = np.full((2, 3), 1 / 3)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: metrics.accuracy([0, 3], THREE), r"y_true\[1\] = 3 is out of range.* 0 to 2"),
        (lambda: metrics.accuracy([0, -1], [0, 1]), r"y_true\[1\] = -1 is out"),
        (lambda: metrics.accuracy([0, 1], [0, -1]), r"y_pred\[1\] = -1 is out"),
        (lambda: metrics.accuracy([0, 1.5], THREE), r"y_true\[1\] = 1.5 is not a class"),
        (lambda: metrics.accuracy([0, 1], [0.2, 1.7]), r"in \[0, 1\], got 1.7"),
        (lambda: metrics.accuracy([0, 2], [0.2, 0.7]), r"y_true\[1\] = 2 is out"),
        (lambda: metrics.accuracy(np.eye(4)[:2], THREE), "y_true has 4 classes but y_pred has 3"),
        (lambda: metrics.accuracy([[1, 1, 0], [0, 0, 1]], THREE), "row 0 sums to 2; .*multilabel"),
        (lambda: metrics.accuracy([[2, -1, 0], [0, 0, 1]], THREE), "not negative"),
        (
            lambda: metrics.accuracy([[1], [1]], THREE, multilabel=True),
            r"shape \(2, 1\) but y_pred has \(2, 3\)",
        ),
        (lambda: metrics.accuracy([[0.5], [1.0]], [[1], [1]], multilabel=True), "0 and 1 only"),
        (
            lambda: metrics.confusion_matrix([0, 1], THREE, classes=4),
            "classes is 4 but y_pred has 3",
        ),
        (lambda: metrics.confusion_matrix([0, 1], [0, 1], classes=1), "at least 2, got 1"),
        (lambda: metrics.confusion_matrix([0, 5], [0, 1], classes=3), r"y_true\[1\] = 5 is out"),
        (lambda: metrics.precision([0, 1], THREE, average="binary"), "two classes, got 3"),
        (lambda: metrics.recall([0, 1], [0, 1], average="marco"), "did you mean 'macro'"),
        (lambda: metrics.f1([0, 1], [0, 1], zero_division=0.5), "0 or 1, got 0.5"),
        (
            lambda: metrics.f1([[1]], [[1]], average="binary", multilabel=True),
            "does not go with multilabel",
        ),
        (lambda: metrics.auc([1, 1], [0.1, 0.2]), "column 0 has no negative sample"),
        (lambda: metrics.auc([0, 1], THREE), "column 2 has no positive sample"),
        (
            lambda: metrics.top_k([0, 1], THREE),
            "k must be from 1 to the number of classes 3, got 5",
        ),
        (lambda: metrics.top_k([0, 1], THREE, k=0), "got 0"),
        (lambda: metrics.top_k([0, 1], [0.5, 0.5], k=1), "a column for each class"),
        (lambda: metrics.mse([0, 1], THREE), r"shape \(2, 1\) but y_pred has \(2, 3\)"),
        (lambda: metrics.r2([1.0], [1.0]), "at least two samples"),
    ],
)
def test_bad_values(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_get_resolves_names_functions_and_metrics() -> None:
    assert [metrics.get(name).name for name in metrics.METRICS] == list(metrics.METRICS)
    assert metrics.get(metrics.mse) is metrics.get("mse")
    metric = metrics.Metric("f1_micro", metrics.f1, options={"average": "micro"})
    assert metrics.get(metric) is metric
    assert metric([0, 1, 2], [0, 1, 1]) == close(2 / 3)


def test_get_knows_the_direction_of_improvement() -> None:
    worse_when_greater = {n for n, m in metrics.METRICS.items() if not m.greater_is_better}
    assert worse_when_greater == {"mse", "mae", "rmse", "mape", "pinball", "log_loss", "brier"}


def test_get_reads_k_from_the_name() -> None:
    y, p, _ = classification_case(200, 10, False)
    assert metrics.get("top_3").name == "top_3"
    assert metrics.get("top_3")(y, p) == metrics.top_k(y, p, k=3) != metrics.top_k(y, p, k=5)
    assert metrics.get("top_k")(y, p) == metrics.top_k(y, p, k=5)
    with pytest.raises(ValueError, match="unknown metric 'top_0'; did you mean 'top_k'"):
        metrics.get("top_0")


def test_get_wraps_a_function() -> None:
    def worst(y_true: NDArray[Any], y_pred: NDArray[Any]) -> Any:
        return np.float32(np.max(np.abs(np.subtract(y_true, y_pred))))

    metric = metrics.get(worst)
    assert metric.name == "worst"
    assert metric.greater_is_better
    value = metric([1.0, 2.0], [1.0, 5.0])
    assert value == 3.0
    assert type(value) is float


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ("accurracy", ValueError, "unknown metric 'accurracy'; did you mean 'accuracy'"),
        (7, TypeError, "must be a name, a function or a Metric, got 7"),
        (type("Nameless", (), {"__call__": lambda *_: 0.0})(), ValueError, "has no __name__"),
    ],
)
def test_get_refuses_the_rest(given: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        metrics.get(given)


def test_as_multilabel_sets_the_keyword_where_there_is_one() -> None:
    y, p = [[1, 1], [0, 1]], [[0.9, 0.9], [0.8, 0.8]]
    assert metrics.get("accuracy").as_multilabel()(y, p) == 0.75
    assert metrics.get("mse").as_multilabel() is metrics.get("mse")


def test_metric_is_frozen_hashable_and_picklable() -> None:
    metric = metrics.get("top_3")
    assert pickle.loads(pickle.dumps(metric)) == metric
    assert len({metric, metrics.get("top_3")}) == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        metric.name = "other"  # type: ignore[misc]
