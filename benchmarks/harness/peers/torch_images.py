# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks in PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.workloads import ImageNetwork

# Of a bias, a dense weight and a kernel.
_AXES = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}


def image_layers(torch: Any, network: ImageNetwork) -> list[Any]:
    """Return the modules before the dense ones; channels are last in memory, as rows have them."""

    class Permute(torch.nn.Module):  # type: ignore[misc]
        def __init__(self, *axes: int) -> None:
            super().__init__()
            self.axes = axes

        def forward(self, x: Any) -> Any:
            return x.permute(self.axes)

    nn, dtype = torch.nn, getattr(torch, network.dtype)
    layers: list[Any] = [nn.Unflatten(1, network.image), Permute(0, 3, 1, 2)]
    for height, width, channels, filters in network.kernel_shapes:
        convolution = nn.Conv2d(channels, filters, (height, width), dtype=dtype)
        layers += [convolution, nn.MaxPool2d(2), nn.ReLU()]
    module = nn.Sequential(*layers, Permute(0, 2, 3, 1), nn.Flatten())
    return list(module.to(memory_format=torch.channels_last))


def to_torch(torch: Any, weight: Any) -> Any:
    """Return a parameter in PyTorch's layout: filters or units first, then channels or inputs."""
    return torch.from_numpy(weight).permute(_AXES[weight.ndim])


def from_torch(parameter: Any) -> Any:
    """Return a parameter in the benchmark's layout."""
    array = parameter.detach().numpy()
    return array.transpose(np.argsort(_AXES[array.ndim]))
