# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pools as graphs of numbers: the core's gradients in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from convolutions import EXTENTS, KINDS, OPTIONS, layer_of
from convolutions import convolution as by_definition
from single_numbers import compared_with_the_core
from window_layers import CASES, IDS, on

import chainrule as cr
from chainrule import graph


def compared(net: cr.Network, rng: np.random.Generator, loss: str = "mse") -> None:
    """Give all parameters other values, and compare one row's gradients."""
    net.set_weights({name: rng.normal(0, 0.5, w.shape) for name, w in net.parameters.items()})
    x = rng.normal(size=net._graph.inputs[0].shape)
    shape = net._shapes[net._graph.outputs[0]]
    target = rng.normal(size=shape)
    if loss == "cross_entropy":
        target = rng.integers(0, shape[-1], shape[:-1]) if shape[:-1] else int(rng.integers(shape))
    compared_with_the_core(net, [x], [target], loss)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_of_images_in_every_bit(kind: str, options, rng) -> None:
    options = {**options, "filters": min(options["filters"], 4)}
    first = cr.Dense(2)
    net = on((*EXTENTS[kind], 2), first, layer_of(kind, options, activation="tanh"))
    compared(net, rng)


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_sequences_in_every_bit(strides: int, dilation: int, padding: str, rng) -> None:
    options = {"strides": strides, "dilation": dilation, "padding": padding}
    first = cr.Dense(3)
    compared(on((8, 2), first, cr.Conv1D(4, 3, **options)), rng)
    compared(on((8, 2), first, cr.DepthwiseConv1D(3, depth_multiplier=2, **options)), rng)
    if padding != "causal":
        compared(on((5, 2), first, cr.Conv1DTranspose(4, 3, **options)), rng)


@pytest.mark.parametrize("multiplier", [2, 3])
def test_several_outputs_of_a_channel_in_every_bit(multiplier: int, rng) -> None:
    layer = cr.DepthwiseConv2D(3, depth_multiplier=multiplier, padding="same")
    compared(on((4, 5, 2), cr.Dense(2, "tanh"), layer, cr.Conv2D(2, 2)), rng)


@pytest.mark.parametrize(("shape", "layer"), CASES, ids=IDS)
def test_layers_over_positions_in_every_bit(shape, layer, rng) -> None:
    compared(on(shape, cr.Dense(2, "tanh"), layer, cr.Dense(2)), rng)


def test_an_image_classifier_in_every_bit(rng) -> None:
    layers = [
        cr.Rescaling(1 / 3),
        cr.Conv2D(3, 3, padding="same", activation="relu"),
        cr.MaxPooling(2),
        cr.BatchNormalization(),
        cr.Conv2D(4, 2, strides=2, activation="silu", use_bias=False),
        cr.AveragePooling((2, 1)),
        cr.Flatten(),
        cr.Dense(3, activation="softmax"),
    ]
    net = on((9, 8, 1), *layers)
    rng2 = np.random.default_rng(2)
    state = {n: rng2.uniform(0.5, 2, w.shape) for n, w in net.parameters.items()}
    net.set_weights(state)
    x = rng.normal(size=(9, 8, 1))
    compared_with_the_core(net, [x], [2], "cross_entropy")


@pytest.mark.parametrize("activation", ["linear", "softmax"])
def test_labels_of_positions_in_every_bit(activation: str, rng) -> None:
    compared(on((3, 4, 2), cr.Conv2D(3, 2, activation=activation)), rng, "cross_entropy")
    compared(on((5, 2), cr.Dense(3, activation=activation)), rng, "cross_entropy")


def test_an_output_with_positions_equals_the_definition(rng) -> None:
    net = on((5, 4, 2), cr.Conv2D(3, 3, padding="same"))
    x, y = rng.normal(size=(5, 4, 2)), rng.normal(size=(5, 4, 3))
    unrolled = graph.from_network(net, x, y, "mse")
    p = net.parameters
    made = by_definition(x[None], p["conv2d.weight"], p["conv2d.bias"], padding="same")[0]
    values = np.reshape([node.value for node in unrolled.layers[0]], made.shape)
    np.testing.assert_allclose(values, made, rtol=1e-12)
    assert unrolled.loss.value == pytest.approx(np.mean((made - y) ** 2), rel=1e-12)
    assert str(unrolled.layers[0][-1]) == "conv2d.z[4,3,2]"


def test_second_derivatives_of_a_loss_with_positions(rng) -> None:
    net = on((4, 2), cr.Conv1D(3, 2, activation="tanh"))
    x, labels = rng.normal(size=(4, 2)), np.array([0, 2, 1])
    loss = cr.losses.CrossEntropy(from_logits=True)
    unrolled = graph.from_network(net, x, labels, loss)
    weight = unrolled.parameters["conv1d.weight"][1, 0, 2]
    slope = graph.gradient(unrolled.loss, weight)
    second = graph.gradient(slope, weight).value
    sides, h = [], 1e-6
    for sign in (h, -h):
        moved = net.parameters
        moved["conv1d.weight"][1, 0, 2] += sign
        other = on((4, 2), cr.Conv1D(3, 2, activation="tanh"))
        other.set_weights(moved)
        core, y = other._built_core(), labels[None, :, None]
        core.compute_gradients(x.reshape(1, -1), y, loss._core, False, 1)
        sides.append(other.gradients["conv1d.weight"][1, 0, 2])
    assert slope.value == pytest.approx(np.mean(sides), rel=1e-8)
    assert second == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6)


def test_large_images_are_refused() -> None:
    net = on((64, 64, 3), cr.Conv2D(16, 5), cr.Flatten(), cr.Dense(1))
    text = (
        "the network makes 4,435,201 products of its parameters for a row; from_network unrolls "
        "up to 1,000,000"
    )
    with pytest.raises(ValueError, match=text):
        graph.from_network(net, np.zeros((64, 64, 3)), [0.0], "mse")
