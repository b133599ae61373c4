# SPDX-License-Identifier: Apache-2.0
"""Operations that read columns of categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chainrule.c_export.operations import Array, Operation

__all__ = ["Embed", "EncodeCategories"]


class OfCategories(Operation):
    """What reads categories by an array of int32 of shape (columns, 6).

    Of each column: how many categories, the first code, those of unknown and missing ones, whether
    it is a sign, and where its outputs begin, as of `interop.categories.Codes`.
    """

    codes: Array
    in_place = False

    def codes_in(self, x: Array) -> Array:
        """Return the codes of rows, -1 where there is none and in columns of numbers."""
        count, first, unknown, missing = self.codes.T[:4]
        with np.errstate(invalid="ignore"):
            known = (x >= 0) & (x < count)
            found: Array = np.where(known, first + np.where(known, x, 0).astype(np.int64), unknown)
        return np.where(np.isnan(x), missing, found)


@dataclass(frozen=True, eq=False)
class EncodeCategories(OfCategories):
    """A 1 in the place of each category, and other columns as they are."""

    codes: Array
    counts: int  # 1 where the ones of equal categories are added
    name = "encode categories"
    sizes = ("inputs", "outputs")
    options = ("counts",)

    def run(self, x: Array) -> Array:
        """Return the encoded rows."""
        y = np.zeros((len(x), self.outputs), x.dtype)
        rows = np.arange(len(x))
        for j, (column, codes) in enumerate(zip(self.codes, self.codes_in(x).T, strict=True)):
            signs = (column[4] != 0) & ((x[:, j] == 0) | (x[:, j] == 1))
            ones = rows[(codes >= 0) & (column[0] > 0) & ~signs]
            y[ones, codes[ones]] = y[ones, codes[ones]] + 1 if self.counts else 1
            y[signs, column[5]] = 2 * x[signs, j] - 1
            if column[0] == 0:
                y[:, column[5]] = x[:, j]
        return y


@dataclass(frozen=True, eq=False)
class Embed(OfCategories):
    """A row of a table for each category, and other columns as they are."""

    codes: Array
    table: Array
    name = "embed"

    @property
    def arguments(self) -> list[str]:
        """What the call passes, with the columns of the table."""
        return [*super().arguments, str(self.table.shape[1])]

    def run(self, x: Array) -> Array:
        """Return the embedded rows."""
        y = np.zeros((len(x), self.outputs), x.dtype)
        units = self.table.shape[1]
        for j, (column, codes) in enumerate(zip(self.codes, self.codes_in(x).T, strict=True)):
            if column[0] == 0:
                y[:, column[5]] = x[:, j]
            else:
                y[:, column[5] : column[5] + units] = np.where(
                    codes[:, np.newaxis] < 0, 0, self.table[codes]
                )
        return y
