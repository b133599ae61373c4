# SPDX-License-Identifier: Apache-2.0
"""PyTorch on a table of categories: an EmbeddingBag of sparse gradients before the other layers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from harness.peers.library import Data, Weights
from harness.workloads import CategoricalTraining


class BagTrainer:
    """A first layer that adds up a row of weights for each column's value.

    Parameters
    ----------
    torch : module
        PyTorch.
    work : CategoricalTraining
        ``lazy_adam`` is SparseAdam for the bag and Adam for the rest, ``adagrad`` Adagrad for all.
    data : tuple of ndarray
        As of `CategoricalTraining.data`.
    weights : sequence of ndarray
        As of `Network.weights`.
    """

    def __init__(self, torch: Any, work: CategoricalTraining, data: Data, weights: Weights) -> None:
        self._torch = torch
        torch.manual_seed(0)
        # Adagrad makes sparse tensors, and PyTorch warns unless one has chosen not to check them.
        torch.sparse.check_sparse_tensor_invariants.disable()
        x, y = data
        self._x, self._y = torch.from_numpy(x + work.offsets), torch.from_numpy(y)
        self._batch_size = work.batch_size
        table, bias, *rest = (torch.from_numpy(weight.copy()) for weight in weights)
        nn = torch.nn
        self._bag = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode="sum", sparse=True)
        self._bias = nn.Parameter(bias)
        layers: list[Any] = []
        for inputs, units in pairwise(work.network.sizes[1:]):
            layers += [nn.ReLU(), nn.Linear(inputs, units)]
        self._rest = nn.Sequential(*layers)
        with torch.no_grad():
            for parameter, weight in zip(self._rest.parameters(), rest, strict=True):
                parameter.copy_(weight.mT if weight.ndim == 2 else weight)
        self._optimizers = self._make_optimizers(work)

    def train(self, epochs: int, *, shuffle: bool) -> None:
        """Train for some epochs, on the rows in their order or in a new one each epoch."""
        torch = self._torch
        loss = torch.nn.functional.binary_cross_entropy_with_logits
        rows = len(self._x)
        for _ in range(epochs):
            order = torch.randperm(rows) if shuffle else torch.arange(rows)
            for batch in order.split(self._batch_size):
                for optimizer in self._optimizers:
                    optimizer.zero_grad()
                outputs = self._rest(self._bag(self._x[batch]) + self._bias)
                loss(outputs, self._y[batch]).backward()
                for optimizer in self._optimizers:
                    optimizer.step()

    def weights(self) -> list[NDArray[Any]]:
        """Return weight (in, out) and bias (out,) of each layer in turn."""
        rest = [parameter.detach().numpy().T for parameter in self._rest.parameters()]
        return [self._bag.weight.detach().numpy(), self._bias.detach().numpy(), *rest]

    def _make_optimizers(self, work: CategoricalTraining) -> list[Any]:
        optim, rate = self._torch.optim, work.learning_rate
        bag, rest = list(self._bag.parameters()), [self._bias, *self._rest.parameters()]
        if work.optimizer == "adagrad":
            # The fused form takes no sparse gradients.
            return [optim.Adagrad(bag, lr=rate), optim.Adagrad(rest, lr=rate, fused=True)]
        return [optim.SparseAdam(bag, lr=rate), optim.Adam(rest, lr=rate, fused=True)]
