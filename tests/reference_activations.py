# SPDX-License-Identifier: Apache-2.0
"""Activations and their derivatives in float64 NumPy, for `reference`."""

from __future__ import annotations

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(z):
    return np.exp(-np.logaddexp(0.0, -z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _normal_cdf(z):
    return (1 + _erf(z / math.sqrt(2))) / 2


def _tanh_of_gelu(z):
    return np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))


def _gelu_tanh_slope(z, _):
    t = _tanh_of_gelu(z)
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return (1 + t) / 2 + z / 2 * (1 - t**2) * inner


# kind: (f(z, config), f'(z, config)), elementwise
ACTIVATIONS = {
    "linear": (lambda z, _: z, lambda z, _: np.ones_like(z)),
    "relu": (lambda z, _: np.maximum(z, 0), lambda z, _: (z > 0) * 1.0),
    "leaky_relu": (
        lambda z, c: np.where(z > 0, z, c["negative_slope"] * z),
        lambda z, c: np.where(z > 0, 1.0, c["negative_slope"]),
    ),
    "elu": (
        lambda z, c: np.where(z > 0, z, c["alpha"] * np.expm1(np.minimum(z, 0))),
        lambda z, c: np.where(z > 0, 1.0, c["alpha"] * np.exp(np.minimum(z, 0))),
    ),
    "gelu": (
        lambda z, _: z * _normal_cdf(z),
        lambda z, _: _normal_cdf(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "gelu_tanh": (lambda z, _: z / 2 * (1 + _tanh_of_gelu(z)), _gelu_tanh_slope),
    "silu": (
        lambda z, _: z * sigmoid(z),
        lambda z, _: sigmoid(z) + z * sigmoid(z) * sigmoid(-z),
    ),
    "sigmoid": (lambda z, _: sigmoid(z), lambda z, _: sigmoid(z) * sigmoid(-z)),
    "tanh": (lambda z, _: np.tanh(z), lambda z, _: 1 / np.cosh(z) ** 2),
    "selu": (
        lambda z, _: (
            1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
        ),
        lambda z, _: (
            1.0507009873554805 * np.where(z > 0, 1.0, 1.6732632423543772 * np.exp(np.minimum(z, 0)))
        ),
    ),
    "mish": (
        lambda z, _: z * np.tanh(np.logaddexp(0, z)),
        lambda z, _: (
            np.tanh(np.logaddexp(0, z))
            + z * sigmoid(z) / np.cosh(np.minimum(np.logaddexp(0, z), 300)) ** 2
        ),
    ),
    "hard_sigmoid": (
        lambda z, c: np.clip(c["alpha"] * z + c["beta"], 0, 1),
        lambda z, c: c["alpha"] * (np.abs(c["alpha"] * z + c["beta"] - 0.5) < 0.5),
    ),
    "hard_swish": (
        lambda z, _: z * np.clip(z + 3, 0, 6) / 6,
        lambda z, _: np.where(np.abs(z) < 3, z / 3 + 0.5, z > 0),
    ),
    "relu6": (lambda z, _: np.clip(z, 0, 6), lambda z, _: np.where((z > 0) & (z < 6), 1.0, 0.0)),
    "softsign": (lambda z, _: z / (1 + np.abs(z)), lambda z, _: (1 + np.abs(z)) ** -2.0),
    "softplus": (lambda z, _: np.logaddexp(0, z), lambda z, _: sigmoid(z)),
}


def activate(config, z):
    return softmax(z) if config["kind"] == "softmax" else ACTIVATIONS[config["kind"]][0](z, config)


def activation_gradient(config, z, dy):
    """Return dL/dz from dL/dy."""
    if config["kind"] != "softmax":
        return dy * ACTIVATIONS[config["kind"]][1](z, config)
    y = softmax(z)
    jacobians = np.einsum("ij,jk->ijk", y, np.eye(y.shape[1])) - np.einsum("ij,ik->ijk", y, y)
    return np.einsum("ij,ijk->ik", dy, jacobians)
