# SPDX-License-Identifier: Apache-2.0
"""An activation as a layer of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chainrule import activations
from chainrule.layers.layer import Layer
from chainrule.spec import Field

__all__ = ["Activation"]


class Activation(Layer):
    """An activation as a layer of its own, for use after a normalisation.

    Parameters
    ----------
    activation : str, dict or chainrule.activations.Activation
        The activation.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> Activation("relu")
    Activation('relu')
    """

    kind = "activation"
    activation = Field(activations.Activation.from_config)

    def __init__(
        self,
        activation: str | Mapping[str, Any] | activations.Activation,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(activation=activation, name=name)
