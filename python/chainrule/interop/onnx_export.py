# SPDX-License-Identifier: Apache-2.0
"""Networks to ONNX files: the graph of a network's predictions."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chainrule.arguments import positive_integer
from chainrule.atomic_file import write_atomically
from chainrule.interop.affine import affine_of
from chainrule.interop.bins import bins_of
from chainrule.interop.limits import limits_of
from chainrule.interop.merges import MERGES, NARY
from chainrule.interop.nodes import NetworkNode, nodes_of, refuse_missing
from chainrule.interop.onnx_categories import add_category_encoding, add_embedding
from chainrule.interop.onnx_check import ExportReport, self_check
from chainrule.interop.onnx_metadata import metadata_of, prefix_of
from chainrule.interop.onnx_model import need_onnx
from chainrule.interop.onnx_recurrence import RECURRENT_LAYERS
from chainrule.interop.onnx_windows import WINDOW_LAYERS
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.losses.link import LINKS
from chainrule.names import unknown_name

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["add_layer", "onnx_bytes", "to_onnx"]

# The oldest whose operators have the form that is written here, and the newest that is known.
_OPSETS = range(13, 24)
_LAYER_NORMALIZATION_OPSET = 17
_INPUT_DTYPES = ("float32", "float64", "uint8")
_OUTPUTS = ("raw", "probabilities")
# Above this, rounding a float32 product before the offset is added loses digits that the core's
# fused multiply-add keeps.
_LARGEST_SINGLE_OFFSET = 4.0


def to_onnx(
    net: Network,
    path: str | os.PathLike[str],
    *,
    opset: int = 17,
    output: str = "raw",
    input_dtype: str | None = None,
    check: bool = True,
    tolerance: float = 1e-5,
) -> ExportReport:
    """Write the network's predictions as an ONNX file.

    Its input is ``x`` of shape (rows, inputs) for any number of rows, or with all axes of an input
    that has several, its output ``y``. Several inputs and outputs have the names of their nodes.
    Scaling layers are part of the graph, dropout is left out, and batch normalisation uses its
    running statistics. Names of nodes, and which are frozen or share parameters, stand in the
    file's metadata.

    Parameters
    ----------
    net : Network
        A built network.
    path : path-like
        Customarily ending in ``.onnx``; written under a temporary name and renamed.
    opset : int, default 17
        Version of the operators, 13 to 23.
    output : {"raw", "probabilities"}, default "raw"
        What `predict` gives, or what `predict_proba` does.
    input_dtype : {"float32", "float64", "uint8"}, optional
        Type of the input. Default: the network's dtype.
    check : bool, default True
        Compare onnxruntime's predictions with the network's on random rows, where onnxruntime
        is installed.
    tolerance : float, default 1e-5
        Largest difference that the check takes, as a part of the largest output.

    Returns
    -------
    ExportReport
        With ``path``, ``size`` and ``max_relative_difference``.

    Raises
    ------
    ImportError
        If the onnx package is not installed.
    ValueError, TypeError
        If an argument is not valid, probabilities are asked of a network whose loss has none,
        or a layer has no form in ONNX files.
    RuntimeError
        If the number of inputs is not known yet.
    chainrule.ExportError
        If the check finds a larger difference; no file is written.

    Examples
    --------
    >>> import tempfile
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(4), cr.Dense(8, activation="gelu"), cr.Dense(3)], seed=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report = cr.to_onnx(net, f"{folder}/net.onnx", check=False)
    ...     again = cr.from_onnx(report.path)
    >>> again.layers
    [Dense(8, activation='gelu'), Dense(3)]
    """
    content = onnx_bytes(net, opset=opset, output=output, input_dtype=input_dtype)
    difference = None
    if check:
        difference = self_check(net, content, output, input_dtype or net.dtype, tolerance)
    write_atomically(path, content)
    return ExportReport(Path(path), len(content), difference)


def onnx_bytes(
    net: Network, *, opset: int = 17, output: str = "raw", input_dtype: str | None = None
) -> bytes:
    """Return the content of the file that `to_onnx` writes."""
    need_onnx()
    inputs, nodes, outputs = nodes_of(net)
    if positive_integer("opset", opset) not in _OPSETS:
        raise ValueError(f"opset must lie in {_OPSETS[0]}..{_OPSETS[-1]}, got {opset}")
    if output not in _OUTPUTS:
        raise ValueError(unknown_name("output", output, _OUTPUTS))
    input_dtype = net.dtype if input_dtype is None else input_dtype
    if input_dtype not in _INPUT_DTYPES:
        raise ValueError(unknown_name("input_dtype", input_dtype, _INPUT_DTYPES))
    refuse_missing(nodes, _LAYERS, "ONNX files")
    graph = GraphWriter(opset, net.dtype)
    # What each node gives: the name of the tensor in the file, and the shape of a row.
    tensors = {
        name: (graph.input(name, input_dtype, shape), shape) for name, shape in inputs.items()
    }
    for node in nodes:
        operands = [tensors[name][0] for name in node.inputs]
        graph.begin(prefix_of(node), operands, tensors[node.inputs[0]][1])
        add_layer(graph, node)
        tensors[node.name] = graph.current, node.shape
    for index, name in enumerate(outputs):
        tensor, shape = tensors[name]
        graph.begin("link", [tensor], shape)
        link = LINKS.get(net._link_to_apply(index)) if output == "probabilities" else None
        if link is not None:
            graph.add(link.onnx_operator, **link.onnx_attributes)
        graph.output("y" if len(outputs) == 1 else name)
    return graph.finish(metadata_of([*inputs], nodes))


def add_layer(graph: GraphWriter, node: NetworkNode) -> None:
    """Add what a layer computes of the tensors that the graph's node in the making reads."""
    _LAYERS[node.layer.kind](graph, node)


