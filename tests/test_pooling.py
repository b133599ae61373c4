# SPDX-License-Identifier: Apache-2.0
"""Layers over positions without parameters: pools, up-sampling, padding and cropping."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from window_layers import CASES, IDS, IMAGE, TIME, expected, on

import chainrule as cr

BIAS = {"kind": "uniform", "low": -0.5, "high": 0.5}
each_layer = pytest.mark.parametrize(("shape", "layer"), CASES, ids=IDS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_layer
def test_numbers_are_those_of_numpy(shape, layer, dtype, rng) -> None:
    x = rng.normal(size=(5, *shape)).astype(dtype)
    y = on(shape, layer, dtype=dtype).predict(x)
    wanted = expected(layer, x.astype(np.float64))
    assert y.shape == wanted.shape
    if layer.kind == "average_pooling":
        np.testing.assert_allclose(y, wanted, rtol=0, atol=8 * np.finfo(dtype).eps)
    else:
        assert np.array_equal(y, wanted)


@each_layer
def test_predictors_and_passes_by_hand_give_the_same_bits(shape, layer, rng) -> None:
    net = on(shape, cr.Dense(5), layer, cr.Flatten(), cr.Dense(2), dtype="float32")
    x = rng.normal(size=(9, *shape)).astype(np.float32)
    y = net.predict(x)
    assert np.array_equal(cr.Predictor(net).predict(x), y)
    assert np.array_equal(cr.Predictor(net).predict(x[3:4]), y[3:4])
    for threads in (1, 2, 3):
        assert np.array_equal(net.predict(x, num_threads=threads), y)
        assert np.array_equal(net.forward(x, num_threads=threads), y)


@each_layer
def test_gradients_are_those_of_differences(shape, layer, rng) -> None:
    net = on(shape, cr.Dense(4, bias_initializer=BIAS), layer, cr.Flatten(), cr.Dense(3))
    x, y = rng.normal(size=(4, *shape)), rng.normal(size=(4, 3))
    report = cr.gradient_check(net, x, y, "mse")
    assert report.max_relative_error <= 1e-7, report


@each_layer
def test_products_with_the_hessian_are_those_of_differences(shape, layer, rng) -> None:
    net = on(shape, cr.Dense(3, "tanh"), layer, cr.Flatten(), cr.Dense(2))
    x, y = rng.normal(size=(3, *shape)), rng.normal(size=(3, 2))
    start = {name: w.copy() for name, w in net.parameters.items()}
    direction = {name: rng.normal(size=w.shape) for name, w in start.items()}
    product = net.hessian_vector(x, y, direction, loss="mse")

    def gradients(step: float) -> dict[str, np.ndarray]:
        net.set_weights({name: w + step * direction[name] for name, w in start.items()})
        net.backward(2 * (net.forward(x) - y) / y.size)
        return {name: g.copy() for name, g in net.gradients.items()}

    after, before = gradients(1e-6), gradients(-1e-6)
    for name, values in product.items():
        expected = (after[name] - before[name]) / 2e-6
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7, err_msg=name)


def input_gradient(layer: cr.layers.Layer, x: np.ndarray, dy: np.ndarray) -> np.ndarray:
    """Return d loss / d x where the loss has the gradient dy."""
    net = on(x.shape[1:], layer, dtype=str(x.dtype))
    net.forward(x)
    return net.backward(dy).reshape(x.shape)


@each_layer
def test_input_gradients_are_the_transposed_map(shape, layer, rng) -> None:
    x, v = rng.normal(size=(2, 3, *shape))
    y = expected(layer, x)
    dy = rng.normal(size=y.shape)
    dx = input_gradient(layer, x, dy)
    step = 1e-6  # far less than what numbers of a window differ by
    moved = (expected(layer, x + step * v) - expected(layer, x - step * v)) / (2 * step)
    assert np.sum(dy * moved) == pytest.approx(np.sum(dx * v), rel=1e-6)


def first_largest(x: np.ndarray, dy: np.ndarray, pool: int, stride: int) -> np.ndarray:
    """Return the gradient of a square pool by plain loops, ties to the first, NaN the largest."""
    dx = np.zeros_like(x)
    for n, i, j, c in np.ndindex(dy.shape):
        window = [
            (i * stride + p, j * stride + q) for p, q in itertools.product(range(pool), repeat=2)
        ]
        chosen = window[0]
        for place in window[1:]:
            value, largest = (x[(n, *at, c)] for at in (place, chosen))
            if not np.isnan(largest) and (np.isnan(value) or value > largest):
                chosen = place
        dx[(n, *chosen, c)] += dy[n, i, j, c]
    return dx


@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (3, 2), (2, 3), (3, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_of_equal_numbers_takes_the_gradient(pool, stride, dtype, rng) -> None:
    x = rng.integers(-1, 2, size=(3, 7, 8, 5)).astype(dtype)
    x[x == 0] *= rng.choice([-1, 1], size=(x == 0).sum())  # zeros of both signs are equal
    layer = cr.MaxPooling(pool, stride)
    y = on(x.shape[1:], layer, dtype=dtype).predict(x)
    assert np.array_equal(y, expected(layer, x))
    dy = rng.integers(1, 9, size=y.shape).astype(dtype)
    assert np.array_equal(input_gradient(layer, x, dy), first_largest(x, dy, pool, stride))


@pytest.mark.parametrize(("pool", "stride"), [(2, 2), (3, 1)])
def test_a_nan_is_larger_than_all_numbers(pool, stride, rng) -> None:
    x = rng.normal(size=(4, 6, 6, 3))
    holes = rng.random(x.shape) < 0.15
    # NaN comes from 0/0 within the network, since no input may have any.
    raw = np.stack([np.where(holes, np.inf, x), np.where(holes, -np.inf, 0.0)])
    a, b = cr.Input(x.shape[1:]), cr.Input(x.shape[1:])
    net = cr.Network([a, b], cr.MaxPooling(pool, stride)(cr.Add()([a, b])), dtype="float64")
    with pytest.raises(ValueError, match="inf"):
        net.predict(list(raw))
    big = np.where(holes, 1e308, 0.0)
    scale = cr.Rescaling(10.0)
    net = cr.Network(
        [a, b],
        cr.MaxPooling(pool, stride)(cr.Add()([a, cr.Subtract()([scale(b), scale(b)])])),
        dtype="float64",
    )
    with_nan = np.where(holes, np.nan, x)
    y = net.forward([x, big])
    finite = np.nan_to_num(with_nan, nan=np.inf)
    wanted = expected(cr.MaxPooling(pool, stride), finite)
    assert np.array_equal(np.isnan(y), np.isinf(wanted))
    assert np.array_equal(y[~np.isnan(y)], wanted[np.isfinite(wanted)])
    dy = rng.normal(size=y.shape)
    dx, _ = net.backward(dy).values()
    np.testing.assert_allclose(
        dx.reshape(x.shape), first_largest(with_nan, dy, pool, stride), rtol=1e-15
    )


def test_gaps_between_windows_get_no_gradient(rng) -> None:
    x = rng.normal(size=(2, 8, 8, 3))
    dy = np.ones((2, 3, 3, 3))
    dx = input_gradient(cr.MaxPooling(2, 3), x, dy)
    assert np.count_nonzero(dx) == dy.size
    assert not dx[:, 2].any()
    assert not dx[:, :, 5].any()


def test_a_layer_that_changes_nothing_is_no_stage(capsys) -> None:
    for layer in (
        cr.MaxPooling(1),
        cr.AveragePooling(1),
        cr.UpSampling(1),
        cr.ZeroPadding(0),
        cr.Cropping(0),
    ):
        net = on(IMAGE, cr.Dense(3), layer, cr.Flatten())
        assert layer.kind not in str(net.plan(batch_size=8, num_threads=1))
        net.summary()
        assert layer.kind in capsys.readouterr().out


def test_plans_and_summaries_name_the_layers_and_their_shapes(capsys) -> None:
    net = on(IMAGE, cr.Dense(4), cr.ZeroPadding(), cr.MaxPooling(), cr.Flatten(), cr.Dense(2))
    plan = str(net.plan(batch_size=8, num_threads=1))
    net.summary()
    summary = capsys.readouterr().out
    assert "zero_padding" in plan
    assert "max_pooling" in plan
    assert "(8, 9, 4)" in summary
    assert "(4, 4, 4)" in summary


def stack(seed: int = 5) -> cr.Network:
    """Return a network that has each of these layers."""
    x = cr.Input((12, 12, 2))
    h = cr.Dense(6, "tanh")(cr.ZeroPadding(((0, 1), (1, 0)))(x))
    h = cr.Dense(6, "relu")(cr.MaxPooling(3, 2)(h))
    h = cr.AveragePooling(2, padding="same")(cr.Cropping(((1, 0), (0, 1)))(h))
    h = cr.MaxPooling()(cr.UpSampling()(h))
    y = cr.Dense(3)(cr.Concatenate()([cr.GlobalMaxPooling()(h), cr.GlobalAveragePooling()(h)]))
    return cr.Network(x, y, seed=seed)


def test_training_gives_one_set_of_bits(rng) -> None:
    x = rng.normal(size=(90, 12, 12, 2)).astype(np.float32)
    y = rng.integers(0, 3, size=90)
    nets = []
    for threads in (1, 2, 3, 7):
        net = stack()
        net.fit(x, y, loss="cross_entropy", epochs=2, batch_size=32, num_threads=threads, verbose=0)
        nets.append(net)
    for net in nets[1:]:
        for name, value in net.parameters.items():
            assert np.array_equal(value, nets[0].parameters[name]), name


def test_model_files_keep_the_bits(tmp_path: Path, rng) -> None:
    net = stack()
    net.save(tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert [*again.layers] == [*net.layers]
    x = rng.normal(size=(4, 12, 12, 2))
    assert np.array_equal(again.predict(x), net.predict(x))


@pytest.mark.parametrize(
    ("shape", "layer", "text"),
    [
        (IMAGE, cr.MaxPooling(8), r"pool_size must fit the input, got windows that span 8 of 6"),
        (TIME, cr.AveragePooling(8), r"windows that span 8 of 7 along axis 0 of \(7, 3\)"),
        (TIME, cr.MaxPooling((2, 2)), "pool_size must be one integer or 1, got 2"),
        (IMAGE, cr.MaxPooling((2, 2, 2)), "pool_size must be one integer or 2, got 3"),
        (IMAGE, cr.MaxPooling(2, (1, 1, 1)), "strides must be one integer or 2, got 3"),
        ((24,), cr.MaxPooling(), r"reads \(time, features\) or \(height, width, channels\), got"),
        ((2, 2, 2, 3), cr.AveragePooling(), r"got rows of shape \(2, 2, 2, 3\)"),
        ((24,), cr.GlobalMaxPooling(), r"there are none in \(24,\)"),
        ((24,), cr.UpSampling(), r"got rows of shape \(24,\)"),
        (TIME, cr.UpSampling((2, 2)), "size must be one integer or 1, got 2"),
        ((24,), cr.ZeroPadding(), r"got rows of shape \(24,\)"),
        (TIME, cr.ZeroPadding((1, 2, 3)), r"must be one integer, or \(before, behind\) for rows"),
        (IMAGE, cr.ZeroPadding((1, 2, 3)), r"\(top, bottom, left, right\) for rows of shape"),
        (IMAGE, cr.Cropping(3), r"must leave some of each axis, got 3 \+ 3 of 6 along axis 0"),
        (TIME, cr.Cropping((3, 4)), r"got 3 \+ 4 of 7 along axis 0 of \(7, 3\)"),
        (IMAGE, cr.UpSampling(2**30), "is too large"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(shape, layer, text) -> None:
    with pytest.raises(ValueError, match=text):
        on(shape, layer, cr.UpSampling(2**30), cr.UpSampling(2**30))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.MaxPooling(0), "max_pooling: pool_size must be >= 1, got 0"),
        (lambda: cr.MaxPooling((2, 0)), r"pool_size\[1\] must be >= 1, got 0"),
        (
            lambda: cr.MaxPooling(()),
            "pool_size must be one integer, or one for each axis, got none",
        ),
        (lambda: cr.AveragePooling(2, 0), "average_pooling: strides must be >= 1, got 0"),
        (lambda: cr.MaxPooling(2, padding="causal"), "padding must be 'valid' or 'same', got"),
        (lambda: cr.MaxPooling(2, padding="sam"), "same"),
        (lambda: cr.UpSampling(0), "up_sampling: size must be >= 1, got 0"),
        (lambda: cr.UpSampling(2**31), r"size must be at most 2\^30, got 2147483648"),
        (lambda: cr.ZeroPadding(-1), "zero_padding: padding must be >= 0, got -1"),
        (lambda: cr.ZeroPadding(((1, 2),)), r"padding must be an integer, .*got \(\(1, 2\),\)"),
        (lambda: cr.Cropping(((1, 2), (3,))), "cropping must be an integer"),
        (lambda: cr.Cropping(()), "cropping must be one integer or more, got none"),
    ],
)
def test_bad_options_are_refused(make, text) -> None:
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize("value", [1.5, "2", None, [1.5]])
def test_options_of_a_wrong_type_are_refused(value) -> None:
    for make in (cr.MaxPooling, cr.UpSampling, cr.ZeroPadding, cr.Cropping):
        with pytest.raises((TypeError, ValueError)):
            make(value)
