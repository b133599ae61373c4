# SPDX-License-Identifier: Apache-2.0
"""The shape of a convolutional network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from harness.workloads.network import Network


@dataclass(frozen=True)
class ImageNetwork(Network):
    """Convolutions, each with a pooling of 2 x 2 and a relu behind it, in front of dense layers.

    Convolutions have no padding. `sizes` are the numbers of an image, then the units of the dense
    layers, of which the first reads numbers in the order (height, width, channels).

    Attributes
    ----------
    image : tuple of int
        Height, width and channels.
    convolutions : tuple of tuple of int
        Of each the kernel's height and width, which are equal, and the filters.

    Examples
    --------
    >>> str(ImageNetwork((784, 256, 10), image=(28, 28, 1), convolutions=((5, 24), (3, 32))))
    '28x28x1-conv5x5x24-conv3x3x32-256-10'
    """

    image: tuple[int, int, int] = (28, 28, 1)
    convolutions: tuple[tuple[int, int], ...] = ()

    def __str__(self) -> str:
        """Return the layers, and the dtype if it is not the usual one."""
        parts = ["x".join(map(str, self.image))]
        parts += [f"conv{size}x{size}x{filters}" for size, filters in self.convolutions]
        text = "-".join([*parts, *map(str, self.sizes[1:])])
        return text if self.dtype == "float32" else f"{text} {self.dtype}"

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each layer's weight: (height, width, channels, filters) or (inputs, units).

        Examples
        --------
        >>> ImageNetwork((64, 5, 2), image=(8, 8, 1), convolutions=((3, 4),)).weight_shapes
        ((3, 3, 1, 4), (36, 5), (5, 2))
        """
        return (*self.kernel_shapes, *self.dense_shapes)

    @property
    def kernel_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shape of each convolution's weight."""
        shapes = []
        channels = self.image[2]
        for size, filters in self.convolutions:
            shapes.append((size, size, channels, filters))
            channels = filters
        return tuple(shapes)

    @property
    def dense_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape of each dense layer's weight."""
        height, width = self._pooled[-1]
        channels = self.convolutions[-1][1] if self.convolutions else self.image[2]
        return tuple(pairwise((height * width * channels, *self.sizes[1:])))

    @property
    def multiply_adds(self) -> tuple[int, ...]:
        """Multiply-adds of each layer for one image."""
        sizes = [size for size, _ in self.convolutions]
        positions = [
            (height - size + 1) * (width - size + 1)
            for (height, width), size in zip(self._pooled, sizes, strict=False)
        ]
        positions += [1] * (len(self.sizes) - 1)
        pairs = zip(positions, self.weight_shapes, strict=True)
        return tuple(count * math.prod(shape) for count, shape in pairs)

    @property
    def _pooled(self) -> list[tuple[int, int]]:
        """Height and width of the image, and behind the pooling of each convolution."""
        extents = [self.image[:2]]
        for size, _ in self.convolutions:
            height, width = extents[-1]
            extents.append(((height - size + 1) // 2, (width - size + 1) // 2))
        return extents
