# SPDX-License-Identifier: Apache-2.0
"""Batch and layer normalization as graphs of numbers: NumPy, the core, and differences."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import chainrule as cr
from chainrule import graph

EPSILON = 1e-5


def shaken(net: cr.Network, seed: int) -> cr.Network:
    """Return the network with other parameters; variances stay positive."""
    rng = np.random.default_rng(seed)
    net.set_weights(
        {
            name: rng.uniform(0.5, 2.0, w.shape) if "variance" in name else rng.normal(size=w.shape)
            for name, w in net.parameters.items()
        }
    )
    return net


def batch_network(**options: bool) -> cr.Network:
    x = cr.Input(5)
    h = cr.Dense(19, activation="tanh", name="below")(x)
    h = cr.BatchNormalization(name="norm", epsilon=EPSILON, **options)(h)
    return cr.Network(x, cr.Dense(2, name="y")(h), seed=0, dtype="float64")


def core_gradients(net: cr.Network, x, y):
    """Return loss, gradient by the row and gradients of parameters, from the core."""
    loss = cr.losses.MSE()._core
    value, dx = net._built_core().compute_gradients(x[None], y[None], loss, False, 1)
    return value, dx[0], net.gradients


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_batch_normalization_in_every_bit(center: bool, scale: bool) -> None:
    net = shaken(batch_network(center=center, scale=scale), 1)
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=5), rng.normal(size=2)
    unrolled = graph.from_network(net, x, y, "mse")
    unrolled.loss.backward()
    value, dx, gradients = core_gradients(net, x, y)
    assert unrolled.loss.value == value
    assert list(unrolled.gradients) == list(gradients)
    assert ("norm.gamma" in gradients) == scale
    assert ("norm.beta" in gradients) == center
    assert not any("running" in name for name in unrolled.gradients)
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(unrolled.gradients[name], gradient, err_msg=name)
    np.testing.assert_array_equal(unrolled.input_gradient, dx)
    # The same in NumPy.
    p = net.parameters
    h = np.tanh(x @ p["below.weight"] + p["below.bias"])
    inverse = 1 / np.sqrt(p["norm.running_variance"] + EPSILON)
    xhat = (h - p["norm.running_mean"]) * inverse
    gamma, beta = p.get("norm.gamma", 1.0), p.get("norm.beta", 0.0)
    out = (gamma * xhat + beta) @ p["y.weight"] + p["y.bias"]
    dnorm = p["y.weight"] @ (out - y)  # the mean over two columns takes the 2 away
    assert_allclose(unrolled.loss.value, ((out - y) ** 2).mean(), rtol=1e-13)
    if scale:
        assert_allclose(unrolled.gradients["norm.gamma"], dnorm * xhat, rtol=1e-11)
    if center:
        assert_allclose(unrolled.gradients["norm.beta"], dnorm, rtol=1e-11)
    below = dnorm * gamma * inverse * (1 - h**2)
    assert_allclose(unrolled.gradients["below.weight"], np.outer(x, below), rtol=1e-11)


def layer_network(**options: bool) -> cr.Network:
    """Return a residual network that normalizes each of several positions."""
    x = cr.Input((3, 4))
    h = cr.Dense(18, name="below")(x)
    h = h + cr.Dense(18, activation="tanh", name="within")(
        cr.LayerNormalization(name="norm", epsilon=EPSILON, **options)(h)
    )
    y = cr.Dense(2, name="y")(cr.Flatten()(h))
    return cr.Network(x, y, seed=0, dtype="float64")


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_layer_normalization_equals_the_core_and_numpy(center: bool, scale: bool) -> None:
    net = shaken(layer_network(center=center, scale=scale), 3)
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=2)
    unrolled = graph.from_network(net, x, y, "mse")
    unrolled.loss.backward()
    core = net._built_core()
    value, dx = core.compute_gradients(x.reshape(1, -1), y[None], cr.losses.MSE()._core, False, 1)
    assert unrolled.loss.value == value  # forwards in every bit
    for name, gradient in net.gradients.items():
        assert_allclose(unrolled.gradients[name], gradient, rtol=1e-11, atol=1e-13, err_msg=name)
    assert_allclose(unrolled.input_gradient, dx[0], rtol=1e-11, atol=1e-13)
    # The same in NumPy, with the layer's formula in closed form.
    p = net.parameters
    h = x @ p["below.weight"] + p["below.bias"]
    apart = h - h.mean(axis=1, keepdims=True)
    inverse = 1 / np.sqrt((apart**2).mean(axis=1, keepdims=True) + EPSILON)
    xhat = apart * inverse
    gamma, beta = p.get("norm.gamma", np.ones(18)), p.get("norm.beta", np.zeros(18))
    t = np.tanh((gamma * xhat + beta) @ p["within.weight"] + p["within.bias"])
    out = (h + t).ravel() @ p["y.weight"] + p["y.bias"]
    dh = (p["y.weight"] @ (out - y)).reshape(3, 18)
    dnorm = (dh * (1 - t**2)) @ p["within.weight"].T
    dxhat = dnorm * gamma
    means = [dxhat.mean(axis=1, keepdims=True), (dxhat * xhat).mean(axis=1, keepdims=True)]
    dh = dh + inverse * (dxhat - means[0] - xhat * means[1])
    assert_allclose(unrolled.gradients["below.weight"], x.T @ dh, rtol=1e-10, atol=1e-12)
    if scale:
        expected = (dnorm * xhat).sum(axis=0)
        assert_allclose(unrolled.gradients["norm.gamma"], expected, rtol=1e-10, atol=1e-12)
    if center:
        expected = dnorm.sum(axis=0)
        assert_allclose(unrolled.gradients["norm.beta"], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [cr.BatchNormalization, cr.LayerNormalization])
def test_second_derivatives_equal_differences_of_the_cores_gradients(kind) -> None:
    x = cr.Input(2)
    h = kind(name="norm")(cr.Dense(3, name="below")(x))
    net = shaken(cr.Network(x, cr.Dense(2)(h), seed=0, dtype="float64"), 5)
    rng = np.random.default_rng(6)
    row, target = rng.normal(size=2), rng.normal(size=2)
    unrolled = graph.from_network(net, row, target, "mse")
    slope = graph.gradient(unrolled.loss, unrolled.parameters["below.weight"][1, 2])
    start, step = net.parameters, 1e-5
    for name in unrolled._trained:
        for index, node in np.ndenumerate(unrolled.parameters[name]):
            sides = []
            for h in (step, -step):
                moved = {key: array.copy() for key, array in start.items()}
                moved[name][index] += h
                net.set_weights(moved)
                sides.append(core_gradients(net, row, target)[2]["below.weight"][1, 2])
            expected = (sides[0] - sides[1]) / (2 * step)
            second = graph.gradient(slope, node).value
            assert second == pytest.approx(expected, rel=1e-5, abs=1e-7), (name, index)


def test_a_layer_normalization_of_equal_numbers() -> None:
    net = cr.Sequential([cr.Input(3), cr.LayerNormalization(), cr.Dense(1)], 0, "float64")
    unrolled = graph.from_network(net, [2.0, 2.0, 2.0], [1.0], "mse")
    unrolled.loss.backward()
    assert unrolled.loss.value == 1.0
    assert (unrolled.gradients["0.gamma"] == 0.0).all()
