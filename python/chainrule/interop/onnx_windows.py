# SPDX-License-Identifier: Apache-2.0
"""Layers over positions as ONNX operators, whose pools have channels before positions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.nodes import NetworkNode
from chainrule.interop.onnx_convolutions import add_convolution
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.interop.windows import Windows, borders_of, per_axis, windows_of

__all__ = ["WINDOW_LAYERS"]


def _add_pooling(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a MaxPool or AveragePool between two transpositions."""
    windows = windows_of(node.layer, node.reads[0], node.shape)
    largest = node.layer.kind == "max_pooling"
    if not largest and graph.dtype == "float64":
        return _add_means_of_double(graph, node, windows)
    options = {
        "kernel_shape": [w.size for w in windows],
        "strides": [w.stride for w in windows],
        "pads": [*(w.before for w in windows), *(w.behind for w in windows)],
    }
    last = len(node.shape)
    graph.transpose([0, last, *range(1, last)])
    if largest:
        graph.add("MaxPool", **options)
    else:
        graph.add("AveragePool", count_include_pad=0, **options)
    graph.transpose([0, *range(2, last + 1), 1])


def _add_means_of_double(graph: GraphWriter, node: NetworkNode, windows: list[Windows]) -> None:
    """Add products with means along one axis after the other: onnxruntime has no AveragePool."""
    extents, made = node.reads[0][:-1], node.shape[:-1]
    means = [
        _means(w, extent, count) for w, extent, count in zip(windows, extents, made, strict=True)
    ]
    graph.add("MatMul", graph.constant("means", means[-1]), graph.current)
    if len(means) > 1:
        row = (0, extents[0], made[1] * node.columns)
        graph.add("Reshape", graph.current, graph.constant("rows", row, "int64"))
        graph.add("MatMul", graph.constant("row_means", means[0]), graph.current)
        graph.add("Reshape", graph.current, graph.constant("shape", (0, *node.shape), "int64"))


def _means(windows: Windows, extent: int, count: int) -> NDArray[np.float64]:
    """Return the weights of places along an axis in each window's mean."""
    begins = np.arange(count)[:, None] * windows.stride - windows.before
    places = np.arange(extent)
    inside = (begins <= places) & (places < begins + windows.size)
    weights: NDArray[np.float64] = inside / inside.sum(axis=1, keepdims=True)
    return weights


def _add_global_max_pooling(graph: GraphWriter, node: NetworkNode) -> None:
    """Add the largest number over all axes but the last."""
    graph.reduce("ReduceMax", graph.current, range(1, len(graph.shape)), 0)


def _add_up_sampling(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a Resize of the axes of positions."""
    sizes = per_axis(node.layer.size, len(node.shape) - 1)
    if graph.dtype == "float32":
        scales = graph.constant("scales", np.array([1, *sizes, 1]), "float32")
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        graph.add("Resize", graph.current, "", scales, mode="nearest", **modes)
        return
    # onnxruntime has none of double.
    for axis, (extent, size) in enumerate(zip(node.reads[0][:-1], sizes, strict=True)):
        places = np.arange(extent).repeat(size)
        graph.add("Gather", graph.current, graph.constant("places", places, "int64"), axis=axis + 1)


def _add_zero_padding(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a Pad of the axes of positions."""
    borders = [(0, 0), *borders_of(node.layer.padding, len(node.shape) - 1), (0, 0)]
    pads = np.transpose(borders).reshape(-1)
    graph.add("Pad", graph.current, graph.constant("pads", pads, "int64"), mode="constant")


def _add_cropping(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a Slice of the axes of positions."""
    borders = borders_of(node.layer.cropping, len(node.shape) - 1)
    starts = [before for before, _ in borders]
    ends = [before + left for before, left in zip(starts, node.shape[:-1], strict=True)]
    axes = range(1, len(node.shape))
    given = {"starts": starts, "ends": ends, "axes": axes}
    graph.add("Slice", graph.current, *(graph.constant(k, v, "int64") for k, v in given.items()))


WINDOW_LAYERS: dict[str, Callable[[GraphWriter, NetworkNode], None]] = {
    "average_pooling": _add_pooling,
    "conv1d": add_convolution,
    "conv1d_transpose": add_convolution,
    "conv2d": add_convolution,
    "conv2d_transpose": add_convolution,
    "cropping": _add_cropping,
    "depthwise_conv1d": add_convolution,
    "depthwise_conv2d": add_convolution,
    "global_max_pooling": _add_global_max_pooling,
    "max_pooling": _add_pooling,
    "up_sampling": _add_up_sampling,
    "zero_padding": _add_zero_padding,
}
"""What adds a layer over positions to a graph, by the layer's kind."""
