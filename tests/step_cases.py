# SPDX-License-Identifier: Apache-2.0
"""The losses, targets and optimizers whose every pair is compared with the references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from chainrule import losses

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
INPUTS, ROWS = 6, 13


def _normal(rng, outputs):
    return rng.normal(size=(ROWS, outputs))


def _signs(rng, outputs):
    return np.where(rng.random((ROWS, outputs)) < 0.5, -1.0, 1.0)


def _labels(rng, outputs):
    return rng.permutation(np.arange(ROWS) % outputs)


def _probabilities(rng, outputs):
    return rng.dirichlet(np.ones(outputs), size=ROWS)


def _fractions(rng, outputs):
    return rng.random((ROWS, outputs))


def _counts(rng, outputs):
    return rng.poisson(1.5, size=(ROWS, outputs))


def _two_columns(rng, outputs):
    return rng.normal(size=(ROWS, 2))


@dataclass(frozen=True)
class LossCase:
    """A loss, the outputs of a network for it, and what makes targets (rng, outputs) for it."""

    loss: losses.Loss
    outputs: int
    targets: Callable[[np.random.Generator, int], Any]


# Real-valued targets meet no kink (output = target, margin = 1), and an odd number of equal slopes
# of either sign does not cancel to a gradient whose sign is that of its rounding error.
LOSSES = {
    "mse": LossCase(losses.MSE(), 3, _normal),
    "mae": LossCase(losses.MAE(), 3, _normal),
    "huber": LossCase(losses.Huber(), 3, _normal),
    "huber-small": LossCase(losses.Huber(0.3), 3, _normal),
    "log_cosh": LossCase(losses.LogCosh(), 3, _normal),
    "cross_entropy": LossCase(losses.CrossEntropy(), 4, _labels),
    "cross_entropy-smooth": LossCase(losses.CrossEntropy(0.1), 4, _labels),
    "cross_entropy-rows": LossCase(losses.CrossEntropy(), 4, _probabilities),
    "cross_entropy-rows-smooth": LossCase(losses.CrossEntropy(0.2), 4, _probabilities),
    "binary_cross_entropy": LossCase(losses.BinaryCrossEntropy(), 3, _fractions),
    "hinge": LossCase(losses.Hinge(), 3, _signs),
    "quantile": LossCase(losses.Quantile(), 3, _normal),
    "quantile-several": LossCase(losses.Quantile((0.1, 0.5, 0.9)), 6, _two_columns),
    "poisson": LossCase(losses.Poisson(), 3, _counts),
}

OPTIMIZERS = {
    "sgd": cr.SGD(0.1),
    "sgd-decay": cr.SGD(0.1, weight_decay=0.05),
    "sgd-momentum": cr.SGD(0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "sgd-nesterov": cr.SGD(0.1, momentum=0.8, nesterov=True),
    "adagrad": cr.AdaGrad(0.1),
    "adagrad-all": cr.AdaGrad(0.1, lr_decay=0.1, initial_accumulator=0.2, weight_decay=0.03),
    "rmsprop": cr.RMSprop(0.01),
    "rmsprop-centered": cr.RMSprop(0.01, rho=0.9, centered=True, epsilon=1e-3),
    "rmsprop-momentum": cr.RMSprop(0.01, momentum=0.7, weight_decay=0.01),
    "rmsprop-all": cr.RMSprop(0.01, momentum=0.7, centered=True, weight_decay=0.01),
    "adam": cr.Adam(0.01),
    "adam-decay": cr.Adam(0.01, beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.05),
    "adam-amsgrad": cr.Adam(0.01, beta2=0.5, amsgrad=True),
    "adam-epsilon-hat": cr.Adam(0.01, epsilon=1e-2, epsilon_hat=True),
    "adamw": cr.AdamW(0.01, weight_decay=0.1),
    "adamw-amsgrad": cr.AdamW(0.01, beta2=0.5, amsgrad=True),
    "adadelta": cr.Adadelta(),
    "adadelta-decay": cr.Adadelta(0.5, rho=0.8, epsilon=1e-4, weight_decay=0.05),
    "nadam": cr.NAdam(0.01),
    "nadam-all": cr.NAdam(
        0.01, beta1=0.8, beta2=0.95, epsilon=1e-4, momentum_decay=0.1, weight_decay=0.05
    ),
    "nadam-decoupled": cr.NAdam(0.01, decoupled_weight_decay=True, weight_decay=0.1),
    "radam": cr.RAdam(0.01),
    "radam-all": cr.RAdam(0.01, beta1=0.8, beta2=0.99, epsilon=1e-4, weight_decay=0.05),
    "radam-decoupled": cr.RAdam(0.01, decoupled_weight_decay=True, weight_decay=0.1),
    "lamb": cr.LAMB(0.01),
    "lamb-all": cr.LAMB(0.01, beta1=0.8, beta2=0.95, epsilon=1e-4, weight_decay=0.05),
    "lion": cr.Lion(0.01),
    "lion-decay": cr.Lion(0.01, beta1=0.7, beta2=0.9, weight_decay=0.1),
}

CLIPPED = {
    "value": cr.SGD(0.1, momentum=0.9, clip_value=0.02),
    "norm": cr.SGD(0.1, momentum=0.9, clip_norm=0.05),
    "value-then-norm": cr.SGD(0.1, clip_value=0.02, clip_norm=0.05),
    "norm-unreached": cr.SGD(0.1, momentum=0.9, clip_norm=50.0),
    "value-adam": cr.Adam(0.01, epsilon=1e-2, weight_decay=0.01, clip_value=0.02),
    "norm-adam": cr.Adam(0.01, epsilon=1e-2, weight_decay=0.01, clip_norm=0.05),
}


def small_network(outputs, dtype, *, l1=0.0, l2=0.0, inputs=INPUTS):
    """Return an untrained network of three layers, each with a bias that is not zero."""
    bias = {"kind": "uniform", "low": -0.2, "high": 0.2}
    return cr.Sequential(
        [
            cr.Input(inputs),
            cr.Dense(7, activation="tanh", bias_initializer=bias, l1=l1, l2=l2),
            cr.Dense(5, activation="relu", bias_initializer=bias),
            cr.Dense(outputs, bias_initializer=bias, l2=2 * l2),
        ],
        seed=3,
        dtype=dtype,
    )
