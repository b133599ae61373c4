# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers as ONNX operators, which have time before the rows of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.interop.recurrence import LAYERS, reordered

__all__ = ["ACTIVATIONS", "ORDERS", "RECURRENT_LAYERS"]

ORDERS: Mapping[str, tuple[int, ...]] = {"RNN": (0,), "GRU": (0, 1, 2), "LSTM": (0, 2, 3, 1)}
"""Gate i of a layer is the operator's gate ``ORDERS[operator][i]``."""

ACTIVATIONS = {
    owner.onnx_operator: owner
    for owner in Activation.of_kinds()
    if owner.onnx_operator
    in {"Elu", "HardSigmoid", "LeakyRelu", "Relu", "Sigmoid", "Softplus", "Softsign", "Tanh"}
}
"""The activations that the operator RNN may have, by their names there."""


def _add_recurrence(graph: GraphWriter, node: NetworkNode) -> None:
    layer, arrays = node.layer, node.arrays
    operator = next(name for name, kind in LAYERS.items() if isinstance(layer, kind))
    if graph.dtype == "float64":
        raise ValueError(
            f"ONNX files hold {node} in float32 alone, as onnxruntime has no {operator} of float64"
        )
    order = ORDERS[operator]
    theirs = tuple(int(gate) for gate in np.argsort(order))

    def constant(name: str, *parts: Any) -> str:
        return graph.constant(name, np.concatenate([reordered(p, theirs).T for p in parts])[None])

    given = [constant(name, arrays[name]) for name in ("weight", "recurrent_weight")]
    if "bias" in arrays:
        beside = arrays.get("recurrent_bias", np.zeros_like(arrays["bias"]))
        given.append(constant("bias", arrays["bias"], beside))
    x, *others = graph.operands
    given += [""] * (3 - len(given)) + [""]
    if layer._core.reads_lengths(node.reads):
        flat = graph.constant("rows", [-1], "int64")
        given[-1] = graph.add("Reshape", graph.cast("int32", others.pop(0)), flat)
    # States are of shape (directions, rows, units).
    directions = [graph.constant("directions", [0], "int64")] if others else []
    given += [graph.add("Unsqueeze", state, *directions) for state in others]
    while not given[-1]:
        given.pop()
    graph.current = x
    steps = graph.transpose([1, 0, 2])
    options: dict[str, Any] = {"hidden_size": layer.units}
    options |= {"direction": "reverse"} if layer.go_backwards else {}
    options |= {"linear_before_reset": 1} if operator == "GRU" else {}
    options |= _activation(node) if operator == "RNN" else {}
    # Y is of shape (time, directions, rows, units), Y_h and Y_c of (directions, rows, units).
    sequences = layer.return_sequences
    if layer.return_state:
        y, *states = graph.add_outputs(1 + layer._states, operator, steps, *given, **options)
        if sequences:
            states.insert(0, graph.add("Squeeze", y, graph.constant("direction", [1], "int64")))
        # The one direction of a state is one position.
        graph.current = graph.add("Concat", *states, axis=0) if len(states) > 1 else states[0]
        graph.transpose([1, 0, 2])
        return
    graph.add_output(0 if sequences else 1, operator, steps, *given, **options)
    direction = graph.constant("direction", [1 if sequences else 0], "int64")
    graph.add("Squeeze", graph.current, direction)
    if sequences:
        graph.transpose([1, 0, 2])


def _activation(node: NetworkNode) -> dict[str, Any]:
    """Return the attributes that say what follows the sums of an RNN."""
    activation = node.layer.activation
    if activation.kind == "linear":
        return {"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]}
    if activation.onnx_operator not in ACTIVATIONS:
        raise ValueError(f"ONNX files cannot hold {node}: its RNN has no {activation.kind}")
    attributes = {"activations": [activation.onnx_operator]}
    for name, value in activation.onnx_attributes.items():
        attributes[f"activation_{name}"] = [float(value)]
    return attributes


RECURRENT_LAYERS: dict[str, Callable[[GraphWriter, NetworkNode], None]] = {
    kind.kind: _add_recurrence for kind in LAYERS.values()
}
"""What adds a recurrent layer to a graph, by the layer's kind."""
