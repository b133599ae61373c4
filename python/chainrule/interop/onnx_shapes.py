# SPDX-License-Identifier: Apache-2.0
"""Operators of an ONNX graph that move numbers, repeat them or take means over positions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_constants import ConstantFolder, reshaped
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Array, Node, number_of
from chainrule.interop.onnx_tensors import TensorReader
from chainrule.interop.parts import part_of, taken
from chainrule.interop.recurrence import step_of
from chainrule.interop.tensor import Tensor
from chainrule.layers import RepeatVector

__all__ = ["ShapeReader", "row_axis", "slices_of"]

_ALL = 2**31 - 1


class ShapeReader(TensorReader):
    """Adds operators that change the shape of rows to an assembly.

    Rows may have `largest` columns in all, and weights twice the `size` of the file, in bytes.
    """

    def __init__(self, part: Slice, dtype: str, largest: int, size: int) -> None:
        super().__init__(part, dtype)
        self.largest = largest
        # Layers may share weights, which as layers of a network they do not.
        self._left = 2 * size

    def bound(self, node: Node, columns: int) -> None:
        """Raise ModelFileError if a node makes too many columns."""
        if columns > self.largest:
            raise ModelFileError(f"{node} makes {columns} columns")

    def spend(self, weight: Array) -> None:
        """Note that a layer has a weight; ModelFileError if layers have too many."""
        self._left -= weight.nbytes
        if self._left < 0:
            raise ModelFileError("layers share weights, and need more of them than the file holds")

    def constant(self, node: Node, index: int) -> Array | None:
        """Return an operand that is a constant, None if it is not given."""
        if index >= len(node.inputs) or not node.inputs[index]:
            return None
        if node.inputs[index] not in self.constants:
            raise NotImplementedError(f"its input {node.inputs[index]!r} is no constant")
        return self.constants[node.inputs[index]]

    def _flatten(self, node: Node, x: Tensor) -> Tensor:
        if node.attributes.get("axis", 1) not in (1, -len(x.shape)):
            raise NotImplementedError("it joins rows of the batch")
        return self.assembly.reshape(x, (math.prod(x.shape),))

    def _reshape(self, node: Node, x: Tensor) -> Tensor:
        shape = self.constant(node, 1)
        sizes = [] if shape is None else [int(size) for size in shape.reshape(-1)]
        zeros = bool(node.attributes.get("allowzero", 0))
        # What stands before the rows of the batch must stay.
        ahead = x.shape[: x.batch]
        kept = [n or (n if zeros else m) for n, m in zip(sizes, ahead, strict=False)]
        row = reshaped(sizes[x.batch :], x.shape[x.batch :], zeros)
        row = row and (*ahead, *row) if kept == [*ahead] else None
        if row is None:
            raise NotImplementedError(
                f"it makes the shape {sizes} of rows of shape {x.shape}, which joins or parts them"
            )
        return replace(self.assembly.reshape(x, row), batch=x.batch)

    def _squeeze(self, node: Node, x: Tensor) -> Tensor:
        axes = self.axes(node, x)
        if axes is None or any(x.shape[axis] != 1 for axis in axes):
            raise NotImplementedError("it does not name axes of one element")
        made = self.assembly.reshape(x, _without(x.shape, axes) or (1,))
        return replace(made, batch=x.batch - sum(axis < x.batch for axis in axes))

    def _unsqueeze(self, node: Node, x: Tensor) -> Tensor:
        given = self._given_axes(node)
        if given is None:
            raise ValueError("it names no axes")
        if x.batch:
            raise NotImplementedError("the rows of the batch are not along its first axis")
        shape, rank = [*x.shape], len(x.shape) + len(given) + 1
        axes = sorted(axis + rank if axis < 0 else axis for axis in given)
        if axes == [0]:
            return replace(self.assembly.reshape(x, (1, *shape)), batch=1)
        for axis in axes:
            if not 1 <= axis <= len(shape) + 1:
                raise NotImplementedError("it moves the rows of the batch")
            shape.insert(axis - 1, 1)
        return self.assembly.reshape(x, tuple(shape))

    def _transpose(self, node: Node, x: Tensor) -> Tensor:
        axes = node.attributes.get("perm")
        dims = [] if axes is None else [int(axis) for axis in np.asarray(axes)]
        if sorted(dims) != [*range(len(x.shape) + 1)]:
            raise NotImplementedError("it does not name every axis once")
        others = [dim + (dim < x.batch) for dim in dims if dim != x.batch]
        return replace(self.assembly.permute(x, others), batch=dims.index(x.batch))

    def _gather(self, node: Node, x: Tensor) -> Tensor:
        axis = row_axis(int(number_of(node, "axis", 0)), x)
        indices = self.constant(node, 1)
        if indices is None or indices.ndim > 1 or node.inputs[0] in self.constants:
            raise NotImplementedError("it does not take columns by a list of constants")
        states = self.states.get(node.inputs[0])
        if indices.ndim == 0 and axis == 0 and states is not None:
            return states[int(indices)]
        if indices.ndim == 0 and len(x.shape) == 2 and axis == 0:
            return replace(step_of(self.assembly, x, int(indices)), batch=max(x.batch - 1, 0))
        if indices.ndim == 0:
            raise NotImplementedError("it takes a single column")
        self.bound(node, indices.size)
        return replace(taken(self.assembly, x, axis, indices), batch=x.batch)

    def _extracted(self, node: Node, x: Tensor) -> Tensor:
        indices = self.constant(node, 1)
        if indices is None or node.inputs[0] in self.constants:
            raise NotImplementedError("it does not take columns by a list of constants")
        self.bound(node, indices.size)
        return taken(self.assembly, x, len(x.shape) - 1, indices.reshape(-1))

    def _slice(self, node: Node, x: Tensor) -> Tensor:
        places = [np.arange(extent) for extent in x.shape]
        for axis, part in slices_of(node, self.constants).items():
            if axis == x.batch and (part.start, part.step) == (0, 1) and part.stop >= _ALL:
                continue  # as some programs write all rows
            place = row_axis(axis, x)
            places[place] = places[place][part]
        return part_of(self.assembly, x, places)

    def _reduce_mean(self, node: Node, x: Tensor) -> Tensor:
        axes = self.axes(node, x)
        if axes is None or len(axes) != len(x.shape) - 1 or not axes:
            raise NotImplementedError("it does not take the mean over all axes but one")
        return self.assembly.pool(x, axes, bool(node.attributes.get("keepdims", 1)))

    def _reduce_sum(self, node: Node, x: Tensor) -> Tensor:
        made = self.assembly.dot(x) if self.axes(node, x) == [len(x.shape) - 1] else None
        if made is None or not node.attributes.get("keepdims", 1):
            raise NotImplementedError("it does not sum products of two inputs over the columns")
        return made

    def _tile(self, node: Node, x: Tensor) -> Tensor:
        repeats = self.constant(node, 1)
        sizes = [] if repeats is None else [int(size) for size in repeats.reshape(-1)]
        if len(x.shape) != 2 or x.shape[0] != 1 or [*sizes[:1], *sizes[2:]] != [1, 1]:
            raise NotImplementedError(f"it repeats rows of shape {x.shape} {sizes} times")
        return self._repeated(node, x, sizes[1])

    def _expand(self, node: Node, x: Tensor) -> Tensor:
        shape = self.constant(node, 1)
        sizes = [] if shape is None else [int(size) for size in shape.reshape(-1)]
        widths = (1, x.shape[-1])
        if len(x.shape) != 2 or x.shape[0] != 1 or len(sizes) != 3 or sizes[2] not in widths:
            raise NotImplementedError(f"it repeats rows of shape {x.shape} to {sizes}")
        return self._repeated(node, x, sizes[1])

    def _repeated(self, node: Node, x: Tensor, n: int) -> Tensor:
        if n < 1:
            raise ValueError(f"it makes {n} rows")
        self.bound(node, n * x.columns)
        row = self.assembly.reshape(x, (x.columns,))
        return self.assembly.layer(RepeatVector(n), {}, row)

    def _given_axes(self, node: Node) -> list[int] | None:
        """Return the axes that an operand or attribute names."""
        given = self.constant(node, 1) if len(node.inputs) > 1 else node.attributes.get("axes")
        return None if given is None else [int(axis) for axis in np.asarray(given).reshape(-1)]

    def axes(self, node: Node, x: Tensor) -> list[int] | None:
        """Return the axes of a row that an operator names."""
        given = self._given_axes(node)
        return None if given is None else sorted(row_axis(axis, x) for axis in given)


def slices_of(node: Node, constants: ConstantFolder) -> dict[int, slice]:
    """Return what a Slice takes of each of its axes."""
    if any(name and name not in constants for name in node.inputs[1:]):
        raise NotImplementedError("it does not take columns by constants")
    given = [constants[name].reshape(-1).tolist() if name else None for name in node.inputs[1:]]
    starts, ends, axes, steps = (given + [None] * 4)[:4]
    if starts is None or ends is None:  # attributes, before opset 10
        raise NotImplementedError("it is of an old version")
    axes = [*range(len(starts))] if axes is None else axes
    steps = [1] * len(starts) if steps is None else steps
    return {
        int(axis): slice(start, end, step)
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }


def row_axis(axis: int, x: Tensor) -> int:
    """Return an axis of a batch as one of a row."""
    rank = len(x.shape) + 1
    place = axis + rank if axis < 0 else axis
    if place == x.batch or not 0 <= place < rank:
        raise NotImplementedError("it is not over an axis of the rows")
    return place - (place > x.batch)


def _without(shape: Sequence[int], axes: Collection[int]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)
