# SPDX-License-Identifier: Apache-2.0
"""Levenberg and Marquardt's method: steps, optima, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from least_squares import Arrays, data, flat, forward, network, split
from scipy import sparse
from subprocesses import printed_by_each_instruction_set

import chainrule as cr


def test_steps_are_those_of_plain_numpy() -> None:
    """trainlm's rule with weights of rows: every iteration's loss, damping and parameters."""
    x, y = data()
    weight = np.random.default_rng(3).uniform(0, 2, len(x))
    net = network()
    w = list(net.parameters.values())
    history = net.fit(
        x,
        y,
        loss="mse",
        optimizer=cr.LevenbergMarquardt(),
        sample_weight=weight,
        epochs=6,
        verbose=0,
    )
    scale = np.repeat(np.sqrt(weight / weight.sum() / 2), 2)
    damping = 1e-3
    losses, dampings = [], []
    for _ in range(6):
        z, jacobian = forward(w, x)
        e = (z - y).ravel() * scale
        jacobian = jacobian * scale[:, None]
        loss = e @ e
        while True:
            a = jacobian.T @ jacobian + damping * np.eye(jacobian.shape[1])
            tried = split(flat(w) - np.linalg.solve(a, jacobian.T @ e), w)
            e_tried = (forward(tried, x)[0] - y).ravel() * scale
            if e_tried @ e_tried < loss:
                break
            damping *= 3
        w, damping = tried, damping * 0.3
        losses.append(e_tried @ e_tried)
        dampings.append(damping)
    assert history["loss"] == pytest.approx(losses, rel=1e-9)
    assert history["damping"] == pytest.approx(dampings, rel=1e-9)
    assert flat(net.parameters.values()) == pytest.approx(flat(w), rel=1e-6, abs=1e-8)


def jacobian_of_layers(layers: list[Arrays], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Layers of tanh below a linear one, each a weight and maybe a bias: outputs and Jacobian."""
    read = [x]
    for place, (weight, *bias) in enumerate(layers):
        z = read[-1] @ weight + (bias[0] if bias else 0.0)
        read.append(z if place == len(layers) - 1 else np.tanh(z))
    outputs = read[-1].shape[1]
    rows = []
    for k in range(outputs):
        d = np.tile(np.eye(outputs)[k], (len(x), 1))
        parts: Arrays = []
        for place in reversed(range(len(layers))):
            weight, *bias = layers[place]
            own = [np.einsum("ri,rj->rij", read[place], d).reshape(len(x), -1)]
            parts = own + ([d] if bias else []) + parts
            d = (d @ weight.T) * (1 - read[place] ** 2)
        rows.append(np.concatenate(parts, axis=1))
    return read[-1], np.stack(rows, axis=1).reshape(len(x) * outputs, -1)


@pytest.mark.parametrize(
    ("inputs", "units", "biases", "rows", "outputs"),
    [
        *((3, [], [True], 50, outputs) for outputs in (1, 3)),
        *((1, [1], [True, False], 40, outputs) for outputs in (1, 2)),
        *((7, [12], [True, True], 600, outputs) for outputs in (1, 3)),
        *((3, [9, 17], [False, True, False], 150, outputs) for outputs in (1, 9)),
        *((2, [40, 3, 5], [True, False, True, True], 300, outputs) for outputs in (1, 2)),
        (400, [], [True], 2700, 1),  # more rows than a batch takes
    ],
)
def test_a_step_is_that_of_the_jacobian(
    inputs: int, units: list[int], biases: list[bool], rows: int, outputs: int
) -> None:
    """Layers with and without biases, of one unit, wider and narrower than vectors and panels."""
    rng = np.random.default_rng(inputs + rows)
    x = rng.normal(size=(rows, inputs)) / np.sqrt(inputs)
    y = rng.normal(size=(rows, outputs))
    sizes = [*units, outputs]
    activations = ["tanh"] * len(units) + ["linear"]
    dense = [
        cr.Dense(size, activation=activation, use_bias=bias)
        for size, activation, bias in zip(sizes, activations, biases, strict=True)
    ]
    net = cr.Sequential([cr.Input(inputs), *dense], seed=1, dtype="float64")
    w = list(net.parameters.values())
    of_layers = iter(w)
    layers = [[next(of_layers) for _ in range(1 + bias)] for bias in biases]
    z, jacobian = jacobian_of_layers(layers, x)
    e = (z - y).ravel() / np.sqrt(y.size)
    jacobian = jacobian / np.sqrt(y.size)
    damping = 10.0  # a step that is taken
    a = jacobian.T @ jacobian + damping * np.eye(jacobian.shape[1])
    expected = flat(w) - np.linalg.solve(a, jacobian.T @ e)
    net.fit(x, y, loss="mse", optimizer=cr.LevenbergMarquardt(damping=damping), epochs=1, verbose=0)
    np.testing.assert_allclose(flat(net.parameters.values()), expected, rtol=1e-10, atol=1e-12)


