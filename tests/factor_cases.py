# SPDX-License-Identifier: Apache-2.0
"""A network whose parameters have learning-rate and weight-decay factors of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

import chainrule as cr

INPUTS, ROWS, OUTPUTS = 6, 13, 3
BIAS = {"kind": "uniform", "low": -0.2, "high": 0.2}
# Of (learning rate, weight decay); what is not listed has 1.
FACTORS = {
    "0.weight": (0.5, 1.0),
    "0.bias": (2.0, 0.0),
    "1.gamma": (0.25, 3.0),
    "1.beta": (0.25, 3.0),
    "2.slope": (3.0, 1.0),
    "3.weight": (1.0, 0.5),
    "4.gamma": (1.0, 1.0),
    "4.beta": (0.5, 1.0),
}


def network(**options: Any) -> cr.Sequential:
    layers = [
        cr.Input(INPUTS),
        cr.Dense(
            7,
            activation="tanh",
            bias_initializer=BIAS,
            learning_rate_factor={"weight": 0.5, "bias": 2},
            weight_decay_factor={"bias": 0},
        ),
        cr.BatchNormalization(learning_rate_factor=0.25, weight_decay_factor=3.0),
        cr.PReLU(learning_rate_factor=3),
        cr.Dense(5, bias_initializer=BIAS, weight_decay_factor={"weight": 0.5}),
        cr.LayerNormalization(learning_rate_factor={"beta": 0.5}),
        cr.Dense(OUTPUTS, bias_initializer=BIAS),
    ]
    return cr.Sequential(layers, seed=3, **options)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.normal(size=(ROWS, INPUTS)), rng.normal(size=(ROWS, OUTPUTS))
