# SPDX-License-Identifier: Apache-2.0
"""The network that ``chainrule train`` makes of its options and data."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.cli.dataset import Rows
from chainrule.cli.known import listed
from chainrule.inputs.arrays import as_labels, as_targets
from chainrule.layers import Dense, Dropout, Layer, Normalization, Rescaling
from chainrule.losses import Loss
from chainrule.network.sequential import Sequential

_LAYERS = (256, 128)
_ACTIVATION = "relu"


def network(options: argparse.Namespace, loss: Loss, train: Rows, test: Rows) -> Sequential:
    """Return an untrained network."""
    layers: list[Layer] = [
        Normalization() if train.largest is None else Rescaling(1.0 / train.largest)
    ]
    for units in _LAYERS if options.layers is None else options.layers:
        layers.append(Dense(units, activation=options.activation or _ACTIVATION))
        if options.dropout:
            layers.append(Dropout(options.dropout))
    layers.append(Dense(_outputs(loss, train, test)))
    if loss._core.link == "identity" and loss.kind != "hinge":
        layers += _output_scale(train.y)
    return Sequential(layers, seed=options.seed or 0)


def _output_scale(y: NDArray[Any]) -> list[Layer]:
    """Return the layer that spares the network from learning the targets' unit."""
    if y.dtype.kind not in "biuf":
        return []
    scale = float(y.std(dtype=np.float64))
    # Also false for NaN, which fit reports with its row.
    if not 0.0 < scale < np.inf:
        return []
    return [Rescaling(scale, float(y.mean(dtype=np.float64)))]


def _outputs(loss: Loss, train: Rows, test: Rows) -> int:
    if not loss.takes_labels:
        if train.class_names is not None and not _decides_two(loss, train.class_names):
            raise ValueError(
                f"--loss {loss.kind} does not suit {len(train.class_names)} classes "
                f"({listed(train.class_names)}); use cross_entropy"
            )
        return int(as_targets(train.y, outputs=None).shape[1])
    if train.class_names is not None:
        return len(train.class_names)
    if train.y.ndim == 2:
        return int(train.y.shape[1])
    return max(2, *(int(as_labels(rows.y, classes=None).max()) + 1 for rows in (train, test)))


def _decides_two(loss: Loss, class_names: tuple[str, ...]) -> bool:
    return loss.kind in ("binary_cross_entropy", "hinge") and len(class_names) == 2
