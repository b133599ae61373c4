# SPDX-License-Identifier: Apache-2.0
"""Second derivatives against central differences, dense matrices and each other."""

from __future__ import annotations

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set
from test_random_graphs import random_network

import chainrule as cr

SMOOTH = ["gelu", "gelu_tanh", "mish", "sigmoid", "silu", "softmax", "softplus", "tanh", "elu"]


def randomized(net, seed: int = 0):
    """Give every parameter random values, so that none is at 0 or 1."""
    rng = np.random.default_rng(seed)
    net.set_weights(
        {
            name: rng.uniform(0.5, 1.5, w.shape)
            if name.endswith(("variance", "gamma"))
            else rng.normal(0, 0.6, w.shape)
            for name, w in net.parameters.items()
        }
    )
    return net


def small(loss: str = "mse", outputs: int = 2, dtype: str = "float64"):
    rng = np.random.default_rng(3)
    net = cr.Sequential([cr.Input(3), cr.Dense(4, "tanh"), cr.Dense(outputs)], seed=0, dtype=dtype)
    net.loss = cr.losses.get(loss)
    return net, rng.normal(size=(7, 3)), rng.normal(size=(7, outputs))


def gradient(net, x, y, loss) -> np.ndarray:
    """Return the core's gradient without dropout and with running statistics."""
    core = net._built_core()
    rows = [np.asarray(part, float) for part in x] if isinstance(x, list) else np.asarray(x)
    rows = rows if isinstance(rows, list) else rows.reshape(len(rows), -1)
    core.compute_gradients(rows, np.asarray(y), cr.losses.get(loss)._core, False, 1)
    return np.concatenate([g.ravel() for g in net.gradients.values()])


