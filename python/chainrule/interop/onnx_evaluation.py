# SPDX-License-Identifier: Apache-2.0
"""What ONNX operators compute: the onnx package's reference evaluator, for chosen ones.

Only operators of the sets here are run, so that a file cannot ask for others, such as loops.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.activations import Activation
from chainrule.interop.onnx_model import DOUBLE, FLOAT_TYPES, Array, Node
from chainrule.interop.onnx_reference import own_operators
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import Input
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["REDUCTIONS", "activation_values", "evaluate", "evaluate_in_double", "is_evaluable"]
__all__ += ["named_activation"]

REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceSum", "Softmax"})
# Beside activations. Of rows they make rows, and no more elements than their inputs have together.
_OPERATORS = REDUCTIONS - {"Softmax"} | {
    "Abs", "Add", "Cast", "CastLike", "Celu", "Clip", "Div", "Dropout", "Erf", "Erfc", "Exp",
    "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul",
    "Neg", "PRelu", "Pow", "Reciprocal", "Selu", "Sqrt", "Sub", "Sum", "Swish", "Where",
}  # fmt: skip
_ML_DOMAIN, _ML_OPSET = "ai.onnx.ml", 3
# From it on BatchNormalization says whether it trains. Before, the package's implementation takes
# the batch's own statistics.
_INFERENCE_OPSET = 14

_BY_OPERATOR = {owner.onnx_operator: owner for owner in Activation.of_kinds()}


def named_activation(node: Node) -> Activation | None:
    """Return the activation that a single operator is; ValueError if its options are not valid."""
    owner = None if node.domain else _BY_OPERATOR.get(node.op)
    return None if owner is None else owner.from_onnx(node.attributes)


def activation_values(activation: Activation, rows: Array) -> Array:
    """Return what the core makes of rows in float64; NaN for rows that are not finite."""
    finite = np.isfinite(rows).all(axis=1, keepdims=True)
    net = Sequential([Input(rows.shape[1]), ActivationLayer(activation)], seed=0, dtype="float64")
    values = net.predict(np.where(finite, rows, 0.0), num_threads=1)
    return np.where(finite, values, np.nan)


def is_evaluable(node: Node) -> bool:
    """Whether a node is a function of rows, element by element or over the columns."""
    return not node.domain and (node.op in _OPERATORS or named_activation(node) is not None)


def evaluate(
    nodes: Sequence[NodeProto], known: Mapping[str, Array], opset: int
) -> dict[str, Array]:
    """Return the outputs of the last of some nodes, given what they read from outside.

    The caller answers for what the nodes are. ValueError if inputs or attributes do not fit.
    """
    from onnx import GraphProto, ValueInfoProto
    from onnx.reference import ReferenceEvaluator

    names = [name for name in nodes[-1].output if name]
    entries, ends = ([ValueInfoProto(name=name) for name in each] for each in (known, names))
    graph = GraphProto(node=nodes, input=entries, output=ends)
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opsets = {"": opset, _ML_DOMAIN: _ML_OPSET}
            evaluator = ReferenceEvaluator(graph, opsets=opsets, new_ops=own_operators())
            values = evaluator.run(None, dict(known))
    except MemoryError:
        raise
    # The package says what does not fit by exceptions of many kinds.
    except Exception as error:
        raise ValueError(str(error.__cause__ or error)) from error
    return dict(zip(names, map(np.asarray, values), strict=True))


def evaluate_in_double(
    nodes: Sequence[Node], known: Mapping[str, Array], opset: int
) -> dict[str, Array]:
    """Return what nodes make of rows and constants, as `evaluate`, but all in float64."""
    if any(node.op == "BatchNormalization" for node in nodes):
        opset = max(opset, _INFERENCE_OPSET)
    doubles = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in known.items()}
    for node in nodes:
        if node.op == "Reshape" and not node.domain:
            # A file may have a number of rows that is not that of these.
            sizes = np.array(doubles[node.inputs[1]])
            sizes[:1] = len(doubles[node.inputs[0]])
            doubles[node.inputs[1]] = sizes
        index = {"Gather": 1, "OneHot": 0}.get(node.op)
        if index is not None and not node.domain and node.inputs[index] in doubles:
            # Rows of an input of integers are of double, too.
            doubles[node.inputs[index]] = doubles[node.inputs[index]].astype(np.int64)
        if node.op == "OneHot" and doubles[node.inputs[1]].size == 1:
            # A depth in a list is valid, but not for the reference implementation.
            doubles[node.inputs[1]] = doubles[node.inputs[1]].reshape(())
    return evaluate([_in_double(node) for node in nodes], doubles, opset)


def _in_double(node: Node) -> NodeProto:
    """Return a node without roundings to float."""
    from onnx import helper

    proto = node.proto
    if not node.domain and node.op == "Cast" and node.attributes.get("to") in FLOAT_TYPES:
        return helper.make_node("Cast", proto.input, proto.output, to=DOUBLE)
    if node.op == "ZipMap":  # a map of names to the columns
        return helper.make_node("Identity", proto.input, proto.output)
    return proto
