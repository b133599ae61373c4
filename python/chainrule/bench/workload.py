# SPDX-License-Identifier: Apache-2.0
"""The work that is measured: a network, its training and made-up data of realistic shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Share of the pixels of MNIST that are not black.
_INK = 0.19
_CHECK_BATCHES = 8


@dataclass(frozen=True)
class Workload:
    """A network of relu layers with a linear last one, and how it is trained.

    Attributes
    ----------
    sizes : tuple of int
        Inputs, units of the hidden layers, outputs.
    batch_size : int
        Rows per step.
    optimizer : {"sgd", "adam"}
        Without momentum; with PyTorch's defaults.
    learning_rate : float
        Constant.
    rows, quick_rows : int
        Rows of an epoch, multiples of `batch_size`.
    loss : {"cross_entropy", "mse"}
        What is minimised.
    """

    sizes: tuple[int, ...]
    batch_size: int
    optimizer: Literal["sgd", "adam"]
    learning_rate: float
    rows: int
    quick_rows: int
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"

    @property
    def name(self) -> str:
        """Sizes, batch size and optimizer.

        Examples
        --------
        >>> WORKLOADS[0].name
        '784-128-10, batch 64, sgd'
        """
        return f"{'-'.join(map(str, self.sizes))}, batch {self.batch_size}, {self.optimizer}"

    def quick(self) -> Workload:
        """Return the workload with fewer rows."""
        return replace(self, rows=self.quick_rows)

    def for_check(self) -> Workload:
        """Return the workload with a few batches only."""
        return replace(self, rows=_CHECK_BATCHES * self.batch_size)

    def data(self) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Return features, as sparse as digits are, and labels or targets that depend on them.

        Returns
        -------
        x : ndarray of float32, shape (rows, sizes[0])
            In [0, 1).
        y : ndarray, shape (rows,) of int64 or (rows, sizes[-1]) of float32
            Labels for cross_entropy, targets for mse.

        Examples
        --------
        >>> x, y = WORKLOADS[0].quick().data()
        >>> x.shape, y.shape
        ((2560, 784), (2560,))
        """
        rng = np.random.default_rng(0)
        x = rng.random((self.rows, self.sizes[0]), dtype=np.float32)
        x[rng.random(x.shape, dtype=np.float32) >= _INK] = 0.0
        teacher = rng.normal(size=(self.sizes[0], self.sizes[-1])).astype(np.float32)
        scores = x @ teacher
        if self.loss == "mse":
            return x, np.tanh(scores)
        # Some noise, so that repeated training does not end at a loss of zero.
        scores += 0.5 * scores.std() * rng.normal(size=scores.shape).astype(np.float32)
        return x, scores.argmax(axis=1)

    def weights(self) -> list[NDArray[np.float32]]:
        """Return the initial parameters: weight (in, out) and bias (out,) of each layer in turn.

        Examples
        --------
        >>> [array.shape for array in WORKLOADS[0].weights()]
        [(784, 128), (128,), (128, 10), (10,)]
        """
        rng = np.random.default_rng(1)
        parameters: list[NDArray[np.float32]] = []
        for inputs, units in pairwise(self.sizes):
            weight = rng.normal(scale=np.sqrt(2.0 / inputs), size=(inputs, units))
            parameters += [weight.astype(np.float32), np.zeros(units, np.float32)]
        return parameters


WORKLOADS = (
    Workload((784, 128, 10), 64, "sgd", 0.1, rows=12_800, quick_rows=2_560),
    Workload((32, 64, 64, 1), 32, "adam", 1e-3, rows=51_200, quick_rows=6_400, loss="mse"),
    Workload((784, 512, 512, 10), 128, "adam", 1e-3, rows=12_800, quick_rows=1_280),
)
