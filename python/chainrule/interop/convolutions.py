# SPDX-License-Identifier: Apache-2.0
"""Convolutions of other programs, whose channels come before the positions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from numpy.typing import NDArray

from chainrule.interop.assembly import Assembly
from chainrule.interop.tensor import Tensor
from chainrule.interop.windows import Windows, borders_of, padded, padding_of, short
from chainrule.layers import Conv1D, Conv2D

__all__ = ["convolved"]

Array = NDArray[Any]


def convolved(
    assembly: Assembly, x: Tensor, windows: Sequence[Windows], weight: Array, bias: Array | None
) -> Tensor:
    """Return sums over windows of the axes of x but the first, its channels.

    What lies beyond the ends counts as zeros. The weight is of shape (filters, channels, *sizes),
    as ONNX and PyTorch have it, the bias of (filters,). ValueError if no layer is that.
    """
    if not 1 <= len(windows) <= 2 or len(x.shape) != len(windows) + 1:
        raise ValueError(f"convolves {len(windows)} axes of rows of shape {x.shape}")
    expected = (x.shape[0], *(w.size for w in windows))
    if weight.shape[1:] != expected:
        raise ValueError(f"its kernel has shape {weight.shape}, expected {('filters', *expected)}")
    kernel = weight.transpose(*range(2, weight.ndim), 1, 0)
    return assembly.over_positions(x, partial(_convolution, assembly, windows, kernel, bias))


def _convolution(
    assembly: Assembly, windows: Sequence[Windows], weight: Array, bias: Array | None, x: Tensor
) -> Tensor:
    # x: rows of (positions along each axis, channels), weight: (*sizes, channels, filters)
    x, windows = _with_padding(assembly, x, windows)
    padding = padding_of(windows, x.shape[:-1])
    if padding is None:
        x = padded(assembly, x, [(w.before, w.behind) for w in windows], first=False)
    sizes, strides, _, _, dilations = ([*each] for each in zip(*windows, strict=True))
    kind = Conv1D if len(windows) == 1 else Conv2D
    layer = kind(
        weight.shape[-1],
        short(sizes),
        short(strides),
        padding or "valid",
        short(dilations),
        use_bias=bias is not None,
    )
    arrays = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return assembly.layer(layer, arrays, x)


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
