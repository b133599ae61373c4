# SPDX-License-Identifier: Apache-2.0
"""Constants of an ONNX graph: initializers, and what nodes make of constants alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_model import Graph, Node, Value
from chainrule.interop.onnx_operators import evaluate, is_evaluable
from chainrule.interop.onnx_tensor import TensorReader

__all__ = ["ConstantFolder"]

Array = NDArray[Any]

# In the shape of what depends on the input, the number of rows is unknown.
_ROWS = -1
_SLACK = 65536
_SHAPE_KEEPING = ("BatchNormalization", "LayerNormalization")
_LARGEST_SHAPE = 64


class ConstantFolder:
    """The constants by name, computed as far as they are needed.

    Parameters
    ----------
    graph : Graph
        As read.
    entry : Value
        The network's input.
    size : int
        Bytes of the file: what is computed may take as many and a little more.

    Attributes
    ----------
    shapes : dict of str to tuple of int
        Shapes of what depends on the input, -1 standing for the number of rows, where they are
        known.
    """

    def __init__(self, graph: Graph, entry: Value, size: int) -> None:
        self._graph = graph
        self._left = size + _SLACK
        self._known: dict[str, Array] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        if entry.shape and all(dim is not None for dim in entry.shape[1:]):
            self.shapes[entry.name] = (_ROWS, *(dim or 0 for dim in entry.shape[1:]))

    def __contains__(self, name: str) -> bool:
        """Whether the tensor of that name is a constant."""
        return name in self._known or name in self._graph.initializers

    def __getitem__(self, name: str) -> Array:
        """Return a constant; KeyError if it is none, ModelFileError if it is not valid."""
        if name not in self._known:
            self._known[name] = _finite(self._graph.initializers[name])
        return self._known[name]

    def fold(self, node: Node) -> bool:
        """Compute a node if it depends on constants, or on known shapes, alone.

        Parameters
        ----------
        node : Node
            Its inputs must have been offered before.

        Returns
        -------
        bool
            Whether its outputs are constants now.

        Raises
        ------
        ModelFileError
            If it does, but its inputs or attributes do not fit or the result is too large.
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
            if node.op in _STRUCTURAL:
                self._spend(_copied(node, values))
                self._known[node.made] = _STRUCTURAL[node.op](node, values)
                return True
            if not values or not is_evaluable(node):
                return False
            arrays = [value for value in values if value is not None]
            if math.prod(np.broadcast_shapes(*(a.shape for a in arrays))) > max(
                a.size for a in arrays
            ):
                raise ValueError("the result has more elements than any input")
            self._spend(sum(a.nbytes for a in arrays))
            self._known[node.made] = evaluate(node, values, self._graph.opset)
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


def _copied(node: Node, inputs: Sequence[Array | None]) -> int:
    """Return the bytes of what a node that only moves elements makes, 0 where that is a view."""
    array = inputs[0] if inputs else None
    if array is None:
        return 0
    if node.op == "Gather":
        indices, axis = _array(inputs, 1), _integer(node, "axis", 0)
        return int(array.nbytes // max(1, array.shape[axis]) * indices.size)
    copied = {"Cast": True, "Concat": True, "Reshape": not array.flags.c_contiguous}
    return array.nbytes if copied.get(node.op, False) else 0


def _finite(tensor: TensorReader) -> Array:
    array = tensor.array()
    if array.dtype.kind == "f":
        # float16 counts as what it is computed in.
        array = array.astype(np.float32) if array.itemsize == 2 else array
        if not np.isfinite(array).all():
            raise ModelFileError(f"tensor {tensor.name!r} has NaN or infinity")
    return array


def _constant(node: Node, inputs: Sequence[Array | None]) -> Array:
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        value = node.attributes.get(name)
        if isinstance(value, TensorReader):
            return _finite(value)
        if value is not None:
            dtype = np.float32 if "float" in name else np.int64
            return np.asarray(value, dtype=dtype)
    raise ValueError("it has no value that is supported")


def _array(inputs: Sequence[Array | None], index: int = 0) -> Array:
    array = inputs[index] if index < len(inputs) else None
    if array is None:
        raise ValueError(f"input {index} is missing")
    return array


def _integer(node: Node, name: str, default: int | None = None) -> int:
    value = node.attributes.get(name, default)
    if not isinstance(value, int):
        raise ValueError(f"attribute {name} must be an integer")
    return value


def _integers(
    node: Node, inputs: Sequence[Array | None], index: int, name: str
) -> list[int] | None:
    """Return what newer opsets have as an input and older ones as an attribute."""
    values = inputs[index] if index < len(inputs) else node.attributes.get(name)
    return [int(n) for n in values.reshape(-1)] if isinstance(values, np.ndarray) else None


def _cast(node: Node, inputs: Sequence[Array | None]) -> Array:
    array = _array(inputs)
    dtype = {1: "f4", 6: "i4", 7: "i8", 10: "f4", 11: "f8"}.get(_integer(node, "to"))
    if dtype is None:
        raise ValueError("conversion to this type is not supported")
    if array.size > _LARGEST_SHAPE and np.dtype(dtype).itemsize > array.itemsize:
        raise ValueError("conversion of weights to a larger type is not supported")
    return array.astype(dtype, copy=False)


def _reshape(node: Node, inputs: Sequence[Array | None]) -> Array:
    array = _array(inputs)
    shape = _integers(node, inputs, 1, "shape") or []
    return array.reshape([array.shape[i] if n == 0 else n for i, n in enumerate(shape)])


def _transpose(node: Node, inputs: Sequence[Array | None]) -> Array:
    return np.transpose(_array(inputs), _integers(node, (), 0, "perm"))


def _unsqueeze(node: Node, inputs: Sequence[Array | None]) -> Array:
    return np.expand_dims(_array(inputs), tuple(_integers(node, inputs, 1, "axes") or ()))


def _squeeze(node: Node, inputs: Sequence[Array | None]) -> Array:
    axes = _integers(node, inputs, 1, "axes")
    return np.squeeze(_array(inputs), None if axes is None else tuple(axes))


def _gather(node: Node, inputs: Sequence[Array | None]) -> Array:
    array, indices = _array(inputs), _array(inputs, 1)
    axis = _integer(node, "axis", 0)
    if indices.size > array.shape[axis]:
        raise ValueError("there are more indices than elements")
    return np.take(array, indices, axis=axis)


def _slice(node: Node, inputs: Sequence[Array | None]) -> Array:
    array = _array(inputs)
    starts = _integers(node, inputs, 1, "starts") or []
    ends = _integers(node, inputs, 2, "ends") or []
    axes = _integers(node, inputs, 3, "axes") or range(len(starts))
    steps = _integers(node, inputs, 4, "steps") or [1] * len(starts)
    parts = [slice(None)] * array.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return array[tuple(parts)]


def _concat(node: Node, inputs: Sequence[Array | None]) -> Array:
    arrays = [_array(inputs, index) for index in range(len(inputs))]
    if sum(array.size for array in arrays) > _LARGEST_SHAPE:
        raise ValueError("only shapes can be joined")
    return np.concatenate(arrays, axis=_integer(node, "axis"))


_STRUCTURAL: dict[str, Callable[[Node, Sequence[Array | None]], Array]] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "Gather": _gather,
    "Identity": lambda node, inputs: _array(inputs),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
