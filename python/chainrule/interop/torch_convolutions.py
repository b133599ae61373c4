# SPDX-License-Identifier: Apache-2.0
"""Convolutions from and to PyTorch, which has channels before positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.interop.assembly import Assembly
from chainrule.interop.convolutions import convolved
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.tensor import Tensor
from chainrule.interop.torch_modules import activation_modules, array_of, channels_first, fill
from chainrule.interop.windows import Windows, per_axis, windows_of

__all__ = ["convolution_modules", "convolution_objection", "pad_module", "read_convolution"]


def convolution_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    """Return a convolution between turns, and its activation."""
    windows = windows_of(node.layer, node.reads[0], node.shape)
    borders = [(w.before, w.behind) for w in windows]
    even = all(before == behind for before, behind in borders)
    convolution = getattr(nn, f"Conv{len(windows)}d")(
        columns,
        node.columns,
        tuple(w.size for w in windows),
        tuple(w.stride for w in windows),
        tuple(w.before if even else 0 for w in windows),
        tuple(w.dilation for w in windows),
        bias=node.layer.use_bias,
    )
    # Of (*sizes, channels, filters).
    weight = node.arrays["weight"]
    kernel = weight.transpose(weight.ndim - 1, weight.ndim - 2, *range(len(windows)))
    fill(convolution, weight=kernel, bias=node.arrays.get("bias"))
    padding = [] if even else [pad_module(nn, borders)]
    turned = channels_first([*padding, convolution], len(node.shape))
    return [*turned, *activation_modules(nn, node.layer.activation)]


def pad_module(nn: Any, borders: Sequence[tuple[int, int]]) -> Any:
    """Return what adds zeros before and behind each axis of positions."""
    # The last axis comes first.
    flat = [number for border in reversed(borders) for number in border]
    return getattr(nn, f"ConstantPad{len(borders)}d")(flat, 0.0)


def read_convolution(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    """Return what a Conv1d or Conv2d makes of x."""
    sizes, axes = module.kernel_size, len(module.kernel_size)
    strides, dilations = (per_axis(each, axes) for each in (module.stride, module.dilation))
    if module.padding == "same":
        around = [(size - 1) * d for size, d in zip(sizes, dilations, strict=True)]
        borders = [(each // 2, each - each // 2) for each in around]
    else:
        pads = per_axis(0 if module.padding == "valid" else module.padding, axes)
        borders = [(pad, pad) for pad in pads]
    windows = [
        Windows(size, stride, *border, dilation)
        for size, stride, border, dilation in zip(sizes, strides, borders, dilations, strict=True)
    ]
    for w, extent in zip(windows, x.shape[1:], strict=False):
        if w.count(extent) < 1:
            raise ValueError(f"has windows that span {w.span} of {extent} positions")
    bias = None if module.bias is None else array_of(module.bias)
    return convolved(assembly, x, windows, array_of(module.weight), bias)


def convolution_objection(module: Any) -> str | None:
    """Return why a convolution has no form here, or None."""
    if module.groups != 1:
        return f"its channels are in {module.groups} groups"
    return None if module.padding_mode == "zeros" else f"its padding is {module.padding_mode!r}"
