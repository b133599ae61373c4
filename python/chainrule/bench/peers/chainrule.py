# SPDX-License-Identifier: Apache-2.0
"""chainrule itself, by `Sequential.fit`."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from chainrule import _core
from chainrule.bench.workload import Workload
from chainrule.layers import Dense, Input, Layer
from chainrule.optimizers import Optimizer
from chainrule.sequential import Sequential


class _ChainrulePeer:
    def __init__(self, workload: Workload, threads: int) -> None:
        layers: list[Layer | Input] = [Input(workload.sizes[0])]
        layers += [Dense(units, activation="relu") for units in workload.sizes[1:-1]]
        layers.append(Dense(workload.sizes[-1]))
        self._net = Sequential(layers, seed=0)
        self._net.set_weights(workload.weights())
        self._net.compile(
            loss=workload.loss,
            optimizer=Optimizer.from_config(
                {"kind": workload.optimizer, "learning_rate": workload.learning_rate}
            ),
            metrics=[],
        )
        self._x, self._y = workload.data()
        self._batch_size = workload.batch_size
        self._threads = threads

    def train(self, epochs: int, *, shuffle: bool) -> None:
        self._net.fit(
            self._x,
            self._y,
            epochs=epochs,
            batch_size=self._batch_size,
            shuffle=shuffle,
            verbose=0,
            num_threads=self._threads,
        )

    def weights(self) -> list[NDArray[Any]]:
        return self._net.get_weights()


make = _ChainrulePeer


def version() -> str:
    """Return the version and the kernels."""
    return f"{_core.__version__} ({_core.instruction_set()})"
