# SPDX-License-Identifier: Apache-2.0
"""ONNX models written with onnx's own helpers, and what onnxruntime makes of them."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="these graphs are written with its helpers")


def node(op, inputs, outputs, **attributes):
    return onnx.helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def model(nodes, constants=None, *, columns=4, opset=17, output="y", element=1, shape=None):
    """Return the bytes of a model from x, of (rows, columns), to `output`."""
    shape = ["rows", columns] if shape is None else shape
    graph = onnx.helper.make_graph(
        nodes,
        "graph",
        [onnx.helper.make_tensor_value_info("x", element, shape)],
        [onnx.helper.make_tensor_value_info(output, element, None)],
        [onnx.numpy_helper.from_array(np.asarray(v), n) for n, v in (constants or {}).items()],
    )
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