def test_a_penalty_is_part_of_what_it_minimises() -> None:
    """A linear network with l2 on its weights is ridge regression, found in a few steps."""
    x, y = data(outputs=1)
    net = cr.Sequential([cr.Input(3), cr.Dense(1, l2=0.1)], seed=0, dtype="float64")
    net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=30, verbose=0)
    design = np.column_stack([x, np.ones(len(x))])
    a = design.T @ design / len(x) + 0.1 * np.diag([1, 1, 1, 0])
    expected = np.linalg.solve(a, design.T @ y / len(x)).ravel()
    assert flat(net.parameters.values()) == pytest.approx(expected, abs=1e-6)
    assert net.history.end == "the gradient is within the tolerance"


@pytest.mark.parametrize("kind", ["dense", "frozen", "sparse", "general"])
def test_a_step_of_a_graph_is_that_of_differences(kind: str) -> None:
    """Shared parameters, a layer without bias, two outputs: the Jacobian by central differences."""
    x, y = data(rows=40)
    inputs = cr.Input(3)
    shared = cr.Dense(3, activation="tanh")
    h = cr.Dense(3, name="first")(inputs)
    h = shared(shared(h))
    if kind == "general":
        h = cr.PReLU()(h)
    net = cr.Network(inputs, cr.Dense(2, use_bias=False)(h), seed=3, dtype="float64")
    before = net.get_weights()
    trained = [
        i for i, name in enumerate(net.parameters) if kind != "frozen" or "first." not in name
    ]
    if kind == "frozen":
        net.freeze("first")
    start = flat(before[i] for i in trained)

    def errors(w: np.ndarray) -> np.ndarray:
        weights = list(before)
        for i, part in zip(trained, split(w, [before[i] for i in trained]), strict=True):
            weights[i] = part
        net.set_weights(weights)
        return (net.predict(x) - y).ravel() / np.sqrt(y.size)

    columns = [
        (errors(start + 1e-6 * e) - errors(start - 1e-6 * e)) / 2e-6 for e in np.eye(start.size)
    ]
    jacobian, e = np.column_stack(columns), errors(start)
    a = jacobian.T @ jacobian + 0.1 * np.eye(start.size)
    expected = start - np.linalg.solve(a, jacobian.T @ e)
    net.set_weights(before)
    rows: Any = sparse.csr_matrix(x) if kind == "sparse" else x
    optimizer = cr.LevenbergMarquardt(damping=0.1)
    net.fit(rows, y, loss="mse", optimizer=optimizer, epochs=1, verbose=0)
    assert net.history["damping"] == [pytest.approx(0.03)]
    assert flat(net.get_weights()[i] for i in trained) == pytest.approx(expected, abs=1e-7)


def test_layers_of_all_kinds() -> None:
    """A graph with shared, normalising and gated layers reaches a small loss."""
    x, y = data(outputs=1)
    inputs = cr.Input(3, name="x")
    normal = cr.Normalization()(inputs)
    shared = cr.Dense(4, activation="tanh")
    first = shared(normal)
    again = cr.Dense(3)(cr.PReLU()(cr.LayerNormalization()(first)))
    second = shared(again)
    joined = cr.Concatenate()([cr.Multiply()([first, second]), cr.Scale()(second)])
    net = cr.Network(inputs, cr.Dense(1)(joined), seed=0, dtype="float64")
    history = net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=40, verbose=0)
    assert np.all(np.diff(history["loss"]) < 0)
    assert history["loss"][-1] < 0.1 * y.var()
    assert net.evaluate(x, y)["loss"] == pytest.approx(history["loss"][-1], rel=1e-9)


