# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's MLPClassifier and MLPRegressor, an epoch per call of partial_fit."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.bench.workload import Workload


class _SklearnPeer:
    def __init__(self, workload: Workload, threads: int) -> None:
        networks = importlib.import_module("sklearn.neural_network")
        self._x, self._y = workload.data()
        self._classes = np.arange(workload.sizes[-1])
        self._classifies = workload.loss == "cross_entropy"
        if not self._classifies and workload.sizes[-1] == 1:
            self._y = self._y[:, 0]
        kind = networks.MLPClassifier if self._classifies else networks.MLPRegressor
        self._net: Any = kind(
            hidden_layer_sizes=workload.sizes[1:-1],
            solver=workload.optimizer,
            alpha=0.0,
            batch_size=workload.batch_size,
            learning_rate_init=workload.learning_rate,
            momentum=0.0,
            nesterovs_momentum=False,
            random_state=0,
        )
        # Parameters come into being with the first step; after it they and the optimizer restart.
        self._fit(self._x[: workload.batch_size], self._y[: workload.batch_size])
        weights = workload.weights()
        for layer in range(len(self._net.coefs_)):
            self._net.coefs_[layer][...] = weights[2 * layer]
            self._net.intercepts_[layer][...] = weights[2 * layer + 1]
        del self._net._optimizer

    def train(self, epochs: int, *, shuffle: bool) -> None:
        self._net.shuffle = shuffle
        for _ in range(epochs):
            self._fit(self._x, self._y)

    def weights(self) -> list[NDArray[Any]]:
        pairs = zip(self._net.coefs_, self._net.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]

    def _fit(self, x: NDArray[Any], y: NDArray[Any]) -> None:
        if self._classifies:
            self._net.partial_fit(x, y, classes=self._classes)
        else:
            self._net.partial_fit(x, y)


make = _SklearnPeer


def version() -> str:
    """Return the version."""
    return str(importlib.import_module("sklearn").__version__)
