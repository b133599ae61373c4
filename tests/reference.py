# SPDX-License-Identifier: Apache-2.0
"""A plain float64 NumPy network, written from the textbook formulas, to hold the library against.

It shares nothing with the library but the descriptions (configs) of layers, losses and optimizers.
Everything is worked out over whole arrays and in the most literal form of each formula, even where
that is slower or less stable than what the library does.
"""

from __future__ import annotations

import numpy as np
from reference_activations import ACTIVATIONS, activate, activation_gradient
from reference_losses import loss_and_gradient
from reference_optimizers import Optimizer

__all__ = ["ACTIVATIONS", "Network", "Optimizer", "relative_error"]


class _Layer:
    """forward keeps what backward needs; backward sets `gradients` and returns dL/dx."""

    def __init__(self, config, parameters):
        self.config = config
        self.parameters = parameters
        self.gradients = {}


class _Dense(_Layer):
    def forward(self, x, training):
        self.x = x
        self.z = x @ self.parameters["weight"] + self.parameters.get("bias", 0.0)
        return activate(self.config["activation"], self.z)

    def backward(self, dy):
        dz = activation_gradient(self.config["activation"], self.z, dy)
        self.gradients = {"weight": self.x.T @ dz}
        if "bias" in self.parameters:
            self.gradients["bias"] = dz.sum(axis=0)
        return dz @ self.parameters["weight"].T


class _Activation(_Layer):
    def forward(self, x, training):
        self.x = x
        return activate(self.config["activation"], x)

    def backward(self, dy):
        return activation_gradient(self.config["activation"], self.x, dy)