def test_a_float32_network_gets_the_rounded_parameters() -> None:
    x, y = data(outputs=1)
    x, y = x.astype(np.float32), y.astype(np.float32)
    wide, narrow = network(1), network(1, "float32")
    wide.set_weights(narrow.get_weights())
    for net in (wide, narrow):
        net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", epochs=20, verbose=0)
    expected = flat(wide.parameters.values()).astype(np.float32)
    assert flat(narrow.parameters.values()).astype(np.float32).tolist() == expected.tolist()
    assert narrow.history["loss"] == wide.history["loss"]


_HASH = """
import hashlib
import numpy as np
import chainrule as cr
x = np.random.default_rng(0).normal(size=(700, 7))
y = np.sin(x[:, :2]) * x[:, 2:4]
for threads in (1, 3):
    net = cr.Sequential(
        [cr.Input(7), cr.Dense({units}, activation="tanh"), cr.Dense(2)], seed=1, dtype="float64")
    for epochs in (2, 4)[: 1 + VECTORS]:
        for options in (dict(bayesian=True), dict(acceleration=True)):
            net.fit(x, y, loss="mse", optimizer=cr.LevenbergMarquardt(**options), epochs=epochs,
                    num_threads=threads, verbose=0)
        weights = b"".join(p.tobytes() for p in net.parameters.values())
        print(hashlib.sha256(weights).hexdigest())
"""


@pytest.mark.parametrize("units", [11, 40])  # with 40, threads share the factorization too
def test_bits_do_not_depend_on_threads_or_instruction_set(units: int) -> None:
    assert len(printed_by_each_instruction_set(_HASH.format(units=units))) == 2


def test_ends() -> None:
    x, y = data(outputs=1)
    net = network(1)
    net.fit(x, y, loss="mse", optimizer=cr.LevenbergMarquardt(goal=0.05), verbose=0)
    assert net.history.end == "the loss has reached the goal"
    assert net.history["loss"][-1] <= 0.05 < net.history["loss"][-2]


@pytest.mark.parametrize(
    ("layers", "loss", "y", "options", "why"),
    [
        ([cr.Dense(1)], "mae", np.zeros((9, 1)), {}, "the loss mse; got mae: take lbfgs"),
        ([cr.Dense(1000), cr.Dense(2)], "mse", np.zeros((9, 2)), {}, r"at most 5000.*has 6002"),
        ([cr.Dense(2, l1=0.1)], "mse", np.zeros((9, 2)), {}, "l1 must be 0"),
        ([cr.Dense(2, l2=0.1)], "mse", np.zeros((9, 2)), {"bayesian": True}, "l2 must be 0"),
        ([cr.Dense(1)], lambda y, z: (z, z), np.zeros((9, 1)), {}, "got custom: take lbfgs"),
        (
            [cr.Lambda(np.sin, lambda x, y, dy: dy * np.cos(x)), cr.Dense(1)],
            "mse",
            np.zeros((9, 1)),
            {},
            r"layer 0 \(lambda\) does not go with levenberg_marquardt.*take lbfgs",
        ),
        ([cr.Dropout(0.1), cr.Dense(2)], "mse", np.zeros((9, 2)), {}, "draws random numbers"),
    ],
)
def test_refusals(
    layers: list[Any], loss: Any, y: np.ndarray, options: dict[str, Any], why: str
) -> None:
    net = cr.Sequential([cr.Input(3), *layers], seed=0)
    before = flat(net.parameters.values()).tolist()
    with pytest.raises(ValueError, match=why):
        net.fit(
            np.ones((9, 3)), y, loss=loss, optimizer=cr.LevenbergMarquardt(**options), verbose=0
        )
    assert flat(net.parameters.values()).tolist() == before


def test_refuses_outputs_of_several_positions() -> None:
    inputs = cr.Input((4, 3))
    net = cr.Network(inputs, cr.Dense(2)(inputs), seed=0)
    x, y = np.ones((9, 4, 3)), np.zeros((9, 4, 2))
    with pytest.raises(ValueError, match=r"has several positions.*Reshape behind it"):
        net.fit(x, y, loss="mse", optimizer="levenberg_marquardt", verbose=0)
    with pytest.raises(ValueError, match=r"has several positions, which laplace does not take"):
        net.laplace(x, y)


def test_options_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"increase must be > 1, got 1"):
        cr.LevenbergMarquardt(increase=1.0)
    with pytest.raises(ValueError, match=r"decrease must be in \(0, 1\)"):
        cr.LevenbergMarquardt(decrease=1.0)
