# SPDX-License-Identifier: Apache-2.0
"""Small networks and data for tests of steps by hand and of what a network remembers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import chainrule as cr


def data(rows: int = 24, columns: int = 5) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(rows, columns)), rng.normal(size=(rows, 2))


def network(dtype: str = "float64", seed: int = 0) -> cr.Sequential:
    layers = [
        cr.Input(5),
        cr.Dense(7, activation="tanh"),
        cr.BatchNormalization(),
        cr.Dense(3, activation="relu"),
        cr.Dense(2),
    ]
    return cr.Sequential(layers, seed=seed, dtype=dtype)


def plain(dtype: str = "float64", seed: int = 0) -> cr.Sequential:
    layers = [cr.Input(5), cr.Dense(7, activation="tanh"), cr.Dense(2)]
    return cr.Sequential(layers, seed=seed, dtype=dtype)


def gradients_of(net: cr.Sequential, x: NDArray[Any], y: NDArray[Any], n: int) -> dict[str, Any]:
    """Return the share of these rows in the gradients of the mean squared error over n rows."""
    net.backward(2 * (net.forward(x) - y) / (n * y.shape[1]))
    return net.gradients


def same(one: cr.Sequential, other: cr.Sequential) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )
