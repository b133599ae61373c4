# SPDX-License-Identifier: Apache-2.0
"""What layers over positions do along each axis, as other forms of networks say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from chainrule.interop.assembly import Assembly
from chainrule.interop.nodes import shape_made
from chainrule.interop.tensor import Tensor
from chainrule.layers import AveragePooling, Cropping, Layer, MaxPooling, UpSampling, ZeroPadding

__all__ = ["DEPTHWISE", "TRANSPOSED", "Windows", "borders_of", "cropped", "padded", "padding_of"]
__all__ += ["per_axis", "pooled", "short", "up_sampled", "windows_of"]

DEPTHWISE = frozenset({"depthwise_conv1d", "depthwise_conv2d"})
"""Kinds of convolutions of each channel by itself."""

TRANSPOSED = frozenset({"conv1d_transpose", "conv2d_transpose"})
"""Kinds of transposed convolutions."""


class Windows(NamedTuple):
    """The windows of a layer along one axis, and how far they reach beyond its ends."""

    size: int
    stride: int
    before: int
    behind: int
    dilation: int = 1

    @property
    def span(self) -> int:
        """Places from the first that a window has to its last, both included."""
        return (self.size - 1) * self.dilation + 1

    def count(self, extent: int) -> int:
        """Return how many there are along an axis."""
        return (self.before + extent + self.behind - self.span) // self.stride + 1

    def spread(self, count: int) -> int:
        """Return the extent of an axis on which there are `count`, the last of them at its end."""
        return (count - 1) * self.stride + self.span - self.before - self.behind


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """Return an option as one number for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def windows_of(layer: Any, read: Sequence[int], made: Sequence[int]) -> list[Windows]:
    """Return the windows of a layer along each axis of positions, by the shapes of rows.

    Those of a transposed convolution lie in what it makes, one for each position that it reads.
    """
    if layer.kind in TRANSPOSED:
        read, made = made, read
    extents, axes = read[:-1], len(read) - 1
    sizes = per_axis(layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size, axes)
    strides = sizes if layer.strides is None else per_axis(layer.strides, axes)
    dilations = per_axis(getattr(layer, "dilation", 1), axes)
    along = zip(extents, made[:-1], sizes, strides, dilations, strict=True)
    windows = [_around(extent, count, *options) for extent, count, *options in along]
    if layer.padding != "causal":
        return windows
    return [w._replace(before=w.span - 1, behind=0) for w in windows]


