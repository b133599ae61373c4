# SPDX-License-Identifier: Apache-2.0
"""Layers, of which `chainrule.Sequential` makes a network.

Layers are plain descriptions: parameters belong to the network, so a layer may stand in several.
"""

from __future__ import annotations

from chainrule.layers.activation import Activation
from chainrule.layers.categories import CategoryEncoding, Embedding
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.input import Input
from chainrule.layers.layer import Layer
from chainrule.layers.normalization import BatchNormalization, LayerNormalization
from chainrule.layers.preprocessing import Normalization, Rescaling

__all__ = [
    "Activation",
    "BatchNormalization",
    "CategoryEncoding",
    "Dense",
    "Dropout",
    "Embedding",
    "Input",
    "Layer",
    "LayerNormalization",
    "Normalization",
    "Rescaling",
    "get",
]

get = Layer.get
