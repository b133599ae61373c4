# SPDX-License-Identifier: Apache-2.0
"""The largest curvature of the loss, and the learning rates that it allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import _core
from chainrule.diagnosis.trial import taken
from chainrule.network.output_losses import loss_weights_of
from chainrule.optimizers import SGD

if TYPE_CHECKING:
    from chainrule.layers import Layer
    from chainrule.optimizers import Optimizer

__all__ = ["Curvature", "measure_curvature"]

_ROWS = 500
_WORK = 5e7  # rows times parameters
_TOLERANCE, _ITERATIONS = 1e-2, 20


@dataclass(frozen=True)
class Curvature:
    """How the loss bends where it bends most."""

    largest: float
    """The largest eigenvalue of the Hessian, in inference mode."""
    highest_rate: float
    """2 / largest: plain gradient descent diverges along the eigenvector at higher rates."""
    applies: bool
    """Whether the steps are those of plain gradient descent."""


def measure_curvature(
    core: Any,
    layers: list[Layer],
    x: Any,
    y: Any,
    loss: Any,
    optimizer: Optimizer,
    weights: Any = None,
) -> Curvature | None:
    """Return the curvature at some of the rows; None where it is not positive or not that trained.

    `BatchNormalization` trains with the statistics of batches, which make another loss.
    """
    if any(layer.kind == "batch_normalization" for layer in layers):
        return None
    size = sum(int(np.prod(p.shape)) for p in core.parameters if p.trainable)
    most = int(np.clip(_WORK / max(size, 1), 20, _ROWS))
    if size == 0:
        return None
    rows = len(x[0] if isinstance(x, list) else x)
    if rows > most:
        places = np.sort(np.random.default_rng(0).choice(rows, most, replace=False))
        x, y = taken(x, places), taken(y, places)
        weights = None if weights is None else weights[places]
    try:
        of_outputs = loss_weights_of(loss)
        hessian = _core.Hessian(core, x, y, loss._core, 0, weights, loss_weights=of_outputs)
        values, *_ = hessian.eigenvalues(min(3, size), _TOLERANCE, _ITERATIONS, 0)
    except ValueError:  # a layer without second derivatives, or a product that is not finite
        return None
    largest = max(values)
    if not largest > 0.0:
        return None
    plain = type(optimizer) is SGD and optimizer.momentum == 0.0
    return Curvature(largest, 2.0 / largest, plain)
