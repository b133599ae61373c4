# SPDX-License-Identifier: Apache-2.0
"""Layers that files of `to_onnx` write as many operators, and describe in their metadata.

They are known by what would be written of the layer: if these are the operators of the file, wired
in the same way, with constants of the same shapes, then its numbers are those of the layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.affine import moments_of, quartiles_of
from chainrule.interop.bins import edges_of
from chainrule.interop.nodes import NetworkNode, shape_made
from chainrule.interop.onnx_convolutions import weight_of
from chainrule.interop.onnx_export import add_layer
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_import_operators import LayerReader
from chainrule.interop.onnx_metadata import DESCRIBED, prefix_of
from chainrule.interop.onnx_model import Array, Node
from chainrule.interop.onnx_writer import GraphWriter
from chainrule.interop.windows import DEPTHWISE, TRANSPOSED, per_axis
from chainrule.layers import CategoryEncoding, Embedding, Input, Layer
from chainrule.network.network import Network

__all__ = ["add_own_layer"]

# So large an offset is written in double.
_LARGE = 1e6
_MOST_OPERATORS = 20
_OF_CATEGORIES = frozenset({"category_encoding", "embedding"})
_OF_POSITIONS = frozenset({"average_pooling", "up_sampling"})
_CONVOLUTIONS = frozenset({"conv1d", "conv2d"}) | DEPTHWISE | TRANSPOSED
_FIXED = _OF_CATEGORIES | _OF_POSITIONS  # whose numbers follow from their options


def add_own_layer(reader: LayerReader, first: int, done: Container[int]) -> list[Node]:
    """Add the layer that an operator is the first of, where the file tells; return its nodes."""
    part = reader.part
    origin = part.graph.names.of_operator(part.nodes[first].name)
    config = part.graph.names.layers.get(origin)
    if config is None:
        return []
    layer = _layer_of(config, origin)
    nodes = [
        node
        for index, node in enumerate(part.nodes[first:], first)
        if index not in done and part.graph.names.of_operator(node.name) == origin
    ]
    read = part.varying(nodes[0])
    if len(read) != 1 or len(nodes) > _MOST_OPERATORS:
        return []
    x = reader.read(read[0], nodes)
    constants = _constants(layer, nodes, part, x.shape, reader.assembly.dtype)
    if constants is None:
        return []
    arrays = _ARRAYS[layer.kind](layer, constants, reader.assembly.dtype)
    if arrays is None:
        return []
    reader.give(nodes[-1], reader.assembly.layer(layer, arrays, x))
    return nodes


def _layer_of(config: Mapping[str, Any], origin: str) -> Layer:
    try:
        layer = Layer.from_config(dict(config))
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the metadata describe no layer {origin!r}: {error}") from error
    if layer.kind not in DESCRIBED:
        raise ModelFileError(f"the metadata describe {origin!r} as {layer.kind}")
    return layer


def _constants(
    layer: Any, nodes: Sequence[Node], part: Slice, shape: tuple[int, ...], own_dtype: str
) -> dict[str, Array] | None:
    """Return the constants that nodes read by the layer's names, None if they are no such layer."""
    try:
        shape_made(layer, (shape,))
    except ValueError:  # such as between operators of channels first, where turns have met
        return None
    given = {n: part.constants[n] for node in nodes for n in node.inputs if n in part.constants}
    largest = max((a.size for a in given.values()), default=0)
    if layer.kind in _OF_CATEGORIES and not 0 < _size(layer, shape) <= largest:
        return None
    functions = getattr(layer, "frequencies", 0) or getattr(layer, "bins", 0)
    if functions:  # which says how large the layer would be that is to be written
        size = shape[-1] * layer.units * functions
        if size != largest:
            return None
    types = {array.dtype for array in given.values() if array.dtype.kind == "f"}
    if layer.kind in _CONVOLUTIONS:
        sizes = {array.size for array in given.values()}
        # Of float it is a Conv, which needs no description.
        if types != {np.dtype("float64")} or not _sizes_of_convolution(layer, shape) <= sizes:
            return None
    cast = nodes[0].op == "Cast"
    dtype = "float64" if types == {np.dtype("float64")} and not cast else "float32"
    # Which the constants alone may not tell.
    dtype = own_dtype if layer.kind in _OF_POSITIONS else dtype
    written = _written(layer, shape, dtype, _LARGE if cast else 1.0, part.graph.opset)
    if len(written.operators) != len(nodes):
        return None
    names = {"": "", "x": part.varying(nodes[0])[0]}
    found: dict[str, Array] = {}
    for made, node in zip(written.operators, nodes, strict=True):
        alike = (node.domain, node.op, len(node.inputs)) == ("", made.op_type, len(made.input))
        if not alike or [*made.attribute] != [*node.proto.attribute]:
            return None
        for name, other in zip(made.input, node.inputs, strict=True):
            expected, array = written.constants.get(name), given.get(other)
            if expected is None or array is None:
                if names.get(name) != other:
                    return None
                continue
            if expected.shape != array.shape or expected.dtype.kind != array.dtype.kind:
                return None
            name = name.rpartition(".")[2]
            # Beside a table of weights.
            fixed = expected.dtype.kind != "f" or layer.kind in _FIXED
            if fixed and name != "weight" and not _equal(expected, array):
                return None
            found[name] = array
        names[made.output[0]] = node.made
    return found


