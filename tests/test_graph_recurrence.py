# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers as graphs of numbers: the core's gradients in every bit."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent_networks import FEATURES, KINDS, TIME, UNITS, chain, shaken, states
from single_numbers import compared_with_the_core

import chainrule as cr
from chainrule import graph

OPTIONS = [
    {},
    {"return_sequences": True},
    {"use_bias": False, "return_sequences": True},
    {"go_backwards": True},
    {"go_backwards": True, "return_sequences": True},
    {"truncate_gradient": 2, "return_sequences": True},
    {"truncate_gradient": 3, "go_backwards": True},
    {"recurrent_dropout": 0.5},
]
each_kind = pytest.mark.parametrize("kind", KINDS)


def rounded(net: cr.Network) -> tuple[str, ...]:
    """Return the parameters whose sums go over time in the other order than the steps."""
    nodes = [node for node in net._graph.nodes if getattr(node.layer, "go_backwards", False)]
    return tuple(f"{node.name}.recurrent_weight" for node in nodes)


def compared(net: cr.Network, rng: np.random.Generator, x: list | None = None) -> None:
    """Give all parameters other values, and compare one row's gradients."""
    shaken(net, rng)
    x = [rng.normal(size=node.shape) for node in net._graph.inputs] if x is None else x
    target = rng.normal(size=net._shapes[net._graph.outputs[0]])
    compared_with_the_core(net, x, [target], "mse", rounded(net))


@each_kind
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_option_in_every_bit(kind: str, options, rng) -> None:
    compared(chain(cr.Dense(FEATURES), KINDS[kind](UNITS, **options), cr.Dense(2)), rng)


@pytest.mark.parametrize("activation", ["relu", "sigmoid", "softsign"])
def test_other_activations_in_every_bit(activation: str, rng) -> None:
    layer = cr.SimpleRNN(UNITS, activation=activation, return_sequences=True)
    compared(chain(layer, cr.LSTM(3), cr.Dense(2)), rng)


@each_kind
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("length", [1, 3, TIME])
def test_lengths_in_every_bit(kind: str, sequences: bool, backwards: bool, length: int, rng):
    options = {"return_sequences": sequences, "go_backwards": backwards, "truncate_gradient": 2}
    x, n = cr.Input((TIME, FEATURES), name="x"), cr.Input(1, name="n")
    h = KINDS[kind](UNITS, **options)([cr.Dense(FEATURES)(x), n])
    net = cr.Network([x, n], cr.Dense(2)(h), seed=3, dtype="float64")
    compared(net, rng, [rng.normal(size=(TIME, FEATURES)), np.array([float(length)])])


@each_kind
@pytest.mark.parametrize("sequences", [False, True])
def test_encoders_and_decoders_in_every_bit(kind: str, sequences: bool, rng) -> None:
    x, y = cr.Input((4, FEATURES), name="x"), cr.Input((3, FEATURES), name="y")
    encoder = KINDS[kind](UNITS, return_state=True, return_sequences=sequences)
    out, *state = encoder(cr.Dense(FEATURES)(x))
    out = cr.GlobalAveragePooling()(out) if sequences else out
    h = KINDS[kind](UNITS)(y, initial_state=state)
    net = cr.Network([x, y], cr.Dense(2)(cr.Concatenate()([h, out])), seed=3, dtype="float64")
    compared(net, rng)


def test_both_directions(rng) -> None:
    x = cr.Input((4, FEATURES), name="x")
    both = cr.Bidirectional(cr.GRU(UNITS, return_sequences=True))
    net = cr.Network(x, cr.Dense(2)(both(cr.Dense(3)(x))), seed=3, dtype="float64")
    compared(net, rng)


def test_a_layer_used_twice_in_every_bit(rng) -> None:
    x, y = cr.Input((3, FEATURES), name="x"), cr.Input((3, FEATURES), name="y")
    layer = cr.LSTM(UNITS)
    net = cr.Network([x, y], cr.Dense(2)(layer(x) - layer(y)), seed=3, dtype="float64")
    compared(net, rng)


@each_kind
def test_states_equal_the_formulas(kind: str, rng) -> None:
    net = shaken(chain(KINDS[kind](UNITS, return_sequences=True, name="rnn")), rng)
    x = rng.normal(size=(TIME, FEATURES))
    unrolled = graph.from_network(net, x, np.zeros((TIME, UNITS)), "mse")
    p = {name.removeprefix("rnn."): values for name, values in net.parameters.items()}
    expected, _ = states(kind, p, x, False, TIME)
    values = np.reshape([node.value for node in unrolled.layers[0]], expected.shape)
    np.testing.assert_allclose(values, expected, rtol=1e-12)
    names = {str(node) for node in graph.nodes._before(unrolled.loss)}
    assert {"rnn.s[0,0]", "rnn.h[5,3]"} <= names


@each_kind
def test_second_derivatives_equal_differences_of_the_cores_gradients(kind: str, rng) -> None:
    net = shaken(chain(KINDS[kind](2, name="rnn"), cr.Dense(1), shape=(3, 1)), rng)
    x, y = rng.normal(size=(3, 1)), np.array([0.3])
    unrolled = graph.from_network(net, x, y, "mse")
    weight = unrolled.parameters["rnn.recurrent_weight"][1, 0]
    second = graph.gradient(graph.gradient(unrolled.loss, weight), weight).value
    start, sides, h = net.parameters, [], 1e-6
    for sign in (h, -h):
        moved = {name: values.copy() for name, values in start.items()}
        moved["rnn.recurrent_weight"][1, 0] += sign
        net.set_weights(moved)
        net._built_core().compute_gradients(
            x.reshape(1, -1), y[None], cr.losses.MSE()._core, False, 1
        )
        sides.append(net.gradients["rnn.recurrent_weight"][1, 0])
    assert second == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-6, abs=1e-9)
