# SPDX-License-Identifier: Apache-2.0
"""ONNX files to networks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_comparison import compare
from chainrule.interop.onnx_evaluation import named_activation
from chainrule.interop.onnx_graph import Slice, chosen_outputs, slice_graph
from chainrule.interop.onnx_import_operators import LayerReader
from chainrule.interop.onnx_limits import read_file
from chainrule.interop.onnx_lookups import Lookup, add_lookup, lookups_of
from chainrule.interop.onnx_model import DOUBLE, Node, Value, need_onnx, read_model
from chainrule.interop.onnx_own_layers import add_own_layer
from chainrule.interop.onnx_recognition import recognise, reduces
from chainrule.layers import Layer

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["from_onnx"]

# Operators that an error lists. What follows them is not looked at, as that takes long.
_MOST_LISTED = 64
_UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def from_onnx(
    model: str | os.PathLike[str] | bytes | bytearray | memoryview, *, output: str | None = None
) -> Network:
    """Return the network that an ONNX file describes.

    Networks as PyTorch, skl2onnx and tf2onnx write them are read: Gemm, MatMul, Add and the rest of
    arithmetic with constants, activations as one operator or as the several that older exporters
    write, BatchNormalization, LayerNormalization, Softmax, Dropout, what only changes shapes or
    types or takes columns, Conv, ConvTranspose, MaxPool, AveragePool and the global pools, Resize
    by the nearest, Pad with zeros and Slice of images and sequences, RNN, GRU and LSTM, and Gather
    of a table's rows, OneHot and OneHotEncoder of whole numbers by columns of the input. Of files
    that `to_onnx` wrote also `Normalization`, `CategoryEncoding` and `Embedding` with their
    options, `PeriodicEmbedding` and `PiecewiseLinearEmbedding`. The network is compared with the
    graph, run by the onnx package's reference implementation, on random rows small and large, with
    unknown and missing categories among them.

    Parameters
    ----------
    model : path-like or bytes-like
        The file or its content.
    output : str, optional
        Name of the output to compute. Default: all of floating-point numbers, which of a classifier
        are its probabilities.

    Returns
    -------
    Sequential, or Network if the graph is no chain
        In float64 if the output is of double, else in float32. Scaling at the front becomes a
        `Rescaling` or a `Normalization`. Nodes of files that `to_onnx` wrote keep their names, stay
        frozen, and share parameters as before. Of other programs' files, in which equal constants
        may have become one, nodes that read the same weights are layers of their own. It has no
        loss yet.

    Raises
    ------
    ImportError
        If the onnx package is not installed.
    FileNotFoundError
        If there is no such file.
    chainrule.ModelFileError
        If the content is damaged, of an unknown version, or describes what the library does not
        have; then the text lists the operators that are not supported, with reasons. If the
        network would compute something else than the graph; the text names the first node.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.from_onnx(b"no model")
    Traceback (most recent call last):
        ...
    chainrule.errors.ModelFileError: ModelProto has a field of the unknown type 6
    """
    need_onnx()
    if isinstance(model, bytes | bytearray | memoryview):
        return _read(bytes(model), output)
    try:
        return _read(read_file(model), output)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(model)}: {error}") from error


def _read(content: bytes, output: str | None) -> Network:
    graph, size = read_model(content), len(content)
    outputs = chosen_outputs(graph, output)
    part = slice_graph(graph, [value.name for value in outputs], size)
    if any(value.shape is not None and len(value.shape) < 2 for value in part.inputs):
        raise ModelFileError("the input has one dimension, expected rows and columns")

    def build(names: Sequence[str], dtype: str) -> tuple[Network, list[str]]:
        some = slice_graph(graph, names, size)
        return _network(some, size, dtype)[0], [value.name for value in some.inputs]

    try:
        net, pieces = _network(part, size, _dtype(outputs, part))
        compare(net, part, pieces, size, build)
    except ModelFileError:
        raise
    except _UNFIT as error:
        raise ModelFileError(f"the graph does not fit together: {error}") from error
    return net


def _dtype(outputs: list[Value], part: Slice) -> str:
    """Return float64 if an output is of double, or if it is a map, any constant weight."""
    if any(value.element_type for value in outputs):
        double = any(value.element_type == DOUBLE for value in outputs)
    else:
        names = {name for node in part.nodes for name in node.inputs if name in part.constants}
        arrays = [part.constants[name] for name in names]
        double = any(array.dtype == np.float64 and array.ndim == 2 for array in arrays)
    return "float64" if double else "float32"


def _network(part: Slice, size: int, dtype: str) -> tuple[Network, list[list[Node]]]:
    """Return the network of a slice, and the nodes that became a part of it at once."""
    reader = LayerReader(part, size, dtype)
    unsupported: list[str] = []
    pieces: list[list[Node]] = []
    done: set[int] = set()
    lookups = lookups_of(part)
    indices = {id(node): index for index, node in enumerate(part.nodes)}
    # What only tells lookups their columns, or recurrent layers lengths, is a part of these.
    paths = {key: each.path for key, each in lookups.items()} | reader.lengths_paths
    for node in reversed([node for path in paths.values() for node in path]):
        readers = part.readers[node.made]
        if all(i in done or (i < len(part.nodes) and id(part.nodes[i]) in paths) for i in readers):
            done.add(indices[id(node)])
    for index, node in enumerate(part.nodes):
        if index in done:
            continue
        if len(unsupported) == _MOST_LISTED:
            unsupported.append("and perhaps more")
            break
        reader.begin(node)
        lookup = lookups.get(id(node))
        piece = [] if lookup else add_own_layer(reader, index, done)
        piece = piece or ([] if lookup else _several(reader, index, done))
        if not piece:
            piece = [*lookup.path, node] if lookup else [node]
            _add_one(reader, node, lookup, unsupported)
        done |= {indices[id(each)] for each in piece}
        pieces.append(piece)
    if unsupported:
        listed = "".join(f"\n  {text}" for text in unsupported)
        raise ModelFileError(f"what these operators compute is not supported:{listed}")
    outputs = {name: reader.tensor(name) for name in part.outputs}
    for name, tensor in outputs.items():
        if tensor.batch:
            where = f"axis {tensor.batch}"
            raise ModelFileError(f"the output {name!r} moves the rows of the batch to {where}")
    return reader.assembly.network(outputs), pieces


def _several(reader: LayerReader, first: int, done: set[int]) -> list[Node]:
    """Add a function that is written as several operators; return these, or none."""
    part = reader.part
    node = part.nodes[first]
    joined = reader.complement(node)
    if joined is not None:
        return [node, joined]
    name = next(iter(part.varying(node)), "")
    if named_activation(node) is not None and len(part.readers[name]) == 1:
        return []
    # Arithmetic that means something alone may still be the beginning of more.
    for nodes in reversed(list(part.functions(first, done))):
        if all(reader.understands(each) for each in nodes) or reader.splits(nodes):
            continue
        x = reader.read(name, nodes)
        if x.batch:
            return []
        if reduces(nodes) and len(x.shape) > 1 and x.columns == 1:
            continue
        found = recognise(nodes, part, x.shape)
        if found is not None:
            if isinstance(found.function, Layer):
                x = reader.assembly.layer(found.function, found.arrays, x)
            else:
                x = reader.assembly.activation(x, found.function)
            x = reader.assembly.affine(x, found.scale, found.offset)
            reader.give(nodes[-1], x)
            return nodes
    return []


def _add_one(
    reader: LayerReader, node: Node, lookup: Lookup | None, unsupported: list[str]
) -> None:
    try:
        if lookup is None:
            reader.add(node)
        else:
            add_lookup(reader, lookup)
    except NotImplementedError as error:
        unsupported.append(f"{node}: {error}")
    except _UNFIT as error:
        # After what is not supported, shapes are not known.
        if unsupported:
            return
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{node} does not fit its inputs: {error}") from error
