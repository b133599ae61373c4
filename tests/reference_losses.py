# SPDX-License-Identifier: Apache-2.0
"""Losses and their derivatives in float64 NumPy, for `reference`."""

from __future__ import annotations

import math

import numpy as np
from reference_activations import sigmoid, softmax


def _elementwise_loss(config, z, t):
    """Return the loss of each output and its derivative."""
    kind, d = config["kind"], z - t
    if kind == "mse":
        return d**2, 2 * d
    if kind == "mae":
        return abs(d), np.sign(d)
    if kind == "huber":
        delta = config["delta"]
        far = delta * (abs(d) - delta / 2)
        return np.where(abs(d) <= delta, d**2 / 2, far), np.clip(d, -delta, delta)
    if kind == "log_cosh":
        return np.logaddexp(d, -d) - math.log(2), np.tanh(d)
    if kind == "binary_cross_entropy":
        return t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z), sigmoid(z) - t
    if kind == "hinge":
        s = np.where(t > 0, 1.0, -1.0)
        return np.maximum(0, 1 - s * z), np.where(s * z < 1, -s, 0.0)
    if kind == "poisson":
        return np.exp(z) - t * z, np.exp(z) - t
    raise AssertionError(f"no formula for {kind}")


def _pinball(config, z, y):
    q = np.repeat(config["quantiles"], y.shape[1])
    t = np.tile(y, (1, len(config["quantiles"])))
    return np.where(t > z, q * (t - z), (1 - q) * (z - t)), np.where(t > z, -q, 1 - q)


def _cross_entropy(config, z, y, w, c):
    classes = z.shape[1]
    labels = y.ndim == 1
    t = np.eye(classes)[y] if labels else y
    q = (1 - config["label_smoothing"]) * t + config["label_smoothing"] / classes
    c = np.ones(classes) if c is None else np.asarray(c, dtype=np.float64)
    rows = -(c * q * np.log(softmax(z))).sum(axis=1)
    slopes = softmax(z) * (c * q).sum(axis=1, keepdims=True) - c * q
    total = (w * c[y]).sum() if labels else w.sum()
    return (w * rows).sum() / total, w[:, None] * slopes / total


def loss_and_gradient(config, outputs, y, sample_weight=None, class_weight=None):
    """Return the mean loss of raw outputs and its gradient with respect to them."""
    y = np.asarray(y)
    w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if config["kind"] == "cross_entropy":
        return _cross_entropy(config, outputs, y, w, class_weight)
    y = y.reshape(len(y), -1).astype(np.float64)
    elementwise = _pinball if config["kind"] == "quantile" else _elementwise_loss
    values, slopes = elementwise(config, outputs, y)
    if class_weight is not None:
        w = w * np.where(y[:, 0] > 0, class_weight[1], class_weight[0])
    gradient = w[:, None] * slopes / (outputs.shape[1] * w.sum())
    return (w * values.mean(axis=1)).sum() / w.sum(), gradient
