# SPDX-License-Identifier: Apache-2.0
"""One row and its targets, as the core takes them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.compressed_rows import as_table
from chainrule.inputs.several import Several, by_name
from chainrule.network.output_losses import OutputLosses, loss_weights_of
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled

__all__ = ["Row", "checked_row"]


@dataclass(frozen=True)
class Row:
    """One row of each input, and its target for each output with its loss and the loss's weight.

    Rows are (1, columns); targets (1,) labels, (1, columns) numbers, or labels of positions.
    """

    x: list[NDArray[Any]]
    y: list[NDArray[Any]]
    losses: list[Loss]
    weights: list[float]

    def gradients(self, core: Any) -> float:
        """Have a network of the core work out its gradients for this row; return the loss."""
        x: Any = self.x if len(self.x) > 1 else self.x[0]
        if len(self.y) == 1:
            value, _ = core.compute_gradients(x, self.y[0], self.losses[0]._core, False, 1)
        else:
            losses = [loss._core for loss in self.losses]
            value, _ = core.compute_gradients(x, self.y, losses, False, 1, None, None, self.weights)
        return float(value)


def checked_row(net: Compiled, row: object, target: object, loss: Any) -> Row:
    """Return one row and its targets; raise ValueError or TypeError if they do not fit the net.

    A network that is not built yet is built for the row. `loss` is a Loss, or of several outputs
    `OutputLosses`.
    """
    features: Any
    if net._several_inputs:
        assert net._graph is not None
        names = [node.name for node in net._graph.inputs]
        given = zip(net._graph.inputs, by_name("row", "input", row, names), strict=True)
        parts = {node.name: _flat(part, math.prod(node.shape)) for node, part in given}
        features = net._as_rows(parts, allow_single=True)
    else:
        features = net._as_rows(_flat(net._only(row), net.inputs), allow_single=True)
    if len(features) != 1:
        raise ValueError(f"row must be one row, got {len(features)}")
    if isinstance(loss, OutputLosses):
        ends = by_name("target", "output", target, loss.names)
        y: Any = {name: [end] for name, end in zip(loss.names, ends, strict=True)}
    else:
        y = [net._only_target(target)]
    several = isinstance(features, Several)
    data = make_dataset(net, features.parts if several else features, y, loss)
    x, y = (_parts(each) for each in (data.x, data.y))
    losses = loss.losses if isinstance(loss, OutputLosses) else [loss]
    return Row(x, y, losses, loss_weights_of(loss) or [1.0])


def _parts(rows: Any) -> list[NDArray[Any]]:
    return [as_table(part) for part in (rows.parts if isinstance(rows, Several) else [rows])]


def _flat(row: Any, columns: int | None) -> Any:
    """Return an image, or a row of another shape, as a row of that many numbers."""
    shape = tuple(getattr(row, "shape", None) or np.shape(row))
    if len(shape) > 1 and shape[0] != 1 and columns in (None, math.prod(shape)):
        return np.asarray(row).reshape(1, -1)
    if len(shape) > 2 and columns == math.prod(shape):
        return np.asarray(row).reshape(1, -1)
    return row
