# SPDX-License-Identifier: Apache-2.0
"""Operators on constants give the weights that ONNX's reference evaluator gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from onnx_graphs import model, node, onnx

import chainrule as cr

reference = pytest.importorskip("onnx.reference")

POSITIVE = np.array([[0.25, 1.0, 1.5], [2.0, 0.5, 3.0]], dtype=np.float32)
MIXED = np.array([[-2.0, -0.25, 0.0], [0.5, 1.0, 3.0]], dtype=np.float32)
OTHER = np.array([[1.0, -0.25, 0.5], [-1.5, 2.0, 3.0]], dtype=np.float32)
CONDITION = np.array([[True, False, True], [False, True, False]])
AXIS = np.array([-1], dtype=np.int64)
CASES = {
    "Abs": [MIXED],
    "Add": [MIXED, OTHER],
    "Celu": [MIXED],
    "Clip": [MIXED, np.float32(-0.5), np.float32(0.75)],
    "Div": [MIXED, POSITIVE],
    "Elu": [MIXED],
    "Erf": [MIXED],
    "Exp": [MIXED],
    "Greater": [MIXED, OTHER],
    "GreaterOrEqual": [MIXED, OTHER],
    "Identity": [MIXED],
    "LeakyRelu": [MIXED],
    "Less": [MIXED, OTHER],
    "LessOrEqual": [MIXED, OTHER],
    "Log": [POSITIVE],
    "Max": [MIXED, OTHER, np.float32(0.25)],
    "Min": [MIXED, OTHER, np.float32(0.25)],
    "Mul": [MIXED, OTHER],
    "Neg": [MIXED],
    "PRelu": [MIXED, np.array([0.1, 0.2, 0.3], dtype=np.float32)],
    "Pow": [POSITIVE, OTHER],
    "Reciprocal": [POSITIVE],
    "ReduceMax": [MIXED],
    "ReduceMean": [MIXED],
    "ReduceSum": [MIXED, AXIS],
    "Relu": [MIXED],
    "Selu": [MIXED],
    "Sigmoid": [MIXED],
    "Softmax": [MIXED],
    "Softplus": [MIXED],
    "Sqrt": [POSITIVE],
    "Sub": [MIXED, OTHER],
    "Sum": [MIXED, OTHER, POSITIVE],
    "Tanh": [MIXED],
    "Where": [CONDITION, MIXED, OTHER],
}
ATTRIBUTES = {
    "Celu": {"alpha": 0.5},
    "Elu": {"alpha": 0.5},
    "LeakyRelu": {"alpha": 0.25},
    "ReduceMax": {"axes": [-1]},
    "ReduceMean": {"axes": [-1]},
    "Selu": {"alpha": 1.5, "gamma": 2.0},
}


def graph(op, constants):
    """Return a model that multiplies x by what the operator makes of the constants."""
    names = [f"c{i}" for i in range(len(constants))]
    nodes = [
        node(op, " ".join(names), "raw", **ATTRIBUTES.get(op, {})),
        node("Cast", "raw", "weight", to=onnx.TensorProto.FLOAT),
        node("MatMul", "x weight", "y"),
    ]
    return model(nodes, dict(zip(names, constants, strict=True)), columns=2)


@pytest.mark.parametrize("op", CASES)
def test_weights_from_constants(op):
    content = graph(op, CASES[op])
    rows = np.eye(2, dtype=np.float32)
    (expected,) = reference.ReferenceEvaluator(content).run(None, {"x": rows})
    net = cr.from_onnx(content)
    weight = next(value for name, value in net.parameters.items() if name.endswith("weight"))
    np.testing.assert_allclose(weight, expected, rtol=1e-6, atol=1e-7)


def test_an_operator_that_keras_leaves():
    """ONNX has no Erfc, but tf2onnx writes it for gelu."""
    weight = cr.from_onnx(graph("Erfc", [MIXED])).parameters["0.weight"]
    np.testing.assert_allclose(weight, np.vectorize(math.erfc)(MIXED), rtol=1e-6)


@pytest.mark.parametrize(
    ("op", "count"), [("Abs", 2), ("Add", 3), ("GreaterOrEqual", 3), ("Sub", 1), ("Where", 2)]
)
def test_operators_with_too_many_or_few_inputs(op, count):
    with pytest.raises(ValueError, match=op):
        cr.from_onnx(graph(op, [MIXED] * count))


@pytest.mark.parametrize("name", ["FLOAT16", "DOUBLE", "INT32", "INT64"])
def test_weights_that_were_of_another_type(name):
    nodes = [
        node("Cast", "c", "other", to=onnx.TensorProto.DataType.Value(name)),
        node("Cast", "other", "weight", to=onnx.TensorProto.FLOAT),
        node("MatMul", "x weight", "y"),
    ]
    values = MIXED if name in ("FLOAT16", "DOUBLE") else 4 * MIXED
    net = cr.from_onnx(model(nodes, {"c": values}, columns=2))
    np.testing.assert_array_equal(net.parameters["0.weight"], values)