def _add_dense(graph: GraphWriter, node: NetworkNode) -> None:
    arrays = {name: graph.constant(name, values) for name, values in node.arrays.items()}
    if len(graph.shape) == 1 and "bias" in arrays:
        graph.add("Gemm", graph.current, *arrays.values())
    else:  # of positions, which Gemm knows not
        graph.add("MatMul", graph.current, arrays["weight"])
        if "bias" in arrays:
            graph.add("Add", graph.current, arrays["bias"])
    node.layer.activation.add_to(graph)


def _add_activation(graph: GraphWriter, node: NetworkNode) -> None:
    node.layer.activation.add_to(graph)


def _add_nothing(graph: GraphWriter, node: NetworkNode) -> None:
    """Add nothing for a layer that does nothing in inference."""


def _add_flatten(graph: GraphWriter, node: NetworkNode) -> None:
    if len(graph.shape) > 1:
        graph.add("Flatten", axis=1)


def _add_reshape(graph: GraphWriter, node: NetworkNode) -> None:
    if node.shape != graph.shape:  # 0 stands for the number of rows
        graph.add("Reshape", graph.current, graph.constant("shape", (0, *node.shape), "int64"))


def _add_permute(graph: GraphWriter, node: NetworkNode) -> None:
    graph.transpose([0, *node.layer.dims])


def _add_take(graph: GraphWriter, node: NetworkNode) -> None:
    columns = graph.constant("columns", node.layer.columns, "int64")
    graph.add("Gather", graph.current, columns, axis=len(graph.shape))


def _add_position(graph: GraphWriter, node: NetworkNode) -> None:
    graph.add("Gather", graph.current, graph.scalar(node.layer.index, "int64"), axis=1)


def _add_repeat_vector(graph: GraphWriter, node: NetworkNode) -> None:
    single = graph.constant("shape", (0, 1, graph.columns), "int64")
    graph.add("Reshape", graph.current, single)
    graph.add("Tile", graph.current, graph.constant("repeats", (1, node.layer.n, 1), "int64"))


def _add_global_average_pooling(graph: GraphWriter, node: NetworkNode) -> None:
    graph.mean(graph.current, range(1, len(graph.shape)), 0)


def _add_dot(graph: GraphWriter, node: NetworkNode) -> None:
    a, b = graph.operands
    if len(graph.shape) > 1:
        graph.add("MatMul", a, graph.add("Transpose", b, perm=[0, 2, 1]))
        return
    products = graph.add("Mul", a, b)
    graph.add("ReduceSum", products, graph.constant("axes", [-1], "int64"), keepdims=1)


