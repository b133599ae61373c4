# SPDX-License-Identifier: Apache-2.0
"""Convolutions and pooling in plain NumPy: what the libraries are checked by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from harness.peers.library import Data, Weights
from harness.peers.numpy import NumpyTrainer, backward, forward, output_gradient
from harness.workloads import ImageNetwork, Training


class NumpyImageTrainer(NumpyTrainer):
    """Backpropagation by hand through convolutions too.

    Parameters
    ----------
    work : Training
        Of an `ImageNetwork`.
    data : tuple of ndarray
        As of `Training.matrix`.
    weights : sequence of ndarray
        As of `ImageNetwork.weights`.
    dtype : str
        Precision of parameters and arithmetic.
    """

    def __init__(self, work: Training, data: Data, weights: Weights, dtype: str) -> None:
        super().__init__(work, data, weights, dtype)
        assert isinstance(work.network, ImageNetwork)
        self._network = work.network

    def gradients(self, x: NDArray[Any], y: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the gradient of the mean loss by each parameter."""
        dense = 2 * len(self._network.convolutions)
        blocks = _blocks(self._network, self._weights, x)
        features = blocks[-1][-1] if blocks else x
        activations = forward(self._weights[dense:], features.reshape(len(x), -1))
        delta = output_gradient(self._work.loss, activations[-1], y)
        gradients, delta = backward(self._weights[dense:], activations, delta)
        delta = delta.reshape(features.shape)
        for number in reversed(range(len(blocks))):
            below, convolved, above = blocks[number]
            weight = self._weights[2 * number]
            delta = _unpool(delta * (above > 0.0), convolved)
            windows = sliding_window_view(below, weight.shape[:2], axis=(1, 2))
            by_weight = np.tensordot(windows, delta, axes=((0, 1, 2), (0, 1, 2)))
            gradients[:0] = [by_weight.transpose(1, 2, 0, 3), delta.sum(axis=(0, 1, 2))]
            if number:
                delta = _input_gradient(weight, delta, below.shape)
        return gradients


def image_outputs(network: ImageNetwork, weights: Weights, x: NDArray[Any]) -> NDArray[Any]:
    """Return the outputs for rows of pixels.

    Examples
    --------
    >>> network = ImageNetwork((16, 2), image=(4, 4, 1), convolutions=((3, 1),))
    >>> weights = [np.ones((3, 3, 1, 1)), np.zeros(1), np.ones((1, 2)), np.array([0.0, 1.0])]
    >>> image_outputs(network, weights, np.ones((1, 16))).tolist()
    [[9.0, 10.0]]
    """
    blocks = _blocks(network, weights, x)
    features = blocks[-1][-1] if blocks else x
    return forward(weights[2 * len(blocks) :], features.reshape(len(x), -1))[-1]


def _blocks(
    network: ImageNetwork, weights: Weights, x: NDArray[Any]
) -> list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]]:
    """Return of each convolution what it reads, what it gives, and that pooled and rectified."""
    images = x.reshape(-1, *network.image)
    blocks = []
    for number in range(len(network.convolutions)):
        weight, bias = weights[2 * number : 2 * number + 2]
        windows = sliding_window_view(images, weight.shape[:2], axis=(1, 2))
        convolved = np.tensordot(windows, weight, axes=((4, 5, 3), (0, 1, 2))) + bias
        above = np.maximum(_squares(convolved).max(axis=3), 0.0)
        blocks.append((images, convolved, above))
        images = above
    return blocks


def _squares(x: NDArray[Any]) -> NDArray[Any]:
    """Return squares of 2 x 2: (n, height / 2, width / 2, 4, channels)."""
    n, height, width, channels = x.shape
    parts = x[:, : height // 2 * 2, : width // 2 * 2].reshape(
        n, height // 2, 2, width // 2, 2, channels
    )
    return parts.transpose(0, 1, 3, 2, 4, 5).reshape(n, height // 2, width // 2, 4, channels)


def _unpool(delta: NDArray[Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the gradient of the largest of each square, which goes to the first one."""
    n, height, width, channels = delta.shape
    first = _squares(x).argmax(axis=3)[:, :, :, None]
    parts = np.zeros((n, height, width, 4, channels), delta.dtype)
    np.put_along_axis(parts, first, delta[:, :, :, None], axis=3)
    parts = parts.reshape(n, height, width, 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    found = np.zeros_like(x)
    found[:, : 2 * height, : 2 * width] = parts.reshape(n, 2 * height, 2 * width, channels)
    return found


def _input_gradient(
    weight: NDArray[Any], delta: NDArray[Any], shape: tuple[int, ...]
) -> NDArray[Any]:
    """Return the gradient by what a convolution reads."""
    found = np.zeros(shape, delta.dtype)
    height, width = delta.shape[1:3]
    for row, column in np.ndindex(*weight.shape[:2]):
        part = found[:, row : row + height, column : column + width]
        part += delta @ weight[row, column].T
    return found
