# SPDX-License-Identifier: Apache-2.0
"""Operations in C over the positions of sequences and images; a sequence is an image of one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.c_export.column_operations import Take
from chainrule.c_export.operations import Array, Operation, call
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.windows import (
    DEPTHWISE,
    TRANSPOSED,
    Windows,
    borders_of,
    per_axis,
    windows_of,
)

__all__ = ["Convolve", "ConvolveDepthwise", "Crop", "Pad", "Pool", "UpSample", "convolve", "crop"]
__all__ += ["global_pool", "pad", "pool", "take_position", "up_sample"]

_Part = tuple[type[Operation], dict[str, Any]]


@dataclass(frozen=True, eq=False)
class OfPositions(Operation):
    """What reads (height, width) positions of `columns` numbers and makes others of them."""

    columns: int
    taken: tuple[int, int]
    made_of_them: tuple[int, int]
    in_place = False

    def image(self, x: Array) -> Array:
        """Return rows as (rows, height, width, columns)."""
        return x.reshape(len(x), *self.taken, self.columns)


@dataclass(frozen=True, eq=False)
class Convolve(OfPositions):
    """y = bias + the sum over kernel row, kernel column and channel, in this order, of x weight.

    The weight has shape (kernel height, kernel width, columns, filters), the bias (filters,).
    """

    weight: Array
    bias: Array
    windows: tuple[Windows, Windows]
    name = "convolution"
    of_frames: ClassVar[str] = "causal_convolution"

    @property
    def constants(self) -> dict[str, Array]:
        """The weight with a row of outputs for each term of the sums."""
        return {
            name: values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values
            for name, values in super().constants.items()
        }

    @property
    def numbers(self) -> tuple[int, ...]:
        """The columns of x, and where that is another number those of y."""
        return (self.columns, len(self.bias))

    @property
    def arguments(self) -> list[str]:
        """The columns, the extents of x, y and the kernel, the windows, and the arrays."""
        rows, columns = self.windows
        extents = (*self.taken, *self.made_of_them, rows.size, columns.size)
        steps = (rows.stride, columns.stride, rows.dilation, columns.dilation)
        begin = (rows.before, columns.before)
        return [*map(str, (*self.numbers, *extents, *steps, *begin)), *self.constants]

    @property
    def kept(self) -> dict[str, tuple[str, int]]:
        """A ring of the frames that the kernel spans, and where the newest one comes."""
        span, label = self.windows[1].span, self.nodes[0]
        if not self.streams or span == 1:
            return {}
        return {
            f"kept_{label}": ("float", span * self.columns),
            f"newest_{label}": ("uint32_t", 1),
        }

    def statements(self, places: Sequence[str], arguments: Sequence[str], memory: str) -> list[str]:
        """Return the call, which takes what is kept too."""
        if not self.kept:
            return super().statements(places, arguments, memory)
        kept = (f"{memory}->{name}" for name in self.kept)
        along_time = self.windows[1]
        numbers = (*self.numbers, along_time.size, along_time.dilation)
        arrays = arguments[-len(self.constants) :]
        return [call(self.of_frames, *places, *kept, *numbers, *arrays)]

    def run(self, x: Array) -> Array:
        """Return the sums."""
        borders = [(window.before, window.behind) for window in self.windows]
        image = np.pad(self.image(x), [(0, 0), *borders, (0, 0)])
        y = np.zeros((len(x), *self.made_of_them, len(self.bias)), x.dtype) + self.bias
        for place in np.ndindex(self.weight.shape[:2]):
            rows, columns = self.reached(place, self.made_of_them)
            y += self.products(image[:, rows, columns], self.weight[place])
        return y.reshape(len(x), -1)

    def products(self, x: Array, weight: Array) -> Array:
        """Return the terms of y at one place of the kernel."""
        made: Array = x @ weight
        return made

    def reached(self, place: Sequence[int], counts: Sequence[int]) -> list[slice]:
        """Return where windows, `counts` along each axis, have this place of the kernel."""
        return [
            slice(at * w.dilation, at * w.dilation + (count - 1) * w.stride + 1, w.stride)
            for at, count, w in zip(place, counts, self.windows, strict=True)
        ]


class ConvolveDepthwise(Convolve):
    """y = bias + the sum over kernel row and column of x weight, of each column by itself.

    The weight has shape (kernel height, kernel width, columns), the bias (columns,).
    """

    name = "depthwise convolution"
    of_frames = "causal_depthwise_convolution"

    @property
    def numbers(self) -> tuple[int, ...]:
        """The columns."""
        return (self.columns,)

    def products(self, x: Array, weight: Array) -> Array:
        """Return the terms of y at one place of the kernel."""
        return x * weight


class ConvolveTransposed(Convolve):
    """y = bias + the sum of x weight, where each position of x is spread over a window of y."""

    name = "transposed convolution"

    def run(self, x: Array) -> Array:
        """Return the sums."""
        borders = [(window.before, window.behind) for window in self.windows]
        extents = [n + sum(border) for n, border in zip(self.made_of_them, borders, strict=True)]
        y = np.zeros((len(x), *extents, len(self.bias)), x.dtype) + self.bias
        for place in np.ndindex(self.weight.shape[:2]):
            rows, columns = self.reached(place, self.taken)
            y[:, rows, columns] += self.products(self.image(x), self.weight[place])
        within = zip(borders, self.made_of_them, strict=True)
        rows, columns = (slice(begin, begin + n) for (begin, _), n in within)
        return y[:, rows, columns].reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class Pool(OfPositions):
    """y = the largest of each window, or the mean of its positions inside the image."""

    windows: tuple[Windows, Windows]
    largest: bool
    name = "pooling"

    @property
    def function(self) -> str:
        """The C function."""
        return "max_pooling" if self.largest else "average_pooling"

    @property
    def arguments(self) -> list[str]:
        """The columns, the extents of x and y, and the windows."""
        rows, columns = self.windows
        numbers = (self.columns, *self.taken, *self.made_of_them)
        windows = (rows.size, columns.size, rows.stride, columns.stride)
        return [*map(str, (*numbers, *windows, rows.before, columns.before))]

    def run(self, x: Array) -> Array:
        """Return what each window gives."""
        image = self.image(x)
        reduce = np.max if self.largest else np.mean
        y = np.empty((len(x), *self.made_of_them, self.columns), x.dtype)
        for i, j in np.ndindex(self.made_of_them):
            rows, columns = (
                slice(max(at * w.stride - w.before, 0), at * w.stride - w.before + w.size)
                for at, w in zip((i, j), self.windows, strict=True)
            )
            y[:, i, j] = reduce(image[:, rows, columns], axis=(1, 2))
        return y.reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class UpSample(OfPositions):
    """y = each position `times` along each axis."""

    times: tuple[int, int]
    name = "up_sampling"

    @property
    def arguments(self) -> list[str]:
        """The columns, the extents of x, and how many times."""
        return [*map(str, (self.columns, *self.taken, *self.times))]

    def run(self, x: Array) -> Array:
        """Return the repeated positions."""
        rows, columns = self.times
        return self.image(x).repeat(rows, 1).repeat(columns, 2).reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class Pad(OfPositions):
    """y = x with zeros around it."""

    borders: tuple[tuple[int, int], tuple[int, int]]
    name = "zero_padding"

    @property
    def arguments(self) -> list[str]:
        """The columns, the extents of x and y, and what lies above and left of x."""
        above, left = (before for before, _ in self.borders)
        return [*map(str, (self.columns, *self.taken, *self.made_of_them, above, left))]

    def run(self, x: Array) -> Array:
        """Return the rows with zeros."""
        return np.pad(self.image(x), [(0, 0), *self.borders, (0, 0)]).reshape(len(x), -1)


@dataclass(frozen=True, eq=False)
class Crop(OfPositions):
    """y = x without some positions at each side."""

    borders: tuple[tuple[int, int], tuple[int, int]]
    name = "cropping"

    @property
    def arguments(self) -> list[str]:
        """The columns, the width of x, the extents of y, and where it begins in x."""
        above, left = (before for before, _ in self.borders)
        return [*map(str, (self.columns, self.taken[1], *self.made_of_them, above, left))]

    def run(self, x: Array) -> Array:
        """Return what is left."""
        (above, _), (left, _) = self.borders
        rows, columns = self.made_of_them
        image = self.image(x)[:, above : above + rows, left : left + columns]
        return image.reshape(len(x), -1)


def convolve(node: NetworkNode) -> list[_Part]:
    """Return the operations of a convolution, without its activation."""
    kind, weight, columns = node.layer.kind, node.arrays["weight"], node.reads[0][-1]
    positions = int(np.prod(node.reads[0][:-1]))
    operation, repeated = Convolve, []
    if kind in TRANSPOSED:
        operation = ConvolveTransposed
        weight = np.swapaxes(weight, -1, -2)  # (*sizes, channels, filters)
    elif kind in DEPTHWISE:
        operation, times = ConvolveDepthwise, node.layer.depth_multiplier
        if times > 1:  # it reads each channel as often as that has outputs
            taken = np.repeat(np.arange(columns, dtype=np.int32), times)
            repeated = [(Take, {"taken": taken, "positions": positions})]
        columns = node.columns
    windows = windows_of(node.layer, node.reads[0], node.shape)
    made = _part(
        operation,
        node,
        inputs=positions * columns,
        columns=columns,
        weight=weight[np.newaxis] if len(windows) == 1 else weight,
        bias=node.arrays.get("bias", np.zeros(node.columns)),
        windows=_two(windows, Windows(1, 1, 0, 0)),
    )
    return [*repeated, made]


def pool(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of MaxPooling or AveragePooling."""
    windows = _two(windows_of(node.layer, node.reads[0], node.shape), Windows(1, 1, 0, 0))
    return [_part(Pool, node, windows=windows, largest=node.layer.kind == "max_pooling")]


