# SPDX-License-Identifier: Apache-2.0
"""Layers that read categories as ONNX operators."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.categories import codes_of
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.onnx_writer import GraphWriter

__all__ = ["add_category_encoding", "add_embedding"]

# Equal to no category, known or not: a fraction.
_NONE = -0.5


def add_category_encoding(graph: GraphWriter, node: NetworkNode) -> None:
    """Compare what each output reads with its category.

    Where columns share outputs, an output reads all of them, along an axis before that of the
    outputs.
    """
    layer, x, codes = node.layer, graph.current, codes_of(node.layer, graph.columns)
    held = np.flatnonzero(codes.count)
    shared = len(held) if layer.output_mode != "one_hot" else 1
    read = np.zeros((shared, node.columns), dtype=np.int64)
    category, negative = (np.full(read.shape, _NONE) for _ in range(2))
    unknown, missing = np.zeros(read.shape, dtype=bool), np.zeros(read.shape, dtype=bool)
    passing = np.zeros(node.columns, dtype=bool)
    for place, column in enumerate(held):
        row, first = place if shared > 1 else 0, codes.first[column]
        known = np.arange(codes.count[column])
        if codes.sign[column]:
            category[row, first], negative[row, first], known = 1, 0, known[:1]
        else:
            category[row, first + known] = known
        read[row, first + known] = column
        for code, is_code in (
            (codes.unknown[column], unknown),
            (codes.missing[column], missing),
        ):
            if code >= 0:
                read[row, code], is_code[row, code] = column, True
    for column in np.flatnonzero(codes.count == 0):
        read[:, codes.output[column]], passing[codes.output[column]] = column, True
    if shared == 1:
        read, category, negative, unknown, missing = (
            each[0] for each in (read, category, negative, unknown, missing)
        )
    given = graph.add("Gather", x, graph.constant("read", read, "int64"), axis=1)
    found = graph.add("Equal", given, graph.constant("categories", category))
    if missing.any():
        here = graph.constant("missing", missing, "bool")
        found = graph.add("Or", found, graph.add("And", graph.add("IsNaN", given), here))
    if unknown.any():
        here = graph.constant("unknown", unknown, "bool")
        outside = _outside(graph, given, codes.count[read])
        found = graph.add("Or", found, graph.add("And", outside, here))
    ones = graph.cast(graph.dtype, found)
    if codes.sign.any():
        graph.add("Equal", given, graph.constant("negative", negative))
        ones = graph.add("Sub", ones, graph.cast(graph.dtype))
    if shared > 1:
        ones = graph.add("ReduceSum", ones, graph.constant("axis", [1], "int64"), keepdims=0)
    if layer.output_mode == "multi_hot":
        ones = graph.add("Min", ones, graph.scalar(1.0))
    if passing.any():
        if shared > 1:
            given = graph.add("Gather", x, graph.constant("passing_read", read[0], "int64"), axis=1)
        graph.add("Where", graph.constant("passing", passing, "bool"), given, ones)


def add_embedding(graph: GraphWriter, node: NetworkNode) -> None:
    """Gather rows of the table, and put other columns behind them."""
    layer, x, codes = node.layer, graph.current, codes_of(node.layer, graph.columns)
    held = np.array(layer.columns or range(graph.columns))
    others = np.flatnonzero(codes.count == 0)
    weight = node.arrays["weight"]
    given = graph.add("Gather", x, graph.constant("columns", held, "int64"), axis=1)
    indices = graph.cast("int64")
    if not isinstance(layer.num_embeddings, int):
        indices = graph.add(
            "Add", indices, graph.constant("first_rows", codes.first[held], "int64")
        )
    zero = len(weight)  # a row of zeros behind the others
    if layer.unknown != "error":
        rows = np.where(codes.unknown[held] < 0, zero, codes.unknown[held])
        outside = _outside(graph, given, codes.count[held])
        unknown = graph.constant("unknown_rows", rows, "int64")
        indices = graph.add("Where", outside, unknown, indices)
    if layer.missing != "error":
        rows = np.where(codes.missing[held] < 0, zero, codes.missing[held])
        missing = graph.constant("missing_rows", rows, "int64")
        indices = graph.add("Where", graph.add("IsNaN", given), missing, indices)
    if "zero" in (layer.unknown, layer.missing):
        weight = np.vstack([weight, np.zeros_like(weight[:1])])
    graph.add("Gather", graph.constant("weight", weight), indices, axis=0)
    embedded = graph.add("Flatten", axis=1)
    if len(others):
        rest = graph.add("Gather", x, graph.constant("other_columns", others, "int64"), axis=1)
        graph.add("Concat", embedded, rest, axis=1)


def _outside(graph: GraphWriter, given: str, counts: NDArray[np.int64]) -> str:
    """Add whether numbers are below 0 or not below their counts; NaN is neither."""
    below = graph.add("Less", given, graph.scalar(0.0))
    above = graph.add("GreaterOrEqual", given, graph.constant("counts", counts))
    return graph.add("Or", below, above)
