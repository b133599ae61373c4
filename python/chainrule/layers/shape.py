# SPDX-License-Identifier: Apache-2.0
"""Layers that change the shape of what flows through a network, and own nothing."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.layers.layer import Layer
from chainrule.layers.whole_numbers import as_tuple
from chainrule.spec import Field

__all__ = [
    "Flatten",
    "GlobalAveragePooling",
    "Permute",
    "Position",
    "RepeatVector",
    "Reshape",
    "Take",
]


class Reshape(Layer):
    """The same numbers in the same order, in another shape.

    Parameters
    ----------
    target_shape : int or sequence of int
        The new shape, without the rows. One extent may be -1, which then follows from the others.
    name : str, optional
        See `Layer`.

    Examples
    --------
    The mean of each of three features over four times:

    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([Reshape((4, 3)), GlobalAveragePooling()])
    >>> net.predict(np.arange(12.0)[None])
    array([[4.5, 5.5, 6.5]], dtype=float32)
    """

    kind = "reshape"
    target_shape = Field[tuple[int, ...]](as_tuple)

    def __init__(self, target_shape: int | Sequence[int], *, name: str | None = None) -> None:
        super().__init__(target_shape=target_shape, name=name)


class Flatten(Layer):
    """The same numbers in the same order, in one row.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(6), cr.Reshape((2, 3)), cr.Flatten()])
    >>> net.predict([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    array([[1., 2., 3., 4., 5., 6.]], dtype=float32)
    """

    kind = "flatten"


class Permute(Layer):
    """The axes in another order.

    Parameters
    ----------
    dims : int or sequence of int
        Axis i of the output is axis ``dims[i]`` of the input. Axes count from 1, as in Keras: axis
        0 is that of the rows.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((2, 3)), Permute((2, 1))])
    >>> net.predict(np.arange(6.0)[None])
    array([[[0., 3.],
            [1., 4.],
            [2., 5.]]], dtype=float32)
    """

    kind = "permute"
    dims = Field[tuple[int, ...]](as_tuple)

    def __init__(self, dims: int | Sequence[int], *, name: str | None = None) -> None:
        super().__init__(dims=dims, name=name)

    @property
    def _reads_axes(self) -> bool:  # type: ignore[override]
        """Whether it has several axes to put in order."""
        return len(self.dims) > 1


class RepeatVector(Layer):
    """Each row n times: (features,) becomes (n, features).

    Parameters
    ----------
    n : int
        At least 1.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.RepeatVector(3)])
    >>> net.predict([[1.0, 2.0]])
    array([[[1., 2.],
            [1., 2.],
            [1., 2.]]], dtype=float32)
    """

    kind = "repeat_vector"
    n: int


class Position(Layer):
    """One position of a sequence: (time, features) becomes (features,).

    Parameters
    ----------
    index : int, default -1
        Which position, counted from 0, or from the end if it is negative: -1 is the last one.
    name : str, optional
        See `Layer`.

    Notes
    -----
    It is ``x[:, index]`` of NumPy and PyTorch. Of sequences of different length the last position
    may be padding; a recurrent layer that reads lengths gives its state behind each row's own end.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input((3, 2)), cr.Position(-1)])
    >>> net.predict([[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]])
    array([[5., 6.]], dtype=float32)
    """

    _reads_axes = True
    kind = "position"
    index: int = -1


class GlobalAveragePooling(Layer):
    """The mean over all positions: (time, features) or (height, width, channels) to the last.

    It is what Keras calls ``GlobalAveragePooling1D``, ``2D`` and ``3D``.

    Parameters
    ----------
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(6), cr.Reshape((2, 3)), cr.GlobalAveragePooling()])
    >>> net.predict([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
    array([[2.5, 3.5, 4.5]], dtype=float32)
    """

    _reads_axes = True
    kind = "global_average_pooling"


class Take(Layer):
    """Some columns, the last axis, in an order of their own.

    Parameters
    ----------
    columns : int or sequence of int
        Column j of the output is column ``columns[j]`` of the input, counted from 0. A column may
        be named more than once.
    name : str, optional
        See `Layer`.

    Notes
    -----
    It is NumPy's and Keras' ``take``, PyTorch's ``index_select`` and ONNX's ``Gather`` along the
    last axis. Missing numbers, NaN, pass in columns that it does not take.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([cr.Input(3), Take((2, 0))]).predict([[1.0, 2.0, 3.0]])
    array([[3., 1.]], dtype=float32)
    """

    kind = "take"
    columns = Field[tuple[int, ...]](as_tuple)

    def __init__(self, columns: int | Sequence[int], *, name: str | None = None) -> None:
        super().__init__(columns=columns, name=name)
