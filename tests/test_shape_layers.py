# SPDX-License-Identifier: Apache-2.0
"""Layers that change shapes, clip, scale and add noise: their numbers, gradients and bits."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import chainrule as cr

BIAS = {"kind": "uniform", "low": -0.5, "high": 0.5}
VOLUME = (2, 3, 4)
SHAPES = [
    ([cr.Reshape((4, 6)), cr.Flatten()], lambda x: x),
    ([cr.Reshape((-1, 2))], lambda x: x),
    (
        [cr.Reshape(VOLUME), cr.Permute((3, 1, 2))],
        lambda x: x.reshape(-1, *VOLUME).transpose(0, 3, 1, 2),
    ),
    (
        [cr.Reshape(VOLUME), cr.Permute((2, 1, 3))],
        lambda x: x.reshape(-1, *VOLUME).transpose(0, 2, 1, 3),
    ),
    ([cr.RepeatVector(5)], lambda x: np.tile(x, (1, 5))),
    ([cr.Take((20, 3, 3, 0))], lambda x: x[:, [20, 3, 3, 0]]),
    ([cr.Input(24), cr.Take(tuple(range(24)))], lambda x: x),
    (
        [cr.Reshape(VOLUME), cr.Take((2, 0))],
        lambda x: x.reshape(-1, *VOLUME)[..., [2, 0]],
    ),
    ([cr.Reshape(VOLUME), cr.Permute((1, 2, 3))], lambda x: x),
]
IDS = [" ".join(map(str, layers)) for layers, _ in SHAPES]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("layers", "expected"), SHAPES, ids=IDS)
def test_numbers_come_to_their_places(layers, expected, dtype, rng) -> None:
    x = rng.normal(size=(7, 24)).astype(dtype)
    y = cr.Sequential(layers, dtype=dtype).predict(x)
    assert np.array_equal(y.reshape(7, -1), expected(x).reshape(7, -1))


def test_dense_and_normalisation_work_on_each_position(rng) -> None:
    net = cr.Sequential(
        [cr.Reshape((6, 4)), cr.Dense(5, "tanh"), cr.LayerNormalization(), cr.Scale(0.5)],
        seed=1,
        dtype="float64",
    )
    x = rng.normal(size=(7, 24))
    y = net.predict(x).reshape(7, 6, 5)
    weights = net.parameters
    z = np.tanh(x.reshape(7, 6, 4) @ weights["1.weight"] + weights["1.bias"])
    z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
    assert np.allclose(y, 0.5 * z, rtol=0, atol=1e-12)


def test_batch_normalization_is_per_channel(rng) -> None:
    net = cr.Sequential(
        [cr.Input(24), cr.Reshape((6, 4)), cr.BatchNormalization()], seed=1, dtype="float64"
    )
    x = rng.normal(2, 3, size=(9, 24))
    y = net.forward(x, training=True).reshape(54, 4)
    z = x.reshape(54, 4)
    assert np.allclose(y, (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5), rtol=0, atol=1e-12)


def test_pooling_takes_the_mean_over_positions(rng) -> None:
    x = rng.normal(size=(7, 24))
    net = cr.Sequential([cr.Reshape(VOLUME), cr.GlobalAveragePooling()], dtype="float64")
    expected = x.reshape(7, 6, 4).mean(1)
    assert np.allclose(net.predict(x), expected, rtol=0, atol=1e-15)


def test_clip_and_scale(rng) -> None:
    x = rng.normal(size=(7, 24))
    clip = cr.Sequential([cr.Clip(-0.5, 1)], dtype="float64")
    assert np.array_equal(clip.predict(x), np.clip(x, -0.5, 1))
    upper = cr.Sequential([cr.Clip(max_value=0)], dtype="float64")
    assert np.array_equal(upper.predict(x), np.minimum(x, 0))
    net = cr.Sequential([cr.Input(24), cr.Scale()], dtype="float64")
    factors = rng.normal(size=24)
    net.set_weights({"0.scale": factors})
    assert np.array_equal(net.predict(x), x * factors)


def test_noise_is_for_training_alone_and_the_seed_decides_it(rng) -> None:
    x = rng.normal(size=(500, 40))

    def noise(seed: int) -> np.ndarray:
        net = cr.Sequential([cr.Input(40), cr.GaussianNoise(0.25)], seed=seed, dtype="float64")
        assert np.array_equal(net.predict(x), x)
        return net.forward(x, training=True) - x

    first = noise(3)
    assert np.array_equal(first, noise(3))
    assert not np.array_equal(first, noise(4))
    assert abs(first.mean()) < 5 * 0.25 / np.sqrt(x.size)
    assert abs(first.std() / 0.25 - 1) < 5 / np.sqrt(2 * x.size)
    assert len(np.unique(first)) > 0.99 * x.size


LAYERS = [
    [cr.Reshape((3, 4)), cr.Dense(2, "tanh")],
    [cr.Reshape((3, 4)), cr.Permute((2, 1)), cr.Dense(2, "tanh")],
    [cr.Reshape((2, 3, 2)), cr.Permute((3, 1, 2)), cr.Flatten()],
    [cr.RepeatVector(3), cr.Scale(0.7)],
    [cr.Reshape((3, 4)), cr.GlobalAveragePooling()],
    [cr.Clip(-0.3, 0.4)],
    [cr.Take((7, 2, 7, 0))],
    [cr.Reshape((3, 4)), cr.Take((1, 3, 1))],
    [cr.GaussianNoise(0.3)],
    [cr.Reshape((3, 4)), cr.Dropout(0.3), cr.PReLU(), cr.LayerNormalization(), cr.Flatten()],
    [cr.Reshape((3, 4)), cr.Dropout(0.3, per_channel=True)],
    [cr.Reshape((2, 2, 3)), cr.Dropout(0.3, per_channel=True), cr.Dense(2, "tanh")],
]


def test_axes_of_the_input_are_put_in_order(rng) -> None:
    images = rng.normal(size=(4, 5, 3, 2)).astype(np.float32)
    given = cr.Sequential([cr.Input((5, 3, 2)), cr.Permute((2, 1, 3))], seed=0)
    learnt = cr.Sequential([cr.Permute((2, 1, 3))], seed=0)
    for net in (given, learnt):
        np.testing.assert_array_equal(net.predict(images), images.transpose(0, 2, 1, 3))


@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("layers", LAYERS, ids=str)
def test_gradients(layers, training, rng) -> None:
    net = cr.Sequential(
        [cr.Dense(12, bias_initializer=BIAS), *layers, cr.Flatten(), cr.Dense(3)],
        seed=11,
        dtype="float64",
    )
    x, y = rng.normal(size=(6, 4)), rng.normal(size=(6, 3))
    report = cr.gradient_check(net, x, y, "mse", training=training)
    assert report.max_relative_error <= 1e-7, report


def test_training_and_files_keep_the_bits(rng, tmp_path) -> None:
    x, y = rng.normal(size=(300, 36)), rng.integers(0, 3, 300)
    hashes = set()
    for threads in (1, 2, 3, 7):
        net = cr.Sequential(
            [
                cr.Reshape((6, 6)),
                cr.Dense(40, "gelu"),
                cr.Permute((2, 1)),
                cr.GaussianNoise(0.1),
                cr.Scale(0.5),
                cr.Clip(-2, 2),
                cr.Flatten(),
                cr.Dense(64, "relu"),
                cr.RepeatVector(3),
                cr.GlobalAveragePooling(),
                cr.Dense(3),
            ],
            seed=5,
        )
        net.fit(x, y, loss="cross_entropy", epochs=2, num_threads=threads, verbose=0)
        hashes.add(hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest())
    assert len(hashes) == 1
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(cr.load(tmp_path / "net.safetensors").predict(x), net.predict(x))


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([cr.Reshape((5, 5))], r"reshape: target_shape \(5, 5\) does not hold the 24 numbers"),
        ([cr.Take((3, 24))], "columns must be below 24, the columns of x, got 24"),
        ([cr.Permute((2, 1))], r"dims \(2, 1\) has 2 axes for an input of shape \(24,\)"),
        ([cr.GlobalAveragePooling()], r"there are none in \(24,\)"),
        ([cr.Reshape((4, 6)), cr.RepeatVector(2)], r"repeats an input of shape \(features\)"),
        ([cr.Add()], "add: it reads two inputs or more, got 1"),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_are_refused(layers, text, rng) -> None:
    with pytest.raises(ValueError, match=text):
        cr.Sequential(layers).predict(rng.normal(size=(2, 24)))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: cr.Clip(), "clip: min_value, max_value or both must be given"),
        (lambda: cr.Clip(2, 1), "clip: min_value must be <= max_value, got 2 and 1"),
        (lambda: cr.GaussianNoise(-1), "gaussian_noise: stddev must be >= 0, got -1"),
        (lambda: cr.RepeatVector(0), "repeat_vector: n must be >= 1, got 0"),
        (lambda: cr.Take(()), "take: columns is missing; it must name at least one column"),
        (lambda: cr.Take(-1), "take: columns must be >= 0, got -1"),
        (lambda: cr.Permute((1, 1)), r"dims must have each of 1 to 2 once, got \(1, 1\)"),
        (lambda: cr.Reshape((-1, -1)), "extents of target_shape must be >= 1"),
        (lambda: cr.Reshape(None), "reshape: target_shape must not be None"),
    ],
)
def test_bad_options_are_refused(make, text) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        make()