def global_pool(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of GlobalMaxPooling."""
    positions = int(np.prod(node.reads[0][:-1]))
    windows = (Windows(1, 1, 0, 0), Windows(positions, 1, 0, 0))
    extents = {"taken": (1, positions), "made_of_them": (1, 1)}
    return [(Pool, {"columns": columns, **extents, "windows": windows, "largest": True})]


def up_sample(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of UpSampling."""
    sizes = per_axis(node.layer.size, len(node.shape) - 1)
    return [_part(UpSample, node, times=_two(sizes, 1))]


def pad(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of ZeroPadding."""
    borders = borders_of(node.layer.padding, len(node.shape) - 1)
    return [_part(Pad, node, borders=_two(borders, (0, 0)))]


def crop(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of Cropping."""
    borders = borders_of(node.layer.cropping, len(node.shape) - 1)
    return [_part(Crop, node, borders=_two(borders, (0, 0)))]


def take_position(node: NetworkNode, columns: int) -> list[_Part]:
    """Return the operation of Position."""
    time, index = node.reads[0][0], node.layer.index % node.reads[0][0]
    extents = {"taken": (1, time), "made_of_them": (1, 1)}
    borders = ((0, 0), (index, time - 1 - index))
    return [(Crop, {"columns": columns, **extents, "borders": borders})]


def _two(numbers: Any, of_one_row: Any) -> Any:
    """Return what holds of rows and columns."""
    return (of_one_row, *numbers) if len(numbers) == 1 else tuple(numbers)


def _part(operation: type[OfPositions], node: NetworkNode, **fields: Any) -> _Part:
    """Return an operation with the extents of what a node reads and makes."""
    taken, made = (_two(shape[:-1], 1) for shape in (node.reads[0], node.shape))
    return operation, {"columns": node.columns, "taken": taken, "made_of_them": made, **fields}
