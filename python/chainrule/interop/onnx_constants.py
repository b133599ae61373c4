# SPDX-License-Identifier: Apache-2.0
"""Constants of an ONNX graph: initializers, and what nodes make of constants alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_model import NUMBER_TYPES, Array, Graph, Node, Value, array_of
from chainrule.interop.onnx_operators import evaluate, is_evaluable

__all__ = ["ConstantFolder"]

# In the shape of what depends on the input, the number of rows is unknown.
_ROWS = -1
_SLACK = 65536
_SHAPE_KEEPING = ("BatchNormalization", "LayerNormalization")
# What only moves elements, and makes no more of them.
_STRUCTURAL = frozenset(
    {"Concat", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)
_LARGEST_SHAPE = 64


class ConstantFolder:
    """The constants by name, computed as far as they are needed.

    What is computed may take as many bytes as the file has, `size`, and a little more. `shapes` are
    those of what depends on the input, as far as they are known, with -1 for the number of rows.
    """

    def __init__(self, graph: Graph, inputs: Iterable[Value], size: int) -> None:
        self._graph = graph
        self._left = size + _SLACK
        self._known: dict[str, Array] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        for entry in inputs:
            if entry.shape and all(dim is not None for dim in entry.shape[1:]):
                self.shapes[entry.name] = (_ROWS, *(dim or 0 for dim in entry.shape[1:]))

    def __contains__(self, name: str) -> bool:
        """Whether the tensor of that name is a constant."""
        return name in self._known or name in self._graph.initializers

    def __getitem__(self, name: str) -> Array:
        """Return a constant; KeyError if it is none, ModelFileError if it is not valid."""
        if name not in self._known:
            self._known[name] = array_of(self._graph.initializers[name])
        return self._known[name]

    def fold(self, node: Node) -> bool:
        """Compute a node if it depends on constants or known shapes alone; return whether it did.

        The nodes that make its inputs must have been offered before. ModelFileError if its inputs
        or attributes do not fit, or the result would be too large.
        """
        if node.domain or not node.outputs:
            return False
        try:
            if node.op == "Shape" and node.inputs and node.inputs[0] in self.shapes:
                shape = self.shapes[node.inputs[0]]
                start, end = _integer(node, "start", 0), _integer(node, "end", len(shape))
                self._known[node.made] = np.array(shape[start:end])
                return True
            if not all(name in self for name in filter(None, node.inputs)):
                self._follow_shape(node)
                return False
            values = [self[name] if name else None for name in node.inputs]
            if node.op == "Constant":
                self._known[node.made] = _constant(node)
                return True
            if not values or not (node.op in _STRUCTURAL or is_evaluable(node)):
                return False
            self._spend(_bytes_to_make(node, values))
            given = {name: self[name] for name in filter(None, node.inputs)}
            made = evaluate([node.proto], given, self._graph.opset)
            self._known[node.made] = made.astype(np.float32) if made.dtype == np.float16 else made
            return True
        except ModelFileError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(f"{node} does not fit its inputs: {error}") from error

    def _spend(self, size: int) -> None:
        """Count bytes that a node is about to take; ValueError where they would be too many."""
        self._left -= size
        if self._left < 0:
            raise ValueError("the constants that nodes make are larger than the file")

    def _follow_shape(self, node: Node) -> None:
        """Note the shape of what a node makes, if it is known from that of what it reads."""
        varying = [name for name in node.inputs if name and name not in self]
        if len(varying) != 1 or varying[0] not in self.shapes:
            return
        shape = self.shapes[varying[0]]
        if node.op == "Flatten":
            shape = (_ROWS, math.prod(shape[1:]))
        elif node.op in ("Gemm", "MatMul"):
            weight = self[node.inputs[1]]
            shape = (*shape[:-1], weight.shape[0 if node.attributes.get("transB") else -1])
        elif not is_evaluable(node) and node.op not in _SHAPE_KEEPING:
            return
        self.shapes[node.made] = shape


def _bytes_to_make(node: Node, inputs: Sequence[Array | None]) -> int:
    """Return the bytes that a node's output takes beside its inputs; ValueError if too many."""
    arrays = [array for array in inputs if array is not None]
    array = _input(inputs, 0)
    if node.op == "Gather":
        indices, axis = _input(inputs, 1), _integer(node, "axis", 0)
        if indices.size > array.shape[axis]:
            raise ValueError("there are more indices than elements")
        made = int(array.nbytes // max(1, array.shape[axis]) * indices.size)
        return made if array.flags.c_contiguous else made + array.nbytes
    if node.op == "Concat":
        if sum(each.size for each in arrays) > _LARGEST_SHAPE:
            raise ValueError("only shapes can be joined")
        return sum(each.nbytes for each in arrays)
    if node.op in _STRUCTURAL:
        return 0 if array.flags.c_contiguous else array.nbytes
    if node.op in ("Cast", "CastLike"):
        _check_cast(node, inputs)
        return array.nbytes
    if node.op == "Dropout" and len(inputs) > 2 and inputs[2] is not None and inputs[2].any():
        raise ValueError("it is in training mode")
    shape = np.broadcast_shapes(*(each.shape for each in arrays))
    if math.prod(shape) > max(each.size for each in arrays):
        raise ValueError("the result has more elements than any input")
    return sum(each.nbytes for each in arrays)


def _check_cast(node: Node, inputs: Sequence[Array | None]) -> None:
    """Raise ValueError for a conversion that makes no numbers, or of weights to a larger type."""
    from onnx import helper

    array = _input(inputs, 0)
    if node.op == "CastLike":
        dtype = _input(inputs, 1).dtype
    elif _integer(node, "to") in NUMBER_TYPES:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(_integer(node, "to")))
    else:
        raise ValueError("conversion to this type is not supported")
    if array.size > _LARGEST_SHAPE and dtype.itemsize > array.itemsize:
        raise ValueError("conversion of weights to a larger type is not supported")


def _constant(node: Node) -> Array:
    from onnx import TensorProto

    value = node.attributes.get("value")
    if isinstance(value, TensorProto):
        return array_of(value)
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        if (value := node.attributes.get(name)) is not None:
            return np.asarray(value, dtype=np.float32 if "float" in name else np.int64)
    raise ValueError("it has no value that is supported")


def _input(inputs: Sequence[Array | None], index: int) -> Array:
    array = inputs[index] if index < len(inputs) else None
    if array is None:
        raise ValueError(f"input {index} is missing")
    return array


def _integer(node: Node, name: str, default: int | None = None) -> int:
    value = node.attributes.get(name, default)
    if not isinstance(value, int):
        raise ValueError(f"attribute {name} must be an integer")
    return value
