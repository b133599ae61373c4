# SPDX-License-Identifier: Apache-2.0
"""Gather of a table's rows and OneHot, by categories in columns of an input of an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.interop.assembly import Tensor
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_import_operators import LayerReader
from chainrule.interop.onnx_model import Array, Node, number_of
from chainrule.layers import CategoryEncoding, Embedding, Take

__all__ = ["Lookup", "add_lookup", "lookups_of"]


@dataclass(frozen=True, eq=False)
class Lookup:
    """What reads categories, `path` from the input to its indices, and which columns these are.

    `columns` is None for all of the input, and of shape () where their axis is gone.
    """

    node: Node
    entry: str
    path: list[Node]
    columns: Array | None


def lookups_of(part: Slice) -> dict[int, Lookup]:
    """Return the operators that read categories, by their ids."""
    names, makers = part.graph.names, {node.made: node for node in part.nodes}
    entries = {value.name for value in part.inputs}
    found: dict[int, Lookup] = {}
    for node in part.nodes:
        if node.domain or names.of_operator(node.name) in names.layers:
            continue
        table = node.op == "Gather" and part.varying(node) == node.inputs[1:2]
        if not table and not (node.op == "OneHot" and part.varying(node) == node.inputs[:1]):
            continue
        path: list[Node] = []
        name, columns = node.inputs[int(table)], None
        while name in makers:
            before = makers[name]
            chosen = _chosen(part, before)
            if before.op != "Cast" and (chosen is None or columns is not None):
                break
            columns = columns if chosen is None else chosen
            path.insert(0, before)
            name = before.inputs[0]
        if name in entries:
            found[id(node)] = Lookup(node, name, path, columns)
    return found


def add_lookup(reader: LayerReader, lookup: Lookup) -> None:
    """Add the layer that an operator is; NotImplementedError, with the reason, if it is none."""
    x = reader.read(lookup.entry, [*lookup.path, lookup.node])
    if len(x.shape) > 1:
        raise NotImplementedError(f"it reads categories in rows of shape {x.shape}")
    columns = np.arange(x.columns) if lookup.columns is None else lookup.columns
    held = [int(c + x.columns * (c < 0)) for c in columns.reshape(-1)]
    if not held or len({*held}) < len(held) or not all(0 <= c < x.columns for c in held):
        raise NotImplementedError(f"it reads columns {columns.tolist()} of {x.columns}")
    add = _embedded if lookup.node.op == "Gather" else _encoded
    made = add(reader, lookup.node, x, held)
    shape = (*columns.shape, made.columns // len(held))
    reader.give(lookup.node, reader.assembly.reshape(made, shape))


def _chosen(part: Slice, node: Node) -> Array | None:
    """Return the columns that a Gather takes of rows, None of what is something else."""
    if node.domain or node.op != "Gather" or part.varying(node) != node.inputs[:1]:
        return None
    indices = part.constants[node.inputs[1]]
    return indices if number_of(node, "axis", 0) == 1 and indices.ndim < 2 else None


def _embedded(reader: LayerReader, node: Node, x: Tensor, held: list[int]) -> Tensor:
    table = reader.constants[node.inputs[0]]
    if number_of(node, "axis", 0) != 0 or table.ndim != 2 or table.dtype.kind != "f":
        raise NotImplementedError("it does not gather the rows of a table")
    reader.spend(table)
    units = table.shape[1]
    layer = Embedding(len(table), units, columns=_those(held, x))
    made = reader.assembly.layer(layer, {"weight": table}, x)
    return _kept(reader, made, list(range(units * len(held))))


def _encoded(reader: LayerReader, node: Node, x: Tensor, held: list[int]) -> Tensor:
    depth, values = (reader.constants[name].reshape(-1) for name in node.inputs[1:3])
    if number_of(node, "axis", -1) != -1:
        raise NotImplementedError("its new axis is not the last one")
    if depth.size != 1 or values.size != 2 or not 1 <= depth[0] <= reader.largest:
        raise ValueError(f"it has depths {depth.tolist()} and values {values.tolist()}")
    count = int(depth[0])
    widths = np.ones(x.columns, dtype=np.int64)
    widths[held] = count
    reader.bound(node, int(widths.sum()))
    first = np.cumsum(widths) - widths
    layer = CategoryEncoding(count, columns=_those(sorted(held), x))
    kept = [int(first[column]) + i for column in held for i in range(count)]
    made = _kept(reader, reader.assembly.layer(layer, {}, x), kept)
    off, on = (np.array(float(value)) for value in values)
    return reader.assembly.affine(made, on - off, off)


def _those(held: list[int], x: Tensor) -> list[int] | None:
    return None if held == list(range(x.columns)) else held


def _kept(reader: LayerReader, x: Tensor, columns: list[int]) -> Tensor:
    """Return some columns of what a layer gives, which passes others on."""
    if columns == list(range(x.columns)):
        return x
    return reader.assembly.layer(Take(tuple(columns)), {}, x)
