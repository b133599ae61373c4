# SPDX-License-Identifier: Apache-2.0
"""The network that reads a table, and the recipe by which it is trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import chainrule as cr
from chainrule.tables.preparation import Preparation

__all__ = ["BUDGETS", "Budget", "optimizer", "tabular_network"]

BATCH_ROWS = 256
_EMBEDDING_UNITS = 8
_DROPOUT = 0.15
_WEIGHT_DECAY = 0.02
_RATES = {"selu": 0.04, "mish": 0.07}


@dataclass(frozen=True)
class Budget:
    """What a training may take: epochs, units of the hidden layers, and networks."""

    epochs: int = 256
    units: tuple[int, ...] = (256, 256, 256)
    members: int = 1


BUDGETS = {
    "fast": Budget(epochs=64, units=(128, 128, 128)),
    "default": Budget(),
    "best": Budget(members=8),
}


def tabular_network(
    preparation: Preparation,
    outputs: int,
    *,
    units: tuple[int, ...] = (256, 256, 256),
    activation: str = "selu",
    limits: tuple[float, float] | None = None,
    seed: int = 0,
) -> Any:
    """Return an untrained network for the rows of a table.

    Parameters
    ----------
    preparation : Preparation
        What the network sees.
    outputs : int
    units : tuple of int
        Of each hidden layer.
    activation : {"selu", "mish"}
        The first suits classification, the second regression.
    limits : (float, float), optional
        The outputs stay within.
    seed : int

    Returns
    -------
    Network
        Its inputs are those that `Preparation.inputs` gives.
    """
    numbers = cr.Input(preparation.numbers, name="numbers")
    inputs: list[Any] = [numbers]
    h: Any = numbers
    if preparation.embeddings:
        codes = cr.Input(len(preparation.embeddings), name="codes")
        embedded = cr.Embedding(
            preparation.embeddings,
            _EMBEDDING_UNITS,
            weight_initializer=cr.initializers.Normal(0.0, 1.0),
        )(codes)
        inputs, h = [codes, numbers], cr.Concatenate()([embedded, numbers])
    h = cr.Scale()(h)
    for width in units:
        h = cr.Dense(width, activation, weight_initializer="lecun_normal")(h)
        h = cr.Dropout(_DROPOUT)(h)
    h = cr.Dense(outputs, weight_initializer="zeros")(h)
    if limits is not None:
        h = cr.Clip(*limits)(h)
    return cr.Network(inputs=inputs, outputs=h, seed=seed)


def optimizer(activation: str, width: int, epochs: int) -> Any:
    """Return the optimizer: AdamW whose rate falls to 0 along a cosine.

    The recipe's rate is for weights that a layer divides by the root of its inputs, so that here,
    where weights are as they are, the rate is divided by it, and the decay keeps its speed.
    """
    root = math.sqrt(width)
    return cr.AdamW(
        cr.schedules.Cosine(_RATES[activation] / root, epochs),
        beta2=0.95,
        weight_decay=_WEIGHT_DECAY * root,
    )
