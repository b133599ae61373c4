# SPDX-License-Identifier: Apache-2.0
"""Nodes in the shape of a row: the forms in which layers read and make them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.graph.nodes import Node, Operation
from chainrule.graph.sums import DOT

__all__ = [
    "SAME",
    "Nodes",
    "dots",
    "elementwise",
    "for_one_reader",
    "interleaved",
    "label",
    "shaped",
    "taken",
]

Nodes = NDArray[Any]  # of Node, in the shape of a row

SAME = Operation("=", lambda x: x, lambda y, x: (1.0,))


def shaped(nodes: Iterable[Node], shape: Sequence[int]) -> Nodes:
    """Return nodes, in the order of the indices, in a shape."""
    made = np.empty(math.prod(shape), dtype=object)
    made[:] = list(nodes)
    return made.reshape(tuple(shape))


def elementwise(operation: Operation, name: str, inputs: Sequence[Any]) -> Nodes:
    """Return an operation of the numbers at each place; inputs are broadcast to the first."""
    shape = inputs[0].shape
    spread = [np.broadcast_to(np.asarray(given, dtype=object), shape).flat for given in inputs]
    places = np.ndindex(*shape) if name else [()] * inputs[0].size
    nodes = (
        operation.of(*given, name=label(name, place))
        for place, *given in zip(places, *spread, strict=True)
    )
    return shaped(nodes, shape)


def for_one_reader(nodes: Nodes) -> Nodes:
    """Return nodes for one reader of several, whose gradients are summed before those of others."""
    return elementwise(SAME, "", [nodes])


def dots(
    name: str, place: Sequence[int], starts: Iterable[Any], x: Iterable[Node], weight: Nodes
) -> list[Node]:
    """Return start + the sum of x times a column of the weight for each column, behind a place."""
    row = list(x)
    return [
        DOT.of(start, *interleaved(row, column), name=label(name, (*place, j)))
        for j, (start, column) in enumerate(zip(starts, weight.T, strict=True))
    ]


def interleaved(x: Iterable[Node], w: Iterable[Node]) -> Iterable[Node]:
    """Return x and w in turns, as a dot product reads them."""
    return (node for pair in zip(x, w, strict=True) for node in pair)


def label(name: str, place: Sequence[int]) -> str:
    """Return the name of a node at a place, such as "0.z[1,2]"."""
    return f"{name}[{','.join(map(str, place))}]" if name else ""


def taken(x: Nodes, columns: Sequence[int]) -> Nodes:
    """Return some columns; the gradients of one taken several times are summed from the last."""
    if len({*columns}) == len(columns):
        return x[..., [*columns]]
    copies = [for_one_reader(x[..., [column]]) for column in reversed(columns)]
    return np.concatenate(copies[::-1], axis=-1)
