# SPDX-License-Identifier: Apache-2.0
"""Parts of an ONNX graph as functions of rows in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.onnx_constants import ConstantFolder
from chainrule.interop.onnx_graph import Region
from chainrule.interop.onnx_model import Node
from chainrule.interop.onnx_operators import evaluate
from chainrule.interop.onnx_tensor import DOUBLE, FLOAT_TYPES

if TYPE_CHECKING:
    from onnx import NodeProto

__all__ = ["Program"]

Array = NDArray[Any]

# From it on BatchNormalization says whether it trains.
_INFERENCE_OPSET = 14


class Program:
    """The nodes of neighbouring regions as a function of rows, with constants as float64.

    `columns` are those of the widest constant, 0 if all are single numbers.
    """

    def __init__(self, regions: Sequence[Region], constants: ConstantFolder, opset: int) -> None:
        self._regions = regions
        nodes = [node for region in regions for node in region.nodes]
        # Before, the package's implementation takes the batch's own statistics.
        normalizes = any(node.op == "BatchNormalization" for node in nodes)
        self._opset = max(opset, _INFERENCE_OPSET) if normalizes else opset
        self._nodes = [_in_double(node) for node in nodes]
        self._constants: dict[str, Array] = {}
        for name in {name for node in self._nodes for name in node.input if name in constants}:
            array = constants[name]
            self._constants[name] = array.astype(np.float64) if array.dtype.kind == "f" else array
        self.columns = max((a.shape[-1] for a in self._constants.values() if a.size > 1), default=0)

    @property
    def scalars(self) -> list[float]:
        """The constants that are single numbers."""
        return [float(a.reshape(())) for a in self._constants.values() if a.size == 1]

    def __call__(self, rows: Array) -> Array:
        """Return what comes out for rows of float64; ValueError where nodes do not fit."""
        known = {self._regions[0].input: rows, **self._constants}
        return evaluate(self._nodes, known, self._opset)


def _in_double(node: Node) -> NodeProto:
    """Return a node without roundings to float, and without sizes of batches."""
    from onnx import helper

    proto = node.proto
    if not node.domain and node.op == "Cast" and node.attributes.get("to") in FLOAT_TYPES:
        return helper.make_node("Cast", proto.input, proto.output, to=DOUBLE)
    if not node.domain and node.op == "Reshape":
        return helper.make_node("Flatten", proto.input[:1], proto.output)
    if node.op == "ZipMap":  # a map of names to the columns
        return helper.make_node("Identity", proto.input, proto.output)
    return proto
