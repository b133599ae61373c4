# SPDX-License-Identifier: Apache-2.0
"""Targets, weights and metrics of each time step of recurrent networks, against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import chainrule as cr

ROWS, TIME, FEATURES, CLASSES = 32, 5, 2, 3
RNG = np.random.default_rng(3)
X = RNG.normal(size=(ROWS, TIME, FEATURES))
LABELS = RNG.integers(CLASSES, size=(ROWS, TIME))
WEIGHTS = {
    "none": None,
    "rows": RNG.uniform(0, 2, ROWS),
    "steps": RNG.uniform(0, 2, (ROWS, TIME)),
}


def network(columns: int) -> cr.Network:
    steps = cr.Input((TIME, FEATURES))
    h = cr.GRU(6, return_sequences=True)(steps)
    return cr.Network(steps, cr.Dense(columns, name="head")(h), seed=0, dtype="float64")


def each(weights: Any) -> Any:
    """Return a weight for each step."""
    if weights is None:
        return np.ones((ROWS, TIME))
    return np.broadcast_to(weights.reshape(ROWS, -1), (ROWS, TIME))


def cross_entropy(z: Any, y: Any) -> Any:
    log = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return -np.take_along_axis(log, y[..., None], axis=-1)[..., 0]


def logistic(z: Any, y: Any) -> Any:
    return (np.log1p(np.exp(z)) - y[..., None] * z)[..., 0]


def squares(z: Any, y: Any) -> Any:
    return ((z - y.reshape(z.shape)) ** 2).mean(axis=-1)


CASES = {
    "labels": ("cross_entropy", CLASSES, LABELS, cross_entropy),
    "two classes": ("binary_cross_entropy", 1, LABELS > 0, logistic),
    "numbers": ("mse", 1, X[:, :, 0], squares),
    "targets": ("mse", FEATURES, X[:, ::-1], squares),
}


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_the_loss_is_the_mean_over_steps(case: str, weights: str) -> None:
    loss, columns, y, of_steps = CASES[case]
    net, w = network(columns), WEIGHTS[weights]
    net.fit(X, y, loss=loss, sample_weight=w, epochs=3, batch_size=8, verbose=0)
    z = net.predict(X)
    assert z.shape == (ROWS, TIME, columns)
    found = net.evaluate(X, y, sample_weight=w, metrics=[])["loss"]
    assert_allclose(found, np.average(of_steps(z, y), weights=each(w)), rtol=1e-12)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_the_weighted_mean(case: str, weights: str) -> None:
    """One step of gradient descent moves each weight by the slope of the loss in NumPy."""
    loss, columns, y, of_steps = CASES[case]
    net, w = network(columns), WEIGHTS[weights]

    def value() -> float:
        return float(np.average(of_steps(net.predict(X), y), weights=each(w)))

    before = {name: values.copy() for name, values in net.parameters.items()}
    slopes = {}
    for name in ("head.weight", "gru.recurrent_weight"):
        values, place, step = before[name].copy(), (1, 0), 1e-6
        sides = []
        for sign in (1, -1):
            values[place] = before[name][place] + sign * step
            net.set_weights({name: values})
            sides.append(value())
        net.set_weights({name: before[name]})
        slopes[name] = (sides[0] - sides[1]) / (2 * step)
    net.compile(loss=loss, optimizer=cr.SGD(0.1))
    net.train_on_batch(X, y, sample_weight=w)
    for name, slope in slopes.items():
        moved = net.parameters[name][1, 0] - before[name][1, 0]
        assert_allclose(moved, -0.1 * slope, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_metrics_of_labels(weights: str) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    net, w = network(CLASSES), WEIGHTS[weights]
    names = ["accuracy", "f1", "precision", "recall", "confusion_matrix"]
    found = net.evaluate(X, LABELS, loss="cross_entropy", sample_weight=w, metrics=names)
    told, y = net.predict(X).argmax(axis=-1).ravel(), LABELS.ravel()
    options: dict[str, Any] = {"sample_weight": each(w).ravel()}
    assert_allclose(found["accuracy"], sklearn.accuracy_score(y, told, **options), rtol=1e-12)
    assert_allclose(
        found["confusion_matrix"], sklearn.confusion_matrix(y, told, **options), rtol=1e-12
    )
    options |= {"average": "macro", "zero_division": 0}
    for name in ("f1", "precision", "recall"):
        score = getattr(sklearn, f"{name}_score")
        assert_allclose(found[name], score(y, told, **options), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("case", ["numbers", "targets"])
def test_metrics_of_numbers(case: str, weights: str) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    _, columns, y, _ = CASES[case]
    net, w = network(columns), WEIGHTS[weights]
    found = net.evaluate(X, y, loss="mse", sample_weight=w, metrics=["mae", "mse", "r2"])
    z, flat = net.predict(X).reshape(-1, columns), y.reshape(-1, columns)
    options: dict[str, Any] = {"sample_weight": each(w).ravel()}
    for name, score in (
        ("mae", sklearn.mean_absolute_error),
        ("mse", sklearn.mean_squared_error),
        ("r2", sklearn.r2_score),
    ):
        assert_allclose(found[name], score(flat, z, **options), rtol=1e-12, err_msg=name)


def test_training_and_validation_report_steps() -> None:
    """An epoch that moves nothing has the metrics of the network as it is."""
    net, w = network(CLASSES), WEIGHTS["steps"]
    hits = net.predict(X).argmax(axis=-1) == LABELS
    losses = cross_entropy(net.predict(X), LABELS)
    history = net.fit(
        X, LABELS, loss="cross_entropy", optimizer=cr.SGD(1e-300), sample_weight=w, epochs=1,
        batch_size=ROWS, validation_data=(X[:9], LABELS[:9], w[:9]), verbose=0,
    )  # fmt: skip
    assert_allclose(history["accuracy"], np.average(hits, weights=w), rtol=1e-12)
    assert_allclose(history["loss"], np.average(losses, weights=w), rtol=1e-12)
    assert_allclose(history["val_accuracy"], np.average(hits[:9], weights=w[:9]), rtol=1e-12)
    assert_allclose(history["val_loss"], np.average(losses[:9], weights=w[:9]), rtol=1e-12)


def test_steps_of_weight_0_change_no_bit() -> None:
    """Targets of steps that count nothing may be anything."""
    inside = np.arange(TIME) < RNG.integers(1, TIME + 1, (ROWS, 1))
    trained = []
    for other in (0, 2):
        net = network(CLASSES)
        y = np.where(inside, LABELS, other)
        net.fit(X, y, sample_weight=inside, loss="cross_entropy", epochs=2, verbose=0)
        trained.append((net.parameters, net.history.to_dict()))
    assert trained[0][1] == trained[1][1]
    for name, values in trained[0][0].items():
        assert_array_equal(values, trained[1][0][name])


def test_lengths_alone_leave_every_step_in_the_mean() -> None:
    """Rows that were padded by hand need weights; lists of sequences have them."""
    steps, length = cr.Input((TIME, FEATURES), name="steps"), cr.Input(1, name="length")
    h = cr.GRU(6, return_sequences=True)([steps, length])
    net = cr.Network([steps, length], cr.Dense(CLASSES)(h), seed=0, dtype="float64")
    lengths = RNG.integers(1, TIME + 1, (ROWS, 1))
    losses = cross_entropy(net.predict([X, lengths]), LABELS)
    inside = np.arange(TIME) < lengths
    for w in (None, inside):
        found = net.evaluate([X, lengths], LABELS, loss="cross_entropy", sample_weight=w)
        assert_allclose(found["loss"], np.average(losses, weights=w), rtol=1e-12)
    sequences = [x[:n] for x, n in zip(X, lengths[:, 0], strict=True)]
    listed = net.evaluate(sequences, LABELS, loss="cross_entropy")
    assert_allclose(listed["loss"], np.average(losses, weights=inside), rtol=1e-12)


def test_names_of_classes() -> None:
    names = np.array(["ask", "say", "tell"])
    net, other = network(CLASSES), network(CLASSES)
    net.fit(X, names[LABELS].tolist(), loss="cross_entropy", epochs=2, verbose=0)
    other.fit(X, LABELS, loss="cross_entropy", epochs=2, verbose=0)
    assert net.class_names == (*names,)
    for name, values in other.parameters.items():
        assert_array_equal(values, net.parameters[name])
    assert net.evaluate(X, names[LABELS]) == other.evaluate(X, LABELS)
    wrong = names[LABELS].astype(object)
    wrong[2, 1] = "shout"
    with pytest.raises(ValueError, match="y holds the unknown class 'shout'"):
        net.evaluate(X, wrong)
    with pytest.raises(
        ValueError, match="y holds 2 classes, 'say', 'tell', but the network tells 3"
    ):
        network(CLASSES).fit(X, names[np.maximum(LABELS, 1)], loss="cross_entropy", verbose=0)
