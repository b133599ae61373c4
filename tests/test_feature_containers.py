# SPDX-License-Identifier: Apache-2.0
"""Whatever holds the features, the same numbers train to the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_cases import FIT, Array, assert_same_state, blobs, network

import chainrule as cr


def as_strided(x: Array) -> Array:
    wide = np.zeros((2 * len(x), 3 * x.shape[1]), dtype=x.dtype)
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def as_reversed(x: Array) -> Array:
    return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]


def as_frame(x: Array) -> Any:
    return pytest.importorskip("pandas").DataFrame(x)


def as_tensor(x: Array) -> Any:
    return pytest.importorskip("torch").from_numpy(x.copy())


def as_read_only(x: Array) -> Array:
    x = x.copy()
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        as_strided,
        as_reversed,
        as_read_only,
        as_frame,
        as_tensor,
        np.ndarray.tolist,
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.int64),
        lambda x: x.reshape(-1, 3, 4),
    ],
)
def test_containers_give_the_same_bits(convert: Any, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(40, 12)).astype(dtype)  # values that every type here holds
    y = rng.integers(3, size=40)
    plain, other = network(), network()
    plain.fit(x.astype(np.float32), y, **FIT)
    other.fit(convert(x), y, validation_data=(convert(x), y), **FIT)
    for name, array in plain.parameters.items():
        np.testing.assert_array_equal(array, other.parameters[name], err_msg=name)
    np.testing.assert_array_equal(plain.predict(x), other.predict(convert(x)))


def test_memory_maps_give_the_same_bits(tmp_path: Path) -> None:
    x, y = blobs()
    x.tofile(tmp_path / "x")
    mapped = np.memmap(tmp_path / "x", dtype=np.float32, mode="r", shape=x.shape)
    a, b = network(), network()
    a.fit(x, y, **FIT)
    b.fit(mapped, y, **FIT)
    assert_same_state(a, b)


def test_labels_of_any_integer_type() -> None:
    x, y = blobs()
    plain = network()
    plain.fit(x, y, **FIT)
    for labels in (y.astype(np.uint8), y.astype(np.float64), y[:, None], y.tolist()):
        other = network()
        other.fit(x, labels, **FIT)
        assert_same_state(plain, other)


def test_images_are_flattened() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(30, 28, 28), dtype=np.uint8)
    y = rng.integers(3, size=30)
    layers = [cr.Input((28, 28)), cr.Rescaling(1 / 255), cr.Dense(3)]
    a, b = (cr.Sequential(layers, seed=0) for _ in range(2))
    a.fit(images, y, **FIT)
    b.fit(images.reshape(30, 784), y, **FIT)
    assert_same_state(a, b)
    np.testing.assert_array_equal(a.predict(images), b.predict(images.reshape(30, 784)))


def test_rescaling_is_that_of_floats() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(256, size=(30, 10), dtype=np.uint8)
    fused = cr.Sequential([cr.Rescaling(1 / 255), cr.Dense(3)], seed=0)
    plain = cr.Sequential([cr.Dense(3)], seed=0)
    fused.build(10)
    plain.build(10)
    plain.set_weights(fused.get_weights())
    np.testing.assert_allclose(fused.predict(x), plain.predict(x / 255), rtol=1e-5, atol=1e-6)


def test_float64_is_float64() -> None:
    x, y = blobs()
    wide = cr.Sequential([cr.Dense(5, activation="tanh"), cr.Dense(3)], seed=0, dtype="float64")
    wide.fit(x, y, epochs=2, **FIT)
    assert wide.predict(x).dtype == np.float64
    assert wide.parameters["0.weight"].dtype == np.float64
    w0, b0, w1, b1 = wide.get_weights()
    expected = np.tanh(x.astype(np.float64) @ w0 + b0) @ w1 + b1
    np.testing.assert_allclose(wide.predict(x), expected, rtol=1e-13, atol=1e-13)


def test_normalization_is_adapted_once() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    net.fit(x, y, **FIT)
    mean, variance = net.parameters["0.mean"], net.parameters["0.variance"]
    np.testing.assert_allclose(mean, x.mean(axis=0, dtype=np.float64), rtol=1e-6)
    np.testing.assert_allclose(variance, x.var(axis=0, dtype=np.float64), rtol=1e-6)
    net.fit(x + 10, y, **FIT)
    np.testing.assert_array_equal(net.parameters["0.mean"], mean)
    net.adapt(x + 10)
    np.testing.assert_allclose(net.parameters["0.mean"], mean + 10, rtol=1e-6)


def test_adapted_before_fit_is_kept() -> None:
    x, y = blobs()
    net = cr.Sequential([cr.Normalization(), cr.Dense(3)], seed=0)
    net.adapt(x[:10])
    mean = net.parameters["0.mean"]
    net.fit(x, y, **FIT)
    np.testing.assert_array_equal(net.parameters["0.mean"], mean)
