# SPDX-License-Identifier: Apache-2.0
"""Activations: the non-linearities that follow a layer's sums.

A name such as ``"relu"`` stands for the activation with its default options; the classes are for
the others, such as ``LeakyRelu(0.2)``. As a layer of its own an activation is
`chainrule.layers.Activation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.activations import bounded, gated, rectifiers
from chainrule.activations.activation import Activation, Linear
from chainrule.activations.bounded import *
from chainrule.activations.gated import *
from chainrule.activations.rectifiers import *
from chainrule.names import module_attributes

__all__ = ["Activation", "Linear", "get"]
__all__ += bounded.__all__
__all__ += gated.__all__
__all__ += rectifiers.__all__

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

get = Activation.get
