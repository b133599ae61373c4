# SPDX-License-Identifier: Apache-2.0
"""What all layers have in common."""

from __future__ import annotations

from chainrule import _core
from chainrule.spec import Spec

__all__ = ["Layer"]


class Layer(Spec):
    """Base class of layers."""

    _core_type = _core.Layer

    def outputs(self, inputs: int) -> int:
        """Return the number of columns that the layer makes of `inputs` columns.

        Parameters
        ----------
        inputs : int
            Columns of its input.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If it cannot take that many.
        """
        return int(self._core.outputs(inputs))

    def categories(self, inputs: int) -> list[int]:
        """Return how many categories each column of x may have, for a layer that reads some.

        Parameters
        ----------
        inputs : int
            Columns of x.

        Returns
        -------
        list of int
            0 for a column of any numbers; empty for a layer that reads no categories.

        Raises
        ------
        ValueError
            If it cannot take that many columns.

        Examples
        --------
        >>> from chainrule.layers import CategoryEncoding, Dense
        >>> CategoryEncoding((2, 3)).categories(2), Dense(4).categories(2)
        ([2, 3], [])
        """
        categories: list[int] = self._core.categories(inputs)
        return categories
