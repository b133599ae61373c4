# SPDX-License-Identifier: Apache-2.0
"""Activations: the non-linearities that follow a layer's sums.

A name such as ``"relu"`` stands for the activation with its default options; the classes are for
the others, such as ``LeakyRelu(0.2)``. As a layer of its own an activation is
`chainrule.layers.Activation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.activations.activation import Activation
from chainrule.activations.elu import Elu
from chainrule.activations.gelu import Gelu
from chainrule.activations.hard_sigmoid import HardSigmoid
from chainrule.activations.hard_swish import HardSwish
from chainrule.activations.leaky_relu import LeakyRelu
from chainrule.activations.linear import Linear
from chainrule.activations.mish import Mish
from chainrule.activations.relu import Relu
from chainrule.activations.relu6 import Relu6
from chainrule.activations.selu import Selu
from chainrule.activations.sigmoid import Sigmoid
from chainrule.activations.silu import Silu
from chainrule.activations.softmax import Softmax
from chainrule.activations.softplus import Softplus
from chainrule.activations.softsign import Softsign
from chainrule.activations.tanh import Tanh
from chainrule.names import module_attributes

__all__ = [
    "Activation",
    "Elu",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Linear",
    "Mish",
    "Relu",
    "Relu6",
    "Selu",
    "Sigmoid",
    "Silu",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

get = Activation.get
