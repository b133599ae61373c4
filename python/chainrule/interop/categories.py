# SPDX-License-Identifier: Apache-2.0
"""What layers that read categories make of each column, as numbers that other programs take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import CategoryEncoding, Embedding, RecurrentLayer

if TYPE_CHECKING:
    from chainrule.interop.nodes import NetworkNode

__all__ = ["WHOLE_NUMBERS", "Codes", "codes_of", "put_whole_numbers"]

Ints = NDArray[np.int64]
# Whole numbers from 0 that a type has all of.
WHOLE_NUMBERS = {"uint8": 2**8, "float32": 2**24, "float64": 2**53}


@dataclass(frozen=True, eq=False)
class Codes:
    """The codes of each column of x, which are output columns or rows of tables.

    Attributes
    ----------
    count : ndarray of int64, shape (columns,)
        How many categories it has; 0 where it passes as it is.
    first : ndarray of int64, shape (columns,)
        The code of its category 0, from which the others count on.
    unknown, missing : ndarray of int64, shape (columns,)
        The codes of what is none of them, and of NaN; -1 where they have none.
    sign : ndarray of bool, shape (columns,)
        Whether both of two categories are the first code, as -1 and 1.
    output : ndarray of int64, shape (columns,)
        The first output of the column.
    """

    count: Ints
    first: Ints
    unknown: Ints
    missing: Ints
    sign: NDArray[np.bool_]
    output: Ints


def codes_of(layer: CategoryEncoding | Embedding, columns: int) -> Codes:
    """Return the codes of a layer that reads `columns` columns."""
    count = np.array(layer.categories(columns), dtype=np.int64)
    held = np.flatnonzero(count)
    own, missing = layer.unknown == "code", layer.missing == "code"
    sign = np.zeros(columns, dtype=bool)
    if isinstance(layer, Embedding):
        # In the order of the outputs, not that of the columns.
        held = held if layer.columns is None else np.array(layer.columns, dtype=np.int64)
        width, known = np.ones(columns, dtype=np.int64), count
        rows = count[held] + own + missing
        first = np.zeros(columns, dtype=np.int64)
        if not isinstance(layer.num_embeddings, int):
            first[held] = np.cumsum(rows) - rows
        width[held] = layer.units
        order = np.concatenate([held, np.flatnonzero(count == 0)])
        output = np.zeros(columns, dtype=np.int64)
        output[order] = np.cumsum(width[order]) - width[order]
    else:
        sign = (count == 2) & layer.binary_as_sign
        known = np.where(sign, 1, count)
        width = np.where(count > 0, known + own + missing, 1)
        if layer.output_mode != "one_hot":
            width[held[1:]] = 0
        output = np.cumsum(width) - width
        if layer.output_mode != "one_hot":
            output[held] = output[held[0]]
        first = output
    behind = first + known
    unknown = np.where((count > 0) & own, behind, -1)
    last = np.where((count > 0) & missing, behind + own, -1)
    return Codes(count, first, unknown, last, sign, output)


def put_whole_numbers(
    rows: NDArray[Any],
    name: str,
    nodes: Sequence[NetworkNode],
    most: int,
    rng: np.random.Generator,
    unseen: bool,
) -> None:
    """Overwrite random rows of an input where it must have categories, or lengths of sequences.

    `nodes` are all of a network, `name` is that of the input, and categories are below `most`.
    Where all that read a column take them, and `unseen` says so, some rows are unknown and some
    missing.
    """
    times = [
        node.reads[0][0]
        for node in nodes
        if isinstance(node.layer, RecurrentLayer)
        and node.inputs[1:2] == [name]
        and node.layer._core.reads_lengths(node.reads)
    ]
    if times:
        rows[:] = rng.integers(1, min(times) + 1, size=rows.shape)
    layers = [node.layer for node in nodes if node.inputs == [name]]
    held = [(layer, layer.categories(rows.shape[1])) for layer in layers]
    for column in range(rows.shape[1]):
        readers = [(layer, counts[column]) for layer, counts in held if counts and counts[column]]
        if not readers:
            continue
        known = [count for _, count in readers]
        rows[:, column] = rng.integers(0, min(*known, most), size=len(rows))
        if unseen and max(known) < most and all(each.unknown != "error" for each, _ in readers):
            rows[1::8, column] = max(known)
        if unseen and all(each.missing != "error" for each, _ in readers):
            rows[2::8, column] = np.nan
