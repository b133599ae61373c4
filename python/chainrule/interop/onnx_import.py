# SPDX-License-Identifier: Apache-2.0
"""ONNX files to networks."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.assembly import Assembly
from chainrule.interop.onnx_graph import Region, Slice, slice_graph
from chainrule.interop.onnx_model import Graph, Node, read_model
from chainrule.interop.onnx_operators import is_evaluable, named_activation, shortest
from chainrule.interop.onnx_recognition import recognise, reduces
from chainrule.interop.onnx_tensor import FLOAT_TYPES
from chainrule.layers import BatchNormalization, Layer, LayerNormalization

if TYPE_CHECKING:
    from chainrule.sequential import Sequential

__all__ = ["from_onnx"]

Array = NDArray[Any]

# Activations of several operators have at most so many.
_LONGEST_RUN = 16
_UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def from_onnx(
    model: str | os.PathLike[str] | bytes | bytearray | memoryview, *, output: str | None = None
) -> Sequential:
    """Return the network that an ONNX file describes; nothing but NumPy is needed.

    Multilayer perceptrons as PyTorch, skl2onnx and tf2onnx write them are read: Gemm, MatMul, Add
    and the rest of arithmetic with constants, activations as one operator or as the several that
    older exporters write, BatchNormalization, LayerNormalization, Softmax, Dropout, and what only
    changes shapes or types.

    Parameters
    ----------
    model : path-like or bytes-like
        The file or its content.
    output : str, optional
        Name of the output to compute. Default: the only one of floating-point numbers, which of a
        classifier is its probabilities.

    Returns
    -------
    Sequential
        In float64 if a weight is, else in float32. Scaling at the front becomes a `Rescaling` or a
        `Normalization`. It has no loss yet.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    chainrule.ModelFileError
        If the content is damaged, of an unknown version, or describes what the library does not
        have; then the text lists every operator that is not supported, with the reason.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.from_onnx(b"no model")
    Traceback (most recent call last):
        ...
    chainrule.errors.ModelFileError: the model has a field of the unknown type 6
    """
    if isinstance(model, bytes | bytearray | memoryview):
        return _read(bytes(model), output)
    try:
        return _read(Path(model).read_bytes(), output)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(model)}: {error}") from error


def _read(content: bytes, output: str | None) -> Sequential:
    graph = read_model(content)
    part = slice_graph(graph, output, len(content))
    try:
        return _Importer(graph, part, len(content)).network()
    except ModelFileError:
        raise
    except _UNFIT as error:
        raise ModelFileError(f"the graph does not fit together: {error}") from error


class _Importer:
    """Goes through the regions of a graph and adds to an assembly what they are."""

    def __init__(self, graph: Graph, part: Slice, size: int) -> None:
        self._graph = graph
        self._regions = part.regions
        self._constants = part.constants
        self._unsupported: list[str] = []
        # Layers may share weights, which as layers of a network they do not.
        self._left = 2 * size
        shape = part.constants.shapes.get(part.input.name)
        # The shape of one row; None while it is not known.
        self._row = None if shape is None else shape[1:]
        self._rows_named = part.input.shape is None or len(part.input.shape) > 1
        self._size = size
        self._assembly: Assembly | None = None
        self._dtype = "float32"
        for name in {n for region in part.regions for node in region.nodes for n in node.inputs}:
            if name in self._constants and self._constants[name].dtype == np.float64:
                wide = self._constants[name].size > 1
                self._dtype = "float64" if wide else self._dtype

    def network(self) -> Sequential:
        """Return the network."""
        if not self._rows_named:
            raise ModelFileError("the input has one dimension, expected rows and columns")
        place = 0
        while place < len(self._regions):
            place += self._add_next(place)
        if self._unsupported:
            listed = "".join(f"\n  {text}" for text in self._unsupported)
            raise ModelFileError(f"what these operators compute is not supported:{listed}")
        return self._started().network()

    def _started(self, columns: int | None = None) -> Assembly:
        """Return the assembly, which begins once the number of inputs is known."""
        if self._assembly is None:
            known = columns if self._row is None else math.prod(self._row)
            if known is None:
                raise ModelFileError("the number of inputs cannot be told from the file")
            if not 1 <= known <= 65536 + self._size:
                raise ModelFileError(f"the input has {known} columns")
            self._row = (known,) if self._row is None else self._row
            self._assembly = Assembly(known, self._dtype)
        return self._assembly

    def _add_next(self, place: int) -> int:
        """Add what the regions from `place` on are; return how many that took."""
        run = 0
        for region in self._regions[place : place + _LONGEST_RUN]:
            if not all(is_evaluable(node) for node in region.nodes):
                break
            run += 1
        plain = [self._is_direct(region) for region in self._regions[place : place + run]]
        # Arithmetic that means something alone may still be the beginning of more.
        for end in range(0 if self._is_named(self._regions[place]) else run, 0, -1):
            regions = self._regions[place : place + end]
            if all(plain[:end]) or (not self._is_flat() and reduces(regions)):
                continue
            columns = None if self._assembly is None else self._assembly.columns
            found = recognise(regions, self._constants, self._graph.opset, columns)
            if found is not None:
                assembly = self._started(len(found.scale) if np.ndim(found.scale) else None)
                if isinstance(found.function, Layer):
                    assembly.layer(found.function, {})
                else:
                    assembly.activation(found.function)
                assembly.affine(found.scale, found.offset)
                return end
        self._add_region(self._regions[place])
        return 1

    def _is_named(self, region: Region) -> bool:
        return len(region.nodes) == 1 and named_activation(region.nodes[0]) is not None

    def _is_direct(self, region: Region) -> bool:
        return self._is_named(region) or (
            len(region.nodes) == 1 and region.nodes[0].op in _DIRECT and self._is_affine(region)
        )

    def _is_affine(self, region: Region) -> bool:
        """Whether arithmetic has a constant for an operand, and does not divide by the other."""
        (node,) = region.nodes
        constant = [name in self._constants for name in node.inputs]
        if node.op == "Div":
            return constant == [False, True]
        return node.op not in ("Add", "Mul", "Sub") or any(constant)

    def _add_region(self, region: Region) -> None:
        if len(region.nodes) > 1 and not self._add_concatenation(region):
            made = ", ".join(str(node) for node in region.nodes)
            self._unsupported.append(f"{made}: together no activation that is known")
            return
        if len(region.nodes) > 1:
            return
        node = region.nodes[0]
        add = _DIRECT.get(node.op if not node.domain else f"{node.domain}.{node.op}")
        try:
            activation = named_activation(node)
            if activation is not None:
                self._started().activation(activation)
            elif add is None:
                known = is_evaluable(node)
                reason = "no activation that is known" if known else "no such operator is known"
                self._unsupported.append(f"{node}: {reason}")
            else:
                add(self, node)
        except ModelFileError:
            raise
        except NotImplementedError as error:
            self._unsupported.append(f"{node}: {error}")
        except _UNFIT as error:
            raise ModelFileError(f"{node} does not fit its inputs: {error}") from error

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
            return np.full(self._started().columns, default)
        self._started(array.size)
        if array.shape != (self._started().columns,):
            raise ValueError(f"input {index} has shape {array.shape}")
        return array

    def _is_flat(self) -> bool:
        return self._row is None or len(self._row) == 1

    def _one_axis(self) -> None:
        if not self._is_flat():
            raise NotImplementedError(f"it works on rows of shape {self._row}, expected flat ones")

    # Operators, by name in _DIRECT.

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
        assembly = self._started(weight.shape[0])
        if weight.shape[0] != assembly.columns or weight.size == 0:
            raise ValueError(f"the weight has shape {weight.shape}, {assembly.columns} columns enter")
        self._left -= weight.nbytes
        if self._left < 0:
            raise ModelFileError("layers share weights, and need more of them than the file holds")
        assembly.dense(weight if alpha == 1.0 else weight * weight.dtype.type(alpha))
        self._row = (assembly.columns,)

    def _shift(self, offset: Array) -> None:
        self._affine(np.ones(()), offset)

    def _affine(self, scale: Array, offset: Array) -> None:
        assembly = self._started(max(np.size(scale), np.size(offset)))
        assembly.affine(self._spread(scale), self._spread(offset))

    def _spread(self, operand: Array) -> Array:
        """Return an operand with a number for each column of a flattened row, or just one."""
        assembly = self._started()
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
        self._started().layer(layer, arrays)

    def _layer_normalization(self, node: Node) -> None:
        self._one_axis()
        if node.attributes.get("axis", -1) not in (-1, 1):
            raise NotImplementedError("it is not over the last axis")
        center = len(node.inputs) > 2 and bool(node.inputs[2])
        arrays = {"gamma": self._columns(node, 1, 1.0)}
        if center:
            arrays["beta"] = self._columns(node, 2, 0.0)
        epsilon = shortest(self._number(node, "epsilon", 1e-5))
        self._started().layer(LayerNormalization(epsilon=epsilon, center=center), arrays)

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
            self._started(sizes[1])

    def _nothing(self, node: Node) -> None:
        pass

    def _add_concatenation(self, region: Region) -> bool:
        """Add the columns 1 - p and p of p = sigmoid(z): the softmax of 0 and z."""
        if [node.op for node in region.nodes] != ["Sub", "Concat"]:
            return False
        sub, concat = region.nodes
        assembly = self._started()
        one = self._constants[sub.inputs[0]] if sub.inputs[0] in self._constants else None
        ordered = concat.inputs == [sub.made, region.input] and sub.inputs[1] == region.input
        if not ordered or one is None or not np.all(one == 1.0) or assembly.columns != 1:
            return False
        if not assembly.sigmoid_to_softmax():
            return False
        self._row = (2,)
        return True


_DIRECT: dict[str, Callable[[_Importer, Node], None]] = {
    "Add": _Importer._add,
    "BatchNormalization": _Importer._batch_normalization,
    "Cast": _Importer._cast,
    "Div": _Importer._div,
    "Dropout": _Importer._dropout,
    "Flatten": _Importer._flatten,
    "Gemm": _Importer._gemm,
    "Identity": _Importer._nothing,
    "LayerNormalization": _Importer._layer_normalization,
    "MatMul": _Importer._matmul,
    "Mul": _Importer._mul,
    "Neg": _Importer._neg,
    "Reshape": _Importer._reshape,
    "Sub": _Importer._sub,
    "ai.onnx.ml.Scaler": _Importer._scaler,
    "ai.onnx.ml.ZipMap": _Importer._nothing,
}
