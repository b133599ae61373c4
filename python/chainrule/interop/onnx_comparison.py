# SPDX-License-Identifier: Apache-2.0
"""A network from an ONNX file against the graph itself: the same rows through both."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Collection, Sequence
from itertools import repeat

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.categories import WHOLE_NUMBERS, put_whole_numbers
from chainrule.interop.difference import relative_differences, sample_rows
from chainrule.interop.nodes import nodes_of, predictions
from chainrule.interop.onnx_evaluation import evaluate_in_double
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Array, Node
from chainrule.network.network import Network

__all__ = ["compare"]

# Random rows of each scale; fewer where they are wide, or weights many.
_SCALES = (1.0, 1e-3, 10.0, 1e3, 0.0)
_ROWS, _FEW_ROWS, _ELEMENTS = 24, 2, 2**16
# Bytes of a file up to which the network is made a second time, in double. Above, its own
# precision is compared, and roundings may differ.
_LARGE = 2**24
# Of the largest output. Activations are recognised up to 2e-6, and a softmax shows what that makes
# of large logits.
_TOLERANCE, _TOLERANCE_OF_LARGE = 1e-4, 1e-2
# Outputs that are all smaller count as so large: in the tail of log(1 + exp(x)) formulas lose what
# the core keeps, and what is smaller still the core flushes to zero.
_LEAST = 1e-10


def compare(
    net: Network,
    part: Slice,
    pieces: Sequence[Sequence[Node]],
    size: int,
    build: Callable[[Sequence[str], str], tuple[Network, list[str]]],
) -> None:
    """Raise ModelFileError, naming the node, unless a network gives what the graph does.

    The graph runs in double by the onnx package's reference implementation. `pieces` are the nodes
    that became a part of the network at once, `size` the bytes of the file, and `build` returns
    the network up to some tensors in a dtype, with the inputs that it needs.
    """
    large = size > _LARGE
    dtype = net.dtype if large else "float64"
    rng = np.random.default_rng(0)
    rows = {}
    inputs, nodes, _ = nodes_of(net)
    for value, (entry, shape) in zip(part.inputs, inputs.items(), strict=True):
        columns = math.prod(shape)
        count = max(1, min(_FEW_ROWS if large else _ROWS, _ELEMENTS // columns))
        rows[value.name] = sample_rows(columns, _SCALES, count, rng)
        allowed = net._built_core().missing_columns(len(rows) - 1)
        if allowed:  # numbers may be missing
            rows[value.name][(rng.random(rows[value.name].shape) < 0.2) & np.array(allowed)] = (
                np.nan
            )
        if len(shape) == 1:
            put_whole_numbers(rows[value.name], entry, nodes, WHOLE_NUMBERS[dtype], rng, True)
    tested, names = (net, [*rows]) if large else build(part.outputs, dtype)
    expected = _values(part, rows, part.outputs)
    outputs = map(_flat, predictions(tested, [rows[name].astype(dtype) for name in names]))
    if all(map(_agree, outputs, (expected[name] for name in part.outputs), repeat(large))):
        return
    ends = [piece[-1].made for piece in pieces]
    expected = _values(part, rows, ends)

    def agrees(end: str) -> bool:
        try:
            net, names = build([end], dtype)
        except ModelFileError:  # so far nothing tells the number of columns
            return True
        (outputs,) = predictions(net, [rows[name].astype(dtype) for name in names])
        return _agree(_flat(outputs), expected[end], large)

    # What follows a wrong layer may hide it, but between these two there is one.
    right, wrong = 0, len(ends) - 1
    while right < wrong:
        middle = (right + wrong) // 2
        right, wrong = (middle + 1, wrong) if agrees(ends[middle]) else (right, middle)
    listed = ", ".join(str(node) for node in pieces[wrong])
    raise ModelFileError(f"{listed}: the network would compute something else than the graph does")


def _flat(rows: Array) -> Array:
    return rows.reshape(len(rows), -1)


def _values(part: Slice, rows: dict[str, Array], wanted: Collection[str]) -> dict[str, Array]:
    """Return what the graph makes of rows of its inputs: some of its tensors."""
    constants = part.constants
    left = {name: len(readers) for name, readers in part.readers.items()}
    known: dict[str, Array] = {}
    for name, each in rows.items():
        shape = constants.shapes.get(name)
        known[name] = each if shape is None else each.reshape(-1, *shape[1:])
    for node in part.nodes:
        read = {n: known[n] if n in known else constants[n] for n in node.inputs if n}
        try:
            known |= evaluate_in_double([node], read, part.graph.opset)
        except ValueError as error:
            raise ModelFileError(f"{node} does not fit its inputs: {error}") from error
        for name in part.varying(node):
            left[name] -= 1
            if not left[name] and name not in wanted:
                del known[name]
    count = min(map(len, rows.values()))
    values = {name: known[name] for name in wanted}
    return {name: a.reshape(count, -1) if len(a) == count else a for name, a in values.items()}


def _agree(outputs: Array, expected: Array, large: bool) -> bool:
    count = len(expected) // len(_SCALES)
    found = relative_differences(outputs, expected, count, least=_LEAST, overflows=True)
    tolerances = (_TOLERANCE_OF_LARGE if large or s > 1.0 else _TOLERANCE for s in _SCALES)
    return all(map(operator.le, found, tolerances))
