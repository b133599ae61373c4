# SPDX-License-Identifier: Apache-2.0
"""Operations in C that move the numbers of a row, or take means over positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.c_export.operations import Array, Operation

__all__ = ["MeanOfPositions", "Permute", "Repeat"]


@dataclass(frozen=True, eq=False)
class Permute(Operation):
    """The numbers in another order.

    Axis k of what it gives has ``extents[k]`` entries, whose distance in what it takes is
    ``strides[k]``.
    """

    extents: Array
    strides: Array
    name = "permute"
    in_place = False

    @classmethod
    def fields_of(cls, shape: Sequence[int], dims: Sequence[int]) -> dict[str, Array]:
        """Return extents and strides for rows of a shape; axes count from 1."""
        steps = np.cumprod([1, *shape[:0:-1]])[::-1]
        axes = np.array(dims) - 1
        extents, strides = np.array(shape)[axes], steps[axes]
        return {"extents": extents.astype(np.int32), "strides": strides.astype(np.int32)}

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the number of axes."""
        return [str(self.inputs), str(len(self.extents)), *self.constants]

    def run(self, x: Array) -> Array:
        """Return the numbers in their new places."""
        places = np.indices(self.extents.tolist()).reshape(len(self.extents), -1)
        return x[:, self.strides @ places]


@dataclass(frozen=True, eq=False)
class Repeat(Operation):
    """y = x, `times` times."""

    times: int
    name = "repeat"
    options = ("times",)
    in_place = False

    def run(self, x: Array) -> Array:
        """Return the rows repeated."""
        return np.tile(x, (1, self.times))


@dataclass(frozen=True, eq=False)
class MeanOfPositions(Operation):
    """y = the mean over positions of `outputs` columns each."""

    name = "mean_of_positions"
    in_place = False

    @property
    def arguments(self) -> list[str]:
        """The columns, and how many positions there are."""
        return [str(self.outputs), str(self.inputs // self.outputs)]

    def run(self, x: Array) -> Array:
        """Return the means."""
        means: Array = x.reshape(len(x), -1, self.outputs).mean(axis=1)
        return means