def _add_affine(graph: GraphWriter, node: NetworkNode) -> None:
    affine = affine_of(node.layer, node.arrays, graph.dtype)
    assert affine is not None
    scale, offset = affine
    fused = graph.dtype == "float32" and bool(np.any(np.abs(offset) > _LARGEST_SINGLE_OFFSET))
    dtype = "float64" if fused else graph.dtype
    if fused:
        graph.cast("float64")
    graph.add("Mul", graph.current, graph.constant("scale", scale, dtype))
    if np.any(offset) or node.layer.kind == "normalization":
        graph.add("Add", graph.current, graph.constant("offset", offset, dtype))
    if fused:
        graph.cast(graph.dtype)


def _add_normalization(graph: GraphWriter, node: NetworkNode) -> None:
    columns = graph.columns
    _add_affine(graph, node)
    limits, scaled = limits_of(node.layer, columns), graph.current
    if limits.filled:
        missing = graph.add("IsNaN", scaled)
        if len(limits.filled) < columns:
            filled = np.isin(np.arange(columns), limits.filled)
            missing = graph.add("And", missing, graph.constant("filled", filled, "bool"))
        graph.add("Where", missing, graph.scalar(0.0), scaled)
    if limits.rates.any():
        x = graph.current
        ratio = graph.add("Mul", x, graph.constant("rates", limits.rates))
        square = graph.add("Add", graph.add("Mul", ratio, ratio), graph.scalar(1.0))
        graph.add("Div", x, graph.add("Sqrt", square))
    if limits.indicators:
        x, chosen = graph.current, graph.constant("indicators", limits.indicators, "int64")
        graph.add("IsNaN", graph.add("Gather", scaled, chosen, axis=len(graph.shape)))
        graph.add("Concat", x, graph.cast(graph.dtype), axis=-1)


def _add_batch_normalization(graph: GraphWriter, node: NetworkNode) -> None:
    ones, zeros = np.ones(graph.columns), np.zeros(graph.columns)
    arrays = {"gamma": ones, "beta": zeros, **node.arrays}
    order = ("gamma", "beta", "running_mean", "running_variance")
    names = [graph.constant(name, arrays[name]) for name in order]
    options = {"epsilon": float(node.layer.epsilon), "momentum": float(node.layer.momentum)}
    # Its channels are the axis behind that of the rows.
    dims = [0, len(graph.shape), *range(1, len(graph.shape))]
    if len(graph.shape) > 1:
        graph.transpose(dims)
    graph.add("BatchNormalization", graph.current, *names, **options)
    if len(graph.shape) > 1:
        graph.transpose([0, *range(2, len(graph.shape) + 1), 1])


def _add_layer_normalization(graph: GraphWriter, node: NetworkNode) -> None:
    rows, arrays, epsilon = graph.current, node.arrays, float(node.layer.epsilon)
    # The operator may take its means in float whatever the type of the rows.
    if graph.opset >= _LAYER_NORMALIZATION_OPSET and graph.dtype == "float32":
        arrays = {"gamma": np.ones(graph.columns), **arrays}
        names = [graph.constant(name, values) for name, values in arrays.items()]
        graph.add("LayerNormalization", rows, *names, axis=-1, epsilon=epsilon)
        return
    centred = graph.add("Sub", rows, graph.mean(rows, [-1], 1))
    variance = graph.mean(graph.add("Mul", centred, centred), [-1], 1)
    deviation = graph.add("Sqrt", graph.add("Add", variance, graph.scalar(epsilon)))
    graph.add("Div", centred, deviation)
    for operator, name in (("Mul", "gamma"), ("Add", "beta")):
        if name in arrays:
            graph.add(operator, graph.current, graph.constant(name, arrays[name]))


def _add_prelu(graph: GraphWriter, node: NetworkNode) -> None:
    x, slope = graph.current, graph.constant("slope", node.arrays["slope"])
    if graph.dtype == "float32":
        graph.add("PRelu", x, slope)
        return
    # onnxruntime has none of double.
    above = graph.add("Relu", x)
    below = graph.add("Mul", graph.add("Relu", graph.add("Neg", x)), slope)
    graph.add("Sub", above, below)


def _add_parametric_activation(graph: GraphWriter, node: NetworkNode) -> None:
    x, alpha = graph.current, node.arrays["alpha"]
    node.layer.activation.add_to(graph)
    part = graph.add("Mul", graph.current, graph.constant("alpha", alpha))
    rest = graph.add("Mul", x, graph.constant("rest", alpha.dtype.type(1) - alpha))
    graph.add("Add", part, rest)


