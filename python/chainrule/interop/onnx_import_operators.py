# SPDX-License-Identifier: Apache-2.0
"""Single operators of an ONNX graph, such as Gemm, read as nodes of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from chainrule.activations import Activation
from chainrule.activations.activation import shortest
from chainrule.errors import ModelFileError
from chainrule.interop.merges import MERGES, NARY
from chainrule.interop.onnx_evaluation import is_evaluable, named_activation
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_import_recurrence import RECURRENT_OPERATORS, lengths_of
from chainrule.interop.onnx_import_windows import WINDOW_OPERATORS
from chainrule.interop.onnx_inputs import input_shape, is_flattened
from chainrule.interop.onnx_model import FLOAT_TYPES, Array, Node, number_of
from chainrule.interop.onnx_shapes import ShapeReader, row_axis
from chainrule.interop.tensor import Tensor, by_columns
from chainrule.layers import BatchNormalization, Dot, Layer, LayerNormalization, PReLU

__all__ = ["LayerReader"]

# From it on Softmax is over one axis, before over all from one on.
_SOFTMAX_OPSET = 13
_LARGEST_INPUT = 65536
# Layers of several inputs, by the operator.
# What takes rows along any axis, and leaves them there, or moves them itself.
_KEEPING = frozenset({"Cast", "Concat", "Dropout", "Identity", "Slice"})
_MOVING = frozenset(
    {"Gather", "Reshape", "Squeeze", "Transpose", "Unsqueeze", *RECURRENT_OPERATORS}
)
_MERGES = {merge.onnx_operator: kind for kind, merge in MERGES.items()} | {"Sum": "add"}


class LayerReader(ShapeReader):
    """Adds operators to an assembly, one after the other.

    Weights may take a multiple of `size`, the bytes of the file.
    """

    def __init__(self, part: Slice, size: int, dtype: str) -> None:
        super().__init__(part, dtype, _LARGEST_INPUT + size, size)
        self.lengths_paths = lengths_of(part)
        for value in part.inputs:
            known = part.constants.shapes.get(value.name)
            shape = input_shape(part, value) if known is None else known[1:]
            if shape is None:
                raise ModelFileError("the number of inputs cannot be told from the file")
            columns = math.prod(shape)
            if not 1 <= columns <= self.largest:
                raise ModelFileError(f"the input has {columns} columns")
            named = len(part.inputs) > 1 or value.name in part.graph.names
            name = value.name if named else "x"
            # Rows that are only read when they are flat may come so, as they do in a `Sequential`.
            stored = (columns,) if is_flattened(part, value.name) else shape
            self._tensors[value.name] = self.assembly.input(shape, name, stored)

    def begin(self, node: Node) -> None:
        """Let what is added from here on be a part of a node's layer."""
        self.assembly.origin = self.part.graph.names.of_operator(node.name)

    def understands(self, node: Node) -> bool:
        """Whether `add` takes a node for what it is, whatever follows."""
        if named_activation(node) is not None:
            return True
        if node.op == "Clip":  # which may be an activation's
            return False
        constant = [name in self.constants for name in node.inputs]
        if node.op == "Div":
            return constant == [False, True]
        if node.op == "PRelu":  # one slope for all columns may be a leaky_relu's
            return constant == [False, True] and self.constants[node.inputs[1]].size > 1
        return node.op in _OPERATORS and (node.op not in _MERGES or any(constant))

    def add(self, node: Node) -> None:
        """Add what a node computes.

        NotImplementedError, with the reason, if that is not known; ModelFileError, ArithmeticError,
        LookupError, TypeError or ValueError if its operands do not fit.
        """
        varying = self.part.varying(node)
        if not varying:
            raise NotImplementedError("no known operator")
        if node.op in RECURRENT_OPERATORS:  # whose lengths are read by themselves
            varying = [name for name in varying[:1] if name == node.inputs[0]]
            if not varying:
                raise NotImplementedError("it does not read what depends on the input")
        # Where an operator is not known, what follows is looked at as if it were not there.
        self.give(node, self.read(varying[0], [node]))
        tensors = [self.read(name, [node]) for name in varying]
        keeps = named_activation(node) is not None or node.op in _KEEPING
        batch = tensors[0].batch
        if any(x.batch != (batch if keeps else 0) for x in tensors) and node.op not in _MOVING:
            raise NotImplementedError("the rows of the batch are not along its first axis")
        made = self._made(node, tensors)
        self.give(node, replace(made, batch=batch) if keeps else made)

    def _made(self, node: Node, tensors: Sequence[Tensor]) -> Tensor:
        activation = named_activation(node)
        operator = _OPERATORS.get(node.operator)
        kind = None if node.domain or len(tensors) == 1 else _MERGES.get(node.op)
        if node.op == "Softmax" and len(tensors[0].shape) > 1:
            return self._softmax(node, tensors[0])
        if activation is not None:
            return self.assembly.activation(tensors[0], activation)
        fits = len(tensors) == 2 or node.op in NARY
        if kind is not None and fits and len(tensors) == len(node.inputs):
            return self._merge(node, kind, tensors)
        if node.op == "MatMul" and not node.domain and len(tensors) == 2:
            return self._dot(node, *tensors)
        if operator is not None:
            return operator(self, node, tensors[0])
        known = "no activation that is known" if is_evaluable(node) else "no known operator"
        raise NotImplementedError(known)

    def _merge(self, node: Node, kind: str, tensors: Sequence[Tensor]) -> Tensor:
        layer = Layer.get(kind)
        if kind != "concatenate":
            shapes = [x.shape for x in tensors]
            if len({*shapes}) > 1:
                raise NotImplementedError(f"its inputs have different shapes, {shapes}")
            return self.assembly.layer(layer, {}, *tensors)
        axis = row_axis(int(number_of(node, "axis", 1)), tensors[0])
        self.bound(node, sum(math.prod(x.shape) for x in tensors))
        others = [self.assembly.swapped(x, axis) for x in tensors[1:]]
        return self.assembly.over_axis(
            tensors[0], axis, lambda x: self.assembly.layer(layer, {}, x, *others)
        )

    def _dot(self, node: Node, a: Tensor, b: Tensor) -> Tensor:
        if (len(a.shape), len(b.shape)) != (2, 2):
            raise NotImplementedError(f"it multiplies rows of shape {a.shape} by {b.shape}")
        self.bound(node, a.shape[0] * b.shape[1])
        return self.assembly.layer(Dot(), {}, a, self.assembly.permute(b, (2, 1)))

    def _columns(self, node: Node, index: int, x: Tensor, default: float = 0.0) -> Array:
        """Return an operand with one number for each column."""
        array = self.constant(node, index)
        if array is None:
            return np.full(x.columns, default)
        if array.shape != (x.columns,):
            raise ValueError(f"input {index} has shape {array.shape}")
        return array

    # Operators, by name in _OPERATORS.

    def _gemm(self, node: Node, x: Tensor) -> Tensor:
        if len(x.shape) > 1:
            raise NotImplementedError(f"it works on rows of shape {x.shape}, expected flat ones")
        weight, bias = self.constant(node, 1), self.constant(node, 2)
        if node.attributes.get("transA", 0):
            raise NotImplementedError("transA turns the rows of the batch")
        if weight is None or weight.ndim != 2:
            raise ValueError("the weight must be a matrix")
        weight = weight.T if node.attributes.get("transB", 0) else weight
        made = self._dense(weight, x, number_of(node, "alpha", 1.0))
        if bias is None:
            return made
        offset = bias.astype(np.float64) * number_of(node, "beta", 1.0)
        return self.assembly.affine(made, np.ones(()), _spread(offset, made))

    def _matmul(self, node: Node, x: Tensor) -> Tensor:
        if node.inputs[0] in self.constants:
            raise NotImplementedError("a constant stands on the left")
        weight = self.constant(node, 1)
        if weight is None or weight.ndim != 2:
            raise NotImplementedError("the weight is no matrix")
        return self._dense(weight, x)

    def _dense(self, weight: Array, x: Tensor, alpha: float = 1.0) -> Tensor:
        if weight.dtype.kind != "f":
            raise NotImplementedError(f"its weight is of {weight.dtype}")
        if weight.shape[0] != x.columns or weight.size == 0:
            raise ValueError(f"the weight has shape {weight.shape}, {x.columns} columns enter")
        self.spend(weight)
        scaled = weight if alpha == 1.0 else weight * weight.dtype.type(alpha)
        return self.assembly.dense(x, scaled)

    def _softmax(self, node: Node, x: Tensor) -> Tensor:
        if self.part.graph.opset < _SOFTMAX_OPSET:
            raise NotImplementedError("it is over several axes")
        axis = row_axis(int(number_of(node, "axis", -1)), x)
        softmax = Activation.get("softmax")
        return self.assembly.over_axis(x, axis, lambda x: self.assembly.activation(x, softmax))

    def _arithmetic(self, node: Node, x: Tensor) -> Tensor:
        left = node.inputs[0] in self.constants
        if len(node.inputs) != 2 or not any(name in self.constants for name in node.inputs):
            raise NotImplementedError("no operand is a constant")
        operand = self.constants[node.inputs[0 if left else 1]]
        if operand.dtype.kind not in "fiu":
            raise ValueError(f"an operand is of {operand.dtype}")
        if node.op == "Div" and left:
            raise NotImplementedError("it divides by what depends on the input")
        operand = by_columns(_spread(operand.astype(np.float64), x))
        scale, offset = np.ones(()), np.zeros(())
        with np.errstate(divide="ignore"):
            if node.op in ("Div", "Mul"):
                scale = 1.0 / operand if node.op == "Div" else operand
            else:
                scale = -scale if node.op == "Sub" and left else scale
                offset = -operand if node.op == "Sub" and not left else operand
        return self.assembly.affine(x, scale, offset)

    def _neg(self, node: Node, x: Tensor) -> Tensor:
        return self.assembly.affine(x, np.array(-1.0), np.zeros(()))

    def _scaler(self, node: Node, x: Tensor) -> Tensor:
        offset, scale = (
            _spread(np.asarray(node.attributes[name], float), x) for name in ("offset", "scale")
        )
        return self.assembly.affine(x, scale, -offset * scale)

    def _batch_normalization(self, node: Node, x: Tensor) -> Tensor:
        if node.attributes.get("training_mode", 0):
            raise NotImplementedError("it is in training mode")
        momentum, epsilon = number_of(node, "momentum", 0.9), number_of(node, "epsilon", 1e-5)
        layer = BatchNormalization(momentum=shortest(momentum), epsilon=shortest(epsilon))

        def normalized(x: Tensor) -> Tensor:
            names = ("gamma", "beta", "running_mean", "running_variance")
            arrays = {name: self._columns(node, i, x) for i, name in enumerate(names, start=1)}
            if (arrays["running_variance"] < 0).any():
                raise ValueError("a variance is negative")
            return self.assembly.layer(layer, arrays, x)

        return self.assembly.over_axis(x, 0, normalized)

    def _layer_normalization(self, node: Node, x: Tensor) -> Tensor:
        if node.attributes.get("axis", -1) not in (-1, len(x.shape)):
            raise NotImplementedError("it is not over the last axis")
        center = len(node.inputs) > 2 and bool(node.inputs[2])
        arrays = {"gamma": self._columns(node, 1, x, 1.0)}
        if center:
            arrays["beta"] = self._columns(node, 2, x)
        epsilon = shortest(number_of(node, "epsilon", 1e-5))
        return self.assembly.layer(LayerNormalization(epsilon=epsilon, center=center), arrays, x)

    def _prelu(self, node: Node, x: Tensor) -> Tensor:
        slope = self.constant(node, 1)
        if slope is None:
            raise ValueError("it has no slope")
        spread = np.broadcast_to(_spread(slope, x), x.shape)
        for axis in (len(x.shape) - 1, 0):  # the columns are the last one, or channels the first
            slopes = by_columns(np.swapaxes(spread, axis, -1))
            if slopes.ndim == 1:
                arrays = {"slope": slopes}
                layer = partial(self.assembly.layer, PReLU(), arrays)
                return self.assembly.over_axis(x, axis, layer)
        raise NotImplementedError("its slopes differ along more than one axis")

    def _clip(self, node: Node, x: Tensor) -> Tensor:
        ends = [self.constant(node, index) for index in (1, 2)]
        given = {"min_value": ends[0], "max_value": ends[1]}
        options = {name: float(end.reshape(())) for name, end in given.items() if end is not None}
        return self.assembly.layer(Layer.from_config({"kind": "clip", **options}), {}, x)

    def _dropout(self, node: Node, x: Tensor) -> Tensor:
        mode = self.constant(node, 2)
        if mode is not None and mode.any():
            raise NotImplementedError("it is in training mode")
        return x

    def _cast(self, node: Node, x: Tensor) -> Tensor:
        if node.attributes.get("to") not in FLOAT_TYPES:
            raise NotImplementedError("it converts to a type that is no floating-point one")
        return x

    def _identity(self, node: Node, x: Tensor) -> Tensor:
        return x

    def complement(self, sub: Node) -> Node | None:
        """Add the columns 1 - p and p of p = sigmoid(z), the softmax of 0 and z, if it is that.

        Return the node that joins them.
        """
        left, name = [*sub.inputs, "", ""][:2]
        readers = self.part.readers.get(name, [])
        if sub.op != "Sub" or left not in self.constants or len(readers) != 2:
            return None
        concat = self.part.nodes[min(readers[-1], len(self.part.nodes) - 1)]
        if concat.op != "Concat" or concat.inputs != [sub.made, name]:
            return None
        if not np.all(self.constants[left] == 1.0):
            return None
        made = self.assembly.sigmoid_to_softmax(self._tensors[name])
        if made is None:
            return None
        self.give(concat, made)
        return concat


