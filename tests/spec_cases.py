# SPDX-License-Identifier: Apache-2.0
"""Descriptions that differ from their defaults, and what they show themselves as."""

from __future__ import annotations

from chainrule import activations, augment, initializers, layers, losses, optimizers, schedules
from chainrule.spec import Spec

CHANGED: list[tuple[Spec, str]] = [
    (layers.Dense(128, activation="relu"), "Dense(128, activation='relu')"),
    (layers.Dense(3, "linear", use_bias=False, l2=0.1), "Dense(3, use_bias=False, l2=0.1)"),
    (
        layers.Dense(
            3,
            activations.LeakyRelu(0.3),
            weight_initializer="he_normal",
            bias_initializer=initializers.Constant(1),
        ),
        "Dense(3, activation=LeakyRelu(negative_slope=0.3), weight_initializer='he_normal', "
        "bias_initializer=Constant(1.0))",
    ),
    (
        layers.Dense(3, learning_rate_factor={"bias": 0.1}, weight_decay_factor=0.0),
        "Dense(3, learning_rate_factor={'bias': 0.1}, weight_decay_factor=0.0)",
    ),
    (
        layers.Embedding(9, 2, learning_rate_factor=0.5, weight_decay_factor={"weight": 2}),
        "Embedding(9, 2, learning_rate_factor=0.5, weight_decay_factor={'weight': 2.0})",
    ),
    (
        layers.BatchNormalization(scale=False, learning_rate_factor=2),
        "BatchNormalization(scale=False, learning_rate_factor=2.0)",
    ),
    (layers.Activation("gelu_tanh"), "Activation(Gelu(approximate='tanh'))"),
    (layers.Dropout(0.25), "Dropout(0.25)"),
    (
        layers.Dropout(0.25, rate_schedule=schedules.FlatCosine(1, 9)),
        "Dropout(0.25, rate_schedule=FlatCosine(1.0, 9.0))",
    ),
    (layers.Dropout(0.25, per_channel=True), "Dropout(0.25, per_channel=True)"),
    (
        layers.ParametricActivation("mish", initial_alpha=0.5),
        "ParametricActivation('mish', initial_alpha=0.5)",
    ),
    (
        layers.BatchNormalization(momentum=0.99, scale=False),
        "BatchNormalization(momentum=0.99, scale=False)",
    ),
    (layers.LayerNormalization(center=False), "LayerNormalization(center=False)"),
    (layers.Rescaling(0.5, offset=-1), "Rescaling(0.5, offset=-1.0)"),
    (layers.Normalization(), "Normalization()"),
    (layers.Add(), "Add()"),
    (layers.Reshape((4, -1)), "Reshape((4, -1))"),
    (layers.Reshape(12), "Reshape((12,))"),
    (layers.Permute([2, 1]), "Permute((2, 1))"),
    (layers.Conv2D(8, 3, activation="relu"), "Conv2D(8, 3, activation='relu')"),
    (layers.Conv2DTranspose(8, 3, 2, "same"), "Conv2DTranspose(8, 3, strides=2, padding='same')"),
    (layers.DepthwiseConv2D(3, padding="same"), "DepthwiseConv2D(3, padding='same')"),
    (
        layers.Conv1D(8, 3, 2, "causal", dilation=2),
        "Conv1D(8, 3, strides=2, padding='causal', dilation=2)",
    ),
    (layers.RepeatVector(3), "RepeatVector(3)"),
    (layers.Take([2, 0]), "Take((2, 0))"),
    (layers.Normalization(invert=True), "Normalization(invert=True)"),
    (layers.Clip(max_value=0), "Clip(max_value=0.0)"),
    (layers.MaxPooling(), "MaxPooling()"),
    (layers.MaxPooling([2, 3], padding="same"), "MaxPooling(pool_size=(2, 3), padding='same')"),
    (layers.AveragePooling(3, (1, 2)), "AveragePooling(pool_size=3, strides=(1, 2))"),
    (layers.UpSampling((1, 2)), "UpSampling(size=(1, 2))"),
    (layers.ZeroPadding([1, 2]), "ZeroPadding(padding=(1, 2))"),
    (layers.ZeroPadding([[1, 2], [3, 4]]), "ZeroPadding(padding=((1, 2), (3, 4)))"),
    (layers.Cropping(2), "Cropping(cropping=2)"),
    (layers.Clip(0, 1), "Clip(min_value=0.0, max_value=1.0)"),
    (layers.GaussianNoise(0.5), "GaussianNoise(0.5)"),
    (layers.Scale(0.5), "Scale(initial_scale=0.5)"),
    (layers.SimpleRNN(4, "relu"), "SimpleRNN(4, activation='relu')"),
    (layers.GRU(4, return_sequences=True), "GRU(4, return_sequences=True)"),
    (layers.LSTM(4, unit_forget_bias=False), "LSTM(4, unit_forget_bias=False)"),
    (activations.Elu(2), "Elu(alpha=2.0)"),
    (augment.RandomShift(2), "RandomShift(2.0)"),
    (augment.RandomShift(0.5, 0, subpixel=True), "RandomShift(0.5, y=0.0, subpixel=True)"),
    (augment.RandomFlip(vertical=True), "RandomFlip(vertical=True)"),
    (augment.RandomRotation(15), "RandomRotation((15.0,))"),
    (augment.RandomRotation((-5, 15)), "RandomRotation((-5.0, 15.0))"),
    (augment.ElasticDeformation(3), "ElasticDeformation(sigma=3.0)"),
    (activations.Gelu(), "Gelu()"),
    (initializers.Uniform(-1, 1), "Uniform(low=-1.0, high=1.0)"),
    (initializers.Orthogonal(2), "Orthogonal(gain=2.0)"),
    (layers.CategoryEncoding((3, 8)), "CategoryEncoding((3, 8))"),
    (layers.CategoryEncoding(7, "count"), "CategoryEncoding(7, output_mode='count')"),
    (layers.Embedding((9, 4), 2, columns=(3, 0)), "Embedding((9, 4), 2, columns=(3, 0))"),
    (losses.Huber(0.5), "Huber(delta=0.5)"),
    (losses.CrossEntropy(0.1), "CrossEntropy(label_smoothing=0.1)"),
    (losses.Quantile(0.5), "Quantile()"),
    (losses.Quantile([0.1, 0.9]), "Quantile(quantiles=(0.1, 0.9))"),
    (
        optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        "SGD(learning_rate=0.1, momentum=0.9, nesterov=True)",
    ),
    (optimizers.AdaGrad(lr_decay=0.1), "AdaGrad(lr_decay=0.1)"),
    (optimizers.RMSprop(centered=True), "RMSprop(centered=True)"),
    (optimizers.Adam(clip_norm=1), "Adam(clip_norm=1.0)"),
    (optimizers.AdamW(weight_decay=0), "AdamW(weight_decay=0.0)"),
    (optimizers.Adadelta(rho=0.5), "Adadelta(rho=0.5)"),
    (optimizers.Lion(schedules.Constant(0.1)), "Lion(learning_rate=Constant(0.1))"),
    (schedules.Cosine(0.1, 5, warmup=1), "Cosine(0.1, 5.0, warmup=1.0)"),
    (schedules.CosLog(0.1, 5, cycles=2), "CosLog(0.1, 5.0, cycles=2)"),
    (
        optimizers.Adam(weight_decay_schedule=schedules.FlatCosine(1, 9)),
        "Adam(weight_decay_schedule=FlatCosine(1.0, 9.0))",
    ),
    (schedules.Piecewise([2], [0.1, 0.01]), "Piecewise((2.0,), (0.1, 0.01))"),
    (
        schedules.ReduceOnPlateau(0.1, monitor="loss", patience=3),
        "ReduceOnPlateau(0.1, monitor='loss', patience=3)",
    ),
]
