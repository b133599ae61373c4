# SPDX-License-Identifier: Apache-2.0
"""A network from an ONNX file against the graph itself: the same rows through both."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_program import Program
from chainrule.network.sequential import Sequential

__all__ = ["compare"]

Build = Callable[[int, str], Sequential]

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
    net: Sequential, part: Slice, boundaries: Sequence[int], opset: int, size: int, build: Build
) -> None:
    """Raise ModelFileError, naming the node, unless a network gives what the graph does.

    The graph runs in double by the onnx package's reference implementation. `boundaries` are the
    numbers of regions up to where each layer ends, `size` the bytes of the file, and `build`
    returns the network of the first so many regions in a dtype.
    """
    large = size > _LARGE
    tested = net if large else build(len(part.regions), "float64")
    rows = _rows(net.inputs or 1, _FEW_ROWS if large else _ROWS)

    def agrees(network: Sequential, count: int) -> bool:
        return _agree(network, rows, _values(part, count, rows, opset), large)

    if agrees(tested, len(part.regions)):
        return
    # What follows a wrong layer may hide it, but between these two there is one.
    right, wrong = 0, len(boundaries) - 1
    while right < wrong:
        middle = (right + wrong) // 2
        try:
            fits = agrees(build(boundaries[middle], tested.dtype), boundaries[middle])
        except ModelFileError:  # so far nothing tells the number of columns
            fits = True
        if fits:
            right = middle + 1
        else:
            wrong = middle
    first = boundaries[wrong - 1] if wrong else 0
    regions = part.regions[first : boundaries[wrong]]
    nodes = ", ".join(str(node) for region in regions for node in region.nodes)
    raise ModelFileError(f"{nodes}: the network would compute something else than the graph does")


def _rows(columns: int, most: int) -> NDArray[np.float64]:
    count = max(1, min(most, _ELEMENTS // columns))
    rng = np.random.default_rng(0)
    parts = [scale * rng.normal(size=(count, columns)) for scale in _SCALES]
    return np.concatenate([*parts, np.zeros((1, columns))])


def _values(part: Slice, count: int, rows: NDArray[np.float64], opset: int) -> NDArray[np.float64]:
    """Return what comes out of the first so many regions."""
    shape = part.constants.shapes.get(part.input.name)
    values = rows if shape is None else rows.reshape(-1, *shape[1:])
    for region in part.regions[:count]:
        try:
            values = Program([region], part.constants, opset)(values)
        except ValueError as error:
            nodes = ", ".join(str(node) for node in region.nodes)
            raise ModelFileError(f"{nodes} does not fit its inputs: {error}") from error
    return values.reshape(len(rows), -1) if len(values) == len(rows) else values


def _agree(
    net: Sequential, rows: NDArray[np.float64], expected: NDArray[np.float64], large: bool
) -> bool:
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
