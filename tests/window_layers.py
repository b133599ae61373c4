# SPDX-License-Identifier: Apache-2.0
"""Layers over positions, with options of each kind, and what they give by plain NumPy."""

from __future__ import annotations

import itertools
import math

import numpy as np

import chainrule as cr

TIME = (7, 3)
IMAGE = (6, 7, 3)
SHAPES = {2: TIME, 3: IMAGE}

LAYERS = [
    (2, cr.MaxPooling()),
    (2, cr.MaxPooling(3, strides=2)),
    (2, cr.MaxPooling(3, 2, "same")),
    (2, cr.MaxPooling(2, 3)),
    (2, cr.AveragePooling()),
    (2, cr.AveragePooling(3, 1, "same")),
    (2, cr.GlobalMaxPooling()),
    (2, cr.UpSampling(3)),
    (2, cr.ZeroPadding(2)),
    (2, cr.ZeroPadding((0, 3))),
    (2, cr.Cropping((2, 1))),
    (3, cr.MaxPooling()),
    (3, cr.MaxPooling((3, 2))),
    (3, cr.MaxPooling(3, 2, "same")),
    (3, cr.MaxPooling((2, 3), strides=(1, 2))),
    (3, cr.MaxPooling((2, 1), strides=(3, 2))),
    (3, cr.MaxPooling(2, padding="same")),
    (3, cr.AveragePooling()),
    (3, cr.AveragePooling((3, 2), (2, 1), "same")),
    (3, cr.AveragePooling(2, 3)),
    (3, cr.AveragePooling(3, 1)),
    (3, cr.GlobalMaxPooling()),
    (3, cr.UpSampling()),
    (3, cr.UpSampling((1, 3))),
    (3, cr.ZeroPadding()),
    (3, cr.ZeroPadding((0, 2))),
    (3, cr.ZeroPadding(((1, 2), (3, 0)))),
    (3, cr.Cropping()),
    (3, cr.Cropping((2, 1))),
    (3, cr.Cropping(((0, 2), (1, 3)))),
]
CASES = [(SHAPES[rank], layer) for rank, layer in LAYERS]
IDS = [f"{layer} of {rank - 1}" for rank, layer in LAYERS]


def per_axis(value: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    """Return an option with one number for each axis."""
    return value if isinstance(value, tuple) else (value,) * axes


def borders(value: object, axes: int) -> list[tuple[int, int]]:
    """Return the (before, after) of each axis."""
    flat = np.ravel(value).tolist()
    if len(flat) == 1:
        return [(flat[0], flat[0])] * axes
    if len(flat) == axes:
        return [(number, number) for number in flat]
    return list(zip(flat[::2], flat[1::2], strict=True))


def spans(size: int, stride: int, same: bool, extent: int) -> list[range]:
    """Return the places of each window along an axis."""
    if not same:
        return [range(at, at + size) for at in range(0, extent - size + 1, stride)]
    count = math.ceil(extent / stride)
    before = max((count - 1) * stride + size - extent, 0) // 2
    starts = [i * stride - before for i in range(count)]
    return [range(max(start, 0), min(start + size, extent)) for start in starts]


def windows(layer: cr.layers.Layer, extents: tuple[int, ...]) -> list[list[range]]:
    """Return a pool's windows along each axis."""
    sizes = per_axis(layer.pool_size, len(extents))
    strides = sizes if layer.strides is None else per_axis(layer.strides, len(extents))
    same = layer.padding == "same"
    return [
        spans(*axis, same, extent) for *axis, extent in zip(sizes, strides, extents, strict=True)
    ]


def expected(layer: cr.layers.Layer, x: np.ndarray) -> np.ndarray:
    """Return what a layer gives for rows of positions."""
    extents = x.shape[1:-1]
    axes = len(extents)
    if layer.kind == "global_max_pooling":
        return x.max(axis=tuple(range(1, axes + 1)))
    if layer.kind in ("max_pooling", "average_pooling"):
        along = windows(layer, extents)
        reduce = np.max if layer.kind == "max_pooling" else np.mean
        y = np.empty((len(x), *map(len, along), x.shape[-1]), x.dtype)
        for place in itertools.product(*(range(len(axis)) for axis in along)):
            index = np.ix_(range(len(x)), *(axis[i] for axis, i in zip(along, place, strict=True)))
            y[(slice(None), *place)] = reduce(x[index], axis=tuple(range(1, axes + 1)))
        return y
    if layer.kind == "up_sampling":
        for axis, size in enumerate(per_axis(layer.size, axes)):
            x = x.repeat(size, axis + 1)
        return x
    if layer.kind == "zero_padding":
        return np.pad(x, [(0, 0), *borders(layer.padding, axes), (0, 0)])
    cut = [
        slice(before, extent - after)
        for (before, after), extent in zip(borders(layer.cropping, axes), extents, strict=True)
    ]
    return x[(slice(None), *cut)]


def on(shape: tuple[int, ...], *layers: cr.layers.Layer, dtype: str = "float64") -> cr.Network:
    """Return a network of layers on an input of this shape."""
    x = h = cr.Input(shape)
    for layer in layers:
        h = layer(h)
    return cr.Network(x, h, seed=4, dtype=dtype)
