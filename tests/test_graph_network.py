# SPDX-License-Identifier: Apache-2.0
"""Networks as graphs of numbers: the core's gradients in every bit, and second derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from random_graphs import random_network
from single_numbers import compared_with_the_core, same_bits

import chainrule as cr
from chainrule import graph, losses

ACTIVATIONS = [kind for kind in cr._core.Activation.kinds() if kind != "softmax"]
LOSSES = [
    losses.MSE(),
    losses.MAE(),
    losses.Huber(delta=0.7),
    losses.LogCosh(),
    losses.CrossEntropy(),
    losses.CrossEntropy(label_smoothing=0.1),
    losses.BinaryCrossEntropy(),
    losses.Hinge(),
    losses.Quantile([0.1, 0.9]),
    losses.Poisson(),
]


def target_of(loss, outputs: int, rng: np.random.Generator) -> object:
    if loss.kind == "cross_entropy":
        probabilities = rng.random(outputs)
        label = int(rng.integers(outputs))
        return label if rng.integers(2) else probabilities / probabilities.sum()
    if loss.kind == "binary_cross_entropy":
        return rng.integers(0, 2, outputs).astype(float)
    if loss.kind == "hinge":
        return rng.choice([-1.0, 1.0], outputs)
    if loss.kind == "poisson":
        return rng.integers(0, 5, outputs).astype(float)
    return rng.normal(size=loss._core.target_columns(outputs))


def core_gradients(net, row, target, loss):
    """Return the core's gradients for one row, of a float64 network."""
    core = net._built_core()
    y = np.array([target])
    value, dx = core.compute_gradients(np.array([row]), y, loss._core, False, 1)
    return value, dx[0], net.gradients