def _add_periodic_embedding(graph: GraphWriter, node: NetworkNode) -> None:
    frequency, phase = (graph.constant(n, node.arrays[n]) for n in ("frequency", "phase"))
    numbers = graph.add("Unsqueeze", graph.current, graph.constant("last_axis", [-1], "int64"))
    turns = graph.add("Mul", numbers, frequency)
    graph.add("Add", graph.add("Mul", turns, graph.scalar(2 * np.pi)), phase)
    if graph.dtype == "float32":
        waves = graph.add("Cos")
    else:  # onnxruntime has none of double: cos(z) = sin(z + pi / 2)
        waves = graph.add("Sin", graph.add("Add", graph.current, graph.scalar(np.pi / 2)))
    embedded = graph.add("Concat", numbers, _add_sums(graph, node, waves), axis=-1)
    graph.add("Reshape", embedded, graph.constant("shape", (0, *node.shape), "int64"))


def _add_piecewise_linear_embedding(graph: GraphWriter, node: NetworkNode) -> None:
    bins = bins_of(node.arrays["edges"])
    numbers = graph.add("Unsqueeze", graph.current, graph.constant("last_axis", [-1], "int64"))
    within = graph.add("Max", numbers, graph.constant("low", bins["low"]))
    within = graph.add("Min", within, graph.constant("high", bins["high"]))
    places = graph.add("Sub", within, graph.constant("edge", bins["edge"]))
    places = graph.add("Mul", places, graph.constant("rate", bins["rate"]))
    _add_sums(graph, node, places)
    graph.add("Reshape", graph.current, graph.constant("shape", (0, *node.shape), "int64"))


def _add_sums(graph: GraphWriter, node: NetworkNode, functions: str) -> str:
    """Add the embedding's sums of functions of each column; return their name."""
    row = graph.add("Unsqueeze", functions, graph.constant("before_last_axis", [-2], "int64"))
    weight = graph.constant("weight", np.swapaxes(node.arrays["weight"], 1, 2))
    sums = graph.add(
        "Squeeze", graph.add("MatMul", row, weight), graph.constant("row_axis", [-2], "int64")
    )
    return graph.add("Add", sums, graph.constant("bias", node.arrays["bias"]))


def _add_clip(graph: GraphWriter, node: NetworkNode) -> None:
    ends = (node.layer.min_value, node.layer.max_value)
    graph.add("Clip", graph.current, *("" if end is None else graph.scalar(end) for end in ends))


def _add_merge(graph: GraphWriter, node: NetworkNode) -> None:
    merge = MERGES[node.layer.kind]
    operator = merge.onnx_operator
    divided = merge.mean and graph.dtype == "float64"  # of which onnxruntime has no mean
    if operator in NARY and not divided:
        graph.add(operator, *graph.operands, **({"axis": -1} if operator == "Concat" else {}))
        return
    for operand in graph.operands[1:]:
        graph.add("Add" if divided else operator, graph.current, operand)
    if divided:
        graph.add("Div", graph.current, graph.scalar(len(graph.operands)))


_LAYERS: dict[str, Callable[[GraphWriter, NetworkNode], None]] = {
    "activation": _add_activation,
    "batch_normalization": _add_batch_normalization,
    "category_encoding": add_category_encoding,
    "clip": _add_clip,
    "dense": _add_dense,
    "dot": _add_dot,
    "dropout": _add_nothing,
    "embedding": add_embedding,
    "flatten": _add_flatten,
    "gaussian_noise": _add_nothing,
    "global_average_pooling": _add_global_average_pooling,
    "layer_normalization": _add_layer_normalization,
    "normalization": _add_normalization,
    "parametric_activation": _add_parametric_activation,
    "periodic_embedding": _add_periodic_embedding,
    "permute": _add_permute,
    "piecewise_linear_embedding": _add_piecewise_linear_embedding,
    "prelu": _add_prelu,
    "position": _add_position,
    "repeat_vector": _add_repeat_vector,
    "rescaling": _add_affine,
    "reshape": _add_reshape,
    "scale": _add_affine,
    "take": _add_take,
    **RECURRENT_LAYERS,
    **WINDOW_LAYERS,
    **dict.fromkeys(MERGES, _add_merge),
}