class _Normalizing(_Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, where subclasses know the axis."""

    axis: int

    def _scale_and_shift(self, x, mean, variance):
        self.deviation = np.sqrt(variance + self.config["epsilon"])
        self.centred = x - mean
        self.normalized = self.centred / self.deviation
        p = self.parameters
        return p.get("gamma", 1.0) * self.normalized + p.get("beta", 0.0)

    def _keep_gradients(self, dy):
        both = {"gamma": (dy * self.normalized).sum(axis=0), "beta": dy.sum(axis=0)}
        self.gradients = {name: g for name, g in both.items() if name in self.parameters}

    def _through_statistics(self, dy):
        # Ioffe & Szegedy 2015, section 3: by way of the variance and the mean.
        n = dy.shape[self.axis]
        d_hat = dy * self.parameters.get("gamma", 1.0)
        d_variance = -(d_hat * self.centred).sum(self.axis, keepdims=True) / (2 * self.deviation**3)
        d_mean = -(d_hat / self.deviation).sum(self.axis, keepdims=True)
        d_mean += d_variance * (-2 * self.centred).mean(self.axis, keepdims=True)
        return d_hat / self.deviation + d_variance * 2 * self.centred / n + d_mean / n


class _BatchNormalization(_Normalizing):
    axis = 0

    def forward(self, x, training):
        self.training = training
        p = self.parameters
        if not training:
            return self._scale_and_shift(x, p["running_mean"], p["running_variance"])
        mean, variance = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        keep, n = self.config["momentum"], len(x)
        if n > 1:
            unbiased = variance[0] * n / (n - 1)
            p["running_mean"] = keep * p["running_mean"] + (1 - keep) * mean[0]
            p["running_variance"] = keep * p["running_variance"] + (1 - keep) * unbiased
        return self._scale_and_shift(x, mean, variance)

    def backward(self, dy):
        self._keep_gradients(dy)
        if not self.training:
            return dy * self.parameters.get("gamma", 1.0) / self.deviation
        return self._through_statistics(dy)


class _LayerNormalization(_Normalizing):
    axis = 1

    def forward(self, x, training):
        return self._scale_and_shift(x, x.mean(1, keepdims=True), x.var(1, keepdims=True))

    def backward(self, dy):
        self._keep_gradients(dy)
        return self._through_statistics(dy)


class _PReLU(_Layer):
    def forward(self, x, training):
        self.x = x
        return np.where(x > 0, x, self.parameters["slope"] * x)

    def backward(self, dy):
        self.gradients["slope"] = np.where(self.x > 0, 0.0, dy * self.x).sum(axis=0)
        return np.where(self.x > 0, dy, self.parameters["slope"] * dy)


class _ParametricActivation(_Layer):
    def forward(self, x, training):
        self.x, self.f = x, activate(self.config["activation"], x)
        return x + self.parameters["alpha"] * (self.f - x)

    def backward(self, dy):
        self.gradients["alpha"] = (dy * (self.f - self.x)).sum(axis=0)
        slope = activation_gradient(self.config["activation"], self.x, dy)
        return dy + self.parameters["alpha"] * (slope - dy)


class _PeriodicEmbedding(_Layer):
    def forward(self, x, training):
        p, self.x = self.parameters, x[:, :, None]
        self.z = 2 * np.pi * p["frequency"] * self.x + p["phase"]
        sums = np.einsum("rjf,juf->rju", np.cos(self.z), p["weight"]) + p["bias"]
        return np.concatenate([self.x, sums], axis=2).reshape(len(x), -1)

    def backward(self, dy):
        p = self.parameters
        dy = dy.reshape(*self.x.shape[:2], -1)
        d_sums = dy[:, :, 1:]
        dz = -np.sin(self.z) * np.einsum("rju,juf->rjf", d_sums, p["weight"])
        self.gradients = {
            "frequency": (2 * np.pi * self.x * dz).sum(axis=0),
            "phase": dz.sum(axis=0),
            "weight": np.einsum("rju,rjf->juf", d_sums, np.cos(self.z)),
            "bias": d_sums.sum(axis=0),
        }
        return dy[:, :, 0] + (2 * np.pi * p["frequency"] * dz).sum(axis=2)


class _Rescaling(_Layer):
    def forward(self, x, training):
        return x * self.config["scale"] + self.config["offset"]

    def backward(self, dy):
        return dy * self.config["scale"]


class _PiecewiseLinearEmbedding(_Layer):
    """Column by column, bin by bin; edges are increasing here."""

    def forward(self, x, training):
        edges = self.parameters["edges"]
        bins = edges.shape[1] - 1
        self.places = np.zeros((*x.shape, bins))
        self.slopes = np.zeros((*x.shape, bins))
        for j, k in np.ndindex(x.shape[1], bins):
            start, end = edges[j, k], edges[j, k + 1]
            place = (x[:, j] - start) / (end - start)
            below, above = (place < 0) & (k > 0), (place >= 1) & (k < bins - 1)
            self.places[:, j, k] = np.where(below, 0.0, np.where(above, 1.0, place))
            self.slopes[:, j, k] = np.where(below | above, 0.0, 1.0 / (end - start))
        sums = np.einsum("rjk,juk->rju", self.places, self.parameters["weight"])
        return (sums + self.parameters["bias"]).reshape(len(x), -1)

    def backward(self, dy):
        dy = dy.reshape(*self.places.shape[:2], -1)
        self.gradients = {
            "weight": np.einsum("rju,rjk->juk", dy, self.places),
            "bias": dy.sum(axis=0),
        }
        return np.einsum("rju,juk,rjk->rj", dy, self.parameters["weight"], self.slopes)


class _Normalization(_Layer):
    def forward(self, x, training):
        return (x - self.parameters["mean"]) / np.sqrt(self.parameters["variance"])

    def backward(self, dy):
        return dy / np.sqrt(self.parameters["variance"])


_LAYERS = {
    "dense": _Dense,
    "activation": _Activation,
    "batch_normalization": _BatchNormalization,
    "layer_normalization": _LayerNormalization,
    "prelu": _PReLU,
    "periodic_embedding": _PeriodicEmbedding,
    "piecewise_linear_embedding": _PiecewiseLinearEmbedding,
    "parametric_activation": _ParametricActivation,
    "rescaling": _Rescaling,
    "normalization": _Normalization,
}


class Network:
    """The same layers as a `chainrule.Sequential`, from the same parameters."""

    def __init__(self, net):
        own = {i: {} for i in range(len(net.layers))}
        for name, values in net.parameters.items():
            layer, array = name.split(".")
            own[int(layer)][array] = values.astype(np.float64)
        configs = [layer.config for layer in net.layers]
        self.layers = [_LAYERS[c["kind"]](c, own[i]) for i, c in enumerate(configs)]

    def _by_name(self, arrays):
        return {f"{i}.{n}": a for i, layer in enumerate(self.layers) for n, a in arrays(layer)}

    @property
    def parameters(self):
        return self._by_name(lambda layer: layer.parameters.items())

    @property
    def gradients(self):
        return self._by_name(lambda layer: layer.gradients.items())

    def forward(self, x, training=True):
        x = np.asarray(x, dtype=np.float64)
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def train_on_batch(self, x, y, loss, optimizer, sample_weight=None, class_weight=None):
        """Take one step of `optimizer`, an `Optimizer`, on `loss`, a config; return the loss."""
        value, dy = loss_and_gradient(loss, self.forward(x), y, sample_weight, class_weight)
        self.backward(dy)
        gradients = self.gradients
        for i, layer in enumerate(self.layers):
            w, c = layer.parameters.get("weight"), layer.config
            if w is not None:
                gradients[f"{i}.weight"] += c["l1"] * np.sign(w) + 2 * c["l2"] * w
        for name, values in optimizer.step(self.parameters, gradients).items():
            layer, array = name.split(".")
            self.layers[int(layer)].parameters[array] = values
        return value


def relative_error(a, b):
    """Return max|a - b| / max|b|, the measure of every comparison in the suite."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape
    return float(abs(a - b).max() / max(abs(b).max(), np.finfo(np.float64).tiny))