def _around(extent: int, count: int, size: int, stride: int, dilation: int = 1) -> Windows:
    """Return `count` windows that reach beyond an axis at both ends, half and half."""
    w = Windows(size, stride, 0, 0, dilation)
    beyond = max((count - 1) * stride + w.span - extent, 0)
    return w._replace(before=beyond // 2, behind=beyond - beyond // 2)


def borders_of(value: Any, axes: int) -> list[tuple[int, int]]:
    """Return what ZeroPadding adds, or Cropping leaves out, before and behind each axis."""
    if isinstance(value, int):
        return [(value, value)] * axes
    if isinstance(value[0], tuple):
        return [*value]
    return [(number, number) for number in value] if len(value) == axes else [tuple(value)]


def pooled(
    assembly: Assembly, x: Tensor, windows: Sequence[Windows], *, largest: bool, counts_border: bool
) -> Tensor:
    """Return the largest or the mean of windows over the axes of x but the first, its channels.

    With `counts_border` the mean takes what lies beyond the ends for zeros. ValueError if no layer
    has such windows.
    """
    extents = x.shape[1:]
    if len(extents) != len(windows):
        raise ValueError(f"pools {len(windows)} axes of rows of shape {x.shape}")
    padding = padding_of(windows, extents)
    padding = None if padding == "causal" else padding  # which pools have not
    zeros = any(w.before or w.behind for w in windows)
    if padding == "same" and zeros and not largest and counts_border:
        padding = None
    maker = assembly.maker(x)
    kept = maker is not None and x.is_plain and _is_not_negative(maker.layer)
    if padding is None and (kept if largest else counts_border):
        # Zeros change no largest number of those that are not negative, and count in the mean.
        x = padded(assembly, x, [(w.before, w.behind) for w in windows], first=True)
        padding = "valid"
    if padding is None:
        raise ValueError("its border is neither none nor that of padding 'same'")
    kind = MaxPooling if largest else AveragePooling
    sizes, strides = ([each[i] for each in windows] for i in (0, 1))
    layer = kind(short(sizes), None if strides == sizes else short(strides), padding)
    return assembly.over_positions(x, lambda x: assembly.layer(layer, {}, x))


def padding_of(windows: Sequence[Windows], extents: Sequence[int]) -> str | None:
    """Return the padding with which a layer has these windows, None if there is none."""
    axes = [*zip(windows, extents, strict=True)]
    if all(
        w.before == 0 and w.span <= extent and w.count(extent) == (extent - w.span) // w.stride + 1
        for w, extent in axes
    ):
        return "valid"
    counts = [-(-extent // w.stride) for w, extent in axes]
    if [w.count(extent) for w, extent in axes] != counts:
        return None
    same = (
        _around(extent, count, w.size, w.stride, w.dilation).before
        for (w, extent), count in zip(axes, counts, strict=True)
    )
    if [w.before for w in windows] == [*same]:
        return "same"
    causal = len(windows) == 1 and windows[0].before == windows[0].span - 1
    return "causal" if causal else None


def _is_not_negative(layer: Layer) -> bool:
    activation: Any = getattr(layer, "activation", None)
    return activation is not None and activation.never_negative


def padded(
    assembly: Assembly, x: Tensor, borders: Sequence[tuple[int, int]], *, first: bool
) -> Tensor:
    """Return x with zeros around it; its channels are the first axis, or the last."""
    layer = ZeroPadding(_short_borders(borders))
    return _of_positions(assembly, x, layer, first) if any(map(any, borders)) else x


def cropped(
    assembly: Assembly, x: Tensor, borders: Sequence[tuple[int, int]], *, first: bool
) -> Tensor:
    """Return x without its border; its channels are the first axis, or the last."""
    if not any(map(any, borders)):
        return x
    layer = Cropping(_short_borders(borders))

    def crop(x: Tensor) -> Tensor:
        return _without_border(x, borders) or assembly.layer(layer, {}, x)

    return assembly.over_positions(x, crop) if first else crop(x)


def _without_border(x: Tensor, borders: Sequence[tuple[int, int]]) -> Tensor | None:
    """Return x of padding "same", if that leaves this border out of a transposed convolution."""
    node = x.node
    if node is None or x.shared or not x.by_columns or x.shape != x.stored:
        return None
    if node.layer.kind not in TRANSPOSED or node.layer.padding != "valid":
        return None
    layer = Layer.from_config({**node.layer.config, "padding": "same"})
    made = shape_made(layer, node.reads)
    if [*borders] != [(w.before, w.behind) for w in windows_of(layer, node.reads[0], made)]:
        return None
    node.layer, node.shape = layer, made
    return replace(x, shape=made, stored=made)


def up_sampled(assembly: Assembly, x: Tensor, sizes: Sequence[int], *, first: bool) -> Tensor:
    """Return x with each position several times; its channels are the first axis, or the last."""
    return _of_positions(assembly, x, UpSampling(short(sizes)), first) if max(sizes) > 1 else x


def _of_positions(assembly: Assembly, x: Tensor, layer: Layer, first: bool) -> Tensor:
    if first:
        return assembly.over_positions(x, lambda x: assembly.layer(layer, {}, x))
    return assembly.layer(layer, {}, x)


def short(numbers: Sequence[int]) -> int | tuple[int, ...]:
    """Return one number for all axes where they are equal."""
    return numbers[0] if len({*numbers}) == 1 else tuple(numbers)


def _short_borders(borders: Sequence[tuple[int, int]]) -> Any:
    """Return borders as a layer takes them, with the fewest numbers."""
    if len({number for border in borders for number in border}) == 1:
        return borders[0][0]
    if len(borders) == 1:
        return tuple(borders[0])
    if all(before == behind for before, behind in borders):
        return tuple(before for before, _ in borders)
    return tuple(map(tuple, borders))
