# SPDX-License-Identifier: Apache-2.0
"""An activation of which each unit learns how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import activations
from chainrule.layers.trained import TrainedLayer
from chainrule.spec import Field

__all__ = ["ParametricActivation"]


class ParametricActivation(TrainedLayer):
    """x + alpha * (f(x) - x), with an alpha of its own for each column that is trained.

    At alpha 1, where it begins, it is the activation f, to the bit; at 0 it is the identity.
    The parameter ``alpha`` has the shape (columns,).

    Parameters
    ----------
    activation : str, dict or chainrule.activations.Activation
        The f: any but softmax, which takes whole rows.
    initial_alpha : float, default 1.0
        First value of all alphas.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    References
    ----------
    Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Dense(2), cr.ParametricActivation("selu")])
    >>> net.parameters["1.alpha"]
    array([1., 1.], dtype=float32)
    """

    kind = "parametric_activation"
    activation = Field(activations.Activation.from_config)
    initial_alpha = Field[float]()

    def __init__(
        self,
        activation: str | Mapping[str, Any] | activations.Activation,
        *,
        initial_alpha: float = 1.0,
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            activation=activation,
            initial_alpha=initial_alpha,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )
