# SPDX-License-Identifier: Apache-2.0
"""Operators of an ONNX graph that move numbers, repeat them or take means over positions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.assembly import Assembly, Tensor
from chainrule.interop.onnx_constants import ConstantFolder, reshaped
from chainrule.interop.onnx_model import Array, Node, number_of
from chainrule.layers import RepeatVector

__all__ = ["ShapeReader", "row_axis", "slices_of"]

_ALL = 2**31 - 1


class ShapeReader:
    """Adds operators that change the shape of rows to an assembly.

    Rows may have `largest` columns in all.
    """

    def __init__(self, assembly: Assembly, constants: ConstantFolder, largest: int) -> None:
        self.assembly = assembly
        self.constants = constants
        self.largest = largest

    def bound(self, node: Node, columns: int) -> None:
        """Raise ModelFileError if a node makes too many columns."""
        if columns > self.largest:
            raise ModelFileError(f"{node} makes {columns} columns")

    def _constant(self, node: Node, index: int) -> Array | None:
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
        shape = self._constant(node, 1)
        sizes = [] if shape is None else [int(size) for size in shape.reshape(-1)]
        row = reshaped(sizes, x.shape, bool(node.attributes.get("allowzero", 0)))
        if row is None:
            raise NotImplementedError(
                f"it makes the shape {sizes} of rows of shape {x.shape}, which joins or parts them"
            )
        return self.assembly.reshape(x, row)

    def _squeeze(self, node: Node, x: Tensor) -> Tensor:
        axes = self._axes(node, x)
        if axes is None or any(x.shape[axis] != 1 for axis in axes):
            raise NotImplementedError("it does not name axes of one element")
        return self.assembly.reshape(x, _without(x.shape, axes) or (1,))

    def _unsqueeze(self, node: Node, x: Tensor) -> Tensor:
        given = self._given_axes(node)
        if given is None:
            raise ValueError("it names no axes")
        shape, rank = [*x.shape], len(x.shape) + len(given) + 1
        for axis in sorted(axis + rank if axis < 0 else axis for axis in given):
            if not 1 <= axis <= len(shape) + 1:
                raise NotImplementedError("it moves the rows of the batch")
            shape.insert(axis - 1, 1)
        return self.assembly.reshape(x, tuple(shape))

    def _transpose(self, node: Node, x: Tensor) -> Tensor:
        axes = node.attributes.get("perm")
        dims = [] if axes is None else [int(axis) for axis in np.asarray(axes)]
        if sorted(dims) != [*range(len(x.shape) + 1)]:
            raise NotImplementedError("it does not name every axis once")
        if dims[0]:
            raise NotImplementedError("it moves the rows of the batch")
        return self.assembly.permute(x, dims[1:])

    def _gather(self, node: Node, x: Tensor) -> Tensor:
        axis = row_axis(int(number_of(node, "axis", 0)), x)
        indices = self._constant(node, 1)
        if indices is None or indices.ndim != 1 or node.inputs[0] in self.constants:
            raise NotImplementedError("it does not take columns by a list of constants")
        self.bound(node, indices.size)
        return self.assembly.take(x, axis, indices)

    def _extracted(self, node: Node, x: Tensor) -> Tensor:
        indices = self._constant(node, 1)
        if indices is None or node.inputs[0] in self.constants:
            raise NotImplementedError("it does not take columns by a list of constants")
        self.bound(node, indices.size)
        return self.assembly.take(x, len(x.shape) - 1, indices.reshape(-1))

    def _slice(self, node: Node, x: Tensor) -> Tensor:
        for axis, taken in slices_of(node, self.constants).items():
            if axis == 0 and (taken.start, taken.step) == (0, 1) and taken.stop >= _ALL:
                continue  # as some programs write all rows
            place = row_axis(axis, x)
            indices = np.arange(x.shape[place])[taken]
            if indices.size < x.shape[place] or taken.step < 0:
                x = self.assembly.take(x, place, indices)
        return x

    def _reduce_mean(self, node: Node, x: Tensor) -> Tensor:
        axes = self._axes(node, x)
        if axes is None or len(axes) != len(x.shape) - 1 or not axes:
            raise NotImplementedError("it does not take the mean over all axes but one")
        return self.assembly.pool(x, axes, bool(node.attributes.get("keepdims", 1)))

    def _global_average_pool(self, node: Node, x: Tensor) -> Tensor:
        return self.assembly.pool(x, range(1, len(x.shape)), True)

    def _reduce_sum(self, node: Node, x: Tensor) -> Tensor:
        made = self.assembly.dot(x) if self._axes(node, x) == [len(x.shape) - 1] else None
        if made is None or not node.attributes.get("keepdims", 1):
            raise NotImplementedError("it does not sum products of two inputs over the columns")
        return made

    def _tile(self, node: Node, x: Tensor) -> Tensor:
        repeats = self._constant(node, 1)
        sizes = [] if repeats is None else [int(size) for size in repeats.reshape(-1)]
        if len(x.shape) != 2 or x.shape[0] != 1 or [*sizes[:1], *sizes[2:]] != [1, 1]:
            raise NotImplementedError(f"it repeats rows of shape {x.shape} {sizes} times")
        return self._repeated(node, x, sizes[1])

    def _expand(self, node: Node, x: Tensor) -> Tensor:
        shape = self._constant(node, 1)
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
        given = self._constant(node, 1) if len(node.inputs) > 1 else node.attributes.get("axes")
        return None if given is None else [int(axis) for axis in np.asarray(given).reshape(-1)]

    def _axes(self, node: Node, x: Tensor) -> list[int] | None:
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
    row = axis - 1 if axis > 0 else axis + len(x.shape)
    if axis == 0 or not 0 <= row < len(x.shape):
        raise NotImplementedError("it is not over an axis of the rows")
    return row


def _without(shape: Sequence[int], axes: Collection[int]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)
