# SPDX-License-Identifier: Apache-2.0
"""The shape of a multilayer perceptron, and made-up weights and inputs for it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

# Share of the pixels of MNIST that are not black.
DIGITS_DENSITY = 0.19


@dataclass(frozen=True)
class Network:
    """A network of relu layers with a linear last one.

    Attributes
    ----------
    sizes : tuple of int
        Inputs, units of the hidden layers, outputs.
    dtype : {"float32", "float64"}
        Of parameters, inputs and arithmetic.

    Examples
    --------
    >>> str(Network((784, 128, 10))), str(Network((8, 4), "float64"))
    ('784-128-10', '8-4 float64')
    """

    sizes: tuple[int, ...]
    dtype: Literal["float32", "float64"] = "float32"

    def __str__(self) -> str:
        """Return the sizes, and the dtype if it is not the usual one."""
        sizes = "-".join(map(str, self.sizes))
        return sizes if self.dtype == "float32" else f"{sizes} {self.dtype}"

    @property
    def weight_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of each layer's weight: (inputs, units)."""
        return self.dense_shapes

    @property
    def dense_shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape of each dense layer's weight."""
        return tuple(pairwise(self.sizes))

    @property
    def multiply_adds(self) -> tuple[int, ...]:
        """Multiply-adds of each layer for one row."""
        return tuple(math.prod(shape) for shape in self.weight_shapes)

    def weights(self, seed: int = 1) -> list[NDArray[Any]]:
        """Return initial parameters: weight and bias (out,) of each layer in turn.

        Parameters
        ----------
        seed : int, default 1
            Another seed gives other weights.

        Returns
        -------
        list of ndarray

        Examples
        --------
        >>> [array.shape for array in Network((784, 128, 10)).weights()]
        [(784, 128), (128,), (128, 10), (10,)]
        """
        rng = np.random.default_rng(seed)
        parameters: list[NDArray[Any]] = []
        for shape in self.weight_shapes:
            weight = rng.standard_normal(shape, np.float32)
            weight *= np.float32(np.sqrt(2.0 / math.prod(shape[:-1])))
            parameters += [weight.astype(self.dtype), np.zeros(shape[-1], self.dtype)]
        return parameters

    def inputs(self, rows: int, density: float = 1.0) -> NDArray[Any]:
        """Return inputs in [0, 1).

        Parameters
        ----------
        rows : int
            How many.
        density : float, default 1
            Share of them that is not zero.

        Returns
        -------
        ndarray of shape (rows, sizes[0])
        """
        rng = np.random.default_rng(0)
        x = rng.random((rows, self.sizes[0]), np.float32)
        if density < 1.0:
            x[rng.random(x.shape, np.float32) >= density] = 0.0
        return x.astype(self.dtype, copy=False)
