# SPDX-License-Identifier: Apache-2.0
"""Convolutions as ONNX operators, which have channels before positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule.interop.nodes import NetworkNode
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.interop.windows import Windows, windows_of

__all__ = ["add_convolution"]


def add_convolution(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a Conv between two transpositions, of double a product of gathered windows."""
    windows = windows_of(node.layer, node.reads[0], node.shape)
    activation = node.layer.activation
    if graph.dtype == "float64":
        _add_products(graph, node, windows)
        activation.add_to(graph)
        return
    options = {
        "kernel_shape": [w.size for w in windows],
        "strides": [w.stride for w in windows],
        "pads": [*(w.before for w in windows), *(w.behind for w in windows)],
        "dilations": [w.dilation for w in windows],
    }
    # Of (*sizes, channels, filters), as is `weight` below.
    weight = node.arrays["weight"]
    kernel = weight.transpose(weight.ndim - 1, weight.ndim - 2, *range(len(windows)))
    arrays = [graph.constant("weight", kernel)]
    if "bias" in node.arrays:
        arrays.append(graph.constant("bias", node.arrays["bias"]))
    last = len(node.shape)
    graph.transpose([0, last, *range(1, last)])
    graph.add("Conv", graph.current, *arrays, **options)
    # Before the channels are last again, so that the next layer's transposition meets this one.
    over_columns = activation.kind == "softmax"
    if not over_columns:
        activation.add_to(graph)
    graph.transpose([0, *range(2, last + 1), 1])
    if over_columns:
        activation.add_to(graph)


def _add_products(graph: GraphWriter, node: NetworkNode, windows: Sequence[Windows]) -> None:
    """Add a product with the numbers of each window side by side: onnxruntime has no Conv."""
    read, columns = node.reads[0], node.reads[0][-1]
    weight = node.arrays["weight"].reshape(-1, node.columns)
    borders = [(0, 0), *((w.before, w.behind) for w in windows), (0, 0)]
    if np.any(borders):
        pads = np.transpose(borders).reshape(-1)
        graph.add("Pad", graph.current, graph.constant("pads", pads, "int64"), mode="constant")
    extents = [w.before + n + w.behind for w, n in zip(windows, read[:-1], strict=True)]
    flat = (0, math.prod(extents), columns)
    graph.add("Reshape", graph.current, graph.constant("positions", flat, "int64"))
    places = graph.constant("places", _places(windows, extents, node.shape[:-1]), "int64")
    graph.add("Gather", graph.current, places, axis=1)
    rows = (0, *node.shape[:-1], len(weight))
    graph.add("Reshape", graph.current, graph.constant("windows", rows, "int64"))
    graph.add("MatMul", graph.current, graph.constant("weight", weight))
    if "bias" in node.arrays:
        graph.add("Add", graph.current, graph.constant("bias", node.arrays["bias"]))


def _places(
    windows: Sequence[Windows], extents: Sequence[int], counts: Sequence[int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of each window, one after the other, numbered as they lie in memory."""
    along = [
        np.arange(count)[:, None] * w.stride + np.arange(w.size) * w.dilation
        for w, count in zip(windows, counts, strict=True)
    ]  # each of (windows, positions) along its axis
    if len(along) == 1:
        return along[0].reshape(-1)
    rows, columns = along
    places = rows[:, None, :, None] * extents[1] + columns[None, :, None, :]
    return places.reshape(-1)
