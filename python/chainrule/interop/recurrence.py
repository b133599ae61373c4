# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers of other programs, with the gates in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.assembly import Assembly
from chainrule.interop.tensor import Tensor
from chainrule.layers import GRU, LSTM, Layer, Position, RecurrentLayer, SimpleRNN

__all__ = ["LAYERS", "recurrent", "reordered", "step_of"]

Array = NDArray[Any]

LAYERS: Mapping[str, type[SimpleRNN | GRU | LSTM]] = {"RNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}
"""The layer by its name in ONNX and PyTorch."""


def reordered(array: Array, order: tuple[int, ...]) -> Array:
    """Return an array whose last axis is gate behind gate, with gate ``order[i]`` as gate i."""
    gates = array.reshape(*array.shape[:-1], len(order), -1)
    return np.ascontiguousarray(gates[..., [*order], :].reshape(array.shape))


def recurrent(
    assembly: Assembly,
    x: Tensor,
    layer: RecurrentLayer,
    weight: Array,
    recurrent_weight: Array,
    biases: tuple[Array, Array] | None,
    order: tuple[int, ...],
    others: Sequence[Tensor] = (),
) -> Tensor:
    """Return what a layer makes of rows of shape (time, features), and of lengths and states.

    The weights are of (gates * units, columns), the biases of (gates * units,) beside the features
    and beside the state, all with the gates in an order of their own: the layer's gate i is theirs
    of ``order[i]``.
    """
    if len(x.shape) != 2:
        raise ValueError(f"reads sequences, got rows of shape {x.shape}")
    if weight.shape[-1] != x.columns:
        raise ValueError(f"takes {weight.shape[-1]} columns, {x.columns} come in")
    arrays = {"weight": reordered(weight.T, order)}
    arrays["recurrent_weight"] = reordered(recurrent_weight.T, order)
    if biases is not None:
        bias, recurrent_bias = (reordered(each, order) for each in biases)
        both = isinstance(layer, GRU)
        arrays |= {"bias": bias if both else bias + recurrent_bias}
        arrays |= {"recurrent_bias": recurrent_bias} if both else {}
    return assembly.layer(layer, arrays, x, *others)


def step_of(assembly: Assembly, x: Tensor, place: int) -> Tensor:
    """Return one position of sequences, which may be all that the layer before needs to give."""
    time = x.shape[0]
    if not -time <= place < time:
        raise ValueError(f"takes position {place} of {time}")
    place %= time
    node = x.node
    own = node is not None and not x.shared and x.is_plain and x.shape == x.stored
    if own and node is not None and isinstance(node.layer, RecurrentLayer):
        last = 0 if node.layer.go_backwards else time - 1
        if place == last and len(node.inputs) == 1 and not node.layer.return_state:
            node.layer = Layer.from_config({**node.layer.config, "return_sequences": False})
            node.shape = (x.columns,)
            return Tensor(node.shape, node.shape, node)
    return assembly.layer(Position(place if place < time - 1 else -1), {}, x)
