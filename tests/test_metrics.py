# SPDX-License-Identifier: Apache-2.0
"""Metrics against scikit-learn and against their definitions written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from metric_cases import classification_case, close, predictions_for, targets_for

import chainrule as cr
from chainrule import metrics

sklearn_metrics: Any = pytest.importorskip("sklearn.metrics")

SIZES = [(2, 2), (37, 3), (200, 10)]


weighted = pytest.mark.parametrize("weighted", [False, True])
sizes = pytest.mark.parametrize(("n", "classes"), SIZES)


@weighted
@sizes
def test_accuracy_agrees_with_sklearn(n: int, classes: int, weighted: bool) -> None:
    y, p, weight = classification_case(n, classes, weighted)
    expected = sklearn_metrics.accuracy_score(y, p.argmax(axis=1), sample_weight=weight)
    assert metrics.accuracy(y, p, sample_weight=weight) == close(expected)
    one_hot = np.eye(classes)[y]
    assert metrics.accuracy(one_hot, p, sample_weight=weight) == close(expected)
    labels = p.argmax(axis=1)
    assert metrics.accuracy(y, labels, sample_weight=weight) == close(expected)


@weighted
@sizes
def test_confusion_matrix_agrees_with_sklearn(n: int, classes: int, weighted: bool) -> None:
    y, p, weight = classification_case(n, classes, weighted)
    matrix = metrics.confusion_matrix(y, p, sample_weight=weight)
    expected = sklearn_metrics.confusion_matrix(
        y, p.argmax(axis=1), labels=np.arange(classes), sample_weight=weight
    )
    assert matrix.dtype == (np.float64 if weighted else np.int64)
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@weighted
@pytest.mark.parametrize(
    ("n", "classes", "average"),
    [(n, classes, average) for n, classes in SIZES for average in ("macro", "micro", "weighted")]
    + [(2, 2, "binary"), (37, 2, "binary")],
)
def test_precision_recall_f1_agree_with_sklearn(
    n: int, classes: int, weighted: bool, name: str, average: str
) -> None:
    y, p, weight = classification_case(n, classes, weighted)
    ours: Callable[..., float] = getattr(metrics, name)
    reference = getattr(sklearn_metrics, f"{name}_score")
    for zero_division in (0, 1):
        options = {"average": average, "zero_division": zero_division, "sample_weight": weight}
        expected = reference(y, p.argmax(axis=1), **options)
        assert ours(y, p, **options) == close(expected)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
@weighted
def test_multilabel_counts_agree_with_sklearn(name: str, average: str, weighted: bool) -> None:
    generator = np.random.default_rng(3)
    y = generator.integers(0, 2, (50, 4))
    y[:, 2] = 0
    p = generator.uniform(size=(50, 4))
    p[:, 2] *= 0.4
    weight = generator.uniform(0.1, 2, 50) if weighted else None
    ours: Callable[..., float] = getattr(metrics, name)
    reference = getattr(sklearn_metrics, f"{name}_score")
    for targets in (y, np.zeros_like(y)):
        options = {"average": average, "zero_division": 1, "sample_weight": weight}
        expected = reference(targets, p >= 0.5, **options)
        assert ours(targets, p, multilabel=True, **options) == close(expected)


def test_average_defaults_to_binary_for_two_classes_and_macro_for_more() -> None:
    y, p, _ = classification_case(200, 2, False)
    assert (
        metrics.f1(y, p) == metrics.f1(y, p, average="binary") != metrics.f1(y, p, average="macro")
    )
    y, p, _ = classification_case(200, 10, False)
    assert (
        metrics.f1(y, p) == metrics.f1(y, p, average="macro") != metrics.f1(y, p, average="micro")
    )


def test_probabilities_of_the_positive_class_are_positive_from_one_half_on() -> None:
    y, p = [0, 1, 1, 0], np.array([0.49, 0.5, 0.51, 0.5])
    assert metrics.accuracy(y, p) == 0.75
    assert metrics.accuracy(y, p[:, np.newaxis]) == 0.75
    assert metrics.confusion_matrix(y, p).tolist() == [[1, 1], [0, 2]]
    assert metrics.accuracy(np.reshape(y, (4, 1)), p.astype(np.float32)) == 0.75


def test_multilabel_accuracy_counts_elements() -> None:
    y, p = [[0, 1, 1], [1, 1, 0]], [[0.1, 0.9, 0.2], [0.8, 0.7, 0.1]]
    assert metrics.accuracy(y, p, multilabel=True) == close(5 / 6)
    weighted = metrics.accuracy(y, p, multilabel=True, sample_weight=[3, 1])
    assert weighted == close((3 * 2 / 3 + 1) / 4)


def test_confusion_matrix_has_room_for_absent_classes() -> None:
    matrix = metrics.confusion_matrix([0, 2], [0, 1], classes=5)
    assert matrix.shape == (5, 5)
    assert matrix.sum() == 2
    assert matrix[2, 1] == 1
    assert metrics.confusion_matrix([0, 0], [0, 0]).tolist() == [[2, 0], [0, 0]]


@weighted
@sizes
def test_auc_agrees_with_sklearn(n: int, classes: int, weighted: bool) -> None:
    y, p, weight = classification_case(n, classes, weighted)
    if classes == 2:
        expected = sklearn_metrics.roc_auc_score(y, p[:, 1], sample_weight=weight)
        for scores in (p, p[:, 1], p[:, 1:]):
            found = metrics.auc(y, scores, sample_weight=weight)
            assert found == close(expected)
        return
    # scikit-learn insists on row sums of 1, which the rounded probabilities do not have.
    expected = np.mean(
        [
            sklearn_metrics.roc_auc_score(y == c, p[:, c], sample_weight=weight)
            for c in range(classes)
        ]
    )
    assert metrics.auc(y, p, sample_weight=weight) == close(expected)


def test_multiclass_auc_is_sklearns_one_versus_rest() -> None:
    generator = np.random.default_rng(0)
    y, p = generator.integers(0, 4, 100), generator.dirichlet(np.ones(4), 100)
    expected = sklearn_metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert metrics.auc(y, p) == close(expected)


def test_multilabel_auc_agrees_with_sklearn() -> None:
    generator = np.random.default_rng(1)
    y, p = generator.integers(0, 2, (60, 3)), np.round(generator.uniform(size=(60, 3)), 1)
    expected = sklearn_metrics.roc_auc_score(y, p, average="macro")
    assert metrics.auc(y, p, multilabel=True) == close(expected)


def probability_case(weighted: bool, classes: int) -> tuple[Any, Any, Any]:
    generator = np.random.default_rng(5)
    y, p = generator.integers(0, classes, 90), generator.dirichlet(np.ones(classes), 90)
    return y, p, generator.integers(0, 4, 90) if weighted else None


@weighted
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_log_loss_agrees_with_sklearn(weighted: bool, classes: int) -> None:
    y, p, weight = probability_case(weighted, classes)
    p[0] = np.eye(classes)[(y[0] + 1) % classes]  # impossible, and true
    expected = sklearn_metrics.log_loss(y, p, sample_weight=weight, labels=np.arange(classes))
    assert metrics.log_loss(y, p, sample_weight=weight) == close(expected)
    assert metrics.log_loss(np.eye(classes)[y], p, sample_weight=weight) == close(expected)
    if classes == 2:
        assert metrics.log_loss(y, p[:, 1:], sample_weight=weight) == close(expected)


@weighted
@pytest.mark.parametrize("classes", [2, 3, 6])
def test_brier_is_its_definition(weighted: bool, classes: int) -> None:
    y, p, weight = probability_case(weighted, classes)
    if classes == 2:
        expected = sklearn_metrics.brier_score_loss(y, p[:, 1], sample_weight=weight)
        assert metrics.brier(y, p[:, 1], sample_weight=weight) == close(expected)
    else:
        expected = np.average(((np.eye(classes)[y] - p) ** 2).sum(axis=1), weights=weight)
    assert metrics.brier(y, p, sample_weight=weight) == close(expected)


def test_multilabel_probabilities() -> None:
    y, p = np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.9], [0.6, 0.3]])
    right = np.array([[0.8, 0.9], [0.6, 0.3]])
    assert metrics.log_loss(y, p, multilabel=True) == close(-np.log(right).mean())
    assert metrics.brier(y, p, multilabel=True) == close(((1 - right) ** 2).mean())


@pytest.mark.parametrize("function", [metrics.log_loss, metrics.brier])
def test_what_are_no_probabilities(function: Callable[..., float]) -> None:
    with pytest.raises(ValueError, match=r"probabilities in \[0, 1\], got 1.5"):
        function([0, 1], [0.5, 1.5])
    with pytest.raises(ValueError, match=r"rows must sum to 1, row 1 sums to 0.9"):
        function([0, 1], [[0.5, 0.5], [0.5, 0.4]])
    with pytest.raises(ValueError, match="y_true"):
        function([0, 2], [0.5, 0.5])


def test_the_log_loss_of_a_fit_is_its_loss() -> None:
    x = np.random.default_rng(0).normal(size=(60, 2))
    y = (x[:, 0] > 0).astype(int)
    net = cr.Sequential([cr.Input(2), cr.Dense(2)], seed=0)
    chosen = ["log_loss", "brier", "auc"]
    history = net.fit(x, y, loss="cross_entropy", metrics=chosen, validation_data=(x, y), verbose=0)
    assert history["val_log_loss"] == pytest.approx(history["val_loss"], rel=1e-5)
    scores = net.evaluate(x, y, metrics=chosen)
    p = net.predict_proba(x)
    assert scores["auc"] == close(sklearn_metrics.roc_auc_score(y, p[:, 1]))
    assert scores["brier"] == pytest.approx(sklearn_metrics.brier_score_loss(y, p[:, 1]), rel=1e-5)


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(-3, 3), st.integers(0, 4)), min_size=2, max_size=30
    )
)
def test_auc_is_the_share_of_ordered_pairs(rows: list[tuple[bool, int, int]]) -> None:
    positive = [(score, weight) for label, score, weight in rows if label]
    negative = [(score, weight) for label, score, weight in rows if not label]
    total = sum(v * w for _, v in positive for _, w in negative)
    assume(total > 0)
    won = sum(v * w * ((s > t) + 0.5 * (s == t)) for s, v in positive for t, w in negative)
    y, scores, weights = (np.array(column) for column in zip(*rows, strict=True))
    found = metrics.auc(y, scores / 4, sample_weight=weights)
    assert found == close(won / total)


@weighted
@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_top_k_agrees_with_sklearn(k: int, weighted: bool) -> None:
    y, p, weight = classification_case(200, 10, weighted)
    # scikit-learn breaks ties towards the higher class, so both arguments are mirrored.
    expected = sklearn_metrics.top_k_accuracy_score(
        9 - y, p[:, ::-1], k=k, sample_weight=weight, labels=np.arange(10)
    )
    assert metrics.top_k(y, p, k=k, sample_weight=weight) == close(expected)


def test_top_1_is_accuracy_and_top_all_is_1() -> None:
    y, p, weight = classification_case(200, 10, True)
    top_1 = metrics.top_k(y, p, k=1, sample_weight=weight)
    assert top_1 == metrics.accuracy(y, p, sample_weight=weight)
    assert metrics.top_k(y, p, k=10) == 1


REGRESSION = {
    "mse": sklearn_metrics.mean_squared_error,
    "mae": sklearn_metrics.mean_absolute_error,
    "r2": sklearn_metrics.r2_score,
    "rmse": sklearn_metrics.root_mean_squared_error,
    "mape": sklearn_metrics.mean_absolute_percentage_error,
    "pinball": sklearn_metrics.mean_pinball_loss,
}


@pytest.mark.parametrize("name", REGRESSION)
@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 3)])
@weighted
def test_regression_agrees_with_sklearn(name: str, shape: tuple[int, ...], weighted: bool) -> None:
    generator = np.random.default_rng(len(shape))
    y = generator.normal(size=shape)
    p = y + generator.normal(size=shape)
    weight = generator.uniform(0, 2, 40) if weighted else None
    expected = REGRESSION[name](y, p, sample_weight=weight)
    ours: Callable[..., float] = getattr(metrics, name)
    assert ours(y, p, sample_weight=weight) == pytest.approx(expected, rel=1e-12)


numbers = st.integers(-5, 5)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, st.integers(1, 5)), min_size=2))
def test_r2_agrees_with_sklearn_on_constant_targets_too(rows: list[tuple[int, ...]]) -> None:
    table = np.array(rows)
    y, p, weight = table[:, :2], table[:, 2:4], table[:, 4]
    expected = sklearn_metrics.r2_score(y, p, sample_weight=weight)
    assert metrics.r2(y, p, sample_weight=weight) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_label_metrics_agree_with_sklearn(rows: list[tuple[int, int]]) -> None:
    y, p = np.array(rows).T
    assert metrics.accuracy(y, p) == close(sklearn_metrics.accuracy_score(y, p))
    assert metrics.confusion_matrix(y, p, classes=4).sum() == len(rows)
    for average in ("macro", "micro", "weighted"):
        expected = sklearn_metrics.f1_score(y, p, average=average, zero_division=0)
        assert metrics.f1(y, p, average=average) == close(expected)


def test_sums_are_taken_in_float64() -> None:
    n = 3 * 10**4
    y, p = np.zeros(n, np.float32), np.full(n, 0.1, np.float32)
    assert metrics.mae(y, p) == pytest.approx(float(np.float32(0.1)), rel=1e-12)
    assert metrics.mse(y, np.full(n, 255, np.uint8)) == 255.0**2


@pytest.mark.parametrize("name", sorted(metrics.METRICS))
def test_every_metric_takes_unit_weights_as_none(name: str) -> None:
    metric = metrics.get(name)
    y, p, _ = classification_case(200, 10, False)
    p, targets = predictions_for(name, p), targets_for(name, y, 10)
    np.testing.assert_allclose(
        metric(targets, p, np.ones(200)), metric(targets, p), rtol=0, atol=1e-12
    )


LEVELS = (0.1, 0.5, 0.9)


@weighted
@pytest.mark.parametrize("columns", [1, 3])
def test_metrics_of_quantiles(columns: int, weighted: bool) -> None:
    generator = np.random.default_rng(columns)
    y = generator.normal(size=(60, columns))
    p = np.sort(generator.normal(size=(60, 3, columns)), axis=1)
    weight = generator.uniform(0, 2, 60) if weighted else None
    flat = p.reshape(60, -1)
    expected = np.mean(
        [
            sklearn_metrics.mean_pinball_loss(y, p[:, i], alpha=q, sample_weight=weight)
            for i, q in enumerate(LEVELS)
        ]
    )
    found = metrics.pinball(y, flat, quantiles=LEVELS, sample_weight=weight)
    assert found == pytest.approx(expected, rel=1e-12)
    inside = ((p[:, 0] <= y) & (y <= p[:, 2])).mean(axis=1)
    found = metrics.coverage(y, flat, quantiles=LEVELS, sample_weight=weight)
    assert found == pytest.approx(np.average(inside, weights=weight), rel=1e-12)
    for name in ("mse", "mae", "r2", "rmse", "mape"):
        ours = getattr(metrics, name)
        median = REGRESSION[name](y, p[:, 1], sample_weight=weight)
        assert ours(y, flat, quantiles=LEVELS, sample_weight=weight) == pytest.approx(median)
        with pytest.raises(ValueError, match=r"none is the median 0\.5"):
            ours(y, flat, quantiles=(0.1, 0.2, 0.9))
    with pytest.raises(ValueError, match="for 3 quantiles"):
        metrics.pinball(y, p[:, 0], quantiles=LEVELS)
    with pytest.raises(ValueError, match="two quantiles at least"):
        metrics.coverage(y, y, quantiles=(0.5,))
    with pytest.raises(ValueError, match=r"quantiles must lie in \(0, 1\)"):
        metrics.pinball(y, y, quantiles=(5,))


def test_fit_tells_metrics_the_quantiles_of_the_loss() -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(200, 3))
    y = x[:, 0] + generator.normal(size=200)
    net = cr.Sequential([cr.Dense(3)], seed=0)
    names = ["mae", "rmse", "r2", "pinball", "coverage"]
    net.fit(x, y, loss=cr.losses.Quantile(LEVELS), metrics=names, epochs=20, verbose=0)
    found, p = net.evaluate(x, y), net.predict(x)
    assert found["mae"] == pytest.approx(sklearn_metrics.mean_absolute_error(y, p[:, 1]))
    assert found["r2"] == pytest.approx(sklearn_metrics.r2_score(y, p[:, 1]))
    assert found["pinball"] == pytest.approx(found["loss"], rel=1e-5)
    assert found["coverage"] == np.mean((p[:, 0] <= y) & (y <= p[:, 2]))


def test_the_first_number_that_is_no_probability_is_named() -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\], got 1\.5;"):
        metrics.accuracy([0, 1, 0, 1], [0.5, 1.5, 0.25, -2.0])
