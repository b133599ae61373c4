# SPDX-License-Identifier: Apache-2.0
"""Constants of an ONNX graph: initializers, and what nodes make of constants alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_evaluation import REDUCTIONS, evaluate, is_evaluable
from chainrule.interop.onnx_model import NUMBER_TYPES, Array, Graph, Node, Value, array_of

__all__ = ["ConstantFolder", "reshaped"]

# In the shape of what depends on the input, the number of rows is unknown.
_ROWS = -1
_SLACK = 65536
_SHAPE_KEEPING = ("BatchNormalization", "LayerNormalization")
# What only moves elements, and makes no more of them.
_STRUCTURAL = frozenset(
    {"Concat", "Flatten", "Gather", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)
_LARGEST_SHAPE = 64
_OF_WINDOWS = frozenset(
    {"AveragePool", "Conv", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "Resize"}
)


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
            if node.op == "Constant":
                self._known[node.made] = _constant(node)
                return True
            if node.op == "ConstantOfShape":
                self._known[node.made] = self._filled(node)
                return True
            given = {name: self[name] for name in filter(None, node.inputs)}
            if not given or not (node.op in _STRUCTURAL or is_evaluable(node)):
                return False
            if _size_made(node, given, self._graph.opset) > self._left:
                raise ValueError("the constants that nodes make are larger than the file")
            made = evaluate([node.proto], given, self._graph.opset)[node.made]
            if not any(np.may_share_memory(made, each) for each in given.values()):
                self._left -= made.nbytes
            self._known[node.made] = made.astype(np.float32) if made.dtype == np.float16 else made
            return True
        except ModelFileError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(f"{node} does not fit its inputs: {error}") from error

    def _filled(self, node: Node) -> Array:
        """Return what a ConstantOfShape makes; of an unknown number of equal rows, one."""
        # Recurrent operators of PyTorch begin with such states.
        from onnx import TensorProto

        given = node.attributes.get("value")
        value = array_of(given) if isinstance(given, TensorProto) else np.zeros(1, np.float32)
        sizes = [1 if n == _ROWS else int(n) for n in self[node.inputs[0]].reshape(-1)]
        self._left -= math.prod(sizes) * value.itemsize
        if self._left < 0 or min(sizes, default=1) < 0:
            raise ValueError("the constants that nodes make are larger than the file")
        return np.full(sizes, value.reshape(()))

    def _follow_shape(self, node: Node) -> None:
        """Note the shape of what a node makes, if it is known from that of what it reads."""
        varying = [name for name in node.inputs if name and name not in self]
        if len(varying) != 1 or varying[0] not in self.shapes:
            return
        shape = self.shapes[varying[0]]
        if node.op == "Reshape":
            sizes = [int(size) for size in self[node.inputs[1]].reshape(-1)]
            row = reshaped(sizes, shape[1:], bool(node.attributes.get("allowzero", 0)))
            if row is None:
                return
            shape = (_ROWS, *row)
        elif node.op == "Transpose":
            axes = node.attributes.get("perm")
            if not isinstance(axes, np.ndarray) or sorted(axes) != [*range(len(shape))]:
                return
            shape = tuple(shape[axis] for axis in axes)
        elif node.op == "Flatten":
            shape = (_ROWS, math.prod(shape[1:]))
        elif node.op == "MatMul" and varying[0] == node.inputs[1]:
            if len(shape) < 3:  # which would join rows
                return
            shape = (*shape[:-2], self[node.inputs[0]].shape[-2], shape[-1])
        elif node.op in ("Gemm", "MatMul"):
            weight = self[node.inputs[1]]
            shape = (*shape[:-1], weight.shape[0 if node.attributes.get("transB") else -1])
        elif node.op in _OF_WINDOWS:
            given = {name: self[name] for name in node.inputs[1:] if name}
            extents = _extents_made(node, shape, given, self._graph.opset)
            if extents is None:
                return
            shape = extents
        elif not _keeps_shape(node):
            return
        self.shapes[node.made] = shape


def _extents_made(
    node: Node, shape: Sequence[int], given: Mapping[str, Array], opset: int
) -> tuple[int, ...] | None:
    """Return the shape of what a node makes of a batch and constants, None where it is unknown."""
    from onnx import TensorProto, helper

    rows = helper.make_tensor_type_proto(TensorProto.FLOAT, ["rows", *shape[1:]])
    try:
        made = _inferred(node, {node.inputs[0]: rows}, given, opset)
    except ValueError:  # what reads the node says why
        return None
    dims = made.shape.dim
    if made.HasField("shape") and all(dim.HasField("dim_value") for dim in dims[1:]):
        return (_ROWS, *(dim.dim_value for dim in dims[1:]))
    return None


def _inferred(node: Node, types: Mapping[str, Any], given: Mapping[str, Array], opset: int) -> Any:
    """Return the type that the package infers for what a node makes of types and constants."""
    from onnx import defs, helper, numpy_helper, shape_inference

    constants = {
        name: helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(a.dtype), a.shape)
        for name, a in given.items()
    }
    shapes = {n: numpy_helper.from_array(a) for n, a in given.items() if a.size <= _LARGEST_SHAPE}
    try:
        return shape_inference.infer_node_outputs(
            defs.get_schema(node.op, opset, ""),
            node.proto,
            {**types, **constants},
            shapes,
            opset_imports=[helper.make_opsetid("", opset)],
        )[node.made].tensor_type
    # The package says what does not fit by exceptions of many kinds.
    except Exception as error:
        raise ValueError(str(error)) from error


def _keeps_shape(node: Node) -> bool:
    if node.op in _SHAPE_KEEPING:
        return True
    return is_evaluable(node) and node.op not in REDUCTIONS - {"Softmax"}


def reshaped(sizes: Sequence[int], row: tuple[int, ...], allowzero: bool) -> tuple[int, ...] | None:
    """Return the shape of a row that a batch's new shape gives rows of another one.

    None if it joins rows or parts them. 0 stands for the size that was there, -1 for what is left.
    """
    if len(sizes) < 2:
        return None
    if not allowzero:
        before = (_ROWS, *row, *([0] * len(sizes)))
        sizes = [size or before[axis] for axis, size in enumerate(sizes)]
    new, total = [*sizes[1:]], math.prod(row)
    if -1 in new:
        rest = math.prod(size for size in new if size != -1)
        if new.count(-1) > 1 or rest < 1 or total % rest:
            return None
        new[new.index(-1)] = total // rest
    return tuple(new) if min(new) > 0 and math.prod(new) == total else None


def _size_made(node: Node, given: Mapping[str, Array], opset: int) -> int:
    """Return the bytes that a node makes of constants; ValueError if that cannot be told."""
    from onnx import helper

    arrays = list(given.values())
    if len(node.inputs) > 2 and node.op == "Dropout" and given[node.inputs[2]].any():
        raise ValueError("it is in training mode")
    if node.op == "Erfc":  # which ONNX lacks
        return arrays[0].nbytes
    made = _inferred(node, {}, given, opset)
    if made.elem_type not in NUMBER_TYPES or not made.HasField("shape"):
        raise ValueError("it makes no numbers")
    if not all(dim.HasField("dim_value") for dim in made.shape.dim):
        raise ValueError("it makes an unknown number of elements")
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(made.elem_type))
    return int(math.prod(dim.dim_value for dim in made.shape.dim) * dtype.itemsize)


def _constant(node: Node) -> Array:
    from onnx import TensorProto

    value = node.attributes.get("value")
    if isinstance(value, TensorProto):
        return array_of(value)
    for name in ("value_float", "value_floats", "value_int", "value_ints"):
        if (value := node.attributes.get(name)) is not None:
            return np.asarray(value, dtype=np.float32 if "float" in name else np.int64)
    raise ValueError("it has no value that is supported")


def _integer(node: Node, name: str, default: int | None = None) -> int:
    value = node.attributes.get(name, default)
    if not isinstance(value, int):
        raise ValueError(f"attribute {name} must be an integer")
    return value