def _equal(expected: Array, array: Array) -> bool:
    return np.array_equal(expected, array, equal_nan=expected.dtype.kind == "f")


def _size(layer: CategoryEncoding | Embedding, shape: tuple[int, ...]) -> int:
    """Return how many numbers the largest constant of a layer has at least; 0 if it cannot be."""
    try:
        made, counts = shape_made(layer, (shape,)), layer.categories(shape[-1])
    except ValueError:
        return 0
    counts = [count for count in counts if count]
    if isinstance(layer, CategoryEncoding):
        shared = len(counts) if layer.output_mode != "one_hot" else 1
        return shared * math.prod(made)
    given = layer.num_embeddings
    return layer.units * (given if isinstance(given, int) else sum(counts))


def _sizes_of_convolution(layer: Any, shape: tuple[int, ...]) -> set[int]:
    """Return the sizes of its weight and of the places of its terms."""
    kernel = math.prod(per_axis(layer.kernel_size, len(shape) - 1))
    return {
        kernel * shape[-1] * (layer.depth_multiplier if layer.kind in DEPTHWISE else layer.filters),
        kernel * math.prod(shape_made(layer, (shape,))[:-1]),
    }


def _written(
    layer: Any, shape: tuple[int, ...], dtype: str, offset: float, opset: int
) -> GraphWriter:
    """Return what is written of a layer with numbers of its own."""
    x = Input(shape)
    own = Network(x, layer(x), seed=0, dtype=dtype)
    arrays = {name.rpartition(".")[2]: array for name, array in own.parameters.items()}
    for name in arrays.keys() & {"mean", "center"}:
        arrays[name] = np.full_like(arrays[name], offset)
    made = shape_made(layer, (shape,))
    node = NetworkNode("0", layer, ["x"], arrays, (shape,), made)
    graph = GraphWriter(opset, dtype)
    graph.begin(prefix_of(node), ["x"], shape)
    add_layer(graph, node)
    return graph


def _no_arrays(layer: Any, constants: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    return {}


def _convolution(layer: Any, constants: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    weight = weight_of(layer, constants["weight"], 1 if "conv1d" in layer.kind else 2)
    return {"weight": weight, **({"bias": constants["bias"]} if layer.use_bias else {})}


def _embedding(layer: Any, constants: Mapping[str, Array], dtype: str) -> dict[str, Array] | None:
    weight = constants["weight"]
    if "zero" not in (layer.unknown, layer.missing):
        return {"weight": weight}
    return None if weight[-1].any() else {"weight": weight[:-1]}


def _periodic_embedding(layer: Any, constants: Mapping[str, Array], dtype: str) -> dict[str, Array]:
    arrays = {name: constants[name] for name in ("frequency", "phase", "bias")}
    return {**arrays, "weight": np.swapaxes(constants["weight"], 1, 2)}


def _piecewise_linear_embedding(
    layer: Any, constants: Mapping[str, Array], dtype: str
) -> dict[str, Array]:
    weight = np.swapaxes(constants["weight"], 1, 2)
    return {"edges": edges_of(constants), "weight": weight, "bias": constants["bias"]}


def _normalization(
    layer: Any, constants: Mapping[str, Array], dtype: str
) -> dict[str, Array] | None:
    names = ("center", "scale") if layer.method == "robust" else ("mean", "variance")
    scale, offset = (constants[name].astype(np.float64) for name in ("scale", "offset"))
    if layer.invert:
        spread = scale if layer.method == "robust" else np.square(scale)
        return dict(zip(names, (offset.astype(dtype), spread.astype(dtype)), strict=True))
    inverse = quartiles_of if layer.method == "robust" else moments_of
    arrays = inverse(scale, offset, dtype)
    return None if arrays is None else dict(zip(names, arrays, strict=True))


_ARRAYS: dict[str, Callable[[Any, Mapping[str, Array], str], dict[str, Array] | None]] = {
    "average_pooling": _no_arrays,
    "category_encoding": _no_arrays,
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    "embedding": _embedding,
    "normalization": _normalization,
    "periodic_embedding": _periodic_embedding,
    "piecewise_linear_embedding": _piecewise_linear_embedding,
    "up_sampling": _no_arrays,
}
