# SPDX-License-Identifier: Apache-2.0
"""PyTorch, eager and compiled, with its fused optimizers and without a DataLoader's overhead."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.peers.library import Data, HeldTo, Library, Predictor, Trainer, Weights
from harness.peers.torch_bag import BagTrainer
from harness.peers.torch_images import from_torch, image_layers, to_torch
from harness.workloads import (
    CategoricalTraining,
    ImageNetwork,
    Inference,
    ManyNetworks,
    MnistTraining,
    Network,
    SparseTraining,
    Training,
)


class Torch(Library):
    """PyTorch in eager mode."""

    name = "PyTorch"
    packages = ("torch",)
    isa_environment: ClassVar[HeldTo] = {
        "avx2": {
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "ONEDNN_MAX_CPU_ISA": "AVX2",
        }
    }
    workloads: ClassVar[tuple[type, ...]] = (
        Training,
        MnistTraining,
        ManyNetworks,
        Inference,
        SparseTraining,
        CategoricalTraining,
    )
    images = True
    compiles: ClassVar[bool] = False

    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> Trainer:
        """Return a network that starts from some weights."""
        torch = _torch(threads)
        if isinstance(work, CategoricalTraining):
            return BagTrainer(torch, work, data, weights)
        if isinstance(work, SparseTraining):
            return _DensifyingTrainer(torch, work, data, weights)
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
    workloads = (Training, MnistTraining, Inference)
    starts_slowly = True
    isa_environment: ClassVar[HeldTo] = {}
    compiles = True

    def forget_compiled(self) -> None:
        """Let the next network be compiled for its own shapes; past a few it would run eagerly."""
        importlib.import_module("torch").compiler.reset()


def _as_it_is(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return function


class _TorchTrainer:
    def __init__(
        self,
        torch: Any,
        work: Training,
        data: Data,
        weights: Weights,
        compiled: Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]] = _as_it_is,
    ) -> None:
        self._torch = torch
        torch.manual_seed(0)
        self._batch_size = work.batch_size
        x, y = data
        self._x = self._inputs(x)
        self._y = torch.from_numpy(y)
        self._net = net = _network(torch, work.network, weights)
        kind = torch.optim.SGD if work.optimizer == "sgd" else torch.optim.Adam
        self._optimizer = kind(net.parameters(), lr=work.learning_rate, fused=True)
        functional = torch.nn.functional
        loss = functional.cross_entropy if work.loss == "cross_entropy" else functional.mse_loss
        self._loss = compiled(lambda x, y: loss(net(x), y))

    def train(self, epochs: int, *, shuffle: bool) -> None:
        torch = self._torch
        rows = len(self._y)
        for _ in range(epochs):
            order = torch.randperm(rows) if shuffle else torch.arange(rows)
            for batch in order.split(self._batch_size):
                self._optimizer.zero_grad()
                self._loss(self._rows(batch), self._y[batch]).backward()
                self._optimizer.step()

    def weights(self) -> list[NDArray[Any]]:
        return [from_torch(parameter) for parameter in self._net.parameters()]

    def _inputs(self, x: Any) -> Any:
        return self._torch.from_numpy(x)

    def _rows(self, batch: Any) -> Any:
        return self._x[batch]


class _DensifyingTrainer(_TorchTrainer):
    """Fills the same dense batch from a CSR table again and again."""

    def _inputs(self, x: Any) -> Any:
        self._dense = np.empty((self._batch_size, x.shape[1]), x.dtype)
        return x

    def _rows(self, batch: Any) -> Any:
        rows = self._x[batch.numpy()]
        return self._torch.from_numpy(rows.toarray(out=self._dense[: rows.shape[0]]))


def _torch(threads: int) -> Any:
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(threads)
    return torch


def _network(torch: Any, network: Network, weights: Weights) -> Any:
    layers = image_layers(torch, network) if isinstance(network, ImageNetwork) else []
    for inputs, units in network.dense_shapes:
        linear = torch.nn.Linear(inputs, units, dtype=getattr(torch, network.dtype))
        layers += [linear, torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    with torch.no_grad():
        for parameter, weight in zip(net.parameters(), weights, strict=True):
            parameter.copy_(to_torch(torch, weight))
    return net
