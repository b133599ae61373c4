# SPDX-License-Identifier: Apache-2.0
"""Values, gradients and links of losses against plain float64 NumPy and PyTorch."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import _core, losses
from chainrule.losses import (
    MAE,
    MSE,
    BinaryCrossEntropy,
    CrossEntropy,
    Hinge,
    Huber,
    LogCosh,
    Loss,
    Poisson,
    Quantile,
)

Array = np.ndarray
ROWS, OUTPUTS = 7, 4
rng = np.random.default_rng(3)
Z = rng.normal(scale=1.5, size=(ROWS, OUTPUTS))
T = rng.normal(scale=1.5, size=(ROWS, OUTPUTS))
LABELS = rng.integers(0, OUTPUTS, ROWS)
WEIGHTS = rng.uniform(0.5, 2.0, ROWS)
CLASS_WEIGHTS = rng.uniform(0.5, 2.0, OUTPUTS)
PROBABILITIES = rng.dirichlet(np.ones(OUTPUTS), ROWS)
BITS = rng.integers(0, 2, (ROWS, OUTPUTS))
COUNTS = rng.poisson(2.0, (ROWS, OUTPUTS))


def softmax(o: Array) -> Array:
    e = np.exp(o - o.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def huber(o: Array, t: Array) -> Array:
    d = np.abs(o - t)
    return np.where(d <= 0.7, d**2 / 2, 0.7 * (d - 0.35))


def cross_entropy(o: Array, q: Array) -> Array:
    return -(q * np.log(softmax(o))).sum(axis=1, keepdims=True)


def binary(o: Array, t: Array) -> Array:
    p = 1 / (1 + np.exp(-o))
    return -t * np.log(p) - (1 - t) * np.log(1 - p)


def hinge(o: Array, t: Array) -> Array:
    return np.maximum(0, 1 - np.where(t > 0, 1, -1) * o)


def pinball(o: Array, t: Array, q: Array) -> Array:
    return q * np.maximum(0, t - o) + (1 - q) * np.maximum(0, o - t)


# Loss, targets and the terms whose mean over each row is the row's loss.
CASES: list[tuple[Loss, Array, Callable[[Array], Array]]] = [
    (MSE(), T, lambda o: (o - T) ** 2),
    (MAE(), T, lambda o: np.abs(o - T)),
    (Huber(0.7), T, lambda o: huber(o, T)),
    (LogCosh(), T, lambda o: np.log(np.cosh(o - T))),
    (CrossEntropy(), LABELS, lambda o: cross_entropy(o, np.eye(OUTPUTS)[LABELS])),
    (CrossEntropy(), PROBABILITIES, lambda o: cross_entropy(o, PROBABILITIES)),
    (
        CrossEntropy(label_smoothing=0.2),
        LABELS,
        lambda o: cross_entropy(o, 0.8 * np.eye(OUTPUTS)[LABELS] + 0.2 / OUTPUTS),
    ),
    (BinaryCrossEntropy(), BITS, lambda o: binary(o, BITS)),
    (Hinge(), BITS, lambda o: hinge(o, BITS)),
    (Hinge(), 2 * BITS - 1, lambda o: hinge(o, BITS)),
    (Quantile(0.3), T, lambda o: pinball(o, T, np.array(0.3))),
    (
        Quantile([0.2, 0.9]),
        T[:, :2],
        lambda o: pinball(o, T[:, [0, 1, 0, 1]], np.array([0.2, 0.2, 0.9, 0.9])),
    ),
    (Poisson(), COUNTS, lambda o: np.exp(o) - COUNTS * o),
]
IDS = [f"{loss!r}-{i}" for i, (loss, _, _) in enumerate(CASES)]
each_case = pytest.mark.parametrize(("loss", "y", "terms"), CASES, ids=IDS)


def numerical_gradient(f: Callable[[Array], float], o: Array, h: float = 1e-5) -> Array:
    gradient = np.empty_like(o)
    for index in np.ndindex(o.shape):
        up, down = o.copy(), o.copy()
        up[index] += h
        down[index] -= h
        gradient[index] = (f(up) - f(down)) / (2 * h)
    return gradient


@pytest.mark.parametrize("loss", [case[0] for case in CASES if case[0].torch_module], ids=repr)
def test_the_class_of_pytorch_with_that_name(loss: Loss) -> None:
    torch = pytest.importorskip("torch")
    y = {"cross_entropy": LABELS, "binary_cross_entropy": BITS, "poisson": COUNTS}.get(loss.kind, T)
    options = {name: value for name, value in loss.config.items() if name in ("delta",)}
    theirs = getattr(torch.nn, loss.torch_module)(**options)
    targets = torch.tensor(y if loss.kind == "cross_entropy" else y.astype(float))
    if getattr(loss, "label_smoothing", 0.0) == 0.0:
        assert loss(Z, y) == pytest.approx(float(theirs(torch.tensor(Z), targets)), rel=1e-12)
    assert losses.get(loss.torch_module) == losses.get(loss.kind)


def test_every_loss_is_tested() -> None:
    assert {loss.kind for loss, _, _ in CASES} == set(_core.Loss.kinds())


@each_case
def test_values(loss: Loss, y: Array, terms: Callable[[Array], Array]) -> None:
    rows = terms(Z).mean(axis=1)
    assert loss(Z, y) == pytest.approx(rows.mean(), rel=1e-13)
    assert loss(Z, y, sample_weight=WEIGHTS) == pytest.approx(
        (WEIGHTS * rows).sum() / WEIGHTS.sum(), rel=1e-13
    )
    assert loss(Z.astype(np.float32), y) == pytest.approx(rows.mean(), rel=1e-5)


@each_case
def test_gradients_are_those_of_the_formulas(
    loss: Loss, y: Array, terms: Callable[[Array], Array]
) -> None:
    def value(o: Array) -> float:
        return float((WEIGHTS * terms(o).mean(axis=1)).sum() / WEIGHTS.sum())

    expected = numerical_gradient(value, Z)
    gradient = loss.gradient(Z, y, sample_weight=WEIGHTS)
    assert gradient.dtype == np.float64
    assert np.abs(gradient - expected).max() <= 1e-7 * np.abs(expected).max()
    single = loss.gradient(Z.astype(np.float32), y, sample_weight=WEIGHTS)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("y", [LABELS, PROBABILITIES], ids=["labels", "probabilities"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_class_weights_of_cross_entropy(y: Array, smoothing: float) -> None:
    q = np.eye(OUTPUTS)[y] if y.ndim == 1 else y
    q = (1 - smoothing) * q + smoothing / OUTPUTS
    total = WEIGHTS.copy()
    if y.ndim == 1:
        total *= CLASS_WEIGHTS[y]

    def value(o: Array) -> float:
        rows = -(CLASS_WEIGHTS * q * np.log(softmax(o))).sum(axis=1)
        return float((WEIGHTS * rows).sum() / total.sum())

    loss = CrossEntropy(smoothing)
    weights = {"sample_weight": WEIGHTS, "class_weight": CLASS_WEIGHTS}
    assert loss(Z, y, **weights) == pytest.approx(value(Z), rel=1e-13)
    expected = numerical_gradient(value, Z)
    gradient = loss.gradient(Z, y, **weights)
    assert np.abs(gradient - expected).max() <= 1e-7 * np.abs(expected).max()


def test_class_weights_of_a_single_output() -> None:
    o, y = Z[:, 0], BITS[:, 0]
    w = np.where(y > 0, 3.0, 0.5)
    expected = (w * binary(o, y)).sum() / w.sum()
    assert BinaryCrossEntropy()(o, y, class_weight={0: 0.5, 1: 3}) == pytest.approx(expected)


@pytest.mark.parametrize("y", [LABELS, PROBABILITIES], ids=["labels", "probabilities"])
@pytest.mark.parametrize("class_weight", [None, CLASS_WEIGHTS], ids=["", "weighted"])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_cross_entropy_is_pytorchs(y: Array, class_weight: Array | None, smoothing: float) -> None:
    torch = pytest.importorskip("torch")
    o = torch.tensor(Z, requires_grad=True)
    weight = None if class_weight is None else torch.tensor(class_weight)
    value = torch.nn.CrossEntropyLoss(weight, label_smoothing=smoothing)(o, torch.tensor(y))
    value.backward()
    loss = CrossEntropy(smoothing)
    assert loss(Z, y, class_weight=class_weight) == pytest.approx(value.item(), rel=1e-13)
    gradient = loss.gradient(Z, y, class_weight=class_weight)
    np.testing.assert_allclose(gradient, o.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e4, -1e4])
@each_case
def test_extreme_outputs_stay_finite(
    loss: Loss, y: Array, terms: Callable[[Array], Array], size: float, dtype: type
) -> None:
    o = np.zeros((ROWS, OUTPUTS), dtype)
    o[:, ::2] = size
    if loss.kind == "poisson" and size > 0:
        assert loss(o, y) == math.inf
        return
    assert math.isfinite(loss(o, y))
    assert np.isfinite(loss.gradient(o, y)).all()
    assert np.isfinite(loss.link(o)).all()


def test_extreme_logits_have_the_limits_value() -> None:
    o = np.array([[1e4, 0.0, -1e4]])
    assert CrossEntropy()(o, [0]) == 0.0
    assert CrossEntropy()(o, [2]) == 2e4
    np.testing.assert_array_equal(CrossEntropy().gradient(o, [2]), [[1.0, 0.0, -1.0]])
    assert BinaryCrossEntropy()([1e4, -1e4], [1, 0]) == 0.0
    assert BinaryCrossEntropy()([1e4, -1e4], [0, 1]) == 1e4
    assert LogCosh()([1e4], [0.0]) == pytest.approx(1e4 - math.log(2), rel=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_links(dtype: type) -> None:
    o = Z.astype(dtype)
    before = o.copy()
    rtol = 1e-6 if dtype == np.float32 else 1e-14
    for loss, expected in [
        (CrossEntropy(), softmax(Z)),
        (BinaryCrossEntropy(), 1 / (1 + np.exp(-Z))),
        (Poisson(), np.exp(Z)),
        (MSE(), Z),
    ]:
        predicted = loss.link(o)
        assert predicted.dtype == dtype
        assert not np.shares_memory(predicted, o)
        np.testing.assert_allclose(predicted, expected, rtol=rtol)
    np.testing.assert_array_equal(o, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", [CrossEntropy(), BinaryCrossEntropy(), Poisson()])
def test_inverse_links(loss, dtype, rng) -> None:
    o = rng.normal(0.0, 3.0, size=(4, 5, 3)).astype(dtype)
    p = loss.link(o)
    z = loss.inverse_link(p)
    assert z.dtype == dtype
    assert z.shape == o.shape
    rtol = 1e-4 if dtype is np.float32 else 1e-12
    if isinstance(loss, CrossEntropy):
        np.testing.assert_allclose(z, np.log(p), rtol=rtol)
        o = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
    # What is left of 1 - p has an error of an ulp of 1.
    np.testing.assert_allclose(z, o, rtol=rtol, atol=1e-4 if dtype is np.float32 else 1e-11)
    np.testing.assert_allclose(loss.link(z), p, rtol=rtol)


def test_inverse_links_of_rounded_probabilities() -> None:
    logits = BinaryCrossEntropy().inverse_link([0.0, 0.5, 1.0, np.nan])
    assert np.isnan(logits[3])
    assert -90 < logits[0] < -80
    assert logits[1] == 0.0
    assert 30 < logits[2] < 40
    assert CrossEntropy().inverse_link([[0.0, 1.0]])[0, 1] == 0.0
    assert MSE().inverse_link([[3.0]]).tolist() == [[3.0]]


def test_gradients_and_links_have_the_shape_of_the_outputs() -> None:
    assert MSE().gradient([1.0, 2.0], [0.0, 0.0]).tolist() == [1.0, 2.0]
    assert Poisson().link([0.0]).tolist() == [1.0]
    assert MSE().gradient(np.asfortranarray(Z), T).shape == Z.shape
    np.testing.assert_allclose(MSE().gradient(Z[::2], T[::2]) * 4, MSE().gradient(Z, T)[::2] * 7)


def test_integer_outputs_are_numbers() -> None:
    assert MSE()(np.array([[3]], np.uint8), [[1]]) == 4.0
    assert MSE()(np.array([[3]], np.int64), [[1]]) == 4.0


def test_no_weight_is_no_loss() -> None:
    assert MSE()(Z, T, sample_weight=np.zeros(ROWS)) == 0.0
    assert not MSE().gradient(Z, T, sample_weight=np.zeros(ROWS)).any()


def test_options() -> None:
    assert Huber().delta == 1.0
    assert CrossEntropy().label_smoothing == 0.0
    assert Quantile().quantiles == (0.5,)
    assert Quantile(np.array([0.1, 0.5])).quantiles == (0.1, 0.5)
    assert CrossEntropy().takes_labels
    assert not BinaryCrossEntropy().takes_labels


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Huber(0.0), "huber: delta must be > 0, got 0"),
        (lambda: Huber(math.inf), "huber: delta must be finite and > 0, got inf"),
        (lambda: CrossEntropy(1.0), "cross_entropy: label_smoothing must be in [0, 1), got 1"),
        (lambda: Quantile(1.0), "quantile: quantiles[0] must be in (0, 1), got 1"),
        (lambda: Quantile([]), "quantile: quantiles must hold at least one number, got none"),
        (lambda: Quantile([0.5, 0.1]), "must be strictly increasing, got 0.5 before 0.1"),
        (lambda: Quantile("median"), "quantile: quantiles must be a list of numbers, got 'median'"),
        (lambda: losses.get("entropy"), "unknown loss 'entropy'; "),
    ],
)
def test_bad_options(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: MSE()(Z, T[:-1]), ValueError, "outputs has 7 rows but y has 6"),
        (lambda: MSE()(Z, T[:, :3]), ValueError, "y has shape (7, 3); mse on 4 outputs expects 4"),
        (lambda: MSE()(np.zeros((2, 2, 2)), T), ValueError, "outputs has shape (2, 2, 2)"),
        (lambda: MSE()(Z * 1j, T), TypeError, "outputs is complex"),
        (lambda: MSE()(1.0, T), TypeError, "outputs must be an array, got 1.0"),
        (lambda: CrossEntropy()(Z, LABELS + 1), ValueError, "is out of range: valid labels are 0"),
        (
            lambda: CrossEntropy()(Z[:, :1], LABELS * 0),
            ValueError,
            "cross_entropy: needs at least 2 outputs, one per class, got 1",
        ),
        (lambda: MSE()(Z, T, sample_weight=[1.0]), ValueError, "sample_weight has shape (1,)"),
        (
            lambda: MSE()(Z, T, sample_weight=-WEIGHTS),
            ValueError,
            "is not a weight: expected finite numbers, 0 or more",
        ),
        (
            lambda: CrossEntropy()(Z, LABELS, class_weight=[1.0, 2.0]),
            ValueError,
            "class_weight has shape (2,), expected one weight per class: (4,)",
        ),
        (
            lambda: MSE()(Z, T, class_weight=[1.0, 2.0]),
            ValueError,
            "class_weight with mse needs a network of one output, got 4",
        ),
    ],
)
def test_bad_arguments(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        call()