def differences(net, x, y, loss, v: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Return the central difference of gradients along v."""
    gradient(net, x, y, loss)
    trained = list(net.gradients)
    start = {name: net.parameters[name] for name in trained}
    ends = np.cumsum([start[name].size for name in trained])[:-1]
    parts = dict(zip(trained, np.split(v, ends), strict=True))
    sides = []
    for sign in (1.0, -1.0):
        net.set_weights({n: w + sign * step * parts[n].reshape(w.shape) for n, w in start.items()})
        sides.append(gradient(net, x, y, loss))
    net.set_weights(start)
    return (sides[0] - sides[1]) / (2 * step)


def direction(net, seed: int = 1) -> np.ndarray:
    size = net.count_params(trainable_only=True)
    v = np.random.default_rng(seed).normal(size=size)
    return v / np.linalg.norm(v)


@pytest.mark.parametrize("activation", SMOOTH)
def test_activations_against_differences(activation: str) -> None:
    layers = [cr.Input(3), cr.Dense(5, activation), cr.Dense(4, activation), cr.Dense(2)]
    net = randomized(cr.Sequential(layers, seed=0, dtype="float64"))
    _, x, y = small()
    v = direction(net)
    expected = differences(net, x, y, "mse", v)
    product = net.hessian_vector(x, y, v, loss="mse")
    np.testing.assert_allclose(product, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_random_graphs_against_differences(first: int) -> None:
    for seed in range(first, first + 20):
        net, x, y = random_network(seed)
        v = direction(net)
        expected = differences(net, x, y, "mse", v)
        product = net.hessian_vector(x, y, v, loss="mse")
        scale = max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(product, expected, atol=1e-6 * scale, err_msg=str(seed))


def test_a_linear_model_has_the_matrix_of_least_squares() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(size=(20, 4)), rng.normal(size=20), rng.uniform(0, 2, 20)
    net = cr.Sequential([cr.Input(4), cr.Dense(1)], seed=0, dtype="float64")
    rows = np.concatenate([x, np.ones((20, 1))], axis=1)
    np.testing.assert_allclose(net.hessian(x, y, loss="mse"), 2 * rows.T @ rows / 20, rtol=1e-12)
    weighted = 2 * (rows * w[:, None]).T @ rows / w.sum()
    np.testing.assert_allclose(net.hessian(x, y, loss="mse", sample_weight=w), weighted, rtol=1e-12)


def test_the_matrix_is_that_of_the_products_and_symmetric() -> None:
    net, x, y = small()
    matrix = net.hessian(x, y)
    assert (matrix == matrix.T).all()
    v = direction(net)
    np.testing.assert_allclose(matrix @ v, net.hessian_vector(x, y, v), rtol=0, atol=1e-14)


def test_vectors_by_name_and_flat() -> None:
    net, x, y = small()
    gradient(net, x, y, "mse")
    v = direction(net)
    named, start = {}, 0
    for name, g in net.gradients.items():
        named[name] = v[start : start + g.size].reshape(g.shape)
        start += g.size
    flat = net.hessian_vector(x, y, v)
    products = net.hessian_vector(x, y, named)
    assert list(products) == list(net.gradients)
    assert [p.shape for p in products.values()] == [g.shape for g in net.gradients.values()]
    np.testing.assert_array_equal(np.concatenate([p.ravel() for p in products.values()]), flat)
    # What is not given is 0.
    del named["0.weight"]
    v[:12] = 0.0
    partial = net.hessian_vector(x, y, named)
    np.testing.assert_array_equal(
        np.concatenate([p.ravel() for p in partial.values()]), net.hessian_vector(x, y, v)
    )


def test_frozen_layers_take_no_part() -> None:
    net, x, y = small()
    whole = net.hessian(x, y)
    net.freeze("0")
    assert net.hessian_vector(x, y, {"1.bias": [1.0, 0.0]}).keys() == {"1.weight", "1.bias"}
    np.testing.assert_allclose(net.hessian(x, y), whole[16:, 16:], rtol=1e-13)
    with pytest.raises(ValueError, match=r"unknown trained parameter '0\.weight'"):
        net.hessian_vector(x, y, {"0.weight": np.zeros((3, 4))})


def test_dropout_and_noise_do_nothing_and_statistics_stay() -> None:
    layers = [cr.Input(3), cr.Dense(4, "tanh"), cr.BatchNormalization()]
    noisy = [*layers, cr.Dropout(0.5), cr.GaussianNoise(1.0), cr.Dense(2)]
    plain = randomized(cr.Sequential([*layers, cr.Dense(2)], seed=0, dtype="float64"))
    net = cr.Sequential(noisy, seed=0, dtype="float64")
    net.set_weights(plain.get_weights())
    _, x, y = small()
    v = direction(net)
    before = net.get_weights()
    product = net.hessian_vector(x, y, v, loss="mse")
    np.testing.assert_array_equal(product, plain.hessian_vector(x, y, v, loss="mse"))
    for a, b in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_network_of_floats_is_worked_out_in_doubles() -> None:
    net, x, y = small(dtype="float32")
    wide, _, _ = small()
    wide.set_weights(net.get_weights())
    y = y.astype(np.float32)
    v = direction(net)
    product = net.hessian_vector(x, y, v)
    assert product.dtype == np.float64
    np.testing.assert_array_equal(product, wide.hessian_vector(x, y, v))


def test_kinks_take_the_derivative_of_backpropagation() -> None:
    """At 0 relu and the others count as flat, in the forward pass of tangents too."""
    x, y = np.zeros((1, 2)), np.ones((1, 1))
    for activation in ("relu", "softplus", "softsign", "hard_sigmoid", "elu"):
        net = cr.Sequential([cr.Input(2), cr.Dense(1, activation)], seed=0, dtype="float64")
        z = np.zeros((1, 1))
        core = net._built_core()
        core.forward(x, False, 1)
        core.backward(np.ones_like(z))
        slope = net.gradients["0.bias"][0]
        # d^2 (f(b) - 1)^2 / db^2 = 2 f'^2 + 2 (f - 1) f''
        curvature = {"softplus": 0.25}.get(activation, 0.0)
        if activation == "elu":
            curvature = 1.0  # exp(z) below 0, where 0 belongs
        if activation == "softsign":
            curvature = 0.0
        f = float(net.predict(x)[0, 0])
        expected = 2 * slope**2 + 2 * (f - 1) * curvature
        matrix = net.hessian(x, y, loss="mse")
        assert matrix[2, 2] == pytest.approx(expected, abs=1e-14), activation
        assert np.count_nonzero(matrix) <= 1


def large():
    rng = np.random.default_rng(0)
    net = cr.Sequential(
        [cr.Input(12), cr.Dense(70, "tanh"), cr.LayerNormalization(), cr.Dense(9)], seed=0
    )
    return net, rng.normal(size=(300, 12)), rng.integers(0, 9, 300)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    net, x, y = large()
    v = direction(net)
    one = net.hessian_vector(x, y, v, loss="cross_entropy", num_threads=1)
    for threads in (2, 3, 5, 8):
        many = net.hessian_vector(x, y, v, loss="cross_entropy", num_threads=threads)
        assert many.tobytes() == one.tobytes()


def test_every_instruction_set_gives_the_same_bits() -> None:
    code = (
        "import hashlib, test_hessian as t; net, x, y = t.large();"
        "p = net.hessian_vector(x, y, t.direction(net), loss='cross_entropy');"
        "e = net.hessian_eigenvalues(x, y, 3, loss='cross_entropy', tolerance=1e-3);"
        "print(hashlib.sha256(p.tobytes() + e.tobytes()).hexdigest())"
    )
    assert len(printed_by_each_instruction_set(code)) == 1


def spectrum(net, x, y, **options) -> np.ndarray:
    values = np.linalg.eigvalsh(net.hessian(x, y, **options))
    return values[np.argsort(-np.abs(values))]


def test_eigenvalues_of_few_parameters_are_all_found() -> None:
    """Two outputs have the same curvature each, so every eigenvalue comes twice."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 2))
    net = cr.Sequential([cr.Input(4), cr.Dense(2)], seed=0, dtype="float64")
    found = net.hessian_eigenvalues(x, y, 10, loss="mse")
    np.testing.assert_allclose(found, spectrum(net, x, y, loss="mse"), rtol=1e-12)
    assert found[0] == pytest.approx(found[1])


def test_eigenvalues_against_numpy() -> None:
    rng = np.random.default_rng(1)
    net = cr.Sequential([cr.Input(6), cr.Dense(20, "tanh"), cr.Dense(3)], seed=0, dtype="float64")
    x, y = rng.normal(size=(40, 6)), 5 * rng.normal(size=(40, 3))
    true = spectrum(net, x, y, loss="mse")
    assert (true[:12] < 0).any()
    assert (true[:12] > 0).any()
    found = net.hessian_eigenvalues(x, y, 12, loss="mse", tolerance=1e-8)
    np.testing.assert_allclose(found, true[:12], rtol=1e-10)
    again = net.hessian_eigenvalues(x, y, 12, loss="mse", tolerance=1e-8)
    assert again.tobytes() == found.tobytes()
    other = net.hessian_eigenvalues(x, y, 12, loss="mse", tolerance=1e-8, seed=5)
    np.testing.assert_allclose(other, found, rtol=1e-10)
    assert other.tobytes() != found.tobytes()


def test_a_flat_loss_has_eigenvalues_zero() -> None:
    _, x, y = small()
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    found = net.hessian_eigenvalues(x, y, 3, loss="mae")
    np.testing.assert_array_equal(found, np.zeros(3))


def test_eigenvalues_that_are_not_there_yet_are_warned_of() -> None:
    net, x, y = large()
    with pytest.warns(RuntimeWarning, match="after 3 iterations"):
        net.hessian_eigenvalues(x, y, 2, loss="cross_entropy", max_iterations=3)


def test_several_inputs_outputs_and_shared_layers() -> None:
    rng = np.random.default_rng(0)
    a, b = cr.Input(4, name="a"), cr.Input(4, name="b")
    tower = cr.Dense(5, "tanh", name="tower")
    both = cr.Concatenate()([tower(a), tower(b)])
    outputs = {"u": cr.Dense(2)(both), "c": cr.Dense(3)(both)}
    net = cr.Network(inputs=[a, b], outputs=outputs, seed=1, dtype="float64")
    x = {"a": rng.normal(size=(9, 4)), "b": rng.normal(size=(9, 4))}
    y = {"u": rng.normal(size=(9, 2)), "c": rng.integers(0, 3, 9)}
    net.compile(loss={"u": "mse", "c": "cross_entropy"}, loss_weights={"u": 0.3, "c": 2.0})
    matrix = net.hessian(x, y)
    parts = []
    for name, loss, weight in (("u", "mse", 0.3), ("c", "cross_entropy", 2.0)):
        alone = net.subnetwork(name)
        part = alone.hessian(x, y[name], loss=loss)
        shapes = {k: p.size for k, p in alone.parameters.items()}
        parts.append((weight * part, shapes))
    # Each output's own Hessian, put where its parameters are.
    sizes = {k: p.size for k, p in net.parameters.items()}
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()])[:-1], strict=True))
    expected = np.zeros_like(matrix)
    for part, shapes in parts:
        places = np.concatenate([starts[k] + np.arange(n) for k, n in shapes.items()])
        expected[np.ix_(places, places)] += part
    np.testing.assert_allclose(matrix, expected, atol=1e-13)


