# SPDX-License-Identifier: Apache-2.0
"""Descriptions of activations, and what they compute in a network."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import _core, activations
from chainrule.activations import Activation, Elu, Gelu, LeakyRelu
from chainrule.layers import Activation as ActivationLayer

X = np.linspace(-6.0, 6.0, 25).reshape(5, 5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


FORMULAS: list[tuple[Activation, Callable[[np.ndarray], np.ndarray]]] = [
    (activations.Linear(), lambda x: x),
    (activations.Relu(), lambda x: np.maximum(x, 0)),
    (LeakyRelu(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
    (Elu(1.5), lambda x: np.where(x > 0, x, 1.5 * (np.exp(x) - 1))),
    (Gelu(), lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    (
        Gelu("tanh"),
        lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    ),
    (activations.Silu(), lambda x: x * sigmoid(x)),
    (activations.Sigmoid(), sigmoid),
    (activations.Tanh(), np.tanh),
    (activations.Softplus(), lambda x: np.log(1 + np.exp(x))),
    (
        activations.Selu(),
        lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * (np.exp(x) - 1)),
    ),
    (activations.Mish(), lambda x: x * np.tanh(np.log(1 + np.exp(x)))),
    (activations.HardSigmoid(0.2, 0.4), lambda x: np.clip(0.2 * x + 0.4, 0, 1)),
    (activations.HardSwish(), lambda x: x * np.clip(x + 3, 0, 6) / 6),
    (activations.Relu6(), lambda x: np.clip(x, 0, 6)),
    (activations.Softsign(), lambda x: x / (1 + abs(x))),
    (activations.Softmax(), lambda x: np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)),
]


@pytest.mark.parametrize(("activation", "formula"), FORMULAS, ids=lambda v: getattr(v, "kind", ""))
def test_formulas(activation: Activation, formula: Callable[[np.ndarray], np.ndarray]) -> None:
    net = _core.Network64([ActivationLayer(activation).config], 5, 0)
    got = net.forward(X, training=False)
    np.testing.assert_allclose(got, formula(X), rtol=1e-12, atol=1e-15)


def test_every_activation_has_a_formula_here() -> None:
    assert {a.config["kind"] for a, _ in FORMULAS} == set(_core.Activation.kinds())


def test_options() -> None:
    assert LeakyRelu().negative_slope == 0.01
    assert Elu().alpha == 1.0
    assert Gelu().approximate == "none"
    assert activations.get("gelu_tanh") == Gelu(approximate="tanh")
    assert activations.get({"kind": "gelu", "approximate": "tanh"}).config == {"kind": "gelu_tanh"}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: LeakyRelu(-0.1), "leaky_relu: negative_slope must be >= 0, got -0.1"),
        (lambda: Elu(math.nan), "elu: alpha must be finite and >= 0, got nan"),
        (lambda: Gelu("tan"), "unknown gelu approximate 'tan'; did you mean 'tanh'? valid: none, "),
        (lambda: activations.get("squash"), "unknown activation 'squash'; valid: "),
    ],
)
def test_bad_options(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()
