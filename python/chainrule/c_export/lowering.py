# SPDX-License-Identifier: Apache-2.0
"""From layers to operations."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import activations
from chainrule.c_export.category_operations import Embed, EncodeCategories
from chainrule.c_export.column_operations import Mix, Periodic, PiecewiseLinear, Take
from chainrule.c_export.frames import frames_of
from chainrule.c_export.merge_operations import Concatenate, Dot, Merge
from chainrule.c_export.operations import (
    Activation,
    Affine,
    Array,
    Clip,
    Copy,
    Dense,
    FillMissing,
    LayerNormalization,
    MissingIndicators,
    Operation,
    PReLU,
    SmoothClip,
)
from chainrule.c_export.program import Program
from chainrule.c_export.recurrent_operations import Recurrence, recurrence
from chainrule.c_export.shape_operations import MeanOfPositions, Permute, Repeat
from chainrule.c_export.window_operations import (
    Convolve,
    ConvolveDepthwise,
    OfPositions,
    convolve,
    crop,
    global_pool,
    pad,
    pool,
    take_position,
    up_sample,
)
from chainrule.interop.affine import scale_and_offset
from chainrule.interop.bins import bins_of
from chainrule.interop.categories import codes_of
from chainrule.interop.limits import limits_of
from chainrule.interop.merges import MERGES
from chainrule.interop.nodes import NetworkNode, nodes_of

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["lower", "refuse"]

_LARGEST = float(np.finfo(np.float32).max)
# Weights times a factor beyond these could leave the range in which floats have all their digits.
_MODERATE = (1e-6, 1e6)

# What takes all positions of a row at once.
_OF_WHOLE_ROWS = (Permute, Repeat, MeanOfPositions, OfPositions)
# What reads several values, or one twice.
_OF_SEVERAL_VALUES = ("dot", "parametric_activation")
# An operation's class and its fields behind its names.
_Part = tuple[type[Operation], dict[str, Any]]


def lower(net: Network, *, into_weights: bool, streaming: bool = False) -> Program:
    """Return the operations of a network in inference.

    Dropout and linear activations vanish; neighbouring scalings become one; a scaling behind a
    linear dense layer becomes part of its weights. With `into_weights` a factor before a dense
    layer does too; weights that will be rounded to int8 should not take over the features'
    different sizes. With `streaming` rows are one frame of a sequence. Arrays are of float32.

    Raises
    ------
    ValueError
        If the network has no form in C; the text lists all reasons.
    """
    inputs, nodes, outputs = nodes_of(net)
    # The value of each node, and what names of C may have of its own.
    made = {name: name for name in inputs}
    labels: dict[str, str] = {}
    operations: list[Operation] = []
    remembering, reasons = frames_of(inputs, nodes) if streaming else (frozenset[str](), [])
    for node in nodes:
        label = re.sub(r"[^A-Za-z0-9]", "_", node.name)
        label = f"{label}_of_{len(labels)}" if label in labels else label
        labels[label] = str(node)
        node.arrays = {name: values.astype(np.float64) for name, values in node.arrays.items()}
        beyond = [name for name, values in node.arrays.items() if not _fits(values)]
        if beyond:
            reasons.append(f"{node}: {' and '.join(beyond)} beyond the range of float")
        elif node.layer.kind not in {*_PARTS_OF, *MERGES, *_OF_SEVERAL_VALUES}:
            reasons.append(f"{node} has no form in C")
        value = made[node.inputs[0]]
        for part, fields in [] if reasons else _parts(node, [made[name] for name in node.inputs]):
            result = f"{len(operations)} of {node.name}"
            read = (*fields.pop("before", ()), value, *fields.pop("others", ()))
            fields["streams"] = node.name in remembering
            operations.append(part(result, read, (label,), **fields))
            value = result
        made[node.name] = value
    refuse(reasons)
    sizes = {name: math.prod(shape) for name, shape in inputs.items()}
    sizes |= {operation.made: operation.size for operation in operations}
    program = Program(
        {name: sizes[name] for name in inputs}, operations, [made[name] for name in outputs]
    )
    for index, name in enumerate(program.outputs):
        if name in inputs or name in program.outputs[:index]:
            copy = f"copy {index} of {name}"
            operations.append(Copy(copy, (name,), ("0",), sizes[name], sizes[name]))
            program.outputs[index] = copy
    _merge(program, _joined)
    if into_weights:
        _merge(program, _with_factor)
    operations[:] = [operation.in_float32() for operation in operations]
    refuse(
        f"{labels[operation.nodes[0]]} together with its neighbouring scaling is beyond the range "
        "of float"
        for operation in operations
        if not all(np.isfinite(array).all() for array in operation.arrays.values())
    )
    return program


def refuse(reasons: Iterable[str]) -> None:
    """Raise ValueError with all reasons why a network cannot be exported, if there are any."""
    listed = list(reasons)
    if listed:
        raise ValueError(f"the network cannot be exported to C: {'; '.join(listed)}")


def _fits(values: Array) -> bool:
    return bool(np.isfinite(values).all() and (np.abs(values) <= _LARGEST).all())


def _parts(node: NetworkNode, values: Sequence[str]) -> Iterator[_Part]:
    """Yield operations by class, with the columns and positions of what they read and make."""
    # `values` are the names of what the node reads.
    kind, size, columns = node.layer.kind, math.prod(node.shape), node.reads[0][-1]
    positions = math.prod(node.shape[:-1])
    if kind == "concatenate":
        for name, shape in zip(values[1:], node.reads[1:], strict=True):
            wiring = {"inputs": columns, "outputs": columns + shape[-1], "positions": positions}
            yield Concatenate, {"kind": kind, "others": (name,), **wiring}
            columns += shape[-1]
    elif kind in MERGES:
        for name in values[1:]:
            yield Merge, {"kind": kind, "others": (name,), "inputs": size, "outputs": size}
        if MERGES[kind].mean:
            scale, shift = np.full(size, 1.0 / len(values)), np.zeros(size)
            yield Affine, {"scale": scale, "shift": shift, "inputs": size, "outputs": size}
    elif kind == "dot":
        wiring = {"inputs": math.prod(node.reads[0]), "outputs": size}
        yield Dot, {"features": columns, "others": (values[1],), **wiring}
    elif kind == "parametric_activation":
        whole = {"inputs": size, "outputs": size}
        for part, fields in _activation(node, columns):
            yield part, {**whole, **fields}
        wiring = {"inputs": columns, "outputs": columns, "positions": positions}
        yield Mix, {"before": (values[0],), "share": node.arrays["alpha"], **wiring}
    else:
        for part, fields in _PARTS_OF[kind](node, columns):
            wiring = {"inputs": columns, "outputs": node.columns, "positions": positions}
            of_rows = issubclass(part, _OF_WHOLE_ROWS)
            if of_rows or _is_elementwise(part, fields):
                entering = math.prod(node.reads[0]) if of_rows else size
                wiring = {"inputs": entering, "outputs": size}
            # A second value is the length of rows.
            yield part, {**wiring, **fields, "others": tuple(values[1:])}
            columns = node.columns


def _is_elementwise(part: type[Operation], fields: dict[str, Any]) -> bool:
    return part is Clip or (part is Activation and fields["activation"].kind != "softmax")


def _activation(node: NetworkNode, columns: int) -> list[_Part]:
    activation = node.layer.activation
    if activation.kind == "linear":
        return []
    if isinstance(activation, activations.LeakyRelu) and activation.negative_slope == 0:
        activation = activations.Relu()
    return [(Activation, {"activation": activation})]


def _dense(node: NetworkNode, columns: int) -> list[_Part]:
    arrays = {"bias": np.zeros(node.columns), **node.arrays}
    return [(Dense, arrays), *_activation(node, columns)]


def _convolution(node: NetworkNode, columns: int) -> list[_Part]:
    return [*convolve(node), *_activation(node, columns)]


def _recurrent(node: NetworkNode, columns: int) -> list[_Part]:
    return [recurrence(node)]


def _simple_rnn(node: NetworkNode, columns: int) -> list[_Part]:
    units = node.columns
    made = [part("", (), (), units, units, **fields) for part, fields in _activation(node, columns)]
    return [recurrence(node, activation=made[0] if made else None)]


def _clip(node: NetworkNode, columns: int) -> list[_Part]:
    low, high = node.layer.min_value, node.layer.max_value
    low, high = -_LARGEST if low is None else low, _LARGEST if high is None else high
    return [(Clip, {"low": low, "high": high})]


def _nothing(node: NetworkNode, columns: int) -> list[_Part]:
    return []


def _affine(node: NetworkNode, columns: int) -> list[_Part]:
    affine = scale_and_offset(node.layer, node.arrays)
    assert affine is not None
    scale, shift = (np.broadcast_to(values, columns) for values in affine)
    return [(Affine, {"scale": scale, "shift": shift})]


def _normalization(node: NetworkNode, columns: int) -> list[_Part]:
    limits = limits_of(node.layer, columns)
    given = columns + len(limits.indicators)
    parts = _affine(node, columns)
    if limits.indicators:
        parts.append((MissingIndicators, {"indicated": np.array(limits.indicators, np.int32)}))
    if limits.filled:
        parts.append((FillMissing, {"filled": np.array(limits.filled, np.int32)}))
    if limits.rates.any():
        rate = np.concatenate([limits.rates, np.zeros(given - columns)])
        parts.append((SmoothClip, {"rate": rate}))
    widths = {"inputs": columns, "outputs": columns}
    for part, fields in parts:
        fields.update(widths)
        if part is MissingIndicators:
            fields["outputs"] = given
            widths = {"inputs": given, "outputs": given}
    return parts


def _codes(node: NetworkNode, columns: int) -> dict[str, Any]:
    codes = codes_of(node.layer, columns)
    return {"codes": np.stack([*vars(codes).values()], axis=1).astype(np.int32)}


def _category_encoding(node: NetworkNode, columns: int) -> list[_Part]:
    counts = int(node.layer.output_mode == "count")
    return [(EncodeCategories, {**_codes(node, columns), "counts": counts})]


def _embedding(node: NetworkNode, columns: int) -> list[_Part]:
    return [(Embed, {**_codes(node, columns), "table": node.arrays["weight"]})]


def _layer_normalization(node: NetworkNode, columns: int) -> list[_Part]:
    arrays = {"gamma": np.ones(columns), "beta": np.zeros(columns), **node.arrays}
    return [(LayerNormalization, {**arrays, "epsilon": node.layer.epsilon})]


def _periodic_embedding(node: NetworkNode, columns: int) -> list[_Part]:
    return [(Periodic, {name: values.reshape(-1) for name, values in node.arrays.items()})]


def _permute(node: NetworkNode, columns: int) -> list[_Part]:
    dims = node.layer.dims
    # One axis, or several of which none moves, are what they were.
    if list(dims) == sorted(dims):
        return []
    return [(Permute, Permute.fields_of(node.reads[0], dims))]


def _piecewise_linear_embedding(node: NetworkNode, columns: int) -> list[_Part]:
    arrays = {**bins_of(node.arrays["edges"].astype(np.float32)), **node.arrays}
    del arrays["edges"]
    return [(PiecewiseLinear, {name: values.reshape(-1) for name, values in arrays.items()})]


_PARTS_OF: dict[str, Callable[[NetworkNode, int], list[_Part]]] = {
    "activation": _activation,
    "average_pooling": pool,
    "batch_normalization": _affine,
    "category_encoding": _category_encoding,
    "clip": _clip,
    "conv1d": _convolution,
    "conv1d_transpose": _convolution,
    "conv2d": _convolution,
    "conv2d_transpose": _convolution,
    "cropping": crop,
    "dense": _dense,
    "depthwise_conv1d": _convolution,
    "depthwise_conv2d": _convolution,
    "dropout": _nothing,
    "embedding": _embedding,
    "flatten": _nothing,
    "gaussian_noise": _nothing,
    "global_average_pooling": lambda node, columns: [(MeanOfPositions, {})],
    "global_max_pooling": global_pool,
    "gru": _recurrent,
    "layer_normalization": _layer_normalization,
    "lstm": _recurrent,
    "max_pooling": pool,
    "normalization": _normalization,
    "periodic_embedding": _periodic_embedding,
    "permute": _permute,
    "piecewise_linear_embedding": _piecewise_linear_embedding,
    "position": take_position,
    "prelu": lambda node, columns: [(PReLU, node.arrays)],
    "repeat_vector": lambda node, columns: [(Repeat, {"times": node.layer.n})],
    "rescaling": _affine,
    "reshape": _nothing,
    "scale": _affine,
    "simple_rnn": _simple_rnn,
    "take": lambda node, columns: [(Take, {"taken": np.array(node.layer.columns, np.int32)})],
    "up_sampling": up_sample,
    "zero_padding": pad,
}


def _merge(program: Program, joined: Callable[[Operation, Operation], Operation | None]) -> None:
    """Make one operation of two, of which only the second reads what the first makes."""
    readers = program.readers
    result: dict[str, Operation] = {}
    for operation in program.operations:
        before = result.get(operation.read[0])
        both = None
        if before is not None and readers[before.made] == 1:
            both = joined(before, operation)
        if both is not None and before is not None:
            del result[before.made]
        result[operation.made] = both or operation
    program.operations[:] = result.values()


def _joined(before: Operation, operation: Operation) -> Operation | None:
    """Return a scaling that is a part of the scaling or the linear layer before it."""
    if not isinstance(operation, Affine) or not isinstance(before, Affine | Dense | Convolve):
        return None
    columns = before.outputs if isinstance(before, Affine) else len(before.bias)
    if operation.inputs != columns:
        return None
    scale, shift = operation.scale, operation.shift
    nodes = (*before.nodes, *operation.nodes)
    values: dict[str, Any]
    if isinstance(before, Dense | Convolve):
        values = {"weight": before.weight * scale, "bias": before.bias * scale + shift}
    else:
        values = {"scale": before.scale * scale, "shift": before.shift * scale + shift}
    return replace(before, made=operation.made, nodes=nodes, **values)


def _with_factor(before: Operation, operation: Operation) -> Operation | None:
    """Return a layer of weights with the scaling before it, if that has no shift."""
    if not isinstance(operation, Dense | Convolve | Recurrence) or not isinstance(before, Affine):
        return None
    # One weight of each column by itself, or a row of weights.
    single = isinstance(operation, ConvolveDepthwise)
    scale = before.scale if single else before.scale[:, np.newaxis]
    if operation.weight.shape[-scale.ndim] != before.inputs:
        return None
    # With a shift, large means would cancel in the sums.
    size = np.abs(before.scale)
    if before.shift.any() or not ((_MODERATE[0] <= size) & (size <= _MODERATE[1])).all():
        return None
    weight = operation.weight * scale
    nodes = (*operation.nodes, *before.nodes)
    read = (before.read[0], *operation.read[1:])
    return replace(operation, read=read, nodes=nodes, weight=weight)