def test_categories() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 5, 40), rng.integers(0, 3, 40)], axis=1)
    y = rng.normal(size=(40, 1))
    for first in (cr.Embedding((5, 3), 2), cr.CategoryEncoding((5, 3))):
        net = cr.Sequential([first, cr.Dense(4, "tanh"), cr.Dense(1)], seed=0, dtype="float64")
        net.build(2)
        randomized(net)
        v = direction(net)
        expected = differences(net, x, y, "mse", v)
        product = net.hessian_vector(x, y, v, loss="mse")
        np.testing.assert_allclose(product, expected, rtol=1e-6, atol=1e-8)


def test_several_layers_read_categories() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.integers(0, 7, 40), rng.integers(0, 3, 40), rng.normal(size=40)], axis=1)
    y = rng.normal(size=(40, 1))
    rows = cr.Input(3)
    embedded = cr.Embedding((5, 3), 2, columns=(0, 1), unknown="code")(rows)
    encoded = cr.CategoryEncoding(5, columns=0, unknown="zero")(rows)
    h = cr.Dense(4, "tanh")(cr.Concatenate()([embedded, encoded, rows]))
    net = cr.Network(inputs=rows, outputs=cr.Dense(1)(h), seed=0, dtype="float64")
    randomized(net)
    v = direction(net)
    expected = differences(net, x, y, "mse", v)
    product = net.hessian_vector(x, y, v, loss="mse")
    np.testing.assert_allclose(product, expected, rtol=1e-6, atol=1e-7)


