# SPDX-License-Identifier: Apache-2.0
"""The shape of an ONNX graph's input, where the file says less than a network must know."""

from __future__ import annotations

import numpy as np

from chainrule.interop.onnx_evaluation import REDUCTIONS, is_evaluable
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_import_recurrence import RECURRENT_OPERATORS
from chainrule.interop.onnx_import_windows import WINDOW_OPERATORS
from chainrule.interop.onnx_model import Value

__all__ = ["input_shape", "is_flattened"]

# What reads rows of several axes, whose extents its constants do not tell.
_OF_SHAPES = RECURRENT_OPERATORS.keys() | WINDOW_OPERATORS.keys()


def is_flattened(part: Slice, name: str) -> bool:
    """Whether all that reads an input makes its rows flat before anything depends on their axes."""
    reached = {name}
    for node in part.nodes:
        if reached.isdisjoint(node.inputs) or node.op == "Flatten":
            continue
        shape = part.constants[node.inputs[1]] if node.op == "Reshape" else None
        if shape is not None and shape.size == 2:
            continue
        if not is_evaluable(node) or node.op in REDUCTIONS or node.op == "Concat":
            return False
        reached.add(node.made)
    return reached.isdisjoint(part.outputs)


def input_shape(part: Slice, value: Value) -> tuple[int] | None:
    """Return the shape of an input's rows by what reads it, None where that does not tell."""
    columns = _input_columns(part, value)
    return None if columns is None else (columns,)


def _input_columns(part: Slice, value: Value) -> int | None:
    """Return how many columns an input has by the first constant that tells."""
    reached = {value.name}
    for node in part.nodes:
        if reached.isdisjoint(node.inputs):
            continue
        encodes = node.op in {"OneHot", "OneHotEncoder", "Slice", *_OF_SHAPES}
        if encodes or (node.op == "Gather" and node.inputs[0] in part.constants):
            return None  # which any number of columns fits
        arrays = [part.constants[name] for name in node.inputs if name in part.constants]
        arrays += [each for each in node.attributes.values() if isinstance(each, np.ndarray)]
        widest = max(arrays, key=np.size, default=None)
        if widest is not None and node.op == "Reshape":
            if widest.size == 2 and widest.reshape(-1)[1] > 0:
                return int(widest.reshape(-1)[1])
        elif widest is not None and node.op in ("Gemm", "MatMul"):
            return int(arrays[0].shape[-1 if node.attributes.get("transB", 0) else 0])
        elif widest is not None and widest.size > 1:
            return int(widest.shape[-1])
        reached.add(node.made)
    return None
