# SPDX-License-Identifier: Apache-2.0
"""Descriptions of layers."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from chainrule import activations, initializers, layers
from chainrule.layers import Dense, Dropout, Input, Rescaling


def test_dense_has_its_options() -> None:
    layer = Dense(4, "relu", use_bias=False, weight_initializer="orthogonal", l1=0.5, l2=1)
    assert layer.units == 4
    assert layer.activation == activations.Relu()
    assert layer.use_bias is False
    assert layer.weight_initializer == initializers.Orthogonal()
    assert layer.bias_initializer == initializers.Zeros()
    assert (layer.l1, layer.l2) == (0.5, 1.0)
    assert Dense(4).weight_initializer is None


@pytest.mark.parametrize(
    "given",
    ["leaky_relu", {"kind": "leaky_relu", "negative_slope": 0.01}, activations.LeakyRelu()],
)
def test_dense_takes_activations_in_three_forms(given: Any) -> None:
    assert Dense(1, given).activation == activations.LeakyRelu(0.01)


def test_numpy_integers_are_integers() -> None:
    assert Dense(np.int64(3)).config["units"] == 3  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layer", "inputs", "outputs"),
    [
        (Dense(7), 3, 7),
        (layers.Activation("relu"), 3, 3),
        (Dropout(0.5), 5, 5),
        (layers.BatchNormalization(), 2, 2),
        (layers.LayerNormalization(), 2, 2),
        (Rescaling(2.0), 4, 4),
        (layers.Normalization(), 4, 4),
    ],
)
def test_outputs(layer: layers.Layer, inputs: int, outputs: int) -> None:
    assert layer.outputs(inputs) == outputs
    with pytest.raises(ValueError, match=f"{layer.kind}: inputs must be >= 1, got 0"):
        layer.outputs(0)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Dense(0), ValueError, "dense: units must be >= 1, got 0"),
        (lambda: Dense(-2), ValueError, "dense: units must be >= 1, got -2"),
        (lambda: Dense(2.5), ValueError, "dense: units must be an integer, got 2.5"),
        (lambda: Dense(None), TypeError, "dense: units must not be None"),
        (lambda: Dense(2, "rleu"), ValueError, "dense: activation: unknown activation 'rleu'; did"),
        (lambda: Dense(2, 3), ValueError, "dense: activation must be a name or a description, got"),
        (lambda: Dense(2, l1=-1.0), ValueError, "dense: l1 must be >= 0, got -1"),
        (lambda: Dense(2, l2=np.nan), ValueError, "dense: l2 must be finite and >= 0, got nan"),
        (lambda: Dense(2, use_bias="yes"), ValueError, "dense: use_bias must be true or false"),
        (
            lambda: Dense(2, weight_initializer="he"),
            ValueError,
            "dense: weight_initializer: unknown initializer 'he'",
        ),
        (lambda: Dropout(1.0), ValueError, "dropout: rate must be in [0, 1), got 1"),
        (lambda: Dropout(-0.1), ValueError, "dropout: rate must be in [0, 1), got -0.1"),
        (lambda: Rescaling(np.inf), ValueError, "rescaling: scale must be finite, got inf"),
        (
            lambda: layers.BatchNormalization(momentum=1.5),
            ValueError,
            "batch_normalization: momentum must be in [0, 1], got 1.5",
        ),
        (
            lambda: layers.LayerNormalization(epsilon=0),
            ValueError,
            "layer_normalization: epsilon must be > 0, got 0",
        ),
    ],
)
def test_bad_options(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    ("given", "units", "text"),
    [
        (784, 784, "Input(784)"),
        ((28, 28), 784, "Input((28, 28))"),
        ((5,), 5, "Input(5)"),
        (np.int32(6), 6, "Input(6)"),
        ([2, 3], 6, "Input((2, 3))"),
    ],
)
def test_input_multiplies_its_shape(given: Any, units: int, text: str) -> None:
    shape = Input(given)
    assert shape.units == units
    assert repr(shape) == text
    assert shape == Input(shape.shape)
    assert hash(shape) == hash(Input(shape.shape))
    assert shape != Input(units + 1)
    assert shape != units


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (0, ValueError, "Input: axes must be >= 1, got 0"),
        ((3, -1), ValueError, "Input: axes must be >= 1, got (3, -1)"),
        ((), ValueError, "Input: axes must be >= 1, got ()"),
        (2.0, TypeError, "Input: axes must be integers, got 2.0"),
        (True, TypeError, "Input: axes must be integers, got True"),
        ("784", TypeError, "Input: axes must be integers, got '784'"),
    ],
)
def test_bad_input_shapes(given: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        Input(given)
