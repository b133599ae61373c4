# SPDX-License-Identifier: Apache-2.0
"""Operations in C that take two rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.c_export.operations import Array, Operation
from chainrule.interop.merges import MERGES

__all__ = ["Concatenate", "Dot", "Merge"]


@dataclass(frozen=True, eq=False)
class Merge(Operation):
    """y = f(a, b), element by element."""

    kind: str
    name = "merge"

    @property
    def function(self) -> str:
        """That of the kind."""
        return MERGES[self.kind].c_function

    def run(self, a: Array, b: Array) -> Array:
        """Return f(a, b)."""
        values: Array = MERGES[self.kind].values(a, b)
        return values


@dataclass(frozen=True, eq=False)
class Concatenate(Merge):
    """y = a with b behind it."""

    in_place = False

    @property
    def arguments(self) -> list[str]:
        """The columns of both."""
        return [*map(str, self.columns_read)]

    @property
    def columns_read(self) -> list[int]:
        """Those of the second are what is left."""
        return [self.inputs, self.outputs - self.inputs]


@dataclass(frozen=True, eq=False)
class Dot(Operation):
    """y = sums of products over `features` columns, of each row of a with each row of b."""

    features: int
    name = "dot"
    in_place = False

    @property
    def columns_read(self) -> list[int]:
        """The features of the rows of both."""
        return [self.inputs, self.outputs // (self.inputs // self.features) * self.features]

    @property
    def arguments(self) -> list[str]:
        """The features, and the rows of both."""
        return [*map(str, (self.features, *(n // self.features for n in self.columns_read)))]

    def run(self, a: Array, b: Array) -> Array:
        """Return the sums."""
        left, right = (x.reshape(len(x), -1, self.features) for x in (a, b))
        sums: Array = np.einsum("rik,rjk->rij", left, right).reshape(len(a), -1)
        return sums
