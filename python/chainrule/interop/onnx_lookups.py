# SPDX-License-Identifier: Apache-2.0
"""Gather of a table's rows, OneHot and OneHotEncoder, by columns of an input of an ONNX graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_import_operators import LayerReader
from chainrule.interop.onnx_model import Array, Node, number_of
from chainrule.interop.onnx_shapes import slices_of
from chainrule.interop.parts import add_embedding, add_encoding
from chainrule.interop.tensor import Tensor

__all__ = ["Lookup", "add_lookup", "lookups_of"]


@dataclass(frozen=True, eq=False)
class Lookup:
    """What reads categories, `path` from the input to its indices, and which columns these are.

    `columns` is None for all of the input, and of shape () where their axis is gone.
    """

    node: Node
    entry: str
    path: list[Node]
    columns: Array | slice | None


def lookups_of(part: Slice) -> dict[int, Lookup]:
    """Return the operators that read categories, by their ids."""
    names, makers = part.graph.names, {node.made: node for node in part.nodes}
    entries = {value.name for value in part.inputs}
    found: dict[int, Lookup] = {}
    for node in part.nodes:
        if node.operator not in _LOOKUPS or names.of_operator(node.name) in names.layers:
            continue
        place = 1 if node.op == "Gather" else 0
        if part.varying(node) != node.inputs[place : place + 1]:
            continue
        path: list[Node] = []
        name, columns = node.inputs[place], None
        while name in makers:
            before = makers[name]
            chosen = _chosen(part, before)
            if columns is not None and chosen is not None:
                chosen = _composed(chosen, columns)
            if before.op != "Cast" and chosen is None:
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
    chosen = slice(None) if lookup.columns is None else lookup.columns
    columns = np.arange(x.columns)[chosen] if isinstance(chosen, slice) else chosen
    held = [int(c + x.columns * (c < 0)) for c in columns.reshape(-1)]
    if not held or len({*held}) < len(held) or not all(0 <= c < x.columns for c in held):
        raise NotImplementedError(f"it reads columns {columns.tolist()} of {x.columns}")
    made = _LOOKUPS[lookup.node.operator](reader, lookup.node, x, held)
    shape = (*columns.shape, made.columns // len(held))
    reader.give(lookup.node, reader.assembly.reshape(made, shape))


def _chosen(part: Slice, node: Node) -> Array | slice | None:
    """Return the columns that a Gather or Slice takes of rows, None of what is something else."""
    if part.varying(node) != node.inputs[:1]:
        return None
    if node.operator == "Slice":
        taken = slices_of(node, part.constants)
        return taken.get(1) if len(taken) == 1 else None
    if node.operator == "ai.onnx.ml.ArrayFeatureExtractor":
        return part.constants[node.inputs[1]].reshape(-1)
    if node.operator != "Gather":
        return None
    indices = part.constants[node.inputs[1]]
    return indices if number_of(node, "axis", 0) == 1 and indices.ndim < 2 else None


def _composed(first: Array | slice, then: Array | slice) -> Array | None:
    """Return the columns that two operators choose, one after the other, or None."""
    try:
        return None if isinstance(first, slice) or first.ndim != 1 else np.array(first[then])
    except IndexError:
        return None


def _embedded(reader: LayerReader, node: Node, x: Tensor, held: list[int]) -> Tensor:
    table = reader.constants[node.inputs[0]]
    if number_of(node, "axis", 0) != 0 or table.ndim != 2 or table.dtype.kind != "f":
        raise NotImplementedError("it does not gather the rows of a table")
    reader.spend(table)
    return add_embedding(reader.assembly, x, held, table)


def _encoded(reader: LayerReader, node: Node, x: Tensor, held: list[int]) -> Tensor:
    depth, values = (reader.constants[name].reshape(-1) for name in node.inputs[1:3])
    if number_of(node, "axis", -1) != -1:
        raise NotImplementedError("its new axis is not the last one")
    if depth.size != 1 or values.size != 2 or not 1 <= depth[0] <= reader.largest:
        raise ValueError(f"it has depths {depth.tolist()} and values {values.tolist()}")
    made = _ones(reader, node, x, held, list(range(int(depth[0]))), "error")
    off, on = (np.array(float(value)) for value in values)
    return reader.assembly.affine(made, on - off, off)


def _encoded_labels(reader: LayerReader, node: Node, x: Tensor, held: list[int]) -> Tensor:
    given = node.attributes.get("cats_int64s")
    codes = [] if given is None else np.asarray(given).reshape(-1).tolist()
    if not codes or min(codes) < 0 or len({*codes}) < len(codes):
        raise NotImplementedError("its categories are no different numbers from 0 on")
    if max(codes) >= reader.largest:
        raise ValueError(f"it has the category {max(codes)}")
    others = bool(number_of(node, "zeros", 1))
    if not others and len(codes) <= max(codes):
        raise NotImplementedError("some categories below others are errors")
    return _ones(reader, node, x, held, codes, "zero" if others else "error")


def _ones(
    reader: LayerReader, node: Node, x: Tensor, held: list[int], codes: list[int], unknown: str
) -> Tensor:
    """Return ones for codes in columns, if these are not too many."""
    reader.bound(node, x.columns + max(codes) * len(held))
    return add_encoding(reader.assembly, x, held, codes, unknown)


_LOOKUPS = {
    "Gather": _embedded,
    "OneHot": _encoded,
    "ai.onnx.ml.OneHotEncoder": _encoded_labels,
}
