# SPDX-License-Identifier: Apache-2.0
"""Backpropagation by hand in NumPy; in float64 also the truth that the others are checked by."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.bench.workload import Workload

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class NumpyPeer:
    """A multilayer perceptron in plain NumPy.

    Parameters
    ----------
    workload : Workload
        What to train.
    dtype : str, default "float32"
        Precision of parameters and arithmetic.
    """

    def __init__(self, workload: Workload, dtype: str = "float32") -> None:
        x, y = workload.data()
        self._x = x.astype(dtype)
        self._y = y if workload.loss == "cross_entropy" else y.astype(dtype)
        self._workload = workload
        self._weights: list[NDArray[Any]] = [w.astype(dtype) for w in workload.weights()]
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self._weights]
        self._steps = 0
        self._rng = np.random.default_rng(0)

    def train(self, epochs: int, *, shuffle: bool) -> None:
        """Train for some epochs."""
        rows, batch_size = len(self._x), self._workload.batch_size
        for _ in range(epochs):
            order = self._rng.permutation(rows) if shuffle else np.arange(rows)
            for start in range(0, rows, batch_size):
                batch = order[start : start + batch_size]
                self._update(self._gradients(self._x[batch], self._y[batch]))

    def weights(self) -> list[NDArray[Any]]:
        """Return weight and bias of each layer in turn."""
        return self._weights

    def loss(self) -> float:
        """Return the mean loss over all rows."""
        outputs = self._forward(self._x)[-1]
        if self._workload.loss == "mse":
            return float(np.mean((outputs - self._y) ** 2))
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=1))
        return float(np.mean(log_sum - shifted[np.arange(len(shifted)), self._y]))

    def _forward(self, x: NDArray[Any]) -> list[NDArray[Any]]:
        activations = [x]
        last = len(self._weights) - 2
        for layer in range(0, len(self._weights), 2):
            z = activations[-1] @ self._weights[layer] + self._weights[layer + 1]
            activations.append(z if layer == last else np.maximum(z, 0.0))
        return activations

    def _gradients(self, x: NDArray[Any], y: NDArray[Any]) -> list[NDArray[Any]]:
        activations = self._forward(x)
        outputs = activations[-1]
        if self._workload.loss == "mse":
            delta = (outputs - y) * (2.0 / outputs.size)
        else:
            delta = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            delta /= delta.sum(axis=1, keepdims=True)
            delta[np.arange(len(y)), y] -= 1.0
            delta /= len(y)
        gradients: list[NDArray[Any]] = []
        for layer in range(len(self._weights) - 2, -1, -2):
            below = activations[layer // 2]
            gradients[:0] = [below.T @ delta, delta.sum(axis=0)]
            if layer:
                delta = (delta @ self._weights[layer].T) * (below > 0.0)
        return gradients

    def _update(self, gradients: list[NDArray[Any]]) -> None:
        rate = self._workload.learning_rate
        self._steps += 1
        if self._workload.optimizer == "sgd":
            for weight, gradient in zip(self._weights, gradients, strict=True):
                weight -= rate * gradient
            return
        first, second = 1.0 - _BETA1**self._steps, 1.0 - _BETA2**self._steps
        for weight, gradient, (m, v) in zip(self._weights, gradients, self._moments, strict=True):
            m += (1.0 - _BETA1) * (gradient - m)
            v *= _BETA2
            v += (1.0 - _BETA2) * np.square(gradient)
            weight -= (rate / first) * m / (np.sqrt(v / second) + _EPSILON)


def make(workload: Workload, threads: int) -> NumpyPeer:
    """Return the network; threads are those that NumPy's BLAS was started with."""
    return NumpyPeer(workload)


def version() -> str:
    """Return the version."""
    return np.__version__


def loss_of(workload: Workload, weights: list[NDArray[Any]]) -> float:
    """Return the mean loss that parameters give, computed in float64.

    Parameters
    ----------
    workload : Workload
        Data and loss.
    weights : list of ndarray
        As `Workload.weights`.

    Returns
    -------
    float

    Examples
    --------
    >>> from chainrule.bench import WORKLOADS
    >>> check = WORKLOADS[0].for_check()
    >>> 2.0 < loss_of(check, check.weights()) < 4.0
    True
    """
    for weight, (inputs, units) in zip(weights[::2], pairwise(workload.sizes), strict=True):
        if weight.shape != (inputs, units):
            raise ValueError(f"weight has shape {weight.shape}, expected {(inputs, units)}")
    network = NumpyPeer(workload, "float64")
    network._weights = [np.asarray(weight, dtype=np.float64) for weight in weights]
    return network.loss()
