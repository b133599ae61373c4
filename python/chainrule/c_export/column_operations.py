# SPDX-License-Identifier: Apache-2.0
"""Operations that have numbers of their own for each column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.c_export.operations import Array, Operation

__all__ = ["Mix", "Periodic", "PiecewiseLinear", "Take"]


@dataclass(frozen=True, eq=False)
class Mix(Operation):
    """y = (1 - share) * a + share * b, of a share of shape (inputs,)."""

    share: Array
    name = "mix"

    def run(self, a: Array, b: Array) -> Array:
        """Return the mixed rows."""
        mixed: Array = (1 - self.share) * a + self.share * b
        return mixed


@dataclass(frozen=True, eq=False)
class Periodic(Operation):
    """Of each feature itself and sums of its cosines; the arrays are flat."""

    frequency: Array
    phase: Array
    weight: Array
    bias: Array
    name = "periodic"
    in_place = False

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the numbers of waves and of sums."""
        numbers = (len(self.frequency) // self.inputs, self.outputs // self.inputs - 1)
        return [*super().arguments, *map(str, numbers)]

    def run(self, x: Array) -> Array:
        """Return the numbers and their sums."""
        frequency, phase = (a.reshape(self.inputs, -1) for a in (self.frequency, self.phase))
        bias = self.bias.reshape(self.inputs, -1)
        weight = self.weight.reshape(*bias.shape, -1)
        waves = np.cos(2 * np.pi * frequency * x[:, :, np.newaxis] + phase)
        sums = np.einsum("rjf,juf->rju", waves, weight) + bias
        embedded: Array = np.concatenate([x[:, :, np.newaxis], sums], axis=2).reshape(len(x), -1)
        return embedded.astype(x.dtype)


@dataclass(frozen=True, eq=False)
class PiecewiseLinear(Operation):
    """Of each feature sums of its places in bins; the arrays are flat."""

    edge: Array
    rate: Array
    low: Array
    high: Array
    weight: Array
    bias: Array
    name = "piecewise_linear"
    in_place = False

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the numbers of bins and of sums."""
        numbers = (len(self.edge) // self.inputs, self.outputs // self.inputs)
        return [*super().arguments, *map(str, numbers)]

    def run(self, x: Array) -> Array:
        """Return the sums."""
        edge, rate, low, high = (
            a.reshape(self.inputs, -1) for a in (self.edge, self.rate, self.low, self.high)
        )
        bias = self.bias.reshape(self.inputs, -1)
        weight = self.weight.reshape(*bias.shape, -1)
        places = (np.clip(x[:, :, np.newaxis], low, high) - edge) * rate
        sums: Array = np.einsum("rjk,juk->rju", places, weight) + bias
        return sums.reshape(len(x), -1).astype(x.dtype)


@dataclass(frozen=True, eq=False)
class Take(Operation):
    """y = x[taken]."""

    taken: Array
    name = "take"
    sizes = ("outputs",)
    in_place = False

    def run(self, x: Array) -> Array:
        """Return the columns."""
        return x[:, self.taken]
