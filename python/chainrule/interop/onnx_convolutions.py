# SPDX-License-Identifier: Apache-2.0
"""Convolutions as ONNX operators, which have channels before positions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.convolutions import kernel_of, output_padding
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.interop.windows import DEPTHWISE, TRANSPOSED, Windows, per_axis, windows_of

__all__ = ["add_convolution", "products_of", "weight_of"]

Array = NDArray[Any]


def add_convolution(graph: GraphWriter, node: NetworkNode) -> None:
    """Add a Conv or ConvTranspose between two transpositions, of double products of numbers."""
    windows = windows_of(node.layer, node.reads[0], node.shape)
    activation = node.layer.activation
    if graph.dtype == "float64":
        _add_products(graph, node, windows)
        activation.add_to(graph)
        return
    options: dict[str, Any] = {
        "kernel_shape": [w.size for w in windows],
        "strides": [w.stride for w in windows],
        "pads": [*(w.before for w in windows), *(w.behind for w in windows)],
        "dilations": [w.dilation for w in windows],
    }
    operator = "Conv"
    if node.layer.kind in TRANSPOSED:
        operator, options["output_padding"] = "ConvTranspose", output_padding(windows)
    elif node.layer.kind in DEPTHWISE:
        options["group"] = node.reads[0][-1]
    arrays = [graph.constant("weight", kernel_of(node))]
    if "bias" in node.arrays:
        arrays.append(graph.constant("bias", node.arrays["bias"]))
    last = len(node.shape)
    graph.transpose([0, last, *range(1, last)])
    graph.add(operator, graph.current, *arrays, **options)
    # Before the channels are last again, so that the next layer's transposition meets this one.
    over_columns = activation.kind == "softmax"
    if not over_columns:
        activation.add_to(graph)
    graph.transpose([0, *range(2, last + 1), 1])
    if over_columns:
        activation.add_to(graph)


def _add_products(graph: GraphWriter, node: NetworkNode, windows: Sequence[Windows]) -> None:
    """Add products with the numbers that each output is a sum of: onnxruntime has no Conv."""
    read, columns = node.reads[0], node.reads[0][-1]
    spread = node.layer.kind in TRANSPOSED
    places = _places(windows, read[:-1], node.shape[:-1], spread)
    positions = math.prod(read[:-1])
    flat = (0, positions, columns)
    graph.add("Reshape", graph.current, graph.constant("positions", flat, "int64"))
    if (places == positions).any():
        pads = graph.constant("pads", [0, 0, 0, 0, 1, 0], "int64")
        graph.add("Pad", graph.current, pads, mode="constant")
    # (rows, *positions, terms, columns)
    graph.add("Gather", graph.current, graph.constant("places", places, "int64"), axis=1)
    weight = graph.constant("weight", products_of(node.layer, node.arrays["weight"]))
    if node.layer.kind in DEPTHWISE:
        if node.columns > columns:  # each channel as often as it has outputs
            channels = np.arange(node.columns) // node.layer.depth_multiplier
            graph.add(
                "Gather", graph.current, graph.constant("channels", channels, "int64"), axis=-1
            )
        axis = graph.constant("terms", [-2], "int64")
        graph.add("ReduceSum", graph.add("Mul", graph.current, weight), axis, keepdims=0)
    else:
        rows = (0, *node.shape[:-1], places.shape[-1] * columns)
        graph.add("Reshape", graph.current, graph.constant("windows", rows, "int64"))
        graph.add("MatMul", graph.current, weight)
    if "bias" in node.arrays:
        graph.add("Add", graph.current, graph.constant("bias", node.arrays["bias"]))


def products_of(layer: Any, weight: Array) -> Array:
    """Return the weight of a convolution as products of double have it.

    It is of (terms * channels, filters), or of each channel by itself of (terms, filters).
    """
    if layer.kind in TRANSPOSED:
        weight = np.swapaxes(weight, -1, -2)
    return weight.reshape(-1, weight.shape[-1])


def weight_of(layer: Any, products: Array, axes: int) -> Array:
    """Return the weight of a convolution over `axes` axes, of which `products_of` made another."""
    sizes, columns = per_axis(layer.kernel_size, axes), products.shape[-1]
    if layer.kind in DEPTHWISE:
        return products.reshape(*sizes, columns)
    weight = products.reshape(*sizes, -1, columns)
    return np.swapaxes(weight, -1, -2) if layer.kind in TRANSPOSED else weight


def _places(
    windows: Sequence[Windows], read: Sequence[int], made: Sequence[int], spread: bool
) -> NDArray[np.int64]:
    """Return the position that each term of each output is of, numbered as they lie in memory."""
    # It is of shape (*made, terms); what lies beyond the ends has the number behind all others.
    # With `spread` those of a transposed convolution.
    flat: Array = np.zeros((1, 1), np.int64)
    inside: Array = np.ones((1, 1), bool)
    for w, extent, count in zip(windows, read, made, strict=True):
        outputs, steps = np.arange(count)[:, None], np.arange(w.size) * w.dilation
        places, rest = outputs * w.stride + steps - w.before, np.zeros((), np.int64)
        if spread:
            places, rest = np.divmod(outputs + w.before - steps, w.stride)
        along = (places >= 0) & (places < extent) & (rest == 0)  # (outputs, terms)
        # (outputs so far, outputs along this axis, terms so far, terms along this axis)
        flat = flat[:, None, :, None] * extent + places[None, :, None, :]
        inside = inside[:, None, :, None] & along[None, :, None, :]
        shape = (flat.shape[0] * count, flat.shape[2] * w.size)
        flat, inside = flat.reshape(shape), inside.reshape(shape)
    return np.where(inside, flat, math.prod(read)).reshape(*made, -1)
