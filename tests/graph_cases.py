# SPDX-License-Identifier: Apache-2.0
"""Networks that are no chains."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr


def residual(dtype: str = "float64") -> cr.Network:
    """Twelve residual blocks."""
    x = cr.Input(6, name="x")
    h = cr.Dense(8, activation="relu")(x)
    for _ in range(12):
        g = cr.Dense(8, activation="relu")(cr.LayerNormalization()(h))
        h = h + cr.Dense(8)(g)
    return cr.Network(inputs=x, outputs=cr.Dense(3, name="y")(h), seed=1, dtype=dtype)


def two_by_two(dtype: str = "float64") -> cr.Network:
    """Two inputs and two outputs."""
    a, b = cr.Input(5, name="pixels"), cr.Input(3, name="context")
    h = cr.Dense(8, activation="tanh")(a)
    h = h + cr.Dense(8)(h)
    z = cr.Concatenate()([h, b])
    outputs = {"digit": cr.Dense(4)(z), "ink": cr.Dense(2)(z)}
    return cr.Network(inputs=[a, b], outputs=outputs, seed=2, dtype=dtype)


def siamese(dtype: str = "float64") -> cr.Network:
    """Two inputs through the same layers."""
    a, b = cr.Input(5, name="left"), cr.Input(5, name="right")
    first, second = cr.Dense(7, activation="tanh", name="tower"), cr.Dense(4, name="code")
    code_a, code_b = second(first(a)), second(first(b))
    distance = code_a - code_b
    y = cr.Dense(1, name="y")(distance * distance)
    return cr.Network(inputs=[a, b], outputs=y, seed=3, dtype=dtype)


def u_shaped(dtype: str = "float64") -> cr.Network:
    """An autoencoder with connections across."""
    x = cr.Input(8, name="x")
    wide = cr.Dense(8, activation="silu")(x)
    middle = cr.Dense(5, activation="silu")(wide)
    narrow = cr.Dense(2, activation="silu")(middle)
    up = cr.Concatenate()([cr.Dense(5, activation="silu")(narrow), middle])
    up = cr.Concatenate()([cr.Dense(8, activation="silu")(up), wide])
    return cr.Network(inputs=x, outputs=cr.Dense(8, name="y")(up), seed=4, dtype=dtype)


def rows(net: cr.Network, count: int = 24) -> dict[str, Any]:
    """Return random rows for each input."""
    rng = np.random.default_rng(5)
    return {
        node.name: rng.normal(size=(count, *node.shape)).astype(net.dtype)
        for node in net._graph.inputs
    }


def classifier(dtype: str = "float32", seed: int = 0) -> cr.Network:
    """Two inputs, classes and a number."""
    a, b = cr.Input(5, name="pixels"), cr.Input(3, name="context")
    z = cr.Concatenate()([cr.Dense(8, activation="relu")(a), b])
    outputs = {"digit": cr.Dense(3)(z), "ink": cr.Dense(1)(z)}
    return cr.Network(inputs=[a, b], outputs=outputs, seed=seed, dtype=dtype)


def as_dict(net: cr.Network, outputs: Any) -> dict[str, Any]:
    """Return outputs by name, those of an only output too."""
    return outputs if isinstance(outputs, dict) else {net._graph.outputs[0]: outputs}


def targets(net: cr.Network, x: dict[str, Any]) -> dict[str, Any]:
    """Return random targets for each output."""
    rng = np.random.default_rng(7)
    return {name: rng.normal(size=y.shape) for name, y in as_dict(net, net.predict(x)).items()}


CASES = [residual, two_by_two, siamese, u_shaped]
