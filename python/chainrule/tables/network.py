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
_RATES = {"selu": 0.04, "mish": 0.2}


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
    epochs: int = 256,
    limits: tuple[float, float] | None = None,
    link: str = "identity",
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
    epochs : int
        Length of the training, over which dropout falls to 0.
    limits : (float, float), optional
        The outputs stay within.
    link : {"identity", "softmax", "sigmoid"}
        Makes the outputs probabilities, of which an ensemble gives the mean.
    seed : int

    Returns
    -------
    Network
        Its inputs are those that `Preparation.inputs` gives.
    """
    numbers = cr.Input(preparation.numbers, name="numbers")
    inputs: list[Any] = [numbers]
    h: Any = cr.PeriodicEmbedding(learning_rate_factor=0.1)(numbers)
    fan_in = 4 * preparation.numbers
    if preparation.embeddings:
        codes = cr.Input(len(preparation.embeddings), name="codes")
        embedded = cr.Embedding(
            preparation.embeddings,
            _EMBEDDING_UNITS,
            weight_initializer=cr.initializers.Normal(0.0, 1.0),
        )(codes)
        inputs, h = [codes, numbers], cr.Concatenate()([embedded, h])
        fan_in += _EMBEDDING_UNITS * len(preparation.embeddings)
    h = cr.Scale(learning_rate_factor=6.0)(h)
    falling = cr.schedules.FlatCosine(1.0, epochs)
    for width in units:
        h = _dense(width, fan_in, "lecun_normal")(h)
        h = cr.ParametricActivation(activation, learning_rate_factor=0.1)(h)
        h = cr.Dropout(_DROPOUT, rate_schedule=falling)(h)
        fan_in = width
    h = _dense(outputs, fan_in, "zeros")(h)
    if limits is not None:
        h = cr.Clip(*limits)(h)
    if link != "identity":
        h = cr.Activation(link)(h)
    return cr.Network(inputs=inputs, outputs=h, seed=seed)


def _dense(units: int, fan_in: int, initializer: str) -> Any:
    """Return a layer that trains as one that divides standard normal weights by sqrt(fan_in).

    To Adam such a division is a smaller learning rate. The decay, which is times the rate, is made
    as many times larger, so that its speed stays.
    """
    root = math.sqrt(fan_in)
    return cr.Dense(
        units,
        weight_initializer=initializer,
        learning_rate_factor={"weight": 1.0 / root, "bias": 0.1},
        weight_decay_factor={"weight": root, "bias": 0.0},
    )


def optimizer(activation: str, epochs: int) -> Any:
    """Return the optimizer: AdamW in four waves of the rate, with a decay that falls to 0."""
    return cr.AdamW(
        cr.schedules.CosLog(_RATES[activation], epochs),
        beta2=0.95,
        weight_decay=_WEIGHT_DECAY,
        weight_decay_schedule=cr.schedules.FlatCosine(1.0, epochs),
    )
