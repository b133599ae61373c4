# SPDX-License-Identifier: Apache-2.0
"""Single operators of an ONNX graph as layers of a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import shortest
from chainrule.errors import ModelFileError
from chainrule.interop.assembly import Assembly
from chainrule.interop.onnx_graph import Region, Slice
from chainrule.interop.onnx_model import Node
from chainrule.interop.onnx_operators import is_evaluable, named_activation
from chainrule.interop.onnx_tensor import DOUBLE, FLOAT_TYPES
from chainrule.layers import BatchNormalization, LayerNormalization, PReLU

__all__ = ["LayerReader"]

Array = NDArray[Any]

_ARITHMETIC = ("Add", "Div", "Mul", "Sub")
_LARGEST_INPUT = 65536


class LayerReader:
    """Adds operators to an assembly, one after the other.

    Weights may take a multiple of `size`, the bytes of the file. The default dtype is that of the
    output.
    """

    def __init__(self, part: Slice, size: int, dtype: str | None = None) -> None:
        self._constants = part.constants
        # Layers may share weights, which as layers of a network they do not.
        self._left = 2 * size
        shape = part.constants.shapes.get(part.input.name)
        # The shape of one row; None while it is not known.
        self._row = None if shape is None else shape[1:]
        self._largest_input = _LARGEST_INPUT + size
        self._assembly: Assembly | None = None
        self._dtype = dtype or ("float64" if _is_double(part) else "float32")

    @property
    def columns(self) -> int | None:
        """Columns of what was added last, or None while they are not known."""
        return None if self._assembly is None else self._assembly.columns

    @property
    def is_flat(self) -> bool:
        """Whether a row has, as far as is known, one axis."""
        return self._row is None or len(self._row) == 1

    def started(self, columns: int | None = None) -> Assembly:
        """Return the assembly, which begins once the number of inputs is known."""
        if self._assembly is None:
            known = columns if self._row is None else math.prod(self._row)
            if known is None:
                raise ModelFileError("the number of inputs cannot be told from the file")
            if not 1 <= known <= self._largest_input:
                raise ModelFileError(f"the input has {known} columns")
            self._row = (known,) if self._row is None else self._row
            self._assembly = Assembly(known, self._dtype)
        return self._assembly

    def understands(self, region: Region) -> bool:
        """Whether `add` takes the region for what it is, whatever follows."""
        return self.is_named(region) or (
            len(region.nodes) == 1 and region.nodes[0].op in _OPERATORS and self._is_affine(region)
        )

    def is_named(self, region: Region) -> bool:
        """Whether the region is an activation by its name."""
        return len(region.nodes) == 1 and named_activation(region.nodes[0]) is not None

    def add(self, region: Region) -> None:
        """Add what a region computes.

        NotImplementedError, with the reason, if that is not known; ModelFileError, ArithmeticError,
        LookupError, TypeError or ValueError if its operands do not fit.
        """
        if len(region.nodes) > 1:
            if not self._add_complement(region):
                raise NotImplementedError("together no activation that is known")
            return
        (node,) = region.nodes
        activation = named_activation(node)
        add = _OPERATORS.get(node.op if not node.domain else f"{node.domain}.{node.op}")
        if activation is not None:
            self.started().activation(activation)
        elif add is not None:
            add(self, node)
        else:
            known = "no activation that is known" if is_evaluable(node) else "no known operator"
            raise NotImplementedError(known)

    def _is_affine(self, region: Region) -> bool:
        """Whether arithmetic has a constant for an operand, and does not divide by the other."""
        (node,) = region.nodes
        constant = [name in self._constants for name in node.inputs]
        if node.op == "Div":
            return constant == [False, True]
        if node.op == "PRelu":  # one slope for all columns may be a leaky_relu's
            return constant == [False, True] and self._constants[node.inputs[1]].size > 1
        return node.op not in _ARITHMETIC or any(constant)

    def _constant(self, node: Node, index: int) -> Array | None:
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        if node.inputs[index] not in self._constants:
            raise NotImplementedError(f"its input {node.inputs[index]!r} is no constant")
        return self._constants[node.inputs[index]]

    def _number(self, node: Node, name: str, default: float) -> float:
        value = node.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise ValueError(f"attribute {name} must be a number")
        return float(value)

    def _columns(self, node: Node, index: int, default: float) -> Array:
        """Return an operand with one number for each column."""
        array = self._constant(node, index)
        if array is None:
            return np.full(self.started().columns, default)
        self.started(array.size)
        if array.shape != (self.started().columns,):
            raise ValueError(f"input {index} has shape {array.shape}")
        return array

    def _one_axis(self) -> None:
        if not self.is_flat:
            raise NotImplementedError(f"it works on rows of shape {self._row}, expected flat ones")

    # Operators, by name in _OPERATORS.

    def _gemm(self, node: Node) -> None:
        self._one_axis()
        weight, bias = self._constant(node, 1), self._constant(node, 2)
        if node.attributes.get("transA", 0):
            raise NotImplementedError("transA turns the rows of the batch")
        if weight is None or weight.ndim != 2:
            raise ValueError("the weight must be a matrix")
        weight = weight.T if node.attributes.get("transB", 0) else weight
        self._dense(weight, self._number(node, "alpha", 1.0))
        if bias is not None:
            self._shift(bias.astype(np.float64) * self._number(node, "beta", 1.0))

    def _matmul(self, node: Node) -> None:
        self._one_axis()
        if node.inputs[0] in self._constants:
            raise NotImplementedError("a constant stands on the left")
        weight = self._constant(node, 1)
        if weight is None or weight.ndim != 2:
            raise NotImplementedError("the weight is no matrix")
        self._dense(weight, 1.0)

    def _dense(self, weight: Array, alpha: float) -> None:
        if weight.dtype.kind != "f":
            raise NotImplementedError(f"its weight is of {weight.dtype}")
        assembly = self.started(weight.shape[0])
        if weight.shape[0] != assembly.columns or weight.size == 0:
            raise ValueError(
                f"the weight has shape {weight.shape}, {assembly.columns} columns enter"
            )
        self._left -= weight.nbytes
        if self._left < 0:
            raise ModelFileError("layers share weights, and need more of them than the file holds")
        assembly.dense(weight if alpha == 1.0 else weight * weight.dtype.type(alpha))
        self._row = (assembly.columns,)

    def _shift(self, offset: Array) -> None:
        self._affine(np.ones(()), offset)

    def _affine(self, scale: Array, offset: Array) -> None:
        columns = max(scale.size, offset.size)
        # One number may be meant for any number of columns.
        assembly = self.started(columns if columns > 1 else None)
        assembly.affine(self._spread(scale), self._spread(offset))

    def _spread(self, operand: Array) -> Array:
        """Return an operand with a number for each column of a flattened row, or just one."""
        assembly = self.started()
        shape = operand.shape
        if operand.size == 1 and (not shape or assembly.columns > 1):
            return operand.astype(np.float64).reshape(())
        row = self._row or (assembly.columns,)
        if len(shape) > len(row) + 1 or (len(shape) == len(row) + 1 and shape[0] != 1):
            raise ValueError(f"an operand of shape {shape} does not fit rows of shape {row}")
        spread = np.broadcast_to(operand.reshape(shape[-len(row) :]), row)
        return spread.astype(np.float64).reshape(-1)

    def _operands(self, node: Node) -> tuple[bool, Array]:
        """Return whether a constant stands on the left, and the constant."""
        left = node.inputs[0] in self._constants
        if len(node.inputs) != 2 or not any(name in self._constants for name in node.inputs):
            raise NotImplementedError("no operand is a constant")
        operand = self._constants[node.inputs[0 if left else 1]]
        if operand.dtype.kind not in "fiu":
            raise ValueError(f"an operand is of {operand.dtype}")
        return left, operand.astype(np.float64)

    def _add(self, node: Node) -> None:
        self._shift(self._operands(node)[1])

    def _sub(self, node: Node) -> None:
        left, operand = self._operands(node)
        self._affine(np.array(-1.0 if left else 1.0), operand if left else -operand)

    def _mul(self, node: Node) -> None:
        self._affine(self._operands(node)[1], np.zeros(()))

    def _div(self, node: Node) -> None:
        left, operand = self._operands(node)
        if left:
            raise NotImplementedError("it divides by what depends on the input")
        with np.errstate(divide="ignore"):
            self._affine(1.0 / operand, np.zeros(()))

    def _neg(self, node: Node) -> None:
        self._affine(np.array(-1.0), np.zeros(()))

    def _scaler(self, node: Node) -> None:
        offset, scale = (np.asarray(node.attributes[name], float) for name in ("offset", "scale"))
        offset, scale = (a.reshape(()) if a.size == 1 else a for a in (offset, scale))
        self._affine(scale, -offset * scale)

    def _batch_normalization(self, node: Node) -> None:
        self._one_axis()
        if node.attributes.get("training_mode", 0):
            raise NotImplementedError("it is in training mode")
        names = ("gamma", "beta", "running_mean", "running_variance")
        arrays = {name: self._columns(node, i, 0.0) for i, name in enumerate(names, start=1)}
        momentum, epsilon = self._number(node, "momentum", 0.9), self._number(node, "epsilon", 1e-5)
        if (arrays["running_variance"] < 0).any():
            raise ValueError("a variance is negative")
        layer = BatchNormalization(momentum=shortest(momentum), epsilon=shortest(epsilon))
        self.started().layer(layer, arrays)

    def _layer_normalization(self, node: Node) -> None:
        self._one_axis()
        if node.attributes.get("axis", -1) not in (-1, 1):
            raise NotImplementedError("it is not over the last axis")
        center = len(node.inputs) > 2 and bool(node.inputs[2])
        arrays = {"gamma": self._columns(node, 1, 1.0)}
        if center:
            arrays["beta"] = self._columns(node, 2, 0.0)
        epsilon = shortest(self._number(node, "epsilon", 1e-5))
        self.started().layer(LayerNormalization(epsilon=epsilon, center=center), arrays)

    def _prelu(self, node: Node) -> None:
        self._one_axis()
        slope = self._constant(node, 1)
        if slope is None:
            raise ValueError("it has no slope")
        assembly = self.started(slope.size if slope.size > 1 else None)
        slopes = np.broadcast_to(self._spread(slope), (assembly.columns,))
        assembly.layer(PReLU(), {"slope": slopes})

    def _dropout(self, node: Node) -> None:
        mode = self._constant(node, 2)
        if mode is not None and mode.any():
            raise NotImplementedError("it is in training mode")

    def _cast(self, node: Node) -> None:
        if node.attributes.get("to") not in FLOAT_TYPES:
            raise NotImplementedError("it converts to a type that is no floating-point one")

    def _flatten(self, node: Node) -> None:
        if node.attributes.get("axis", 1) != 1:
            raise NotImplementedError("it joins rows of the batch")
        if self._row is not None:
            self._row = (math.prod(self._row),)

    def _reshape(self, node: Node) -> None:
        shape = self._constant(node, 1)
        sizes = [] if shape is None else [int(size) for size in shape.reshape(-1)]
        columns = None if self._row is None else math.prod(self._row)
        known = (-1, *([] if columns is None else [columns]))
        if len(sizes) != 2 or (columns is not None and sizes[1] not in known):
            raise NotImplementedError(f"it makes the shape {sizes}, expected rows and columns")
        if columns is not None:
            self._row = (columns,)
        elif sizes[1] > 0:
            self.started(sizes[1])

    def _nothing(self, node: Node) -> None:
        pass

    def _add_complement(self, region: Region) -> bool:
        """Add the columns 1 - p and p of p = sigmoid(z): the softmax of 0 and z."""
        if [node.op for node in region.nodes] != ["Sub", "Concat"]:
            return False
        sub, concat = region.nodes
        assembly = self.started()
        left = sub.inputs[0]
        ordered = concat.inputs == [sub.made, region.input] and sub.inputs[1] == region.input
        if not ordered or left not in self._constants or assembly.columns != 1:
            return False
        if not np.all(self._constants[left] == 1.0):
            return False
        if not assembly.sigmoid_to_softmax():
            return False
        self._row = (2,)
        return True


def _is_double(part: Slice) -> bool:
    """Whether the output is of double, or if it is a map, any constant weight."""
    if part.output.element_type:
        return part.output.element_type == DOUBLE
    names = {name for region in part.regions for node in region.nodes for name in node.inputs}
    constants = [part.constants[name] for name in names if name in part.constants]
    return any(array.dtype == np.float64 and array.ndim == 2 for array in constants)


_OPERATORS: dict[str, Callable[[LayerReader, Node], None]] = {
    "Add": LayerReader._add,
    "BatchNormalization": LayerReader._batch_normalization,
    "Cast": LayerReader._cast,
    "Div": LayerReader._div,
    "Dropout": LayerReader._dropout,
    "Flatten": LayerReader._flatten,
    "Gemm": LayerReader._gemm,
    "Identity": LayerReader._nothing,
    "LayerNormalization": LayerReader._layer_normalization,
    "MatMul": LayerReader._matmul,
    "Mul": LayerReader._mul,
    "Neg": LayerReader._neg,
    "PRelu": LayerReader._prelu,
    "Reshape": LayerReader._reshape,
    "Sub": LayerReader._sub,
    "ai.onnx.ml.Scaler": LayerReader._scaler,
    "ai.onnx.ml.ZipMap": LayerReader._nothing,
}
