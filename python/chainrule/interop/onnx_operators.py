# SPDX-License-Identifier: Apache-2.0
"""What ONNX operators compute, on small arrays: to fold constants and to recognise activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import activations
from chainrule.activations import Activation
from chainrule.interop.onnx_model import Node
from chainrule.layers import Activation as ActivationLayer
from chainrule.layers import Input, Layer
from chainrule.network.sequential import Sequential

__all__ = [
    "REDUCTIONS",
    "activation_values",
    "evaluate",
    "is_evaluable",
    "named_activation",
    "shortest",
]

Array = NDArray[Any]

REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceSum", "Softmax"})
# Of the operator's documentation.
_SELU_ALPHA, _SELU_GAMMA = 1.67326319217681884765625, 1.05070102214813232421875


def named_activation(node: Node) -> Activation | None:
    """Return the activation that a single operator is; ValueError if its options are not valid."""
    if node.domain:
        return None
    if node.op in ("Relu", "Sigmoid", "Softplus", "Tanh"):
        return Activation.get(node.op.lower())
    if node.op == "LeakyRelu":
        return activations.LeakyRelu(shortest(_number(node, "alpha", 0.01)))
    if node.op == "Elu":
        return activations.Elu(shortest(_number(node, "alpha", 1.0)))
    if node.op == "Gelu":
        return activations.Gelu(str(node.attributes.get("approximate", "none")))
    # Before opset 13 the default axis was 1; on rows of columns that is the last one too.
    if node.op == "Softmax" and node.attributes.get("axis", -1) in (-1, 1):
        return activations.Softmax()
    return None


def shortest(value: float) -> float:
    """Return the decimal number that was meant by one of 32 bits; others are returned as they are.

    Examples
    --------
    >>> import numpy as np
    >>> shortest(float(np.float32(0.9))), shortest(1 / 3)
    (0.9, 0.3333333333333333)
    """
    single = np.float32(value)
    return float(str(single)) if abs(float(single) - value) <= 1e-12 * abs(value) else value


def activation_values(activation: Activation, rows: Array) -> Array:
    """Return what the core makes of rows in float64.

    Parameters
    ----------
    activation : Activation
        Which one.
    rows : ndarray of shape (rows, columns)
        Finite numbers are expected; rows with others give NaN.

    Returns
    -------
    ndarray of float64 of the same shape
    """
    rows = np.array(rows, dtype=np.float64, ndmin=2)
    finite = np.isfinite(rows).all(axis=1, keepdims=True)
    layers: list[Layer | Input] = [Input(rows.shape[1]), ActivationLayer(activation)]
    net = Sequential(layers, seed=0, dtype="float64")
    values = net.predict(np.where(finite, rows, 0.0), num_threads=1)
    return np.where(finite, values, np.nan)


def is_evaluable(node: Node) -> bool:
    """Whether `evaluate` knows the operator."""
    return not node.domain and (node.op in _FUNCTIONS or named_activation(node) is not None)


def evaluate(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    """Return the first output of an operator.

    Parameters
    ----------
    node : Node
        One that `is_evaluable`.
    inputs : sequence of ndarray or None
        Its inputs; None for those left out.
    opset : int
        Version of the operator.

    Returns
    -------
    ndarray

    Raises
    ------
    LookupError, TypeError, ValueError
        If inputs or attributes are missing or do not fit.
    """
    with np.errstate(all="ignore"):
        function = _FUNCTIONS.get(node.op)
        if function is not None:
            return function(node, inputs, opset)
        activation = named_activation(node)
        if activation is None:
            raise ValueError(f"{node.op} is not known")
        return activation_values(activation, _needed(inputs[0]))


def _needed(array: Array | None) -> Array:
    if array is None:
        raise ValueError("an input is missing")
    return array


def _number(node: Node, name: str, default: float) -> float:
    value = node.attributes.get(name, default)
    if not isinstance(value, int | float):
        raise ValueError(f"attribute {name} must be a number")
    return float(value)


def _elementwise(function: Callable[..., Array], count: int) -> Callable[..., Array]:
    def apply(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
        arrays = [_needed(array) for array in inputs]
        if len(arrays) != count:
            raise ValueError(f"{node.op} takes {count} inputs, got {len(arrays)}")
        return np.asarray(function(*arrays))

    return apply


def _folded(function: Callable[..., Array]) -> Callable[..., Array]:
    def apply(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
        result = _needed(inputs[0])
        for array in inputs[1:]:
            result = function(result, _needed(array))
        return result

    return apply


def _reduction(function: Callable[..., Array]) -> Callable[..., Array]:
    def apply(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
        axes = node.attributes.get("axes")
        if axes is None and len(inputs) > 1:
            axes = inputs[1]
        rows = _needed(inputs[0])
        if not isinstance(axes, np.ndarray) or axes.reshape(-1).tolist() not in ([-1], [1]):
            raise ValueError(f"{node.op} is known over the last axis only")
        if not node.attributes.get("keepdims", 1):
            raise ValueError(f"{node.op} is known with keepdims only")
        return np.asarray(function(rows, axis=-1, keepdims=True))

    return apply


def _clip(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    bounds: list[Any] = [*inputs[1:3], None, None][:2]
    if opset < 11:
        bounds = [node.attributes.get(name) for name in ("min", "max")]
    values = _needed(inputs[0])
    if bounds[0] is not None:
        values = np.maximum(values, bounds[0])
    return values if bounds[1] is None else np.minimum(values, bounds[1])


def _selu(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    elu = activations.Elu(_number(node, "alpha", _SELU_ALPHA))
    return _number(node, "gamma", _SELU_GAMMA) * activation_values(elu, _needed(inputs[0]))


def _celu(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    alpha, values = _number(node, "alpha", 1.0), _needed(inputs[0])
    return np.where(values > 0, values, alpha * np.expm1(values / alpha))


def _swish(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    values = _needed(inputs[0])
    scaled = _number(node, "alpha", 1.0) * values
    return values * activation_values(activations.Sigmoid(), scaled)


def _prelu(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    values, slope = (_needed(array) for array in inputs)
    return np.where(values < 0, slope * values, values)


def _erf(values: Array) -> Array:
    return np.array([math.erf(value) for value in values.ravel()]).reshape(values.shape)


def _same(node: Node, inputs: Sequence[Array | None], opset: int) -> Array:
    return _needed(inputs[0])


_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "Cast": _same,
    "CastLike": _same,
    "Celu": _celu,
    "Clip": _clip,
    "Dropout": _same,
    "Identity": _same,
    "Max": _folded(np.maximum),
    "Min": _folded(np.minimum),
    "PRelu": _prelu,
    "ReduceMax": _reduction(np.max),
    "ReduceMean": _reduction(np.mean),
    "ReduceSum": _reduction(np.sum),
    "Selu": _selu,
    "Sum": _folded(np.add),
    "Swish": _swish,
} | {
    op: _elementwise(function, count)
    for op, function, count in (
        ("Abs", np.abs, 1),
        ("Add", np.add, 2),
        ("Div", np.divide, 2),
        ("Erf", _erf, 1),
        # Not of ONNX, but tf2onnx leaves it where Keras has gelu.
        ("Erfc", lambda values: 1.0 - _erf(values), 1),
        ("Exp", np.exp, 1),
        ("Greater", np.greater, 2),
        ("GreaterOrEqual", np.greater_equal, 2),
        ("Less", np.less, 2),
        ("LessOrEqual", np.less_equal, 2),
        ("Log", np.log, 1),
        ("Mul", np.multiply, 2),
        ("Neg", np.negative, 1),
        ("Pow", np.power, 2),
        ("Reciprocal", partial(np.divide, 1.0), 1),
        ("Sqrt", np.sqrt, 1),
        ("Sub", np.subtract, 2),
        ("Where", np.where, 3),
    )
}
