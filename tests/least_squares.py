# SPDX-License-Identifier: Apache-2.0
"""A network of one hidden layer written plainly, and data for least squares."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr

Arrays = list[np.ndarray]


def outputs(weights: Arrays, x: np.ndarray) -> np.ndarray:
    """One hidden layer of tanh, plainly."""
    w1, b1, w2, b2 = weights
    return np.tanh(x @ w1 + b1) @ w2 + b2


def forward(weights: Arrays, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One hidden layer of tanh, plainly: outputs, and their Jacobian by the chain rule."""
    w1, b1, w2, b2 = weights
    h = np.tanh(x @ w1 + b1)
    z = h @ w2 + b2
    rows, units, outputs = len(x), len(b1), len(b2)
    jacobian = np.zeros((rows, outputs, w1.size + b1.size + w2.size + b2.size))
    for k in range(outputs):
        dh = (1 - h**2) * w2[:, k]
        parts = [
            (x[:, :, None] * dh[:, None, :]).reshape(rows, -1),
            dh,
            (h[:, :, None] * np.eye(outputs)[k]).reshape(rows, -1),
            np.tile(np.eye(outputs)[k], (rows, 1)),
        ]
        jacobian[:, k] = np.concatenate(parts, axis=1)
    assert jacobian.shape[2] == units * (x.shape[1] + 1) + outputs * (units + 1)
    return z, jacobian.reshape(rows * outputs, -1)


def split(flat: np.ndarray, like: Arrays) -> Arrays:
    ends = np.cumsum([w.size for w in like])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(w.shape) for part, w in zip(parts, like, strict=True)]


def flat(weights: Any) -> np.ndarray:
    return np.concatenate([np.asarray(w, float).ravel() for w in weights])


def data(rows: int = 120, outputs: int = 2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    y = np.column_stack([np.sin(x[:, 0] + k) * x[:, 1] for k in range(outputs)])
    return x, y + 0.05 * rng.normal(size=y.shape)


def network(outputs: int = 2, dtype: str = "float64", units: int = 5) -> cr.Sequential:
    layers = [cr.Dense(units, activation="tanh"), cr.Dense(outputs)]
    return cr.Sequential([cr.Input(3), *layers], seed=1, dtype=dtype)