def network(seed: int) -> tuple[cr.Sequential, object]:
    """Return one of many small networks, with a loss that fits it."""
    rng = np.random.default_rng(seed)
    loss = LOSSES[seed % len(LOSSES)]
    inputs, outputs = int(rng.integers(1, 20)), 2 * int(rng.integers(1, 5))
    layers: list[object] = [cr.Input(inputs)]
    if seed % 3 == 0:
        layers.append(cr.Rescaling(0.37, 0.11))
    for _ in range(int(rng.integers(1, 4))):
        kind = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
        units = int(rng.integers(1, 24))
        layers.append(cr.Dense(units, activation=kind, use_bias=bool(rng.integers(2))))
        if seed % 5 == 0:
            layers.append(cr.Dropout(0.3))
        if seed % 7 == 0:
            layers.append(cr.PReLU())
    last = {"cross_entropy": "softmax", "binary_cross_entropy": "sigmoid"}.get(loss.kind, "linear")
    if loss.kind == "mse":
        last = "softmax" if seed % 40 == 10 else "tanh"
    layers.append(cr.Dense(outputs, activation=last if seed // 10 % 2 else "linear"))
    net = cr.Sequential(layers, seed=seed, dtype="float64")
    weights = {name: rng.normal(0, 0.7, w.shape) for name, w in net.parameters.items()}
    net.set_weights(weights)
    return net, loss


@pytest.mark.parametrize("seed", range(60))
def test_gradients_are_the_cores_in_every_bit(seed: int) -> None:
    net, loss = network(seed)
    rng = np.random.default_rng(1000 + seed)
    row = rng.normal(size=net.inputs)
    row[rng.random(net.inputs) < 0.2] = 0.0
    target = target_of(loss, net.outputs, rng)
    unrolled = graph.from_network(net, row, target, loss)
    unrolled.loss.backward()
    value, dx, gradients = core_gradients(net, row, target, loss)
    assert same_bits(unrolled.loss.value, value)
    assert list(unrolled.gradients) == list(gradients)
    for name, gradient in gradients.items():
        assert same_bits(unrolled.gradients[name], gradient), name
    assert same_bits(unrolled.input_gradient, dx)


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_activation_in_every_bit(kind: str, rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(40, activation=kind), cr.Dense(2)], 1, "float64")
    net.set_weights({"0.weight": rng.normal(0, 3, (3, 40)), "0.bias": rng.normal(0, 1, 40)})
    row, target = rng.normal(size=3), rng.normal(size=2)
    unrolled = graph.from_network(net, row, target, "mse")
    unrolled.loss.backward()
    _, dx, gradients = core_gradients(net, row, target, losses.MSE())
    assert all(same_bits(unrolled.gradients[name], g) for name, g in gradients.items())
    assert same_bits(unrolled.input_gradient, dx)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "layer",
    [
        lambda: cr.PeriodicEmbedding(),
        lambda: cr.PeriodicEmbedding(units=2, frequencies=5, frequency_stddev=3.0),
        lambda: cr.PiecewiseLinearEmbedding(units=4, bins=9),
    ],
)
def test_embeddings_of_numbers_in_every_bit(layer, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = cr.Sequential(
        [cr.Input(4), cr.Dense(4), layer(), cr.Dense(3)], seed=seed, dtype="float64"
    )
    rows = rng.normal(0, 2, (50, 4))
    rows[:, 3] = 1.0
    rows[:, 2] = rng.integers(0, 3, 50)  # some bins have no width
    net.set_weights({"0.weight": np.eye(4), "0.bias": np.zeros(4)})
    net.adapt(rows)
    net.set_weights({"0.weight": rng.normal(size=(4, 4)), "0.bias": rng.normal(size=4)})
    for row in (rows[0], 10.0 * rows[1], rows[2] * 0.0):
        unrolled = graph.from_network(net, row, [1.0, 2.0, 3.0], "mse")
        unrolled.loss.backward()
        value, dx, gradients = core_gradients(net, row, [1.0, 2.0, 3.0], losses.MSE())
        assert same_bits(unrolled.loss.value, value)
        assert list(unrolled.gradients) == list(gradients)
        for name, gradient in gradients.items():
            assert same_bits(unrolled.gradients[name], gradient), name
        assert same_bits(unrolled.input_gradient, dx)


def test_second_derivatives_of_waves() -> None:
    net = cr.Sequential([cr.Input(1), cr.PeriodicEmbedding(units=2)], seed=0, dtype="float64")
    net.set_weights({"0.frequency": np.linspace(-1.0, 1.0, 16)[None]})

    def dx(x: float) -> float:
        return float(core_gradients(net, np.array([x]), [1.0, 2.0, 3.0], losses.MSE())[1][0])

    unrolled = graph.from_network(net, [0.3], [1.0, 2.0, 3.0], "mse")
    x = unrolled.inputs[0]
    first = graph.gradient(unrolled.loss, x)
    second = graph.gradient(first, x)
    h = 1e-5
    assert first.value == pytest.approx(dx(0.3), rel=1e-12)
    assert second.value == pytest.approx((dx(0.3 + h) - dx(0.3 - h)) / (2 * h), rel=1e-6)


def test_normalization_in_every_bit(rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(4), cr.Normalization(), cr.Dense(3)], 0, "float64")
    net.adapt(rng.normal(3, [1, 2, 0, 4], (50, 4)))
    row = rng.normal(3, 2, 4)
    unrolled = graph.from_network(net, row, [1.0, 2.0, 3.0], "mse")
    unrolled.loss.backward()
    _, dx, gradients = core_gradients(net, row, [1.0, 2.0, 3.0], losses.MSE())
    assert list(unrolled.gradients) == ["1.weight", "1.bias"]
    assert all(same_bits(unrolled.gradients[name], g) for name, g in gradients.items())
    assert same_bits(unrolled.input_gradient, dx)


def test_a_softmax_within_a_network_is_equal_up_to_rounding(rng: np.random.Generator) -> None:
    layers = [cr.Input(3), cr.Dense(4, activation="softmax"), cr.Dense(2)]
    net = cr.Sequential(layers, 0, "float64")
    row, target = rng.normal(size=3), rng.normal(size=2)
    unrolled = graph.from_network(net, row, target, "mse")
    unrolled.loss.backward()
    _, _, gradients = core_gradients(net, row, target, losses.MSE())
    for name, gradient in gradients.items():
        np.testing.assert_allclose(unrolled.gradients[name], gradient, rtol=1e-12, atol=1e-16)


def test_a_float32_network_is_unrolled_in_float64(rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="gelu"), cr.Dense(2)], seed=3)
    before = net.get_weights()
    row = rng.normal(size=3)
    unrolled = graph.from_network(net, row, 1, "cross_entropy")
    unrolled.loss.backward()
    core = cr.Sequential(net.layers, 3, "float64")
    core.build(3)
    core.set_weights(before)
    _, _, gradients = core_gradients(core, row, 1, losses.CrossEntropy())
    assert all(same_bits(unrolled.gradients[name], g) for name, g in gradients.items())
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))
    assert net.loss is None


def loss_gradient(net, row, target, loss, weights: dict[str, np.ndarray]) -> np.ndarray:
    net.set_weights(weights)
    gradients = core_gradients(net, row, target, loss)[2]
    return np.concatenate([g.ravel() for g in gradients.values()])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.kind)
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_hessian_equals_differences_of_the_cores_gradients(loss, kind: str) -> None:
    rng = np.random.default_rng(5)
    net = cr.Sequential([cr.Input(2), cr.Dense(2, activation=kind), cr.Dense(2)], 0, "float64")
    net.set_weights({name: rng.normal(0, 1, w.shape) for name, w in net.parameters.items()})
    row, target = rng.normal(size=2), target_of(loss, 2, rng)
    unrolled = graph.from_network(net, row, target, loss)
    weight = unrolled.parameters["0.weight"][1, 0]
    slope = graph.gradient(unrolled.loss, weight)
    line = [
        graph.gradient(slope, node).value
        for array in unrolled.parameters.values()
        for node in array.flat
    ]
    h, start = 1e-6, net.parameters
    sides = []
    for sign in (1.0, -1.0):
        moved = {name: array.copy() for name, array in start.items()}
        moved["0.weight"][1, 0] += sign * h
        sides.append(loss_gradient(net, row, target, loss, moved))
    np.testing.assert_allclose(line, (sides[0] - sides[1]) / (2 * h), rtol=2e-6, atol=1e-8)


def test_the_last_softmax_has_second_derivatives_under_any_loss(rng: np.random.Generator) -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="softmax")], 0, "float64")
    row, target, loss = rng.normal(size=2), rng.random(3), losses.MSE()
    unrolled = graph.from_network(net, row, target, loss)
    weight = unrolled.parameters["0.weight"][0, 1]
    second = graph.gradient(graph.gradient(unrolled.loss, weight), weight).value
    sides = []
    for h in (1e-6, -1e-6):
        moved = net.parameters["0.weight"]
        moved[0, 1] += h
        net_moved = cr.Sequential(net.layers, 0, "float64")
        net_moved.build(2)
        net_moved.set_weights({**net.parameters, "0.weight": moved})
        sides.append(core_gradients(net_moved, row, target, loss)[2]["0.weight"][0, 1])
    assert second == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-6)


def test_nodes_have_the_names_of_parameters() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    unrolled = graph.from_network(net, [1.0, 2.0], [0.5], "mse")
    assert [str(node) for node in unrolled.inputs] == ["x[0]", "x[1]"]
    assert str(unrolled.parameters["0.weight"][1, 0]) == "0.weight[1,0]"
    drawing = unrolled.loss.to_svg()
    assert "0.weight[1,0]" in drawing
    assert "0.z[0] = dot(…)" in drawing
    assert "loss = mse(0.z[0])" in drawing


@pytest.mark.parametrize(
    ("row", "target", "error", "text"),
    [
        ([1.0, 2.0, 3.0], 0, ValueError, "x has 3 columns; the network expects 2"),
        ([1.0, np.nan], 0, ValueError, "NaN"),
        ([1.0, 2.0], 3, ValueError, "3 is out of range"),
        ([1.0, 2.0], -1, ValueError, "-1 is out of range"),
        ([1.0, 2.0], [0.5, 0.2, 0.3, 0.4], ValueError, "shape"),
        ([1.0, "a"], 0, (TypeError, ValueError), "x"),
    ],
)
def test_what_does_not_fit_is_named(row, target, error, text: str) -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(3)], seed=0)
    with pytest.raises(error, match=text):
        graph.from_network(net, row, target, "cross_entropy")


