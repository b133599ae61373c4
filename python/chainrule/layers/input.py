# SPDX-License-Identifier: Apache-2.0
"""The shape of what a network reads."""

from __future__ import annotations

import math

import numpy as np

from chainrule.layers.layer import SymbolicTensor, checked_name

__all__ = ["Input"]


class Input(SymbolicTensor):
    """The shape of one row of x: what a network reads, and no layer of it.

    It is the symbolic tensor that a `Network` begins with, or the first of a `Sequential`'s layers.

    Parameters
    ----------
    shape : int or tuple of int
        Number of features, or a shape with the channels last, as (height, width, channels). The
        axes are flattened in a `Sequential` where no layer reads them, not even a `Flatten` that
        comes first or behind `Rescaling`.
    name : str, optional
        What the input is called where a network has several.

    Attributes
    ----------
    shape : tuple of int
        As given.
    units : int
        Number of features.

    Raises
    ------
    TypeError
        If an axis is not an integer.
    ValueError
        If an axis is below 1 or there is none.

    Examples
    --------
    >>> Input((28, 28)).units
    784
    """

    def __init__(self, shape: int | tuple[int, ...], *, name: str | None = None) -> None:
        axes = tuple(shape) if isinstance(shape, tuple | list) else (shape,)
        for axis in axes:
            if isinstance(axis, bool) or not isinstance(axis, int | np.integer):
                raise TypeError(f"Input: axes must be integers, got {shape!r}")
        if not axes or min(axes) < 1:
            raise ValueError(f"Input: axes must be >= 1, got {shape!r}")
        super().__init__(None, (), checked_name("Input", name))
        self.shape = tuple(int(axis) for axis in axes)
        self.units = math.prod(self.shape)

    def __repr__(self) -> str:
        """Return the constructor call."""
        name = "" if self.name is None else f", name={self.name!r}"
        return f"Input({self.units if len(self.shape) == 1 else self.shape}{name})"

    def __eq__(self, other: object) -> bool:
        """Whether the shapes are equal."""
        return self.shape == other.shape if isinstance(other, Input) else NotImplemented

    def __hash__(self) -> int:
        """Hash of the shape."""
        return hash((Input, self.shape))
