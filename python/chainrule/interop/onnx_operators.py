# SPDX-License-Identifier: Apache-2.0
"""What ONNX operators compute: the onnx package's reference implementation, for chosen ones.

Only operators of the sets here are run, so that a file cannot ask for others, such as loops.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations import Activation
from chainrule.interop.onnx_model import Node
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import Input, Layer
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = [
    "REDUCTIONS",
    "activation_values",
    "evaluate",
    "is_evaluable",
    "named_activation",
]

Array = NDArray[Any]

REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceSum", "Softmax"})
# Beside activations. Of rows they make rows, and no more elements than their inputs have together.
_OPERATORS = REDUCTIONS - {"Softmax"} | frozenset(
    {
        "Abs",
        "Add",
        "Cast",
        "CastLike",
        "Celu",
        "Clip",
        "Div",
        "Dropout",
        "Erf",
        "Erfc",
        "Exp",
        "Greater",
        "GreaterOrEqual",
        "Identity",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mul",
        "Neg",
        "PRelu",
        "Pow",
        "Reciprocal",
        "Selu",
        "Sqrt",
        "Sub",
        "Sum",
        "Swish",
        "Where",
    }
)
_ML_DOMAIN, _ML_OPSET = "ai.onnx.ml", 3

_BY_OPERATOR = {owner.onnx_operator: owner for owner in Activation.of_kinds()}


def named_activation(node: Node) -> Activation | None:
    """Return the activation that a single operator is; ValueError if its options are not valid."""
    if node.domain:
        return None
    owner = _BY_OPERATOR.get(node.op)
    return None if owner is None else owner.from_onnx(node.attributes)


def activation_values(activation: Activation, rows: Array) -> Array:
    """Return what the core makes of rows in float64; NaN for rows that are not finite."""
    rows = np.array(rows, dtype=np.float64, ndmin=2)
    finite = np.isfinite(rows).all(axis=1, keepdims=True)
    layers: list[Layer | Input] = [Input(rows.shape[1]), ActivationLayer(activation)]
    net = Sequential(layers, seed=0, dtype="float64")
    values = net.predict(np.where(finite, rows, 0.0), num_threads=1)
    return np.where(finite, values, np.nan)


def is_evaluable(node: Node) -> bool:
    """Whether a node is a function of rows, element by element or over the columns."""
    return not node.domain and (node.op in _OPERATORS or named_activation(node) is not None)


def evaluate(nodes: Sequence[NodeProto], known: Mapping[str, Array], opset: int) -> Array:
    """Return the first output of the last of some nodes, given what they read from outside.

    The caller answers for what the nodes are. ValueError if inputs or attributes do not fit.
    """
    from onnx import GraphProto, ValueInfoProto
    from onnx.reference import ReferenceEvaluator

    end = ValueInfoProto(name=nodes[-1].output[0])
    entries = [ValueInfoProto(name=name) for name in known]
    graph = GraphProto(node=nodes, input=entries, output=[end])
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opsets = {"": opset, _ML_DOMAIN: _ML_OPSET}
            evaluator = ReferenceEvaluator(graph, opsets=opsets, new_ops=[_erfc()])
            (values,) = evaluator.run(None, dict(known))
    except MemoryError:
        raise
    # The package says what does not fit by exceptions of many kinds.
    except Exception as error:
        raise ValueError(str(error.__cause__ or error)) from error
    return np.asarray(values)


@functools.cache
def _erfc() -> Any:
    """Return an operator that ONNX lacks, but tf2onnx leaves it where Keras has gelu."""
    from onnx.reference.op_run import OpRun

    class Erfc(OpRun):
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            return (np.array([math.erfc(value) for value in x.ravel()], x.dtype).reshape(x.shape),)

    return Erfc


def _number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    if not isinstance(value, int | float):
        raise ValueError(f"attribute {name} must be a number")
    return float(value)
