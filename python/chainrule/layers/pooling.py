# SPDX-License-Identifier: Apache-2.0
"""Layers that make one position of several, by their largest number or their mean."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.layers.layer import Layer
from chainrule.layers.whole_numbers import whole_numbers
from chainrule.spec import Field

__all__ = ["AveragePooling", "GlobalMaxPooling", "MaxPooling"]


class MaxPooling(Layer):
    """The largest number of each window, column by column.

    Windows move over the positions of (time, features) or (height, width, channels): it is what
    Keras calls ``MaxPooling1D`` and ``MaxPooling2D``.

    Parameters
    ----------
    pool_size : int or sequence of int, default 2
        Extents of a window, one for each axis of positions or one for all.
    strides : int or sequence of int, optional
        From one window to the next; by default `pool_size`, so that windows lie side by side.
    padding : {"valid", "same"}, default "valid"
        "valid": windows lie inside, and what is left at the end of an axis is dropped. "same":
        there are ``ceil(extent / stride)`` along each axis, and the border belongs to none.
    name : str, optional
        See `Layer`.

    Notes
    -----
    Of equal numbers the first in (row, column) order takes the gradient. A NaN counts as larger
    than all numbers, so that a window with one gives NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((4, 4, 1)), cr.MaxPooling(2)])
    >>> net.predict(np.arange(16.0)[None])[0, ..., 0]
    array([[ 5.,  7.],
           [13., 15.]], dtype=float32)
    """

    _reads_axes = True
    kind = "max_pooling"
    pool_size = Field[int | tuple[int, ...]](whole_numbers)
    strides = Field[int | tuple[int, ...] | None](whole_numbers, default=None)
    padding = Field[str]()
    _optional = ("strides",)

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(pool_size=pool_size, strides=strides, padding=padding, name=name)


class AveragePooling(Layer):
    """The mean of each window, column by column.

    It is what Keras calls ``AveragePooling1D`` and ``AveragePooling2D``.

    Parameters
    ----------
    pool_size, strides, padding, name
        See `MaxPooling`. With padding "same" the mean is that of the positions inside, as in Keras
        and as PyTorch's with ``count_include_pad=False``.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((4, 1)), cr.AveragePooling(3, strides=1, padding="same")])
    >>> net.predict([[1.0, 2.0, 6.0, 4.0]])[0, :, 0]
    array([1.5, 3. , 4. , 5. ], dtype=float32)
    """

    _reads_axes = True
    kind = "average_pooling"
    pool_size = Field[int | tuple[int, ...]](whole_numbers)
    strides = Field[int | tuple[int, ...] | None](whole_numbers, default=None)
    padding = Field[str]()
    _optional = ("strides",)

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(pool_size=pool_size, strides=strides, padding=padding, name=name)


class GlobalMaxPooling(Layer):
    """The largest number over all positions, column by column.

    Of (time, features), (height, width, channels) and the like it leaves the last axis. It is what
    Keras calls ``GlobalMaxPooling1D``, ``2D`` and ``3D``. Ties and NaN are those of `MaxPooling`.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((2, 3)), cr.GlobalMaxPooling()])
    >>> net.predict([[1.0, 5.0, 3.0, 4.0, 2.0, 3.0]])
    array([[4., 5., 3.]], dtype=float32)
    """

    _reads_axes = True
    kind = "global_max_pooling"
