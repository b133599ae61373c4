# SPDX-License-Identifier: Apache-2.0
"""PyTorch, eager and compiled, with its fused optimizers and without a DataLoader's overhead."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any, ClassVar

from numpy.typing import NDArray

from chainrule.bench.peers.library import Data, HeldTo, Library, Predictor, Weights
from chainrule.bench.workloads import Inference, Network, Training


class Torch(Library):
    """PyTorch in eager mode."""

    name = "PyTorch"
    packages = ("torch",)
    held_to: ClassVar[HeldTo] = {
        "avx2": {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
        }
    }
    compiles: ClassVar[bool] = False

    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> _TorchTrainer:
        """Return a network that starts from some weights."""
        torch = _torch(threads)
        compiled = torch.compile if self.compiles else _as_it_is
        return _TorchTrainer(torch, work, data, weights, compiled)

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a network of some weights, called with tensors in inference mode."""
        torch = _torch(threads)
        net = _network(torch, work.network, weights)
        batches = [torch.from_numpy(batch) for batch in work.batches()]
        call = torch.compile(net) if self.compiles else net
        return Predictor(batches, call, torch.inference_mode)


class CompiledTorch(Torch):
    """PyTorch with forward pass, loss and backward pass compiled."""

    name = "torch.compile"
    # Each network is compiled for many seconds, which is not how one trains many small ones.
    workloads = (Training, Inference)
    starts_slowly = True
    held_to: ClassVar[HeldTo] = {}
    compiles = True

    def forget_compiled(self) -> None:
        """Let the next network be compiled for its own shapes; past a few it would run eagerly."""
        importlib.import_module("torch").compiler.reset()


class _TorchTrainer:
    def __init__(
        self,
        torch: Any,
        work: Training,
        data: Data,
        weights: Weights,
        compiled: Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]],
    ) -> None:
        self._torch = torch
        torch.manual_seed(0)
        self._x, self._y = map(torch.from_numpy, data)
        self._batch_size = work.batch_size
        self._net = net = _network(torch, work.network, weights)
        kind = torch.optim.SGD if work.optimizer == "sgd" else torch.optim.Adam
        self._optimizer = kind(net.parameters(), lr=work.learning_rate, fused=True)
        functional = torch.nn.functional
        loss = functional.cross_entropy if work.loss == "cross_entropy" else functional.mse_loss
        self._loss = compiled(lambda x, y: loss(net(x), y))

    def train(self, epochs: int, *, shuffle: bool) -> None:
        torch = self._torch
        rows = len(self._x)
        for _ in range(epochs):
            order = torch.randperm(rows) if shuffle else torch.arange(rows)
            for batch in order.split(self._batch_size):
                self._optimizer.zero_grad()
                self._loss(self._x[batch], self._y[batch]).backward()
                self._optimizer.step()

    def weights(self) -> list[NDArray[Any]]:
        return [p.detach().numpy().T for p in self._net.parameters()]


def _torch(threads: int) -> Any:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    return torch


def _as_it_is(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return function


def _network(torch: Any, network: Network, weights: Weights) -> Any:
    layers: list[Any] = []
    for inputs, units in pairwise(network.sizes):
        linear = torch.nn.Linear(inputs, units, dtype=getattr(torch, network.dtype))
        layers += [linear, torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, weight in zip(net.parameters(), weights, strict=True):
            parameter.copy_(torch.from_numpy(weight.T))
    return net
