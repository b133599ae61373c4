# SPDX-License-Identifier: Apache-2.0
"""Random networks with every layer and activation, and rows that suit them."""

from __future__ import annotations

import numpy as np

import chainrule as cr


def _activation(rng):
    kind = str(rng.choice(cr._core.Activation.kinds()))
    if kind == "leaky_relu":
        return cr.activations.LeakyRelu(float(rng.uniform(0, 0.5)))
    if kind == "elu":
        return cr.activations.Elu(float(rng.uniform(0.2, 2)))
    return cr.activations.get(kind)  # PyTorch has no options of hard_sigmoid


def _hidden(rng):
    dense = cr.Dense(
        int(rng.integers(2, 40)), activation=_activation(rng), use_bias=bool(rng.random() < 0.8)
    )
    flags = {"center": bool(rng.random() < 0.7), "scale": bool(rng.random() < 0.7)}
    epsilon = float(rng.choice([1e-5, 1e-3]))
    others = [
        cr.BatchNormalization(momentum=0.8, epsilon=epsilon, **flags),
        cr.LayerNormalization(epsilon=epsilon, **flags),
        cr.Activation(_activation(rng)),
        cr.Dropout(0.2),
        cr.Rescaling(float(rng.uniform(0.5, 2)), float(rng.normal())),
    ]
    count = int(rng.integers(0, 3))
    return [dense, *(others[i] for i in rng.choice(len(others), count, replace=False))]


def random_architecture(seed):
    """Return a network in float32 or float64 with random weights, and 64 rows for it."""
    rng = np.random.default_rng(seed)
    inputs = int(rng.integers(1, 30))
    x = rng.normal(size=(64, inputs)) * rng.uniform(0.1, 20, inputs) + rng.normal(size=inputs) * 30
    front = [[], [cr.Normalization()], [cr.Rescaling(1 / 20, -0.5)]][int(rng.integers(3))]
    layers = [cr.Input(inputs), *front]
    for _ in range(int(rng.integers(0, 5))):
        layers += _hidden(rng)
    layers.append(cr.Dense(int(rng.integers(1, 12)), activation=_activation(rng)))
    if rng.random() < 0.2:
        layers.append(cr.Rescaling(3.0, 7.0))
    dtype = str(rng.choice(["float32", "float64"]))
    net = cr.Sequential(layers, seed=seed, dtype=dtype)
    net.adapt(x)
    for name, values in net.parameters.items():
        kind = name.partition(".")[2]
        if kind in ("bias", "beta", "running_mean"):
            net.set_weights({name: rng.normal(size=values.shape)})
        elif kind in ("gamma", "running_variance"):
            net.set_weights({name: rng.uniform(0.5, 2, values.shape)})
    if not front:
        x = (x - x.mean(axis=0)) / x.std(axis=0)
    return net, x.astype(dtype)
