# SPDX-License-Identifier: Apache-2.0
"""Layers, of which `chainrule.Sequential` makes a network.

Layers are plain descriptions: parameters belong to the network, so a layer may stand in several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.layers.layer import Layer
from chainrule.names import module_attributes

if TYPE_CHECKING:
    from chainrule.layers.activation import Activation
    from chainrule.layers.bidirectional import Bidirectional
    from chainrule.layers.categories import CategoryEncoding, Embedding
    from chainrule.layers.clip import Clip
    from chainrule.layers.convolution import Conv1D, Conv1DTranspose, Conv2D, Conv2DTranspose
    from chainrule.layers.dense import Dense
    from chainrule.layers.depthwise_convolution import DepthwiseConv1D, DepthwiseConv2D
    from chainrule.layers.dropout import Dropout
    from chainrule.layers.function import Lambda
    from chainrule.layers.gaussian_noise import GaussianNoise
    from chainrule.layers.input import Input
    from chainrule.layers.merge import Add, Average, Concatenate, Dot, Maximum, Multiply, Subtract
    from chainrule.layers.normalization import BatchNormalization, LayerNormalization
    from chainrule.layers.parametric_activation import ParametricActivation
    from chainrule.layers.periodic_embedding import PeriodicEmbedding
    from chainrule.layers.piecewise_linear_embedding import PiecewiseLinearEmbedding
    from chainrule.layers.pooling import AveragePooling, GlobalMaxPooling, MaxPooling
    from chainrule.layers.prelu import PReLU
    from chainrule.layers.preprocessing import Normalization, Rescaling
    from chainrule.layers.recurrent import GRU, LSTM, RecurrentLayer, SimpleRNN
    from chainrule.layers.resizing import Cropping, UpSampling, ZeroPadding
    from chainrule.layers.scale import Scale
    from chainrule.layers.shape import (
        Flatten,
        GlobalAveragePooling,
        Permute,
        Position,
        RepeatVector,
        Reshape,
        Take,
    )
    from chainrule.layers.trained import TrainedLayer

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Add",
    "Average",
    "AveragePooling",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "Clip",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "Input",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "MaxPooling",
    "Maximum",
    "Multiply",
    "Normalization",
    "PReLU",
    "ParametricActivation",
    "PeriodicEmbedding",
    "Permute",
    "PiecewiseLinearEmbedding",
    "Position",
    "RecurrentLayer",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Scale",
    "SimpleRNN",
    "Subtract",
    "Take",
    "TrainedLayer",
    "UpSampling",
    "ZeroPadding",
    "get",
]

# A network has a few of them, and importing all takes longer than the rest of its imports.
_LAZY = {
    name: f"chainrule.layers.{module}"
    for module, names in {
        "activation": ("Activation",),
        "bidirectional": ("Bidirectional",),
        "categories": ("CategoryEncoding", "Embedding"),
        "clip": ("Clip",),
        "convolution": ("Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose"),
        "dense": ("Dense",),
        "depthwise_convolution": ("DepthwiseConv1D", "DepthwiseConv2D"),
        "dropout": ("Dropout",),
        "function": ("Lambda",),
        "gaussian_noise": ("GaussianNoise",),
        "input": ("Input",),
        "merge": ("Add", "Average", "Concatenate", "Dot", "Maximum", "Multiply", "Subtract"),
        "normalization": ("BatchNormalization", "LayerNormalization"),
        "parametric_activation": ("ParametricActivation",),
        "periodic_embedding": ("PeriodicEmbedding",),
        "piecewise_linear_embedding": ("PiecewiseLinearEmbedding",),
        "pooling": ("AveragePooling", "GlobalMaxPooling", "MaxPooling"),
        "prelu": ("PReLU",),
        "preprocessing": ("Normalization", "Rescaling"),
        "recurrent": ("GRU", "LSTM", "RecurrentLayer", "SimpleRNN"),
        "resizing": ("Cropping", "UpSampling", "ZeroPadding"),
        "scale": ("Scale",),
        "shape": (
            *("Flatten", "GlobalAveragePooling", "Permute", "Position", "RepeatVector"),
            *("Reshape", "Take"),
        ),
        "trained": ("TrainedLayer",),
    }.items()
    for name in names
}

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__, _LAZY)

Layer._modules = tuple(dict.fromkeys(_LAZY.values()))

get = Layer.get
