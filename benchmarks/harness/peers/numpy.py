# SPDX-License-Identifier: Apache-2.0
"""NumPy by hand; its training in float64 is also the reference for the others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.peers.library import Data, HeldTo, Library, Predictor, Weights
from harness.workloads import Inference, Training

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_ADAGRAD_EPSILON = 1e-10


class NumpyByHand(Library):
    """A multilayer perceptron in plain NumPy; the threads are those of its BLAS."""

    name = "NumPy by hand"
    packages = ("numpy",)
    isa_environment: ClassVar[HeldTo] = {"avx2": {"OPENBLAS_CORETYPE": "Haswell"}}

    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> NumpyTrainer:
        """Return a network that starts from some weights."""
        return NumpyTrainer(work, data, weights, work.network.dtype)

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a network of some weights."""
        *hidden, (weight, bias) = zip(weights[::2], weights[1::2], strict=True)

        def call(x: NDArray[Any]) -> NDArray[Any]:
            for hidden_weight, hidden_bias in hidden:
                x = x @ hidden_weight
                x += hidden_bias
                np.maximum(x, 0.0, out=x)
            y: NDArray[Any] = x @ weight
            y += bias
            return y

        return Predictor(work.batches(), call)


class NumpyTrainer:
    """Backpropagation by hand.

    Parameters
    ----------
    work : Training
        What to train.
    data : tuple of ndarray
        As of `Training.matrix`.
    weights : sequence of ndarray
        As of `Network.weights`.
    dtype : str
        Precision of parameters and arithmetic.
    """

    def __init__(self, work: Training, data: Data, weights: Weights, dtype: str) -> None:
        x, y = data
        self._x = x.astype(dtype, copy=False)
        self._y = y if work.loss == "cross_entropy" else y.astype(dtype, copy=False)
        self._work = work
        self._weights: list[NDArray[Any]] = [w.astype(dtype) for w in weights]
        self._moments = [(np.zeros_like(w), np.zeros_like(w)) for w in self._weights]
        self._steps = 0
        self._rng = np.random.default_rng(0)

    def train(self, epochs: int, *, shuffle: bool) -> None:
        """Train for some epochs."""
        rows, batch_size = len(self._y), self._work.batch_size
        for _ in range(epochs):
            order = self._rng.permutation(rows) if shuffle else np.arange(rows)
            for start in range(0, rows, batch_size):
                batch = order[start : start + batch_size]
                x = self._x[batch]
                used = np.unique(x.nonzero()[1]) if self._work.optimizer == "lazy_adam" else None
                self.update(self.gradients(x, self._y[batch]), used)

    def weights(self) -> list[NDArray[Any]]:
        """Return weight and bias of each layer in turn."""
        return self._weights

    def gradients(self, x: NDArray[Any], y: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the gradient of the mean loss by each parameter."""
        activations = forward(self._weights, x)
        delta = output_gradient(self._work.loss, activations[-1], y)
        return backward(self._weights, activations, delta, to_inputs=False)[0]

    def update(self, gradients: list[NDArray[Any]], used: NDArray[np.intp] | None = None) -> None:
        """Take a step of the optimizer.

        Parameters
        ----------
        gradients : list of ndarray
            By each parameter.
        used : ndarray of intp, optional
            Inputs whose weights the first layer may change; default: all.
        """
        rate = self._work.learning_rate
        self._steps += 1
        first, second = 1.0 - _BETA1**self._steps, 1.0 - _BETA2**self._steps
        rows: Any = slice(None) if used is None else used
        for weight, gradient, (m, v) in zip(self._weights, gradients, self._moments, strict=True):
            g = gradient[rows]
            if self._work.optimizer == "sgd":
                weight -= rate * g
            elif self._work.optimizer == "adagrad":
                v += np.square(g)
                weight -= rate * g / (np.sqrt(v) + _ADAGRAD_EPSILON)
            else:
                m[rows] += (1.0 - _BETA1) * (g - m[rows])
                v[rows] += (1.0 - _BETA2) * (np.square(g) - v[rows])
                weight[rows] -= (rate / first) * m[rows] / (np.sqrt(v[rows] / second) + _EPSILON)
            rows = slice(None)


def forward(weights: Weights, x: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the input and the output of each layer.

    Examples
    --------
    >>> ones = np.ones((2, 2))
    >>> [h.tolist() for h in forward([-ones, np.zeros(2), ones, np.ones(2)], np.ones((1, 2)))]
    [[[1.0, 1.0]], [[0.0, 0.0]], [[1.0, 1.0]]]
    """
    activations = [x]
    last = len(weights) - 2
    for layer in range(0, len(weights), 2):
        z = activations[-1] @ weights[layer] + weights[layer + 1]
        activations.append(z if layer == last else np.maximum(z, 0.0))
    return activations


def output_gradient(loss: str, outputs: NDArray[Any], y: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the mean loss by the outputs."""
    delta: NDArray[Any]
    if loss == "mse":
        delta = (outputs - y) * (2.0 / outputs.size)
    elif loss == "binary_cross_entropy":
        delta = (1.0 / (1.0 + np.exp(-outputs)) - y) / outputs.size
    else:
        delta = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        delta /= delta.sum(axis=1, keepdims=True)
        delta[np.arange(len(y)), y] -= 1.0
        delta /= len(y)
    return delta


def backward(
    weights: Weights, activations: Weights, delta: NDArray[Any], *, to_inputs: bool = True
) -> tuple[list[NDArray[Any]], NDArray[Any]]:
    """Return the gradients by parameters, and by the inputs where that is wished.

    Examples
    --------
    >>> weights = [np.full((2, 1), 3.0), np.zeros(1)]
    >>> backward(weights, forward(weights, np.ones((1, 2))), np.ones((1, 1)))
    ([array([[1.],
           [1.]]), array([1.])], array([[3., 3.]]))
    """
    gradients: list[NDArray[Any]] = []
    for layer in range(len(weights) - 2, -1, -2):
        below = activations[layer // 2]
        gradients[:0] = [below.T @ delta, delta.sum(axis=0)]
        if layer or to_inputs:
            delta = delta @ weights[layer].T
        if layer:
            delta *= below > 0.0
    return gradients, delta


def mean_loss(loss: str, outputs: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the mean loss over all rows.

    Examples
    --------
    >>> import math
    >>> mean_loss("cross_entropy", np.zeros((3, 4)), np.array([0, 1, 2])) / math.log(4)
    1.0
    """
    if loss == "mse":
        return float(np.mean((outputs - y) ** 2))
    if loss == "binary_cross_entropy":
        return float(np.mean(np.logaddexp(0.0, outputs) - y * outputs))
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1))
    return float(np.mean(log_sum - shifted[np.arange(len(shifted)), y]))
