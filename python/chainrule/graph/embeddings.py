# SPDX-License-Identifier: Apache-2.0
"""The functions that embeddings of numbers sum up, as operations of the graph.

Their values and first derivatives are the core's own, to the bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import layers
from chainrule.graph.fma import fma
from chainrule.graph.nodes import Node, Operation, sin
from chainrule.network.sequential import Sequential

__all__ = ["bin_places", "waves"]

_TWO_PI = 2.0 * math.pi

_PHASE = Operation(
    "phase",
    lambda x, frequency, phase: fma(frequency * _TWO_PI, x, phase),
    lambda z, x, frequency, phase: (frequency * _TWO_PI, x * _TWO_PI, 1.0),
)


def waves(x: Node, own: dict[str, NDArray[Any]], column: int) -> list[Node]:
    """Return cos(2 pi frequency x + phase) for each frequency of a column."""
    pairs = zip(own["frequency"][column], own["phase"][column], strict=True)
    net = _one_wave()
    return [_wave(net, x, frequency, phase) for frequency, phase in pairs]


def _wave(net: Sequential, x: Node, frequency: Node, phase: Node) -> Node:
    cosine, sine = _core_wave(net, x.value, frequency.value, phase.value)
    # The core works from the angle in half revolutions, whose last bits do not follow from `z`.
    operation = Operation(
        "cos",
        lambda z: cosine,
        lambda y, z: (-sin(z) if isinstance(z, Node) else -sine,),
    )
    return operation.of(_PHASE.of(x, frequency, phase))


def _core_wave(net: Sequential, x: float, frequency: float, phase: float) -> tuple[float, float]:
    """Return the core's cosine and sine."""
    core = net._built_core()
    for name, value in (("frequency", frequency), ("phase", phase)):
        core.set_parameter(f"0.{name}", np.array([[value]]))
    y = core.forward(np.array([[x]]), False, 1)
    core.backward(np.array([[0.0, 1.0]]))
    return float(y[0, 1]), -float(net.gradients["0.phase"][0, 0])


def _one_wave() -> Sequential:
    """Return a network that gives x and its wave."""
    embedding = layers.PeriodicEmbedding(units=1, frequencies=1)
    net = Sequential([layers.Input(1), embedding], dtype="float64")
    net.set_weights({"0.weight": [[[1.0]]], "0.bias": [[0.0]]})
    return net


def bin_places(x: Node, own: dict[str, NDArray[Any]], column: int) -> list[Node]:
    """Return the place of a number in each bin of a column."""
    edges = [float(edge.value) for edge in own["edges"][column]]
    rates = [_rate(low, high) for low, high in itertools.pairwise(edges)]
    counted = [k for k, rate in enumerate(rates) if rate > 0.0]
    if not counted:  # a column of one value is only centred
        counted, rates[0] = [0], 1.0
    nodes = []
    for k, rate in enumerate(rates):
        low = -math.inf if k == counted[0] else edges[k]
        high = math.inf if k == counted[-1] else edges[k + 1]
        nodes.append(_place(edges[k], rate, low, high).of(x))
    return nodes


def _rate(low: float, high: float) -> float:
    rate = 1.0 / (high - low) if high > low else 0.0
    return rate if math.isfinite(rate) else 0.0


def _place(edge: float, rate: float, low: float, high: float) -> Operation:
    def derivatives(y: Any, x: Any) -> Sequence[float]:
        value = x.value if isinstance(x, Node) else x
        return (rate if low <= value < high else 0.0,)

    return Operation("place", lambda x: (min(high, max(low, x)) - edge) * rate, derivatives)
