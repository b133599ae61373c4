# SPDX-License-Identifier: Apache-2.0
"""Rows, and networks of an embedding of their numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr

RNG = np.random.default_rng(12)
X = RNG.normal(size=(61, 5)).astype(np.float32)
Y = RNG.normal(size=(61, 2))


def network_of(embedding: cr.Layer, **options: Any) -> cr.Sequential:
    """Return a network with the embedding in its midst, adapted to X."""
    layers = [cr.Input(5), cr.PReLU(0.5), embedding, cr.Dense(9, activation="tanh"), cr.Dense(2)]
    net = cr.Sequential(layers, seed=2, **options)
    net.adapt(X)
    return net


def trained_on(embedding: cr.Layer, dtype: str = "float32", threads: int = 1) -> cr.Sequential:
    """Return such a network after some epochs."""
    net = network_of(embedding, dtype=dtype)
    fit = {"epochs": 4, "batch_size": 16, "verbose": 0, "num_threads": threads}
    net.fit(X, Y, loss="mse", optimizer=cr.AdamW(0.01, weight_decay=0.1), **fit)
    return net
