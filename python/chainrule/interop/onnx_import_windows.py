# SPDX-License-Identifier: Apache-2.0
"""Operators of an ONNX graph with windows over positions, read as layers of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.interop.convolutions import convolved, transposed
from chainrule.interop.onnx_model import Array, Node, number_of, text_of
from chainrule.interop.onnx_shapes import ShapeReader
from chainrule.interop.tensor import Tensor
from chainrule.interop.windows import Windows, padded, pooled, up_sampled
from chainrule.layers import GlobalMaxPooling

__all__ = ["WINDOW_OPERATORS"]


def _conv(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    weight, bias, groups = _arrays(reader, node, x.shape[0], 0)
    windows = _windows(reader, node, x, weight.shape[2:])
    counts = [w.count(extent) for w, extent in zip(windows, x.shape[1:], strict=True)]
    extents = [w.before + n + w.behind for w, n in zip(windows, x.shape[1:], strict=True)]
    reader.bound(node, math.prod(counts) * len(weight))
    reader.bound(node, math.prod(extents) * x.shape[0])
    return convolved(reader.assembly, x, windows, weight, bias, groups)


def _conv_transpose(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    weight, bias, groups = _arrays(reader, node, x.shape[0], 1)
    if weight.ndim > 4:
        raise NotImplementedError(f"it makes positions along {weight.ndim - 2} axes, of 2 at most")
    windows = _transposed_windows(reader, node, x, weight.shape[2:])
    extents = [n * w.stride + w.span for w, n in zip(windows, x.shape[1:], strict=True)]
    reader.bound(node, math.prod(extents) * weight.shape[1] * groups)
    return transposed(reader.assembly, x, windows, weight, bias, groups)


def _arrays(
    reader: ShapeReader, node: Node, channels: int, axis: int
) -> tuple[Array, Array | None, int]:
    """Return a kernel with its filters along an axis, its bias, and how many groups there are."""
    # The second axis is of the filters, or the channels, of a group.
    weight, bias = reader.constant(node, 1), reader.constant(node, 2)
    if weight is None or weight.ndim < 3 or weight.size == 0:
        raise ValueError("it has no kernel")
    groups = int(number_of(node, "group", 1))
    if groups < 1 or channels % groups or (axis == 0 and len(weight) % groups):
        raise NotImplementedError(f"its {channels} channels are in {groups} groups")
    count = (weight.shape[axis] * (groups if axis else 1),)
    if bias is not None and bias.shape != count:
        raise ValueError(f"its bias has shape {bias.shape}, expected {count}")
    reader.spend(weight)
    return weight, bias, groups


def _max_pool(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    return _pooled(reader, node, x, largest=True)


def _average_pool(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    return _pooled(reader, node, x, largest=False)


def _pooled(reader: ShapeReader, node: Node, x: Tensor, *, largest: bool) -> Tensor:
    counts_border = bool(node.attributes.get("count_include_pad", 0))
    ceil = bool(node.attributes.get("ceil_mode", 0))
    auto = text_of(node, "auto_pad", "NOTSET")
    windows = []
    for extent, w in zip(x.shape[1:], _windows(reader, node, x), strict=True):
        if w.dilation > 1:
            raise NotImplementedError("its windows are dilated")
        if ceil and auto == "NOTSET":
            beyond = -(w.before + extent + w.behind - w.size) % w.stride
            if beyond and counts_border and not largest:
                raise NotImplementedError("it counts the border of windows that end beyond it")
            # No window begins behind the border.
            begins = w.before + extent + w.behind - w.size + beyond < w.before + extent
            w = w._replace(behind=w.behind + beyond * begins)
        windows.append(w)
    return pooled(reader.assembly, x, windows, largest=largest, counts_border=counts_border)


def _windows(
    reader: ShapeReader, node: Node, x: Tensor, kernel: Sequence[int] | None = None
) -> list[Windows]:
    """Return the windows of an operator along each axis of x but the first, its channels."""
    auto = text_of(node, "auto_pad", "NOTSET")
    windows = []
    for extent, w in zip(x.shape[1:], _given_windows(reader, node, x, kernel), strict=True):
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            last = (extent - 1) // w.stride * w.stride
            w = _around(w, max(last + w.span - extent, 0), auto)
        if w.count(extent) < 1:
            raise ValueError(f"its windows span {w.span} of {extent} positions")
        windows.append(w)
    return windows


def _transposed_windows(
    reader: ShapeReader, node: Node, x: Tensor, kernel: Sequence[int]
) -> list[Windows]:
    """Return the windows of a ConvTranspose, which reach as far beyond the ends of its outputs."""
    extents, auto = x.shape[1:], text_of(node, "auto_pad", "NOTSET")
    more = _numbers(node, x, "output_padding", [0] * len(extents))
    given: Sequence[int] | None = None
    if "output_shape" in node.attributes:
        given = _numbers(node, x, "output_shape", extents)
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        strides = _numbers(node, x, "strides", [1] * len(extents))
        given = [n * stride for n, stride in zip(extents, strides, strict=True)]
    windows = []
    for axis, w in enumerate(_given_windows(reader, node, x, kernel)):
        if not 0 <= more[axis] < max(w.stride, w.dilation):
            raise ValueError(f"its output_padding is {more} with strides of {w.stride}")
        if given is not None:
            beyond = w._replace(before=0, behind=-more[axis]).spread(extents[axis]) - given[axis]
            if beyond < 0:
                raise NotImplementedError(f"it makes {given} positions, more than windows reach")
            w = _around(w, beyond, auto if auto == "SAME_UPPER" else "SAME_LOWER")
        w = w._replace(behind=w.behind - more[axis])
        if w.spread(extents[axis]) < 1:
            raise ValueError(f"it leaves out all of what it makes of {extents[axis]} positions")
        windows.append(w)
    return windows


def _around(w: Windows, beyond: int, auto: str) -> Windows:
    """Return windows that reach so far beyond both ends together."""
    half = beyond // 2 if auto == "SAME_UPPER" else beyond - beyond // 2
    return w._replace(before=half, behind=beyond - half)


def _numbers(node: Node, x: Tensor, name: str, default: Sequence[int]) -> list[int]:
    """Return an attribute of as many numbers as the default has."""
    given = [int(n) for n in np.asarray(node.attributes.get(name, default))]
    if len(given) != len(default):
        raise ValueError(f"its {name} are {given} for rows of shape {x.shape}")
    return given


def _given_windows(
    reader: ShapeReader, node: Node, x: Tensor, kernel: Sequence[int] | None
) -> list[Windows]:
    """Return the windows of an operator with the pads that it names."""
    axes = len(x.shape) - 1
    if not 1 <= axes <= 2:
        raise NotImplementedError(f"it has windows over rows of shape {x.shape}")
    sizes = _numbers(node, x, "kernel_shape", [0] * axes if kernel is None else kernel)
    if kernel is not None and (len(kernel) != axes or sizes != [*kernel]):
        raise ValueError(f"its kernel has extents {[*kernel]} for rows of shape {x.shape}")
    strides = _numbers(node, x, "strides", [1] * axes)
    dilations = _numbers(node, x, "dilations", [1] * axes)
    pads = _numbers(node, x, "pads", [0] * (2 * axes))
    positive = (*sizes, *strides, *dilations)
    if min(positive) < 1 or min(pads) < 0 or max(*sizes, *dilations, *pads) > reader.largest:
        raise ValueError(f"it has windows of {sizes}, strides {strides} and pads {pads}")
    if text_of(node, "auto_pad", "NOTSET") == "VALID":
        pads = [0] * (2 * axes)
    return [
        Windows(*each)
        for each in zip(sizes, strides, pads[:axes], pads[axes:], dilations, strict=True)
    ]


def _global_max_pool(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    return reader.assembly.pool(x, range(1, len(x.shape)), True, GlobalMaxPooling())


def _global_average_pool(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    return reader.assembly.pool(x, range(1, len(x.shape)), True)


def _reduce_max(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    axes = reader.axes(node, x)
    if axes is None or len(axes) != len(x.shape) - 1 or not axes:
        raise NotImplementedError("it does not take the largest over all axes but one")
    keepdims = bool(node.attributes.get("keepdims", 1))
    return reader.assembly.pool(x, axes, keepdims, GlobalMaxPooling())


def _resize(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    where = text_of(node, "coordinate_transformation_mode", "half_pixel")
    rounds = text_of(node, "nearest_mode", "round_prefer_floor")
    halves = where in ("half_pixel", "pytorch_half_pixel") and rounds.startswith("round")
    plain = node.op == "Upsample" or (where == "asymmetric" and rounds == "floor")
    if text_of(node, "mode", "nearest") != "nearest" or not (halves or plain):
        raise NotImplementedError("it does not repeat positions")
    scales: Any
    if node.op == "Upsample":
        scales = reader.constant(node, 1) if len(node.inputs) > 1 else None
        scales = node.attributes.get("scales") if scales is None else scales
    else:
        scales, sizes = reader.constant(node, 2), reader.constant(node, 3)
        if sizes is not None and sizes.size == len(x.shape) + 1:
            scales = np.array([1.0, *(sizes.reshape(-1)[1:] / np.array(x.shape))])
    factors = [] if scales is None else [float(n) for n in np.asarray(scales).reshape(-1)]
    if len(factors) != len(x.shape) + 1 or any(f < 1 or f != int(f) for f in factors):
        raise NotImplementedError(f"its scales are {factors} for rows of shape {x.shape}")
    times = [int(f) for f in factors[1:]]
    reader.bound(node, math.prod(times) * math.prod(x.shape))
    first = _channels_first(x, [n > 1 for n in (int(factors[0]), *times)])
    return up_sampled(reader.assembly, x, times[1:] if first else times[:-1], first=first)


def _channels_first(x: Tensor, changed: Sequence[bool]) -> bool:
    """Whether the channels are the first of the axes of rows, and not the last."""
    # `changed` says of each axis of a batch whether it will have another extent.
    if changed[0] or not 2 <= len(x.shape) <= 3 or (changed[1] and changed[-1]):
        raise NotImplementedError(f"it changes the extents of channels in rows of {x.shape}")
    return changed[-1]


def _pad(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    pads, value = reader.constant(node, 1), reader.constant(node, 2)
    if text_of(node, "mode", "constant") != "constant" or pads is None:
        raise NotImplementedError("it does not add constants")
    if value is not None and value.any():
        raise NotImplementedError("it adds other numbers than 0")
    rank, given = len(x.shape) + 1, reader.constant(node, 3)
    axes = [*range(rank)] if given is None else [int(a) % rank for a in given.reshape(-1)]
    if pads.size != 2 * len(axes) or min(pads.reshape(-1), default=0) < 0:
        raise NotImplementedError(f"its pads are {pads.tolist()} for rows of shape {x.shape}")
    borders = [(0, 0)] * rank
    for axis, before, behind in zip(axes, *pads.reshape(2, -1).tolist(), strict=True):
        borders[axis] = (before, behind)
    extents = [n + sum(border) for n, border in zip(x.shape, borders[1:], strict=True)]
    reader.bound(node, math.prod(extents))
    first = _channels_first(x, [any(border) for border in borders])
    return padded(reader.assembly, x, borders[2:] if first else borders[1:-1], first=first)


WINDOW_OPERATORS: dict[str, Callable[[Any, Node, Tensor], Tensor]] = {
    "AveragePool": _average_pool,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_average_pool,
    "GlobalMaxPool": _global_max_pool,
    "MaxPool": _max_pool,
    "Pad": _pad,
    "ReduceMax": _reduce_max,
    "Resize": _resize,
    "Upsample": _resize,
}
"""What adds an operator to the assembly of a reader."""
