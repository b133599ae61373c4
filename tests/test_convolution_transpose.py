# SPDX-License-Identifier: Apache-2.0
"""Transposed convolutions beside Conv2D, and what is theirs alone; see test_convolution.py."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import OPTIONS

import chainrule as cr


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_it_is_the_gradient_of_a_convolution_and_the_other_way_round(options, rng) -> None:
    """To the last bit, with the same weights."""
    filters, channels, size = options["filters"], 3, (4, 5)
    options = {**options, "use_bias": False}
    up = cr.Sequential([cr.Input((*size, channels)), cr.Conv2DTranspose(**options)], seed=1)
    x = rng.normal(size=(3, *size, channels)).astype(np.float32)
    y = up.forward(x)
    down = cr.Sequential([cr.Input(y.shape[1:]), cr.Conv2D(**{**options, "filters": channels})])
    down.build(filters * y.shape[1] * y.shape[2])
    down.set_weights(up.get_weights())
    images = rng.normal(size=y.shape).astype(np.float32)
    assert down.forward(images).shape == x.shape
    assert np.array_equal(down.backward(x).reshape(y.shape), y)
    weight_gradient = down.gradients["0.weight"].copy()
    assert np.array_equal(up.backward(images).reshape(x.shape), down.forward(images))
    assert np.array_equal(up.gradients["0.weight"], weight_gradient)


def test_gradients_of_a_first_layer(rng) -> None:
    """No gradient of x is wanted there."""
    net = cr.Sequential(
        [cr.Input((3, 4, 2)), cr.Conv2DTranspose(3, 3, 2, "same"), cr.Conv2D(1, 2)],
        seed=2,
        dtype="float64",
    )
    x, y = rng.normal(size=(4, 3, 4, 2)), rng.normal(size=(4, 5, 7, 1))
    start = {name: value.copy() for name, value in net.parameters.items()}
    net.fit(x, y, optimizer=cr.SGD(1.0), epochs=1, batch_size=4, loss="mse", verbose=0)
    fitted = {name: start[name] - value for name, value in net.parameters.items()}
    net.set_weights(start)
    net.backward(2 * (net.forward(x) - y) / y.size)
    for name, step in fitted.items():
        assert np.abs(step).max() > 1e-3
        assert np.allclose(step, net.gradients[name], rtol=1e-10, atol=1e-14), name


def test_it_learns_to_enlarge(rng) -> None:
    small = rng.normal(size=(200, 4, 4, 1))
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    net = cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2DTranspose(1, 2, strides=2)], seed=0)
    net.fit(small, large, optimizer=cr.Adam(0.05), epochs=40, loss="mse", verbose=0)
    assert np.allclose(net.parameters["0.weight"], 1, atol=0.01)


def test_an_image_beyond_all_memory_is_refused() -> None:
    with pytest.raises((ValueError, MemoryError)):
        cr.Sequential([cr.Input((4, 4, 1)), cr.Conv2DTranspose(2, 3, 2**30)], seed=0).predict(
            np.zeros((1, 4, 4, 1))
        )
