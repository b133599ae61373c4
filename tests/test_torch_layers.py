# SPDX-License-Identifier: Apache-2.0
"""Layers and activations, forwards and backwards, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from reference import relative_error
from torch_network import ACTIVATIONS, TorchNetwork

import chainrule as cr

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def both_ways_agree(net, x, dy, *, training=True):
    """Compare outputs, the gradients of input and parameters, and what the forward pass changed."""
    other = TorchNetwork(net)
    other.module.train(training)
    tensor = other.tensor(x).requires_grad_()
    expected = other.module(tensor)
    expected.backward(other.tensor(dy))

    tolerance = TOLERANCE[net.dtype]
    outputs = net.forward(x, training=training)
    dx = net.backward(dy)
    assert outputs.dtype == dx.dtype == np.dtype(net.dtype)
    assert relative_error(outputs, expected.detach()) <= tolerance
    assert relative_error(dx, tensor.grad) <= tolerance
    assert net.gradients.keys() == other.gradients.keys()
    for name, gradient in net.gradients.items():
        assert relative_error(gradient, other.gradients[name]) <= tolerance, name
    for name, values in net.parameters.items():
        assert relative_error(values, other.parameters[name]) <= tolerance, name


@DTYPES
@pytest.mark.parametrize("scale", [1e-3, 1.0, 8.0, 30.0])
@pytest.mark.parametrize(
    "activation",
    [
        *ACTIVATIONS,
        cr.activations.LeakyRelu(0.2),
        cr.activations.Elu(0.3),
        cr.activations.Gelu(approximate="tanh"),
    ],
    ids=str,
)
def test_activations(activation, scale, dtype, rng):
    net = cr.Sequential([cr.Input(19), cr.Activation(activation)], seed=0, dtype=dtype)
    both_ways_agree(net, scale * rng.normal(size=(9, 19)), rng.normal(size=(9, 19)))


@DTYPES
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("use_bias", [True, False], ids=["bias", "no-bias"])
def test_dense(activation, use_bias, dtype, rng):
    dense = cr.Dense(
        21,
        activation=activation,
        use_bias=use_bias,
        bias_initializer={"kind": "uniform", "low": -1.0, "high": 1.0},
    )
    net = cr.Sequential([cr.Input(17), dense, cr.Dense(5)], seed=1, dtype=dtype)
    both_ways_agree(net, rng.normal(size=(13, 17)), rng.normal(size=(13, 5)))


def set_normalisation(net, rng):
    """Give the first layer parameters as if it had been trained."""
    shapes = {name: a.shape for name, a in net.parameters.items() if name.startswith("0.")}
    net.set_weights({name: rng.uniform(0.5, 2, size=shape) for name, shape in shapes.items()})


@DTYPES
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_prelu(training, dtype, rng):
    net = cr.Sequential([cr.Input(19), cr.PReLU(), cr.Dense(3)], seed=0, dtype=dtype)
    net.set_weights({"0.slope": rng.normal(size=19)})
    both_ways_agree(net, rng.normal(size=(37, 19)), rng.normal(size=(37, 3)), training=training)


OPTIONS = pytest.mark.parametrize(
    "options",
    [{}, {"epsilon": 1e-2}, {"center": False}, {"scale": False}, {"center": False, "scale": False}],
    ids=str,
)


@DTYPES
@OPTIONS
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("momentum", [0.9, 0.0, 1.0])
def test_batch_normalisation(momentum, training, options, dtype, rng):
    layer = cr.BatchNormalization(momentum=momentum, **options)
    net = cr.Sequential([cr.Input(11), layer], seed=0, dtype=dtype)
    set_normalisation(net, rng)
    before = net.parameters
    both_ways_agree(
        net, 3 + 2 * rng.normal(size=(7, 11)), rng.normal(size=(7, 11)), training=training
    )
    moved = (before["0.running_mean"] != net.parameters["0.running_mean"]).any()
    assert moved == (training and momentum < 1)


@DTYPES
def test_running_statistics_of_several_batches(dtype, rng):
    net = cr.Sequential([cr.Input(11), cr.BatchNormalization(), cr.Dense(3)], seed=0, dtype=dtype)
    other = TorchNetwork(net)
    for rows in (7, 2, 9, 5):
        x = 1 + rng.normal(size=(rows, 11))
        net.forward(x)
        other.module(other.tensor(x))
    for name, values in net.parameters.items():
        assert relative_error(values, other.parameters[name]) <= TOLERANCE[dtype], name
    other.module.eval()
    x = rng.normal(size=(6, 11))
    expected = other.module(other.tensor(x)).detach()
    assert relative_error(net.predict(x), expected) <= TOLERANCE[dtype]


@DTYPES
@OPTIONS
@pytest.mark.parametrize("columns", [3, 11, 40])
def test_layer_normalisation(columns, options, dtype, rng):
    layer = cr.LayerNormalization(**options)
    net = cr.Sequential([cr.Input(columns), layer], seed=0, dtype=dtype)
    set_normalisation(net, rng)
    both_ways_agree(net, 3 + 2 * rng.normal(size=(7, columns)), rng.normal(size=(7, columns)))


@DTYPES
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
def test_deep_network(training, dtype, rng):
    layers = [
        cr.Input(23),
        cr.LayerNormalization(),
        cr.Dense(37, activation="elu"),
        cr.Dense(16, use_bias=False),
        cr.BatchNormalization(),
        cr.Activation("gelu"),
        cr.Dense(33, activation="softmax"),
        cr.Dense(65, activation="tanh"),
        cr.Dense(4),
    ]
    net = cr.Sequential(layers, seed=2, dtype=dtype)
    both_ways_agree(net, rng.normal(size=(19, 23)), rng.normal(size=(19, 4)), training=training)
