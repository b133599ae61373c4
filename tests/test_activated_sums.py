# SPDX-License-Identifier: Apache-2.0
"""Sums with a term that is an activation's, which training works out as one stage."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr

ROWS, COLUMNS, WIDTH, CLASSES = 29, 7, 19, 3
RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, COLUMNS))
Y = RNG.integers(0, CLASSES, ROWS)
ACTIVATIONS = ["relu", "leaky_relu", "gelu", "gelu_tanh", "silu", "mish", "softplus", "softsign"]
NOT_JOINED = ["hard_swish", "tanh", "sigmoid", "elu", "relu6", "softmax"]


def network(activation: str, dtype: str = "float32") -> cr.Network:
    x = cr.Input(COLUMNS, name="x")
    h = cr.Dense(WIDTH)(x)
    h = h + cr.Dense(WIDTH, activation=activation)(h)
    h = cr.Dense(WIDTH, activation=activation)(h) + h  # the term is the first
    first = cr.Dense(WIDTH, activation=activation)(h)
    h = first + cr.Dense(WIDTH, activation=activation)(h)  # both are activations
    return cr.Network(inputs=x, outputs=cr.Dense(CLASSES)(h), seed=1, dtype=dtype)


def step_by_hand(net: cr.Network, x: np.ndarray, optimizer: cr.Adam) -> None:
    """Take a step that keeps what every layer gave, so that no two stages are one."""
    outputs = net.forward(x, training=True)
    net.backward(cr.losses.CrossEntropy().gradient(outputs, Y))
    optimizer.step(net)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, *NOT_JOINED])
def test_steps_are_those_of_separate_stages(activation: str, dtype: str) -> None:
    x = X.astype(dtype)
    for threads in (1, 3):
        net, by_hand = network(activation, dtype), network(activation, dtype)
        optimizer, same = cr.Adam(0.01), cr.Adam(0.01)
        for _ in range(3):
            net.train_on_batch(x, Y, loss="cross_entropy", optimizer=optimizer, num_threads=threads)
            step_by_hand(by_hand, x, same)
        for name, values in net.parameters.items():
            np.testing.assert_array_equal(values, by_hand.parameters[name], err_msg=name)


@pytest.mark.parametrize(("activation", "joined"), [("relu", 3), ("gelu", 3), ("tanh", 0)])
def test_plan_tells_which_stages_are_one(activation: str, joined: int) -> None:
    stages = [stage.name for stage in network(activation).plan(8).stages]
    assert stages.count(f"{activation}, add") == joined
    assert stages.count("add") == 3 - joined
    assert stages.count(activation) == 4 - joined


def test_term_that_others_read_stays() -> None:
    x = cr.Input(COLUMNS)
    z = cr.Dense(WIDTH)(x)
    a = cr.Activation("relu")(z)
    b = cr.Activation("relu")(cr.Dense(WIDTH)(x))
    outputs = {"sum": a + z, "twice": b + b, "b": cr.Dense(1)(b)}
    net = cr.Network(inputs=x, outputs=outputs, seed=0)
    assert "relu, add" not in [stage.name for stage in net.plan(8).stages]


def test_layers_outputs_are_kept_by_hand() -> None:
    net = network("relu")
    net.forward(X)
    given = dict(zip((n.name for n in net._graph.nodes if n.layer), net.activations, strict=True))
    term = given["dense_1"]
    assert term is not None
    assert (term >= 0).all()
    np.testing.assert_array_equal(given["add"], given["dense"] + term)
