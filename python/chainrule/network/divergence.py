# SPDX-License-Identifier: Apache-2.0
"""Divergence that the core's own check of each batch's loss has not seen.

The update of an epoch's last batches can leave weights that predict NaN or infinity, which shows
only when the network is validated, or when a metric reads the outputs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from chainrule.errors import DivergenceError
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled

__all__ = ["divergence"]

_ROWS = 256


def divergence(
    net: Compiled, data: CheckedData, value: float, *, epoch: int, batch: int, what: str
) -> DivergenceError:
    """Return the error for a loss or outputs that are not finite.

    Parameters
    ----------
    net : Compiled
        The network that has been trained for this epoch.
    data : CheckedData
        The rows that were measured.
    value : float
        Their mean loss.
    epoch, batch : int
        The epoch and its last batch, counted from 1.
    what : str
        What the text calls what became NaN or infinite.
    """
    layer = _first_bad_layer(net, data)
    name = f"{layer} ({net.layers[layer].kind})"
    loss = math.nan if math.isfinite(value) else value
    shown = "NaN" if math.isnan(loss) else "infinite"
    return DivergenceError(
        f"training diverged: {what} became {shown} in epoch {epoch}, batch {batch}, first seen in "
        f"layer {name}; the weights are those of before. Try a smaller learning rate, clip_norm, "
        "or inputs of unit scale",
        epoch=epoch,
        batch=batch,
        layer=name,
        loss=loss,
    )


def _first_bad_layer(net: Compiled, data: CheckedData) -> int:
    """Return the first layer whose outputs are not finite; the last one if all are."""
    core = net._built_core()
    x = data.x
    few = (slice(first, first + _ROWS) for first in range(0, len(x), _ROWS))
    pieces = x.pieces(_ROWS) if isinstance(x, LazyRows) else ((rows, x[rows]) for rows in few)
    for _, piece in pieces:
        layer = core.first_bad_layer(core_rows(piece))
        if layer >= 0:
            return int(layer)
    return len(net.layers) - 1
