# SPDX-License-Identifier: Apache-2.0
"""Operators of an ONNX graph that move numbers, repeat them or take means over positions."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.assembly import Assembly, Tensor
from chainrule.interop.onnx_constants import ConstantFolder, reshaped
from chainrule.interop.onnx_model import Array, Node, number_of
from chainrule.interop.windows import Windows, cropped, padded, pooled, up_sampled
from chainrule.layers import GlobalMaxPooling, RepeatVector

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
        taken = [np.arange(extent) for extent in x.shape]
        for axis, part in slices_of(node, self.constants).items():
            if axis == 0 and (part.start, part.step) == (0, 1) and part.stop >= _ALL:
                continue  # as some programs write all rows
            place = row_axis(axis, x)
            taken[place] = taken[place][part]
            if not taken[place].size:
                raise ValueError(
                    f"takes [] of {x.shape[place]}, which leaves nothing of axis {axis}"
                )
        borders = [
            (int(indices[0]), extent - 1 - int(indices[-1]))
            for indices, extent in zip(taken, x.shape, strict=True)
        ]
        are_borders = all((np.diff(indices) == 1).all() for indices in taken)
        first, last = any(borders[0]), any(borders[-1])
        if are_borders and 2 <= len(x.shape) <= 3 and not (first and last):
            of_positions = borders[1:] if last else borders[:-1]
            return cropped(self.assembly, x, of_positions, first=last)
        for place, indices in enumerate(taken):
            if not np.array_equal(indices, np.arange(x.shape[place])):
                x = self.assembly.take(x, place, indices)
        return x

    def _reduce_mean(self, node: Node, x: Tensor) -> Tensor:
        axes = self._axes(node, x)
        if axes is None or len(axes) != len(x.shape) - 1 or not axes:
            raise NotImplementedError("it does not take the mean over all axes but one")
        return self.assembly.pool(x, axes, bool(node.attributes.get("keepdims", 1)))

    def _reduce_max(self, node: Node, x: Tensor) -> Tensor:
        axes = self._axes(node, x)
        if axes is None or len(axes) != len(x.shape) - 1 or not axes:
            raise NotImplementedError("it does not take the largest over all axes but one")
        keepdims = bool(node.attributes.get("keepdims", 1))
        return self.assembly.pool(x, axes, keepdims, GlobalMaxPooling())

    def _global_max_pool(self, node: Node, x: Tensor) -> Tensor:
        return self.assembly.pool(x, range(1, len(x.shape)), True, GlobalMaxPooling())

    def _max_pool(self, node: Node, x: Tensor) -> Tensor:
        return self._pooled(node, x, largest=True)

    def _average_pool(self, node: Node, x: Tensor) -> Tensor:
        return self._pooled(node, x, largest=False)

    def _pooled(self, node: Node, x: Tensor, *, largest: bool) -> Tensor:
        extents = x.shape[1:]
        axes = len(extents)
        if not 1 <= axes <= 2:
            raise NotImplementedError(f"it pools rows of shape {x.shape}")

        def numbers(name: str, default: int, count: int) -> list[int]:
            given = [int(n) for n in np.asarray(node.attributes.get(name, [default] * count))]
            if len(given) != count:
                raise ValueError(f"its {name} are {given} for rows of shape {x.shape}")
            return given

        if max(numbers("dilations", 1, axes)) > 1:
            raise NotImplementedError("its windows are dilated")
        sizes, strides = numbers("kernel_shape", 0, axes), numbers("strides", 1, axes)
        pads = numbers("pads", 0, 2 * axes)
        if min(*sizes, *strides) < 1 or min(pads) < 0 or max(*sizes, *pads) > self.largest:
            raise ValueError(f"it has windows of {sizes}, strides {strides} and pads {pads}")
        counts_border = bool(node.attributes.get("count_include_pad", 0))
        ceil, auto = bool(node.attributes.get("ceil_mode", 0)), _text(node, "auto_pad", "NOTSET")
        windows = []
        for axis, (extent, size, stride) in enumerate(zip(extents, sizes, strides, strict=True)):
            w = Windows(size, stride, pads[axis], pads[axes + axis])
            if auto in ("SAME_UPPER", "SAME_LOWER"):
                beyond = max(-(-extent // stride) * stride - stride + size - extent, 0)
                half = beyond // 2 if auto == "SAME_UPPER" else beyond - beyond // 2
                w = Windows(size, stride, half, beyond - half)
            elif ceil and auto == "NOTSET":
                beyond = -(w.before + extent + w.behind - size) % stride
                if beyond and counts_border and not largest:
                    raise NotImplementedError("it counts the border of windows that end beyond it")
                # No window begins behind the border.
                begins = w.before + extent + w.behind - size + beyond < w.before + extent
                w = w._replace(behind=w.behind + beyond * begins)
            windows.append(w)
        return pooled(self.assembly, x, windows, largest=largest, counts_border=counts_border)

    def _resize(self, node: Node, x: Tensor) -> Tensor:
        where = _text(node, "coordinate_transformation_mode", "half_pixel")
        rounds = _text(node, "nearest_mode", "round_prefer_floor")
        halves = where in ("half_pixel", "pytorch_half_pixel") and rounds.startswith("round")
        plain = node.op == "Upsample" or (where == "asymmetric" and rounds == "floor")
        if _text(node, "mode", "nearest") != "nearest" or not (halves or plain):
            raise NotImplementedError("it does not repeat positions")
        scales: Any
        if node.op == "Upsample":
            scales = self._constant(node, 1) if len(node.inputs) > 1 else None
            scales = node.attributes.get("scales") if scales is None else scales
        else:
            scales, sizes = self._constant(node, 2), self._constant(node, 3)
            if sizes is not None and sizes.size == len(x.shape) + 1:
                scales = np.array([1.0, *(sizes.reshape(-1)[1:] / np.array(x.shape))])
        factors = [] if scales is None else [float(n) for n in np.asarray(scales).reshape(-1)]
        if len(factors) != len(x.shape) + 1 or any(f < 1 or f != int(f) for f in factors):
            raise NotImplementedError(f"its scales are {factors} for rows of shape {x.shape}")
        times = [int(f) for f in factors[1:]]
        self.bound(node, math.prod(times) * math.prod(x.shape))
        first = self._channels_first(x, [n > 1 for n in (int(factors[0]), *times)])
        return up_sampled(self.assembly, x, times[1:] if first else times[:-1], first=first)

    def _channels_first(self, x: Tensor, changed: Sequence[bool]) -> bool:
        """Whether the channels are the first of the axes of rows, and not the last.

        `changed` says of each axis of a batch whether it will have another extent.
        """
        if changed[0] or not 2 <= len(x.shape) <= 3 or (changed[1] and changed[-1]):
            raise NotImplementedError(f"it changes the extents of channels in rows of {x.shape}")
        return changed[-1]

    def _pad(self, node: Node, x: Tensor) -> Tensor:
        pads, value = self._constant(node, 1), self._constant(node, 2)
        if _text(node, "mode", "constant") != "constant" or pads is None:
            raise NotImplementedError("it does not add constants")
        if value is not None and value.any():
            raise NotImplementedError("it adds other numbers than 0")
        rank, given = len(x.shape) + 1, self._constant(node, 3)
        axes = [*range(rank)] if given is None else [int(a) % rank for a in given.reshape(-1)]
        if pads.size != 2 * len(axes) or min(pads.reshape(-1), default=0) < 0:
            raise NotImplementedError(f"its pads are {pads.tolist()} for rows of shape {x.shape}")
        borders = [(0, 0)] * rank
        for axis, before, behind in zip(axes, *pads.reshape(2, -1).tolist(), strict=True):
            borders[axis] = (before, behind)
        extents = [n + sum(border) for n, border in zip(x.shape, borders[1:], strict=True)]
        self.bound(node, math.prod(extents))
        first = self._channels_first(x, [any(border) for border in borders])
        return padded(self.assembly, x, borders[2:] if first else borders[1:-1], first=first)

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


def _text(node: Node, name: str, default: str) -> str:
    """Return an attribute that is a word."""
    value = node.attributes.get(name, default)
    return value.decode() if isinstance(value, bytes) else str(value)


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
