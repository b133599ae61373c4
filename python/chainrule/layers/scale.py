# SPDX-License-Identifier: Apache-2.0
"""A factor for each column that is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import initializers
from chainrule.layers.trained import TrainedLayer
from chainrule.spec import Field

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["Scale"]


class Scale(TrainedLayer):
    """x * scale, with a factor of its own for each column that is trained.

    The parameter ``scale`` has the shape (columns,).

    Parameters
    ----------
    initial_scale : float, default 1.0
        First value of all factors.
    scale_initializer : str, dict or chainrule.initializers.Initializer, optional
        What gives the factors their first values in place of `initial_scale`.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    References
    ----------
    Touvron, Cord, Sablayrolles, Synnaeve & Jegou, "Going deeper with image transformers"
    (LayerScale), ICCV 2021.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Dense(2), Scale(0.25), cr.Dense(1)])
    >>> net.parameters["1.scale"]
    array([0.25, 0.25], dtype=float32)
    """

    kind = "scale"
    initial_scale: float = 1.0
    _: KW_ONLY
    scale_initializer: initializers.Initializer | None = Field(  # type: ignore[assignment]
        initializers.Initializer.from_config, None
    )
