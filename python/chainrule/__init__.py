# SPDX-License-Identifier: Apache-2.0
"""Perceptrons, convolutional and recurrent networks on the CPU: training and inference.

Examples
--------
>>> import chainrule as cr
>>> x, y = cr.data.load_digits()
>>> net = cr.Sequential([cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0)
>>> history = net.fit(x, y, loss="cross_entropy", epochs=3, verbose=0)
>>> net.predict(x[:2]).shape
(2, 10)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# First, since in a subinterpreter the core says what is wrong, and NumPy does not.
from chainrule._core import __version__

# isort: split
from chainrule.names import module_attributes

if TYPE_CHECKING:
    from chainrule import (
        activations,
        augment,
        callbacks,
        data,
        graph,
        initializers,
        layers,
        losses,
        metrics,
        optimizers,
        plots,
        schedules,
    )
    from chainrule.c_export import export_c
    from chainrule.callbacks import Callback, EarlyStopping, ModelCheckpoint
    from chainrule.diagnosis.learning_rate import find_learning_rate
    from chainrule.errors import DataFileError, DivergenceError, ExportError, ModelFileError
    from chainrule.inputs.dataset import Dataset
    from chainrule.interop.onnx_export import to_onnx
    from chainrule.interop.onnx_import import from_onnx
    from chainrule.interop.sklearn import from_sklearn, to_sklearn
    from chainrule.interop.torch import from_torch, to_torch
    from chainrule.layers import (
        GRU,
        LSTM,
        Activation,
        Add,
        Average,
        AveragePooling,
        BatchNormalization,
        Bidirectional,
        CategoryEncoding,
        Clip,
        Concatenate,
        Conv1D,
        Conv1DTranspose,
        Conv2D,
        Conv2DTranspose,
        Cropping,
        Dense,
        DepthwiseConv1D,
        DepthwiseConv2D,
        Dot,
        Dropout,
        Embedding,
        Flatten,
        GaussianNoise,
        GlobalAveragePooling,
        GlobalMaxPooling,
        Input,
        Lambda,
        LayerNormalization,
        Maximum,
        MaxPooling,
        Multiply,
        Normalization,
        ParametricActivation,
        PeriodicEmbedding,
        Permute,
        PiecewiseLinearEmbedding,
        Position,
        PReLU,
        RepeatVector,
        Rescaling,
        Reshape,
        Scale,
        SimpleRNN,
        Subtract,
        Take,
        UpSampling,
        ZeroPadding,
    )
    from chainrule.network.cross_validation import cross_validate
    from chainrule.network.ensembles import ensemble
    from chainrule.network.gradient_check import GradientReport, gradient_check
    from chainrule.network.history import History
    from chainrule.network.model_file import load, load_predictor
    from chainrule.network.network import Network
    from chainrule.network.predictor import Predictor
    from chainrule.network.sequential import Sequential
    from chainrule.network.streaming_predictor import StreamingPredictor
    from chainrule.network.train_many import train_many
    from chainrule.optimizers.adam import LAMB, Adam, AdamW, NAdam, RAdam
    from chainrule.optimizers.adaptive import Adadelta, AdaGrad, RMSprop
    from chainrule.optimizers.full_batch import LBFGS, LevenbergMarquardt
    from chainrule.optimizers.momentum import SGD, Lion
    from chainrule.runtime import (
        default_num_threads,
        instruction_set,
        instruction_sets,
        threading_layer,
        threading_layers,
    )

__all__ = [
    "GRU",
    "LAMB",
    "LBFGS",
    "LSTM",
    "SGD",
    "Activation",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "Add",
    "Average",
    "AveragePooling",
    "BatchNormalization",
    "Bidirectional",
    "Callback",
    "CategoryEncoding",
    "Clip",
    "Concatenate",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping",
    "DataFileError",
    "Dataset",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DivergenceError",
    "Dot",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "ExportError",
    "Flatten",
    "GaussianNoise",
    "GlobalAveragePooling",
    "GlobalMaxPooling",
    "GradientReport",
    "History",
    "Input",
    "Lambda",
    "LayerNormalization",
    "LevenbergMarquardt",
    "Lion",
    "MaxPooling",
    "Maximum",
    "ModelCheckpoint",
    "ModelFileError",
    "Multiply",
    "NAdam",
    "Network",
    "Normalization",
    "PReLU",
    "ParametricActivation",
    "PeriodicEmbedding",
    "Permute",
    "PiecewiseLinearEmbedding",
    "Position",
    "Predictor",
    "RAdam",
    "RMSprop",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Scale",
    "Sequential",
    "SimpleRNN",
    "StreamingPredictor",
    "Subtract",
    "Take",
    "UpSampling",
    "ZeroPadding",
    "__version__",
    "activations",
    "augment",
    "callbacks",
    "cross_validate",
    "data",
    "default_num_threads",
    "ensemble",
    "export_c",
    "find_learning_rate",
    "from_onnx",
    "from_sklearn",
    "from_torch",
    "gradient_check",
    "graph",
    "initializers",
    "instruction_set",
    "instruction_sets",
    "layers",
    "load",
    "load_predictor",
    "losses",
    "metrics",
    "optimizers",
    "plots",
    "schedules",
    "threading_layer",
    "threading_layers",
    "to_onnx",
    "to_sklearn",
    "to_torch",
    "train_many",
]

# Every name is imported at its first use, so that a program pays for what it has. Those that are
# not in the second table are layers.
_LAZY = dict.fromkeys(__all__, "chainrule.layers") | {
    **{
        name: f"chainrule.{name}"
        for name in (
            "activations",
            "augment",
            "callbacks",
            "data",
            "graph",
            "initializers",
            "layers",
            "losses",
            "metrics",
            "optimizers",
            "plots",
            "schedules",
        )
    },
    "export_c": "chainrule.c_export",
    **dict.fromkeys(("Callback", "EarlyStopping", "ModelCheckpoint"), "chainrule.callbacks"),
    "find_learning_rate": "chainrule.diagnosis.learning_rate",
    **dict.fromkeys(
        ("DataFileError", "DivergenceError", "ExportError", "ModelFileError"), "chainrule.errors"
    ),
    "Dataset": "chainrule.inputs.dataset",
    "to_onnx": "chainrule.interop.onnx_export",
    "from_onnx": "chainrule.interop.onnx_import",
    **dict.fromkeys(("from_sklearn", "to_sklearn"), "chainrule.interop.sklearn"),
    **dict.fromkeys(("from_torch", "to_torch"), "chainrule.interop.torch"),
    "cross_validate": "chainrule.network.cross_validation",
    "ensemble": "chainrule.network.ensembles",
    **dict.fromkeys(("GradientReport", "gradient_check"), "chainrule.network.gradient_check"),
    "History": "chainrule.network.history",
    **dict.fromkeys(("load", "load_predictor"), "chainrule.network.model_file"),
    "Network": "chainrule.network.network",
    "Predictor": "chainrule.network.predictor",
    "Sequential": "chainrule.network.sequential",
    "StreamingPredictor": "chainrule.network.streaming_predictor",
    "train_many": "chainrule.network.train_many",
    **dict.fromkeys(
        (
            "AdaGrad",
            "Adadelta",
            "Adam",
            "AdamW",
            "LAMB",
            "LBFGS",
            "LevenbergMarquardt",
            "Lion",
            "NAdam",
            "RAdam",
            "RMSprop",
            "SGD",
        ),
        "chainrule.optimizers",
    ),
    **dict.fromkeys(
        (
            "default_num_threads",
            "instruction_set",
            "instruction_sets",
            "threading_layer",
            "threading_layers",
        ),
        "chainrule.runtime",
    ),
}

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__, _LAZY)
