# SPDX-License-Identifier: Apache-2.0
"""ONNX files to networks."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_comparison import compare
from chainrule.interop.onnx_graph import Region, Slice, slice_graph
from chainrule.interop.onnx_layers import LayerReader
from chainrule.interop.onnx_limits import read_file
from chainrule.interop.onnx_model import need_onnx, read_model
from chainrule.interop.onnx_operators import is_evaluable
from chainrule.interop.onnx_recognition import recognise, reduces
from chainrule.layers import Layer

if TYPE_CHECKING:
    from chainrule.network.sequential import Sequential

__all__ = ["from_onnx"]

# Activations of several operators have at most so many.
_LONGEST_RUN = 16
# Operators that an error lists. What follows them is not looked at, as that takes long.
_MOST_LISTED = 64
_UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


def from_onnx(
    model: str | os.PathLike[str] | bytes | bytearray | memoryview, *, output: str | None = None
) -> Sequential:
    """Return the network that an ONNX file describes.

    Multilayer perceptrons as PyTorch, skl2onnx and tf2onnx write them are read: Gemm, MatMul, Add
    and the rest of arithmetic with constants, activations as one operator or as the several that
    older exporters write, BatchNormalization, LayerNormalization, Softmax, Dropout, and what only
    changes shapes or types. The network is compared with the graph, run by the onnx package's
    reference implementation, on random rows small and large.

    Parameters
    ----------
    model : path-like or bytes-like
        The file or its content.
    output : str, optional
        Name of the output to compute. Default: the only one of floating-point numbers, which of a
        classifier is its probabilities.

    Returns
    -------
    Sequential
        In float64 if the output is of double, else in float32. Scaling at the front becomes a
        `Rescaling` or a `Normalization`. It has no loss yet.

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


def _read(content: bytes, output: str | None) -> Sequential:
    graph, size = read_model(content), len(content)
    part = slice_graph(graph, output, size)
    if part.input.shape is not None and len(part.input.shape) < 2:
        raise ModelFileError("the input has one dimension, expected rows and columns")

    def build(count: int, dtype: str) -> Sequential:
        return _network(replace(part, regions=part.regions[:count]), graph.opset, size, dtype)[0]

    try:
        net, boundaries = _network(part, graph.opset, size)
        compare(net, part, boundaries, graph.opset, size, build)
    except ModelFileError:
        raise
    except _UNFIT as error:
        raise ModelFileError(f"the graph does not fit together: {error}") from error
    return net


def _network(
    part: Slice, opset: int, size: int, dtype: str | None = None
) -> tuple[Sequential, list[int]]:
    """Return the network of a slice, and how many regions there are up to the end of each layer."""
    reader = LayerReader(part, size, dtype)
    unsupported: list[str] = []
    boundaries = [0]
    while boundaries[-1] < len(part.regions):
        if len(unsupported) == _MOST_LISTED:
            unsupported.append("and perhaps more")
            break
        place = boundaries[-1]
        taken = _add_several(reader, part, place, opset)
        if not taken:
            _add_one(reader, part.regions[place], unsupported)
        boundaries.append(place + (taken or 1))
    if unsupported:
        listed = "".join(f"\n  {text}" for text in unsupported)
        raise ModelFileError(f"what these operators compute is not supported:{listed}")
    return reader.started().network(), boundaries[1:]


def _add_several(reader: LayerReader, part: Slice, place: int, opset: int) -> int:
    """Add a function that is written as several operators; return how many regions it has."""
    run = part.regions[place : place + _LONGEST_RUN]
    if reader.is_named(run[0]):
        return 0
    evaluable = [all(is_evaluable(node) for node in region.nodes) for region in run]
    run = run[: [*evaluable, False].index(False)]
    understood = [reader.understands(region) for region in run]
    # Arithmetic that means something alone may still be the beginning of more.
    for end in range(len(run), 0, -1):
        if all(understood[:end]) or (not reader.is_flat and reduces(run[:end])):
            continue
        found = recognise(run[:end], part.constants, opset, reader.columns)
        if found is not None:
            assembly = reader.started(len(found.scale) if np.ndim(found.scale) else None)
            if isinstance(found.function, Layer):
                assembly.layer(found.function, {})
            else:
                assembly.activation(found.function)
            assembly.affine(found.scale, found.offset)
            return end
    return 0


def _add_one(reader: LayerReader, region: Region, unsupported: list[str]) -> None:
    nodes = ", ".join(str(node) for node in region.nodes)
    try:
        reader.add(region)
    except NotImplementedError as error:
        unsupported.append(f"{nodes}: {error}")
    except _UNFIT as error:
        # After what is not supported, shapes are not known.
        if unsupported:
            return
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{nodes} does not fit its inputs: {error}") from error
