# SPDX-License-Identifier: Apache-2.0
"""Training on MNIST itself, whose black pixels need not be multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.mnist import load_mnist
from harness.workloads.training import Training


@dataclass(frozen=True)
class MnistTraining(Training):
    """A network trained on the first images of MNIST.

    Each library has them as it takes them best: as float32 in [0, 1], or as bytes. One that can
    leave zeros out by itself does; made-up images would hide what that is worth, since MNIST's
    zeros lie together.
    """

    @property
    def name(self) -> str:
        """The data, network, batch size and optimizer."""
        return f"MNIST {super().name}"

    def data(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return images and labels.

        Returns
        -------
        x : ndarray of float32, shape (rows, 784)
            Pixels in [0, 1].
        y : ndarray of int64, shape (rows,)
            0 to 9.

        Raises
        ------
        FileNotFoundError
            If the files are not found and cannot be downloaded.
        """
        _, y = load_mnist("train")
        return self.pixels() / np.float32(255), y[: self.rows]

    def pixels(self) -> NDArray[np.uint8]:
        """Return the images as bytes, shape (rows, 784)."""
        x, _ = load_mnist("train")
        return x[: self.rows]
