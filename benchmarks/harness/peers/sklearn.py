# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's MLPClassifier and MLPRegressor, an epoch per call of partial_fit."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.peers.library import Data, HeldTo, Library, Predictor, Weights
from harness.workloads import (
    Inference,
    ManyNetworks,
    MnistTraining,
    SparseTraining,
    Training,
)

_LEAST_SOFTMAX = 3
_IMPOSSIBLE = -1e9


class ScikitLearn(Library):
    """scikit-learn; the threads are those of NumPy's and SciPy's BLAS."""

    name = "scikit-learn"
    packages = ("sklearn",)
    workloads = (Training, MnistTraining, ManyNetworks, Inference, SparseTraining)
    isa_environment: ClassVar[HeldTo] = {"avx2": {"OPENBLAS_CORETYPE": "Haswell"}}

    def trainer(
        self, work: Training, data: Data, weights: Weights, threads: int
    ) -> _SklearnTrainer:
        """Return a network that starts from some weights."""
        return _SklearnTrainer(work, data, weights)

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a regressor of some weights, since a classifier's outputs are probabilities."""
        net = _networks().MLPRegressor(hidden_layer_sizes=work.network.sizes[1:-1])
        x = work.batches()[0]
        net.partial_fit(x, np.zeros((len(x), work.network.sizes[-1]), work.network.dtype))
        _set_weights(net, weights)
        return Predictor(work.batches(), net.predict)


class _SklearnTrainer:
    def __init__(self, work: Training, data: Data, weights: Weights) -> None:
        sizes = work.network.sizes
        self._x, self._y = data
        # Of two classes it makes one output, which learns otherwise under Adam; a third class that
        # never comes, and is taken for impossible, makes it keep the two.
        self._classes = np.arange(max(sizes[-1], _LEAST_SOFTMAX))
        self._outputs = sizes[-1]
        self._classifies = work.loss == "cross_entropy"
        if not self._classifies and sizes[-1] == 1:
            self._y = self._y[:, 0]
        networks = _networks()
        kind = networks.MLPClassifier if self._classifies else networks.MLPRegressor
        self._net: Any = kind(
            hidden_layer_sizes=sizes[1:-1],
            solver=work.optimizer,
            alpha=0.0,
            batch_size=work.batch_size,
            learning_rate_init=work.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=0,
        )
        # Parameters come into being with the first step; after it they and the optimizer restart.
        self._fit(self._x[: work.batch_size], self._y[: work.batch_size])
        if self._classifies:
            *hidden, weight, bias = weights
            missing = len(self._classes) - sizes[-1]
            weight = np.pad(weight, ((0, 0), (0, missing)))
            bias = np.pad(bias, (0, missing), constant_values=_IMPOSSIBLE)
            weights = [*hidden, weight, bias]
        _set_weights(self._net, weights)
        del self._net._optimizer

    def train(self, epochs: int, *, shuffle: bool) -> None:
        self._net.shuffle = shuffle
        for _ in range(epochs):
            self._fit(self._x, self._y)

    def weights(self) -> list[NDArray[Any]]:
        pairs = zip(self._net.coefs_, self._net.intercepts_, strict=True)
        *hidden, weight, bias = [array for pair in pairs for array in pair]
        return [*hidden, weight[:, : self._outputs], bias[: self._outputs]]

    def _fit(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        if self._classifies:
            self._net.partial_fit(x, y, classes=self._classes)
        else:
            self._net.partial_fit(x, y)


def _networks() -> Any:
    return importlib.import_module("sklearn.neural_network")


def _set_weights(net: Any, weights: Weights) -> None:
    for layer in range(len(net.coefs_)):
        net.coefs_[layer][...] = weights[2 * layer]
        net.intercepts_[layer][...] = weights[2 * layer + 1]