def _spread(operand: Array, x: Tensor) -> Array:
    """Return an operand with a number for each element of a row, or just one."""
    shape, row = operand.shape, x.shape
    if operand.size == 1 and (not shape or math.prod(row) > 1):
        return operand.astype(np.float64).reshape(())
    if len(shape) > len(row) + 1 or (len(shape) == len(row) + 1 and shape[0] != 1):
        raise ValueError(f"an operand of shape {shape} does not fit rows of shape {row}")
    return np.broadcast_to(operand.reshape(shape[-len(row) :]), row).astype(np.float64)


_OPERATORS: dict[str, Callable[[LayerReader, Node, Tensor], Tensor]] = {
    "Add": LayerReader._arithmetic,
    "BatchNormalization": LayerReader._batch_normalization,
    "Cast": LayerReader._cast,
    "Clip": LayerReader._clip,
    "Div": LayerReader._arithmetic,
    "Dropout": LayerReader._dropout,
    "Expand": ShapeReader._expand,
    "Flatten": ShapeReader._flatten,
    "Gather": ShapeReader._gather,
    "Gemm": LayerReader._gemm,
    "Identity": LayerReader._identity,
    "LayerNormalization": LayerReader._layer_normalization,
    "MatMul": LayerReader._matmul,
    "Mul": LayerReader._arithmetic,
    "Neg": LayerReader._neg,
    "PRelu": LayerReader._prelu,
    "ReduceMean": ShapeReader._reduce_mean,
    "ReduceSum": ShapeReader._reduce_sum,
    "Reshape": ShapeReader._reshape,
    "Slice": ShapeReader._slice,
    "Squeeze": ShapeReader._squeeze,
    "Sub": LayerReader._arithmetic,
    "Tile": ShapeReader._tile,
    "Transpose": ShapeReader._transpose,
    "Unsqueeze": ShapeReader._unsqueeze,
    "ai.onnx.ml.ArrayFeatureExtractor": ShapeReader._extracted,
    "ai.onnx.ml.Scaler": LayerReader._scaler,
    "ai.onnx.ml.ZipMap": LayerReader._identity,
    **RECURRENT_OPERATORS,
    **WINDOW_OPERATORS,
}
