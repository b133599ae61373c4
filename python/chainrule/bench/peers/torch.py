# SPDX-License-Identifier: Apache-2.0
"""PyTorch in eager mode, with its fused optimizers and without the overhead of a DataLoader."""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from chainrule.bench.workload import Workload


class _TorchPeer:
    def __init__(self, workload: Workload, threads: int) -> None:
        self._torch: Any = importlib.import_module("torch")
        torch = self._torch
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        x, y = workload.data()
        self._x, self._y = torch.from_numpy(x), torch.from_numpy(y)
        self._batch_size = workload.batch_size
        layers: list[Any] = []
        for inputs, units in pairwise(workload.sizes):
            layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
        self._net = torch.nn.Sequential(*layers[:-1])
        with torch.no_grad():
            for p, weight in zip(self._net.parameters(), workload.weights(), strict=True):
                p.copy_(torch.from_numpy(weight.T))
        kind = torch.optim.SGD if workload.optimizer == "sgd" else torch.optim.Adam
        self._optimizer = kind(self._net.parameters(), lr=workload.learning_rate, fused=True)
        functional = torch.nn.functional
        classes = workload.loss == "cross_entropy"
        self._loss = functional.cross_entropy if classes else functional.mse_loss

    def train(self, epochs: int, *, shuffle: bool) -> None:
        torch = self._torch
        rows = len(self._x)
        for _ in range(epochs):
            order = torch.randperm(rows) if shuffle else torch.arange(rows)
            for batch in order.split(self._batch_size):
                self._optimizer.zero_grad()
                self._loss(self._net(self._x[batch]), self._y[batch]).backward()
                self._optimizer.step()

    def weights(self) -> list[NDArray[Any]]:
        return [p.detach().numpy().T for p in self._net.parameters()]


make = _TorchPeer


def version() -> str:
    """Return the version."""
    return str(importlib.import_module("torch").__version__)