def test_bad_arguments() -> None:
    net, x, y = small()
    v = direction(net)
    with pytest.raises(ValueError, match="give the loss"):
        cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0).hessian(x, y)
    with pytest.raises(ValueError, match=r"v has shape \(3,\); the network has 26 trained"):
        net.hessian_vector(x, y, np.ones(3))
    with pytest.raises(ValueError, match=r"v\['0.bias'\] has shape \(2,\), expected \(4,\)"):
        net.hessian_vector(x, y, {"0.bias": [1.0, 2.0]})
    with pytest.raises(ValueError, match="v contains NaN"):
        net.hessian_vector(x, y, v * np.nan)
    with pytest.raises(TypeError, match="v has dtype"):
        net.hessian_vector(x, y, np.array(["a"] * 26))
    with pytest.raises(ValueError, match="columns"):
        net.hessian_vector(x[:, :2], y, v)
    with pytest.raises(ValueError, match="rows"):
        net.hessian_vector(x, y[:3], v)
    with pytest.raises(ValueError, match="1 to the number of trained parameters, 26; got 27"):
        net.hessian_eigenvalues(x, y, 27)
    with pytest.raises(ValueError, match="max_iterations must be at least"):
        net.hessian_eigenvalues(x, y, 5, max_iterations=4)
    for options, error in (
        ({"k": 0}, ValueError),
        ({"tolerance": -1.0}, ValueError),
        ({"tolerance": "a"}, TypeError),
        ({"seed": -1}, ValueError),
        ({"seed": 0.5}, TypeError),
        ({"max_iterations": 0}, ValueError),
    ):
        with pytest.raises(error, match=next(iter(options))):
            net.hessian_eigenvalues(x, y, **options)
    wide = cr.Sequential([cr.Input(100), cr.Dense(100)], seed=0)
    text = "10100 trained parameters, .* take hessian_vector .* or hessian_eigenvalues"
    with pytest.raises(ValueError, match=text):
        wide.hessian(np.ones((2, 100)), np.ones((2, 100)), loss="mse")


def test_numbers_that_overflow_are_named() -> None:
    net = cr.Sequential([cr.Input(1), cr.Dense(1, use_bias=False)], seed=0, dtype="float64")
    with pytest.raises(ValueError, match="not finite"):
        net.hessian_eigenvalues(np.array([[1e200]]), np.array([0.0]), loss="mse")
