# SPDX-License-Identifier: Apache-2.0
"""The network that reads a table, and the recipe by which it is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import chainrule as cr
from chainrule.tables.preparation import Preparation

__all__ = [
    "BUDGETS",
    "Budget",
    "Outputs",
    "TargetScaling",
    "network_of_rows",
    "optimizer",
    "tabular_network",
]

BATCH_ROWS = 256
_EMBEDDING_UNITS = 8
_DROPOUT = 0.15
_WEIGHT_DECAY = 0.02
_RATES = {"selu": 0.04, "mish": 0.2}

# The columns of the only output, or of each of several by name.
Outputs: TypeAlias = int | Mapping[str, int]


@dataclass(frozen=True)
class Budget:
    """What a training may take: epochs, units of the hidden layers, and networks."""

    epochs: int = 256
    units: tuple[int, ...] = (256, 256, 256)
    members: int = 1


# The mean of four small networks has smaller errors than one of twice as many units that is trained
# for twice as long, which has as many weights; and each of them has a thread of its own.
BUDGETS = {
    "fast": Budget(epochs=64, units=(128, 128, 128)),
    "default": Budget(epochs=128, units=(128, 128, 128), members=4),
    "best": Budget(members=8),
}


@dataclass(frozen=True)
class TargetScaling:
    """How targets differ from what a network learns, which are of mean 0 and variance 1."""

    mean: NDArray[np.float64]  # (outputs,)
    scale: NDArray[np.float64]  # (outputs,)
    limits: tuple[float, float] | None  # of a single output


def tabular_network(
    preparation: Preparation,
    outputs: Outputs,
    *,
    units: tuple[int, ...] = (256, 256, 256),
    activation: str = "selu",
    epochs: int = 256,
    seed: int = 0,
) -> Any:
    """Return an untrained network for the rows of a table.

    Parameters
    ----------
    preparation : Preparation
        What the network sees.
    outputs : int or mapping of str to int
        The columns of the only output, or of each of several, which have all layers in common.
    units : tuple of int
        Of each hidden layer.
    activation : {"selu", "mish"}
        The first suits classification, the second regression.
    epochs : int
        Length of the training, over which dropout falls to 0.
    seed : int

    Returns
    -------
    Network
        Its inputs are those that `Preparation.inputs` gives.
    """
    numbers = cr.Input(preparation.numbers, name="numbers")
    inputs: list[Any] = [numbers]
    embed = None
    if preparation.embedded:
        codes = cr.Input(len(preparation.embedded), name="codes")
        inputs = [codes, numbers]
        embedding = _embedding(tuple(size + 1 for size in preparation.embedded.values()))
        embed = lambda: embedding(codes)  # noqa: E731
    columns = outputs if isinstance(outputs, int) else sum(outputs.values())
    h = _behind(embed, numbers, preparation, columns, units, activation, epochs)
    return cr.Network(inputs=inputs, outputs=_ends(h, outputs), seed=seed)


def network_of_rows(
    preparation: Preparation,
    trained: Any,
    outputs: Outputs,
    scaling: TargetScaling | None,
    *,
    link: str = "identity",
    units: tuple[int, ...],
    activation: str,
    epochs: int,
    seed: int,
) -> Any:
    """Return a trained network with the preparation before it and its targets' units behind it.

    Parameters
    ----------
    preparation : Preparation
    trained : Network
    outputs, units, activation, epochs, seed
        `trained` is what `tabular_network` gave with these.
    scaling : TargetScaling, optional
        That of the targets, which the outputs then have, and whose limits they keep.
    link : {"identity", "softmax", "sigmoid"}
        Makes the outputs probabilities, of which an ensemble gives the mean.

    Returns
    -------
    Network
        It reads rows of the matrix: numbers, codes, and NaN for what is missing.
    """
    x = cr.Input(preparation.columns, name="x")
    weights = {**trained.parameters, **preparation.statistics()}
    embed = None
    if preparation.embedded:
        sizes = tuple(preparation.embedded.values())
        taken = tuple(range(_EMBEDDING_UNITS * len(sizes)))
        embedding = _embedding(
            sizes, columns=tuple(preparation.embedded), unknown="code", missing="code"
        )
        embed = lambda: cr.Take(taken)(embedding(x))  # noqa: E731
        weights["embedding.weight"] = _with_rows_of_missing(weights["embedding.weight"], sizes)
    numbers = preparation.layers(x)
    h = _behind(embed, numbers, preparation, trained.outputs, units, activation, epochs)
    if scaling is not None:
        h = cr.Normalization("robust", invert=True, name="unscaled")(h)
        weights |= {"unscaled.center": scaling.mean, "unscaled.scale": scaling.scale}
        if scaling.limits is not None:
            h = cr.Clip(*scaling.limits)(h)
    net = cr.Network(inputs=x, outputs=_ends(h, outputs, link), seed=seed)
    net.set_weights(weights)
    net._built_core().adapted = True
    return net


def _with_rows_of_missing(weight: NDArray[Any], sizes: tuple[int, ...]) -> NDArray[Any]:
    """Return tables whose first row comes last, once for unknown and once for missing ones."""
    tables = np.split(weight, np.cumsum([size + 1 for size in sizes])[:-1])
    return np.vstack([np.vstack([table[1:], table[:1], table[:1]]) for table in tables])


def _embedding(rows: tuple[int, ...], **options: Any) -> Any:
    normal = cr.initializers.Normal(0.0, 1.0)
    return cr.Embedding(rows, _EMBEDDING_UNITS, weight_initializer=normal, **options)


def _behind(
    embed: Callable[[], Any] | None,
    numbers: Any,
    preparation: Preparation,
    outputs: int,
    units: tuple[int, ...],
    activation: str,
    epochs: int,
) -> Any:
    """Return the outputs of the layers that read numbers, and what `embed` makes of codes."""
    h: Any = cr.PeriodicEmbedding(learning_rate_factor=0.1)(numbers)
    fan_in = 4 * preparation.numbers
    if embed is not None:
        h = cr.Concatenate()([embed(), h])
        fan_in += _EMBEDDING_UNITS * len(preparation.embedded)
    h = cr.Scale(learning_rate_factor=6.0)(h)
    falling = cr.schedules.FlatCosine(1.0, epochs)
    for width in units:
        h = _dense(width, fan_in, "lecun_normal")(h)
        h = cr.ParametricActivation(activation, learning_rate_factor=0.1)(h)
        h = cr.Dropout(_DROPOUT, rate_schedule=falling)(h)
        fan_in = width
    return _dense(outputs, fan_in, "zeros")(h)


def _ends(h: Any, outputs: Outputs, link: str = "identity") -> Any:
    """Return what a network gives, of several outputs their columns by name, behind a link."""
    parts, first = {}, 0
    for name, columns in {"": outputs}.items() if isinstance(outputs, int) else outputs.items():
        part = h if isinstance(outputs, int) else cr.Take(tuple(range(first, first + columns)))(h)
        parts[name] = part if link == "identity" else cr.Activation(link)(part)
        first += columns
    return parts[""] if isinstance(outputs, int) else parts


def _dense(units: int, fan_in: int, initializer: str) -> Any:
    """Return a layer that trains as one that divides standard normal weights by sqrt(fan_in)."""
    # To Adam such a division is a smaller learning rate. The decay, which is times the rate, is
    # made as many times larger, so that its speed stays.
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
