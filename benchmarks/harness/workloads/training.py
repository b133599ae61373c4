# SPDX-License-Identifier: Apache-2.0
"""Training of one network, an epoch at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.workloads.network import Network

_QUICK_SHARE = 10


@dataclass(frozen=True)
class Training:
    """A network and how it is trained.

    Attributes
    ----------
    network : Network
        What is trained.
    batch_size : int
        Rows per step.
    optimizer : {"sgd", "adam", "lazy_adam", "adagrad"}
        Without momentum; with PyTorch's defaults. Lazy: weights of an input that is zero in the
        whole batch, and their moments, stay as they are.
    learning_rate : float
        Constant.
    rows : int
        Rows of an epoch.
    loss : {"cross_entropy", "mse", "binary_cross_entropy"}
        What is minimised.
    density : float
        Share of the inputs that is not zero.
    check_batches : int
        Steps after which the libraries are compared.
    """

    network: Network
    batch_size: int
    optimizer: Literal["sgd", "adam", "lazy_adam", "adagrad"]
    learning_rate: float
    rows: int
    loss: Literal["cross_entropy", "mse", "binary_cross_entropy"] = "cross_entropy"
    density: float = 1.0
    check_batches: int = 8

    @property
    def name(self) -> str:
        """Network, batch size and optimizer.

        Examples
        --------
        >>> Training(Network((784, 128, 10)), 64, "sgd", 0.1, rows=640).name
        '784-128-10, batch 64, sgd'
        """
        return f"{self.network}, batch {self.batch_size}, {self.optimizer}"

    @property
    def samples(self) -> int:
        """Samples of one epoch."""
        return self.rows

    @property
    def flops_per_sample(self) -> int:
        """Operations of the three products of each layer; the first has no input gradient."""
        weights = self.network.multiply_adds
        return 6 * sum(weights) - 2 * weights[0]

    def quick(self) -> Training:
        """Return the training with a tenth of the rows, in whole batches."""
        batches = max(1, self.rows // _QUICK_SHARE // self.batch_size)
        return replace(self, rows=batches * self.batch_size)

    def for_check(self) -> Training:
        """Return the training with a few batches only."""
        return replace(self, rows=self.check_batches * self.batch_size)

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs, and labels or targets that depend on them.

        Returns
        -------
        x : ndarray of shape (rows, sizes[0])
            In [0, 1).
        y : ndarray, shape (rows,) of int64 or (rows, sizes[-1])
            Labels for cross_entropy, targets for mse.

        Examples
        --------
        >>> x, y = Training(Network((784, 128, 10)), 64, "sgd", 0.1, rows=640).data()
        >>> x.shape, y.shape
        ((640, 784), (640,))
        """
        inputs, outputs = self.network.sizes[0], self.network.sizes[-1]
        x = self.network.inputs(self.rows, self.density)
        rng = np.random.default_rng(2)
        scores = (x - x.mean()) @ rng.standard_normal((inputs, outputs), np.float32)
        scores /= scores.std()
        if self.loss == "mse":
            return x, np.tanh(scores)
        # Some noise, so that repeated training does not end at a loss of zero.
        scores += 0.5 * rng.standard_normal(scores.shape, np.float32)
        return x, scores.argmax(axis=1)

    def matrix(self) -> tuple[Any, NDArray[Any]]:
        """Return the same with inputs as numbers that weights multiply."""
        return self.data()
