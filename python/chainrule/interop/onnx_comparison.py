# SPDX-License-Identifier: Apache-2.0
"""A network from an ONNX file against the graph itself: the same rows through both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Array, Node
from chainrule.interop.onnx_operators import evaluate_in_double
from chainrule.network.network import Network

__all__ = ["compare"]

# Random rows of each scale; fewer where they are wide, or weights many.
_SCALES = (1.0, 1e-3, 10.0, 1e3)
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
    build: Callable[[str, str], Network],
) -> None:
    """Raise ModelFileError, naming the node, unless a network gives what the graph does.

    The graph runs in double by the onnx package's reference implementation. `pieces` are the nodes
    that became a part of the network at once, `size` the bytes of the file, and `build` returns
    the network up to a tensor in a dtype.
    """
    large = size > _LARGE
    (output,) = part.outputs
    tested = net if large else build(output, "float64")
    rows = _rows(net.inputs or 1, _FEW_ROWS if large else _ROWS)
    if _agree(tested, rows, _values(part, rows, [output])[output], large):
        return
    ends = [nodes[-1].made for nodes in pieces]
    expected = _values(part, rows, ends)

    def agrees(end: str) -> bool:
        try:
            return _agree(build(end, tested.dtype), rows, expected[end], large)
        except ModelFileError:  # so far nothing tells the number of columns
            return True

    # What follows a wrong layer may hide it, but between these two there is one.
    right, wrong = 0, len(ends) - 1
    while right < wrong:
        middle = (right + wrong) // 2
        right, wrong = (middle + 1, wrong) if agrees(ends[middle]) else (right, middle)
    nodes = ", ".join(str(node) for node in pieces[wrong])
    raise ModelFileError(f"{nodes}: the network would compute something else than the graph does")


def _rows(columns: int, most: int) -> Array:
    count = max(1, min(most, _ELEMENTS // columns))
    rng = np.random.default_rng(0)
    parts = [scale * rng.normal(size=(count, columns)) for scale in _SCALES]
    return np.concatenate([*parts, np.zeros((1, columns))])


def _values(part: Slice, rows: Array, wanted: Collection[str]) -> dict[str, Array]:
    """Return what the graph makes of rows: some of its tensors."""
    constants = part.constants
    left = {name: len(readers) for name, readers in part.readers.items()}
    known: dict[str, Array] = {}
    for value in part.inputs:
        shape = constants.shapes.get(value.name)
        known[value.name] = rows if shape is None else rows.reshape(-1, *shape[1:])
    for node in part.nodes:
        read = {n: known[n] if n in known else constants[n] for n in node.inputs if n}
        try:
            known[node.made] = evaluate_in_double([node], read, part.opset)
        except ValueError as error:
            raise ModelFileError(f"{node} does not fit its inputs: {error}") from error
        for name in part.varying(node):
            left[name] -= 1
            if not left[name] and name not in wanted:
                del known[name]
    return {
        name: known[name].reshape(len(rows), -1) if len(known[name]) == len(rows) else known[name]
        for name in wanted
    }


def _agree(net: Network, rows: Array, expected: Array, large: bool) -> bool:
    with np.errstate(over="ignore"):
        outputs = net.predict(rows.astype(net.dtype))
    if outputs.shape != expected.shape:
        return False
    count = (len(rows) - 1) // len(_SCALES)
    for start, scale in zip(range(0, len(rows), count), (*_SCALES, 0.0), strict=True):
        some = slice(start, start + count)
        # What overflows does so in both, but not for the same rows.
        finite = np.isfinite(outputs[some]).all(axis=1) & np.isfinite(expected[some]).all(axis=1)
        if not finite.any():
            continue
        y = expected[some][finite]
        tolerance = _TOLERANCE_OF_LARGE if large or scale > 1.0 else _TOLERANCE
        if np.abs(outputs[some][finite] - y).max() > tolerance * max(np.abs(y).max(), _LEAST):
            return False
    return True
