# SPDX-License-Identifier: Apache-2.0
"""Convolutions from and to PyTorch, which has channels before positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.interop.assembly import Assembly
from chainrule.interop.convolutions import (
    convolved,
    kernel_of,
    output_padding,
    transposed,
)
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.tensor import Tensor
from chainrule.interop.torch_modules import activation_modules, array_of, channels_first, fill
from chainrule.interop.windows import DEPTHWISE, TRANSPOSED, Windows, per_axis, windows_of

__all__ = ["convolution_modules", "convolution_objection", "pad_module", "read_convolution"]
__all__ += ["read_transposed"]


def convolution_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    """Return a convolution between turns, and its activation."""
    windows = windows_of(node.layer, node.reads[0], node.shape)
    borders = [(w.before, w.behind) for w in windows]
    even = all(before == behind for before, behind in borders)
    spread = node.layer.kind in TRANSPOSED
    convolution = getattr(nn, f"Conv{'Transpose' * spread}{len(windows)}d")(
        columns,
        node.columns,
        kernel_size=tuple(w.size for w in windows),
        stride=tuple(w.stride for w in windows),
        padding=tuple(w.before if even else 0 for w in windows),
        dilation=tuple(w.dilation for w in windows),
        groups=columns if node.layer.kind in DEPTHWISE else 1,
        bias=node.layer.use_bias,
        **({"output_padding": output_padding(windows)} if spread else {}),
    )
    fill(convolution, weight=kernel_of(node), bias=node.arrays.get("bias"))
    modules = [convolution]
    if not even and spread:  # whose outputs have a border more, which is left out
        modules = [convolution, pad_module(nn, [(-before, -behind) for before, behind in borders])]
    elif not even:
        modules = [pad_module(nn, borders), convolution]
    made = channels_first(modules, len(node.shape))
    return [*made, *activation_modules(nn, node.layer.activation)]


def pad_module(nn: Any, borders: Sequence[tuple[int, int]]) -> Any:
    """Return what adds zeros before and behind each axis of positions, or takes some away."""
    # The last axis comes first.
    flat = [number for border in reversed(borders) for number in border]
    return getattr(nn, f"ConstantPad{len(borders)}d")(flat, 0.0)


def read_convolution(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    """Return what a Conv1d or Conv2d makes of x."""
    sizes, dilations = module.kernel_size, per_axis(module.dilation, len(module.kernel_size))
    if module.padding == "same":
        around = [(size - 1) * d for size, d in zip(sizes, dilations, strict=True)]
        borders = [(each // 2, each - each // 2) for each in around]
    else:
        pads = per_axis(0 if module.padding == "valid" else module.padding, len(sizes))
        borders = [(pad, pad) for pad in pads]
    windows = _windows(module, borders)
    for w, extent in zip(windows, x.shape[1:], strict=False):
        if w.count(extent) < 1:
            raise ValueError(f"has windows that span {w.span} of {extent} positions")
    return convolved(assembly, x, windows, *_arrays(module), module.groups)


def read_transposed(assembly: Assembly, x: Tensor, module: Any) -> Tensor:
    """Return what a ConvTranspose1d or ConvTranspose2d makes of x."""
    pads = zip(module.padding, module.output_padding, strict=True)
    windows = _windows(module, [(pad, pad - more) for pad, more in pads])
    for w, extent in zip(windows, x.shape[1:], strict=False):
        if w.spread(extent) < 1:
            raise ValueError(f"leaves out all of what it makes of {extent} positions")
    return transposed(assembly, x, windows, *_arrays(module), module.groups)


def _windows(module: Any, borders: Sequence[tuple[int, int]]) -> list[Windows]:
    """Return the windows of a module that reach so far beyond the ends."""
    axes = len(module.kernel_size)
    strides, dilations = (per_axis(each, axes) for each in (module.stride, module.dilation))
    return [
        Windows(size, stride, before, behind, dilation)
        for size, stride, (before, behind), dilation in zip(
            module.kernel_size, strides, borders, dilations, strict=True
        )
    ]


def _arrays(module: Any) -> tuple[Any, Any]:
    """Return a module's weight and its bias, or None."""
    return array_of(module.weight), None if module.bias is None else array_of(module.bias)


def convolution_objection(module: Any) -> str | None:
    """Return why a convolution has no form here, or None."""
    return None if module.padding_mode == "zeros" else f"its padding is {module.padding_mode!r}"
