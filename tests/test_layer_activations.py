# SPDX-License-Identifier: Apache-2.0
"""What each layer gave in the last forward."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from small_networks import data, network, plain

import chainrule as cr


def test_activations_are_those_of_the_layers() -> None:
    x, _ = data()
    net = network()
    for training in (True, False):
        outputs = net.forward(x, training=training)
        p = net.parameters
        hidden = np.tanh(x @ p["0.weight"] + p["0.bias"])
        mean, variance = (
            (hidden.mean(0), hidden.var(0))
            if training
            else (p["1.running_mean"], p["1.running_variance"])
        )
        # The layer's default epsilon.
        normal = (hidden - mean) / np.sqrt(variance + 1e-5) * p["1.gamma"] + p["1.beta"]
        third = np.maximum(normal @ p["2.weight"] + p["2.bias"], 0)
        found = net.activations
        for one, other in zip(found, (hidden, normal, third, outputs), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)
    net.set_weights(net.get_weights())
    assert len(net.activations) == 4  # of the forward that was, not of the weights that are
    net.forward(x[:3])
    assert [a.shape for a in net.activations if a is not None] == [(3, 7), (3, 7), (3, 3), (3, 2)]


def test_activations_need_a_forward() -> None:
    with pytest.raises(RuntimeError, match="call forward first"):
        _ = network().activations


def test_activations_of_categories_and_dropout() -> None:
    net = cr.Sequential([cr.CategoryEncoding([4, 3]), cr.Dense(5), cr.Dropout(0.5)], seed=0)
    x = np.array([[0, 1], [3, 2]])
    outputs = net.forward(x)
    first, second, third = net.activations
    assert first is None
    assert second is not None
    np.testing.assert_array_equal(third, outputs)
    assert (outputs[outputs != 0] == 2 * second[outputs != 0]).all()


@pytest.mark.parametrize("kind", ["uint8", "int64", "float32", "float64"])
def test_activations_of_scaling_that_is_done_while_rows_are_read(kind: str) -> None:
    layers = [cr.Input(5), cr.Rescaling(0.25), cr.Dropout(0.0), cr.Dense(6, activation="gelu")]
    net = cr.Sequential([*layers, cr.Activation("softmax")], seed=0, dtype="float64")
    x = np.arange(300).reshape(60, 5).astype(kind)
    outputs = net.forward(x)
    found = net.activations
    net.backward(np.ones_like(outputs))
    for before, after in zip(found, net.activations, strict=True):
        np.testing.assert_array_equal(before, after)
    first, second, hidden, last = found
    np.testing.assert_array_equal(first, x * 0.25)
    np.testing.assert_array_equal(second, x * 0.25)
    assert hidden is not None
    p = np.exp(hidden - hidden.max(1, keepdims=True))
    np.testing.assert_allclose(last, p / p.sum(1, keepdims=True), rtol=1e-9)
    np.testing.assert_array_equal(last, outputs)


def test_activations_are_copies_and_of_this_network_alone() -> None:
    x, _ = data()
    net = plain()
    net.forward(x)
    first = net.activations[0]
    assert first is not None
    first[:] = 0
    assert net.activations[0] is not None
    assert net.activations[0].any()
    with pytest.raises(RuntimeError, match="call forward first"):
        _ = copy.deepcopy(net).activations
