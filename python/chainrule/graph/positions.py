# SPDX-License-Identifier: Apache-2.0
"""What layers over positions make of a row's numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.graph.arrays import Nodes, for_one_reader, label
from chainrule.graph.nodes import Node, max
from chainrule.graph.sums import scaled_sum
from chainrule.interop.nodes import shape_made
from chainrule.interop.windows import borders_of, per_axis, windows_of
from chainrule.layers import (
    AveragePooling,
    Cropping,
    GlobalMaxPooling,
    Layer,
    MaxPooling,
    Position,
    UpSampling,
    ZeroPadding,
)

__all__ = ["OF_POSITIONS"]


def _pooled(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    (x,) = read
    made = shape_made(layer, (x.shape,))
    windows = windows_of(layer, x.shape, made)
    y = np.empty(made, object)
    for place in np.ndindex(*made[:-1]):
        begins = [at * w.stride - w.before for at, w in zip(place, windows, strict=True)]
        window = x[
            tuple(
                slice(b if b > 0 else 0, b + w.size) for b, w in zip(begins, windows, strict=True)
            )
        ]
        for c, nodes in enumerate(window.reshape(-1, x.shape[-1]).T):
            index = (*place, c)
            join = max if layer.kind == "max_pooling" else scaled_sum(1.0 / len(nodes))
            y[index] = join.of(*nodes, name=label(f"{name}.y", index))
    return y


def _global(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    columns = read[0].reshape(-1, read[0].shape[-1]).T
    y = np.empty(len(columns), object)
    y[:] = [max.of(*nodes, name=label(f"{name}.y", (c,))) for c, nodes in enumerate(columns)]
    return y


def _repeated(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    y = read[0]
    for axis, times in enumerate(per_axis(layer.size, y.ndim - 1)):
        y = y.repeat(times, axis)
    return for_one_reader(y)


def _padded(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    (x,) = read
    y = np.empty(shape_made(layer, (x.shape,)), object)
    for index in np.ndindex(*y.shape):
        y[index] = Node(0.0)
    borders = borders_of(layer.padding, x.ndim - 1)
    y[tuple(slice(b, b + n) for (b, _), n in zip(borders, x.shape, strict=False))] = x
    return y


def _cropped(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    made = shape_made(layer, (read[0].shape,))
    borders = borders_of(layer.cropping, len(made) - 1)
    return read[0][tuple(slice(b, b + n) for (b, _), n in zip(borders, made, strict=False))]


OF_POSITIONS: dict[type[Layer], Callable[..., Nodes]] = {
    AveragePooling: _pooled,
    Cropping: _cropped,
    GlobalMaxPooling: _global,
    MaxPooling: _pooled,
    Position: lambda name, layer, read, own: read[0][layer.index],
    UpSampling: _repeated,
    ZeroPadding: _padded,
}
"""The layers over positions, and what makes their nodes."""
