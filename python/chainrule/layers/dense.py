# SPDX-License-Identifier: Apache-2.0
"""Products with weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import activations, initializers
from chainrule.layers.trained import TrainedLayer
from chainrule.spec import Field

__all__ = ["Dense"]


class Dense(TrainedLayer):
    """activation(x W + b), with a weight W of shape (inputs, units) and a bias b of (units,).

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, dict or chainrule.activations.Activation, default "linear"
        What follows the sums.
    use_bias : bool, default True
        Whether there is a b.
    weight_initializer : str, dict or chainrule.initializers.Initializer, optional
        Default: he_uniform before relu, relu6, leaky_relu, elu, gelu, silu, mish, hard_swish and
        softplus, lecun_normal before selu, glorot_uniform before the others.
    bias_initializer : str, dict or chainrule.initializers.Initializer, default "zeros"
        First values of b.
    l1, l2 : float, default 0.0
        The penalty l1 * sum(abs(W)) + l2 * sum(W**2) is added to the gradient's loss, not to the
        loss that is reported.
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        See `layers.TrainedLayer`.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> layer = Dense(128, activation="relu")
    >>> layer
    Dense(128, activation='relu')
    >>> layer.units, layer.activation
    (128, Relu())
    """

    kind = "dense"
    _optional = ("weight_initializer",)
    units = Field[int]()
    activation = Field(activations.Activation.from_config)
    use_bias = Field[bool]()
    weight_initializer = Field[initializers.Initializer | None](
        initializers.Initializer.from_config
    )
    bias_initializer = Field(initializers.Initializer.from_config)
    l1 = Field[float]()
    l2 = Field[float]()

    def __init__(
        self,
        units: int,
        activation: str | Mapping[str, Any] | activations.Activation = "linear",
        *,
        use_bias: bool = True,
        weight_initializer: str | Mapping[str, Any] | initializers.Initializer | None = None,
        bias_initializer: str | Mapping[str, Any] | initializers.Initializer = "zeros",
        l1: float = 0.0,
        l2: float = 0.0,
        learning_rate_factor: float | Mapping[str, float] = 1.0,
        weight_decay_factor: float | Mapping[str, float] = 1.0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            units=units,
            activation=activation,
            use_bias=use_bias,
            weight_initializer=weight_initializer,
            bias_initializer=bias_initializer,
            l1=l1,
            l2=l2,
            learning_rate_factor=learning_rate_factor,
            weight_decay_factor=weight_decay_factor,
            name=name,
        )
