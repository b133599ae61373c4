# SPDX-License-Identifier: Apache-2.0
"""What convolutions make of a row's numbers: a sum for each place of their kernel."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.graph.arrays import Nodes, interleaved, label, shaped, taken
from chainrule.graph.sums import DOT
from chainrule.interop.nodes import shape_made
from chainrule.interop.windows import DEPTHWISE, TRANSPOSED, Windows, windows_of
from chainrule.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Layer,
)

__all__ = ["CONVOLUTIONS"]


def _convolution(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    """Return the sums of each place, whose terms come in the order of what is read."""
    # x: (*extents, channels), weight: (*kernel, channels, filters), of a transposed convolution
    # (*kernel, filters, channels), of each channel by itself (*kernel, columns).
    (x,) = read
    made = shape_made(layer, (x.shape,))
    windows = windows_of(layer, x.shape, made)
    weight, biases = own["weight"], own.get("bias", [0.0] * made[-1])
    entries_of = _window_entries
    if layer.kind in TRANSPOSED:
        weight, entries_of = weight.swapaxes(-1, -2), _spread_entries
    by_channel = layer.kind in DEPTHWISE
    if by_channel:
        weight = weight[..., None, :]
        x = taken(x, np.arange(x.shape[-1]).repeat(layer.depth_multiplier).tolist())
    nodes = []
    for place in np.ndindex(*made[:-1]):
        along = map(entries_of, windows, place, x.shape[:-1])
        entries = [tuple(zip(*pairs, strict=True)) for pairs in itertools.product(*along)]
        for j, bias in enumerate(biases):
            channels = slice(j, j + 1) if by_channel else slice(None)
            terms = [node for _, at in entries for node in x[at][channels]]
            factors = [node for entry, _ in entries for node in weight[entry][:, j]]
            name_of_sum = label(f"{name}.z", (*place, j))
            nodes.append(DOT.of(bias, *interleaved(terms, factors), name=name_of_sum))
    return shaped(nodes, made)


def _window_entries(w: Windows, place: int, extent: int) -> list[tuple[int, int]]:
    """Return the entries of the kernel that are inside the axis, in order, and what they meet."""
    pairs = ((e, place * w.stride - w.before + e * w.dilation) for e in range(w.size))
    return [(e, at) for e, at in pairs if 0 <= at < extent]


def _spread_entries(w: Windows, place: int, extent: int) -> list[tuple[int, int]]:
    """Return the entries through which the axis is spread over a place, from the last one."""
    pairs = [(e, divmod(place + w.before - e * w.dilation, w.stride)) for e in range(w.size)[::-1]]
    return [(e, at) for e, (at, rest) in pairs if rest == 0 and 0 <= at < extent]


CONVOLUTIONS: dict[type[Layer], Callable[..., Nodes]] = dict.fromkeys(
    [Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose, DepthwiseConv1D, DepthwiseConv2D],
    _convolution,
)
"""The convolutions, and what makes their nodes."""