def test_other_layers_and_large_networks_are_refused() -> None:
    net = cr.Sequential([cr.Input(2), cr.CategoryEncoding((3, 2)), cr.Dense(3)], seed=0)
    with pytest.raises(ValueError, match=r"unrolls Dense, .*; layer 0 is CategoryEncoding"):
        graph.from_network(net, [1, 0], 0, "cross_entropy")
    net = cr.Sequential([cr.Input(784), cr.Dense(128), cr.Dense(10)], seed=0)
    with pytest.raises(ValueError, match="101,770 parameters; from_network unrolls up to 100,000"):
        graph.from_network(net, np.zeros(784), 0, "cross_entropy")
    with pytest.raises(ValueError, match="no loss yet"):
        graph.from_network(net, np.zeros(784), 0)
    unbuilt = cr.Sequential([cr.Dense(3)])
    with pytest.raises(ValueError, match="7 is out of range"):
        graph.from_network(unbuilt, [1.0, 2.0], 7, "cross_entropy")
    assert not unbuilt.built


def test_a_number_that_is_not_finite_names_its_node() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(3), cr.Dense(3)], seed=0, dtype="float64")
    net.set_weights({"0.weight": np.full((2, 3), 1e300), "1.weight": np.full((3, 3), 1e300)})
    with pytest.raises(ValueError, match=r"node 1\.z\[0\] is nan, where 1\.bias\[0\] is 0"):
        graph.from_network(net, [1.0, 1.0], 0, "cross_entropy")


def test_gradients_before_backward() -> None:
    net = cr.Sequential([cr.Input(2), cr.Dense(3)], seed=0)
    unrolled = graph.from_network(net, [1.0, 2.0], 0, "cross_entropy")
    with pytest.raises(RuntimeError, match="backward"):
        _ = unrolled.gradients


@pytest.mark.parametrize("seed", range(100))
def test_random_graphs_in_every_bit(seed: int) -> None:
    net, x, y = random_network(seed)
    x = [rows[0] for rows in (x if isinstance(x, list) else [x])]
    compared_with_the_core(net, x, [y[0]], losses.MSE())


def residual() -> cr.Network:
    x = cr.Input(4)
    h = cr.Dense(5, activation="relu")(x)
    for _ in range(3):
        h = h + cr.Dense(5)(cr.Dense(5, activation="silu")(h))
    return cr.Network(x, cr.Dense(2)(h), seed=1, dtype="float64")


def two_by_two() -> cr.Network:
    a, b = cr.Input(4, name="a"), cr.Input(3, name="b")
    h = cr.Dense(5, activation="tanh")(a)
    z = cr.Concatenate()([h + cr.Dense(5)(h), b])
    p = cr.Dense(3, activation="softmax", name="p")(z)
    outputs = {"label": p, "size": cr.Dense(2, activation="tanh")(cr.Concatenate()([z, h]))}
    return cr.Network([a, b], outputs, seed=2, dtype="float64")


def shared() -> cr.Network:
    inputs = [cr.Input(4, name=name) for name in "abc"]
    tower = cr.Dense(5, activation="tanh", name="tower")
    a, b, c = (tower(tower2) for tower2 in map(cr.Dense(4, name="first"), inputs))
    return cr.Network(inputs, cr.Dense(2)((a - b) * c + a), seed=3, dtype="float64")


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("make", [residual, two_by_two, shared])
def test_known_graphs_in_every_bit(make, seed: int) -> None:
    net = make()
    rng = np.random.default_rng(seed)
    net.set_weights({name: rng.normal(size=w.shape) for name, w in net.parameters.items()})
    x = [rng.normal(size=node.shape) for node in net._graph.inputs]
    if make is two_by_two:
        compared_with_the_core(
            net, x, [1, rng.normal(size=2)], {"label": "cross_entropy", "size": "mse"}
        )
    else:
        compared_with_the_core(net, x, [rng.normal(size=2)], "mse")


def test_weights_of_losses() -> None:
    net = two_by_two()
    rng = np.random.default_rng(0)
    x = [rng.normal(size=node.shape) for node in net._graph.inputs]
    given = {"label": "cross_entropy", "size": "mse"}
    chosen = net._chosen_loss(given, {"size": 0.25, "label": 2.0})
    compared_with_the_core(net, x, [2, rng.normal(size=2)], chosen)


def test_names_of_a_graph() -> None:
    net = shared()
    row = {name: [0.1, 0.2, 0.3, 0.4] for name in "abc"}
    unrolled = graph.from_network(net, row, [0.0, 1.0], "mse")
    assert str(unrolled.layers[0][2]) == "first.z[2]"
    with pytest.raises(ValueError, match="row has nothing for the input 'c'"):
        graph.from_network(net, {"a": row["a"], "b": row["b"]}, [0.0, 1.0], "mse")
