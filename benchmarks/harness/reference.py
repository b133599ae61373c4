# SPDX-License-Identifier: Apache-2.0
"""What every library has to compute, by plain NumPy in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.peers.numpy import NumpyTrainer, forward, mean_loss
from harness.peers.numpy_images import NumpyImageTrainer, image_outputs
from harness.workloads import ImageNetwork, Inference, ManyNetworks, Network, Training, Workload

# float32 beside float64 over a few steps; an epsilon elsewhere in Adam is the largest part of it.
LOSS_TOLERANCE = 1e-3
OUTPUT_TOLERANCE = 1e-4


class TrainedLoss:
    """The loss that a few steps of training lead to.

    Parameters
    ----------
    training : Training
        What the libraries will be timed at.

    Attributes
    ----------
    work : Training
        What they have to do to be checked: an epoch of it, with the rows in their order.
    expected : float
        Mean loss after it.
    """

    def __init__(self, training: Training) -> None:
        self.work = training.for_check()
        weights = self.work.network.weights()
        before = self.loss(weights)
        trainer = exact_trainer(self.work)
        trainer.train(1, shuffle=False)
        self.expected = self.loss(trainer.weights())
        # Without such a change a library that does nothing would pass.
        assert abs(before - self.expected) > 10 * LOSS_TOLERANCE * self.expected

    def error(self, weights: Sequence[NDArray[Any]]) -> str | None:
        """Return what is wrong with the weights that a library has trained, if anything is."""
        loss = self.loss(weights)
        if abs(loss - self.expected) <= LOSS_TOLERANCE * self.expected:
            return None
        steps = self.work.check_batches
        return f"the loss after {steps} steps is {loss:.6g}, expected {self.expected:.6g}"

    def loss(self, weights: Sequence[NDArray[Any]]) -> float:
        """Return the mean loss that parameters give, computed in float64.

        Parameters
        ----------
        weights : sequence of ndarray
            As `Network.weights` gives them.

        Returns
        -------
        float
        """
        for weight, shape in zip(weights[::2], self.work.network.weight_shapes, strict=True):
            if weight.shape != shape:
                raise ValueError(f"weight has shape {weight.shape}, expected {shape}")
        x, y = self.work.matrix()
        exact = [np.asarray(weight, np.float64) for weight in weights]
        return mean_loss(
            self.work.loss, _outputs(self.work.network, exact, x.astype(np.float64)), y
        )


class Outputs:
    """The outputs of a network.

    Parameters
    ----------
    work : Inference
        What the libraries have to do, to be checked and to be timed.

    Attributes
    ----------
    expected : ndarray of shape (samples, outputs)
        In float64.
    """

    def __init__(self, work: Inference) -> None:
        self.work = work
        exact = [weight.astype(np.float64) for weight in work.network.weights()]
        x = np.concatenate(work.batches()).astype(np.float64)
        self.expected = _outputs(work.network, exact, x)

    def error(self, outputs: Sequence[NDArray[Any]]) -> str | None:
        """Return what is wrong with the outputs of a library's calls, if anything is."""
        found = np.concatenate(outputs).astype(np.float64)
        if found.shape != self.expected.shape:
            return f"the outputs have shape {found.shape}, expected {self.expected.shape}"
        error = np.abs(found - self.expected).max() / np.abs(self.expected).max()
        if error <= OUTPUT_TOLERANCE:
            return None
        return f"the outputs are off by {error:.2g} of the largest"


def exact_trainer(work: Training) -> NumpyTrainer:
    """Return the training in float64, from the network's initial weights."""
    kind = NumpyImageTrainer if isinstance(work.network, ImageNetwork) else NumpyTrainer
    return kind(work, work.matrix(), work.network.weights(), "float64")


def _outputs(network: Network, weights: Sequence[NDArray[Any]], x: NDArray[Any]) -> NDArray[Any]:
    if isinstance(network, ImageNetwork):
        return image_outputs(network, weights, x)
    return forward(weights, x)[-1]


def truth_of(workload: Workload) -> TrainedLoss | Outputs:
    """Return what a library's result is compared with; of many networks one is checked."""
    if isinstance(workload, Inference):
        return Outputs(workload)
    return TrainedLoss(workload.training if isinstance(workload, ManyNetworks) else workload)
