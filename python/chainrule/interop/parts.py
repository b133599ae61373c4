# SPDX-License-Identifier: Apache-2.0
"""Parts of rows as other programs name them: places along axes, indices, columns of an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.assembly import Assembly
from chainrule.interop.recurrence import step_of
from chainrule.interop.tensor import Tensor
from chainrule.interop.windows import cropped
from chainrule.layers import CategoryEncoding, Embedding, Take

__all__ = ["add_embedding", "add_encoding", "columns_of_input", "indexed", "part_of", "taken"]

Array = NDArray[Any]


def taken(assembly: Assembly, x: Tensor, axis: int, indices: Array) -> Tensor:
    """Return entries of an axis of rows, negative indices counting from its end."""
    size = x.shape[axis]
    places = [int(i) + size * (i < 0) for i in indices]
    if not places or not all(0 <= place < size for place in places):
        raise ValueError(f"takes {indices.tolist()} of {size}")
    return assembly.over_axis(x, axis, lambda x: assembly.layer(Take(tuple(places)), {}, x))


def part_of(assembly: Assembly, x: Tensor, places: Sequence[Array]) -> Tensor:
    """Return what lies at some places, in their order, of each axis of rows."""
    parts = [*zip(places, x.shape, strict=True)]
    for axis, (found, extent) in enumerate(parts, 1):
        if not found.size:
            raise ValueError(f"takes [] of {extent}, which leaves nothing of axis {axis}")
    if parts and all((np.diff(found) == 1).all() for found in places):
        borders = [(int(found[0]), extent - 1 - int(found[-1])) for found, extent in parts]
        first, last = (any(border) for border in (borders[0], borders[-1]))
        if 2 <= len(x.shape) <= 3 and not (first and last):
            return cropped(assembly, x, borders[1:] if last else borders[:-1], first=last)
    for axis, (found, extent) in enumerate(parts):
        if not np.array_equal(found, np.arange(extent)):
            x = taken(assembly, x, axis, found)
    return x


def indexed(assembly: Assembly, x: Tensor, index: Sequence[Any]) -> Tensor:
    """Return what Python's ``x[:, *index]`` is of rows; ValueError if it is none.

    An index is an int, a slice, a list of ints, None for an axis more, or an ellipsis.
    """
    axes = [each for each in index if each is not None and each is not Ellipsis]
    rest = [slice(None)] * (len(x.shape) - len(axes))
    if len(axes) > len(x.shape):
        raise ValueError(f"takes parts of {len(axes)} axes of rows of shape {x.shape}")
    given = [*index] if Ellipsis in index else [*index, Ellipsis]
    at = given.index(Ellipsis)
    given[at : at + 1] = rest
    places: list[Array] = []
    shape: list[int] = []
    for each in given:
        if each is None:
            shape.append(1)
            continue
        extent = x.shape[len(places)]
        try:
            found = np.arange(extent)[each]
        except IndexError:
            raise ValueError(f"takes {each} of {extent}") from None
        places.append(found.reshape(-1))
        shape += found.shape
    if len(x.shape) == 2 and given[1:] == [slice(None)] and isinstance(given[0], int):
        return step_of(assembly, x, given[0])
    return assembly.reshape(part_of(assembly, x, places), tuple(shape))


def columns_of_input(assembly: Assembly, x: Tensor) -> tuple[Tensor, list[int]]:
    """Return the input whose columns a tensor is, and which; ValueError if it is none's."""
    held = np.arange(x.columns)
    while x.node is not None and x.is_plain and isinstance(x.node.layer, Take):
        held = np.array(x.node.layer.columns)[held]
        x = assembly.read_by(x)
    if x.node is not None or not x.is_plain or len(x.stored) > 1 or len({*held}) < len(held):
        raise ValueError(
            "reads categories, which must be columns of an input as they are, each of them once"
        )
    return x, held.tolist()


def add_embedding(assembly: Assembly, x: Tensor, held: Sequence[int], table: Array) -> Tensor:
    """Return the rows of a table for some columns of an input, side by side."""
    layer = Embedding(len(table), table.shape[1], columns=_those(held, x))
    made = assembly.layer(layer, {"weight": table}, x)
    return _kept(assembly, made, range(table.shape[1] * len(held)))


def add_encoding(
    assembly: Assembly, x: Tensor, held: Sequence[int], codes: Sequence[int], unknown: str
) -> Tensor:
    """Return ones for codes in some columns of an input, of each in the order of the codes."""
    count = max(codes) + 1
    widths = np.ones(x.columns, dtype=np.int64)
    widths[[*held]] = count
    first = np.cumsum(widths) - widths
    layer = CategoryEncoding(count, columns=_those(sorted(held), x), unknown=unknown)
    kept = [int(first[column]) + code for column in held for code in codes]
    return _kept(assembly, assembly.layer(layer, {}, x), kept)


def _those(held: Sequence[int], x: Tensor) -> Sequence[int] | None:
    return None if [*held] == [*range(x.columns)] else held


def _kept(assembly: Assembly, x: Tensor, columns: Sequence[int]) -> Tensor:
    """Return some columns of what a layer gives, which passes others on."""
    return part_of(assembly, x, [np.array(columns)])
