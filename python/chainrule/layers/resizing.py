# SPDX-License-Identifier: Apache-2.0
"""Layers that repeat positions, add zeros around them, or leave some out."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.layers.layer import Layer
from chainrule.layers.whole_numbers import whole_numbers
from chainrule.spec import Field

__all__ = ["Cropping", "UpSampling", "ZeroPadding"]

Borders = int | tuple[int, int] | tuple[tuple[int, int], tuple[int, int]]


def _as_borders(value: int | list[float]) -> Borders:
    """Return a config's numbers as a constructor takes them."""
    numbers = whole_numbers(value)
    if isinstance(numbers, tuple) and len(numbers) == 4:
        return (numbers[0], numbers[1]), (numbers[2], numbers[3])
    return numbers  # type: ignore[return-value]


def _flat(kind: str, name: str, value: object) -> object:
    """Return (before, after) pairs as a config has them, and all else as it is."""
    if not isinstance(value, list | tuple) or all(isinstance(v, int) for v in value):
        return value
    if not all(isinstance(v, list | tuple) for v in value):
        return value
    if [len(pair) for pair in value] != [2, 2]:
        raise ValueError(
            f"{kind}: {name} must be an integer, (before, after) of time, (height, width) or "
            f"((top, bottom), (left, right)) of an image, got {value!r:.80}"
        )
    return [number for pair in value for number in pair]


class UpSampling(Layer):
    """Each position several times along each axis, which makes images and sequences larger.

    Of (time, features) or (height, width, channels): it is what Keras calls ``UpSampling1D`` and
    ``UpSampling2D``, by the nearest position.

    Parameters
    ----------
    size : int or sequence of int, default 2
        How often, one for each axis of positions or one for all.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((1, 2, 1)), cr.UpSampling((2, 3))])
    >>> net.predict([[1.0, 2.0]])[0, ..., 0]
    array([[1., 1., 1., 2., 2., 2.],
           [1., 1., 1., 2., 2., 2.]], dtype=float32)
    """

    _reads_axes = True
    kind = "up_sampling"
    size = Field[int | tuple[int, ...]](whole_numbers)

    def __init__(self, size: int | Sequence[int] = 2, *, name: str | None = None) -> None:
        super().__init__(size=size, name=name)


class ZeroPadding(Layer):
    """Zeros around the positions of (time, features) or (height, width, channels).

    It is what Keras calls ``ZeroPadding1D`` and ``ZeroPadding2D``.

    Parameters
    ----------
    padding : int or sequence, default 1
        How many on all sides; (before, after) of time; (height, width) of an image, or
        ((top, bottom), (left, right)).
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((2, 1)), cr.ZeroPadding((1, 2))])
    >>> net.predict([[1.0, 2.0]])[0, :, 0]
    array([0., 1., 2., 0., 0.], dtype=float32)
    """

    _reads_axes = True
    kind = "zero_padding"
    padding = Field[Borders](_as_borders)

    def __init__(
        self,
        padding: int | Sequence[int] | Sequence[Sequence[int]] = 1,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(padding=_flat(self.kind, "padding", padding), name=name)


class Cropping(Layer):
    """The positions of (time, features) or (height, width, channels) without those at the sides.

    It is what Keras calls ``Cropping1D`` and ``Cropping2D``.

    Parameters
    ----------
    cropping : int or sequence, default 1
        How many fewer on all sides; (before, after) of time; (height, width) of an image, or
        ((top, bottom), (left, right)).
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Reshape((4, 1)), cr.Cropping((1, 0))])
    >>> net.predict([[1.0, 2.0, 3.0, 4.0]])[0, :, 0]
    array([2., 3., 4.], dtype=float32)
    """

    _reads_axes = True
    kind = "cropping"
    cropping = Field[Borders](_as_borders)

    def __init__(
        self,
        cropping: int | Sequence[int] | Sequence[Sequence[int]] = 1,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(cropping=_flat(self.kind, "cropping", cropping), name=name)
