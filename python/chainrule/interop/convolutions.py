# SPDX-License-Identifier: Apache-2.0
"""Convolutions of other programs, whose channels come before the positions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.assembly import Assembly
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.parts import taken
from chainrule.interop.tensor import Tensor
from chainrule.interop.windows import (
    DEPTHWISE,
    TRANSPOSED,
    Windows,
    borders_of,
    cropped,
    padded,
    padding_of,
    short,
)
from chainrule.layers import (
    Concatenate,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Layer,
)

__all__ = ["convolved", "kernel_of", "output_padding", "transposed"]

Array = NDArray[Any]


def kernel_of(node: NetworkNode) -> Array:
    """Return the weight of a convolution with its positions last, as ONNX and PyTorch have it.

    It is of shape (filters, channels, *sizes), of a transposed one (channels, filters, *sizes), and
    of one of each channel by itself (filters, 1, *sizes).
    """
    weight = node.arrays["weight"]
    if node.layer.kind in DEPTHWISE:
        weight = weight[..., np.newaxis, :]
    return weight.transpose(weight.ndim - 1, weight.ndim - 2, *range(weight.ndim - 2))


def output_padding(windows: Sequence[Windows]) -> list[int]:
    """Return how many outputs of a transposed convolution lie behind all windows, along each axis.

    They are those of a stride that is larger than what a window spans.
    """
    return [max(w.stride - w.span, 0) for w in windows]


def convolved(
    assembly: Assembly,
    x: Tensor,
    windows: Sequence[Windows],
    weight: Array,
    bias: Array | None,
    groups: int = 1,
) -> Tensor:
    """Return sums over windows of the axes of x but the first, its channels.

    What lies beyond the ends counts as zeros. The weight is of shape (filters, channels of a group,
    *sizes), as ONNX and PyTorch have it, the bias of (filters,). Groups with a channel each are one
    layer, others are layers beside each other. ValueError if no layers are that.
    """
    _check(x, windows, weight, 0, x.shape[0] // groups)
    kernel = weight.transpose(*range(2, weight.ndim), 1, 0)
    if groups == x.shape[0] > 1:
        kernel, groups = kernel[..., 0, :], 1
    made = partial(_convolution, assembly, windows, kernel, bias, groups)
    return assembly.over_positions(x, made)


def transposed(
    assembly: Assembly,
    x: Tensor,
    windows: Sequence[Windows],
    weight: Array,
    bias: Array | None,
    groups: int = 1,
) -> Tensor:
    """Return x spread over windows of its axes but the first, its channels.

    Of all places of the windows those are left out that are `before` and `behind`, where a negative
    number is of those added. The weight is of shape (channels, filters of a group, *sizes), as ONNX
    and PyTorch have it, the bias of (filters,). ValueError if no layers are that.
    """
    _check(x, windows, weight, 1, x.shape[0])
    kernel = weight.transpose(*range(2, weight.ndim), 1, 0)
    made = partial(_transposed, assembly, windows, kernel, bias, groups)
    return assembly.over_positions(x, made)


def _check(
    x: Tensor, windows: Sequence[Windows], weight: Array, filters: int, channels: int
) -> None:
    """Raise ValueError unless a kernel, with its filters along an axis, fits rows and windows."""
    if not 1 <= len(windows) <= 2 or len(x.shape) != len(windows) + 1:
        raise ValueError(f"convolves {len(windows)} axes of rows of shape {x.shape}")
    expected: list[Any] = [channels, *(w.size for w in windows)]
    if np.delete(weight.shape, filters).tolist() != expected:
        expected.insert(filters, "filters")
        raise ValueError(f"its kernel has shape {weight.shape}, expected {tuple(expected)}")


def _convolution(
    assembly: Assembly,
    windows: Sequence[Windows],
    weight: Array,
    bias: Array | None,
    groups: int,
    x: Tensor,
) -> Tensor:
    # x: rows of (positions along each axis, channels), weight: (*sizes, channels of a group,
    # filters), or (*sizes, filters) of each channel by itself
    x, windows = _with_padding(assembly, x, windows)
    padding = padding_of(windows, x.shape[:-1])
    if padding is None:
        x = padded(assembly, x, [(w.before, w.behind) for w in windows], first=False)
    kinds: tuple[type[Layer], type[Layer]] = (Conv1D, Conv2D)
    if weight.ndim == len(windows) + 1:
        kinds = (DepthwiseConv1D, DepthwiseConv2D)
    kind = kinds[len(windows) - 1]
    return _layers(assembly, kind, windows, padding or "valid", weight, bias, groups, x)


def _transposed(
    assembly: Assembly,
    windows: Sequence[Windows],
    weight: Array,
    bias: Array | None,
    groups: int,
    x: Tensor,
) -> Tensor:
    # x: rows of (positions along each axis, channels), weight: (*sizes, filters of a group,
    # channels)
    beyond = [-more - w.behind for w, more in zip(windows, output_padding(windows), strict=True)]
    # What is added beyond what windows reach is in reach of those of zeros behind x.
    zeros = [max(-(-n // w.stride), 0) for w, n in zip(windows, beyond, strict=True)]
    x = padded(assembly, x, [(0, n) for n in zeros], first=False)
    kind = Conv1DTranspose if len(windows) == 1 else Conv2DTranspose
    made = _layers(assembly, kind, windows, "valid", weight, bias, groups, x)
    borders = [
        (w.before, n * w.stride - more) for w, n, more in zip(windows, zeros, beyond, strict=True)
    ]
    return cropped(assembly, made, borders, first=False)


def _layers(
    assembly: Assembly,
    kind: type[Layer],
    windows: Sequence[Windows],
    padding: str,
    weight: Array,
    bias: Array | None,
    groups: int,
    x: Tensor,
) -> Tensor:
    """Return what a layer for each group of channels makes of it, beside each other."""
    if groups == 1:
        return _layer(assembly, kind, windows, padding, weight, bias, x)
    x = assembly.share(x)
    size = x.columns // groups
    biases = [None] * groups if bias is None else np.split(bias, groups)
    made = []
    for i, arrays in enumerate(zip(np.split(weight, groups, -1), biases, strict=True)):
        part = taken(assembly, x, len(x.shape) - 1, np.arange(i * size, (i + 1) * size))
        made.append(_layer(assembly, kind, windows, padding, *arrays, part))
    return assembly.layer(Concatenate(), {}, *made)


def _layer(
    assembly: Assembly,
    kind: type[Layer],
    windows: Sequence[Windows],
    padding: str,
    weight: Array,
    bias: Array | None,
    x: Tensor,
) -> Tensor:
    """Return what a layer with these windows makes of rows whose channels are last."""
    sizes, strides, _, _, dilations = ([*each] for each in zip(*windows, strict=True))
    options: dict[str, Any] = {
        "kernel_size": short(sizes),
        "strides": short(strides),
        "padding": padding,
        "dilation": short(dilations),
        "use_bias": bias is not None,
    }
    if kind.kind in DEPTHWISE:
        options["depth_multiplier"] = weight.shape[-1] // x.columns
    else:
        options["filters"] = weight.shape[-2 if kind.kind in TRANSPOSED else -1]
    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return assembly.layer(kind(**options), arrays, x)


def _with_padding(
    assembly: Assembly, x: Tensor, windows: Sequence[Windows]
) -> tuple[Tensor, Sequence[Windows]]:
    """Return windows that reach over the zeros around x, without these, if a layer has such."""
    node = x.node
    whole = not x.shared and x.is_plain and x.shape == x.stored
    if node is None or node.layer.kind != "zero_padding" or not whole:
        return x, windows
    borders = borders_of(node.layer.padding, len(windows))
    wider = [
        w._replace(before=w.before + before, behind=w.behind + behind)
        for w, (before, behind) in zip(windows, borders, strict=True)
    ]
    if padding_of(wider, node.reads[0][:-1]) not in ("same", "causal"):
        return x, windows
    return assembly.undo(x), wider
