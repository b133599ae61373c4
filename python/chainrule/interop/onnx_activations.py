# SPDX-License-Identifier: Apache-2.0
"""Activations as ONNX operators: formulas where one operator does not do, or not everywhere.

onnxruntime has Elu, Softplus and Erf for float only, so graphs of double spell these out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from chainrule.interop.onnx_writer import GraphWriter

__all__ = ["add_activation"]

_GELU_OPSET = 20
# erfc(x) = t exp(-x**2 + a polynomial of t) with t = 1 / (1 + x / 2); highest power first.
_ERFC = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)


def add_activation(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    """Add an activation, by its `Activation.config`, to what the graph made last."""
    _ACTIVATIONS[config["kind"]](graph, config)


def _linear(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    pass


def _operator(op: str, **attributes: int) -> Callable[[GraphWriter, Mapping[str, Any]], None]:
    def add(graph: GraphWriter, config: Mapping[str, Any]) -> None:
        graph.add(op, **attributes)

    return add


def _leaky_relu(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    if graph.dtype == "float32":
        graph.add("LeakyRelu", alpha=float(config["negative_slope"]))
        return
    # An attribute would round the slope to 32 bits.
    z = graph.current
    negative = graph.add("Min", z, graph.scalar(0.0))
    scaled = graph.add("Mul", negative, graph.scalar(config["negative_slope"]))
    graph.add("Add", graph.add("Relu", z), scaled)


def _elu(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    if graph.dtype == "float32":
        graph.add("Elu", alpha=float(config["alpha"]))
        return
    z = graph.current
    power = graph.add("Exp", graph.add("Min", z, graph.scalar(0.0)))
    below = graph.add(
        "Mul", graph.add("Sub", power, graph.scalar(1.0)), graph.scalar(config["alpha"])
    )
    graph.add("Add", graph.add("Relu", z), below)


def _gelu(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    if graph.dtype != "float32":
        _gelu_by_erfc(graph)
        return
    if graph.opset >= _GELU_OPSET:
        graph.add("Gelu", approximate="none")
        return
    z = graph.current
    erf = graph.add("Erf", graph.add("Mul", z, graph.scalar(math.sqrt(0.5))))
    twice = graph.add("Mul", z, graph.add("Add", erf, graph.scalar(1.0)))
    graph.add("Mul", twice, graph.scalar(0.5))


def _gelu_by_erfc(graph: GraphWriter) -> None:
    """Add max(0, z) - a erfc(a / sqrt(2)) / 2 with a = abs(z), to 1.2e-7 of the second term.

    References
    ----------
    Press et al., "Numerical recipes", 2nd edition, 6.2, for erfc.
    """
    z = graph.current
    size = graph.add("Abs", z)
    x = graph.add("Mul", size, graph.scalar(math.sqrt(0.5)))
    half = graph.add("Mul", x, graph.scalar(0.5))
    t = graph.add("Reciprocal", graph.add("Add", half, graph.scalar(1.0)))
    total = graph.scalar(_ERFC[0])
    for coefficient in _ERFC[1:]:
        total = graph.add("Add", graph.add("Mul", total, t), graph.scalar(coefficient))
    exponent = graph.add("Sub", total, graph.add("Mul", x, x))
    erfc = graph.add("Mul", t, graph.add("Exp", exponent))
    below = graph.add("Mul", graph.add("Mul", size, graph.scalar(0.5)), erfc)
    graph.add("Sub", graph.add("Relu", z), below)


def _gelu_tanh(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    if graph.dtype == "float32" and graph.opset >= _GELU_OPSET:
        graph.add("Gelu", approximate="tanh")
        return
    z = graph.current
    cube = graph.add("Mul", graph.add("Mul", z, z), z)
    inner = graph.add("Add", z, graph.add("Mul", cube, graph.scalar(0.044715)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.scalar(math.sqrt(2 / math.pi))))
    twice = graph.add("Mul", z, graph.add("Add", tanh, graph.scalar(1.0)))
    graph.add("Mul", twice, graph.scalar(0.5))


def _silu(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    z = graph.current
    graph.add("Mul", z, graph.add("Sigmoid"))


def _softplus(graph: GraphWriter, config: Mapping[str, Any]) -> None:
    if graph.dtype == "float32":
        graph.add("Softplus")
        return
    z = graph.current
    power = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    tail = graph.add("Log", graph.add("Add", power, graph.scalar(1.0)))
    graph.add("Add", graph.add("Relu", z), tail)


_ACTIVATIONS: dict[str, Callable[[GraphWriter, Mapping[str, Any]], None]] = {
    "linear": _linear,
    "relu": _operator("Relu"),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "sigmoid": _operator("Sigmoid"),
    "tanh": _operator("Tanh"),
    "softplus": _softplus,
    "softmax": _operator("Softmax", axis=-1),
    "exponential": _operator("Exp"),
}
