# SPDX-License-Identifier: Apache-2.0
"""Augmentations that say where an image's pixels come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chainrule.augment.augmentation import Augmentation
from chainrule.spec import Field

if TYPE_CHECKING:
    from dataclasses import KW_ONLY


class RandomShift(Augmentation):
    """Shift to the right by -x to x pixels, and down by -y to y.

    Parameters
    ----------
    x : float
        In [0, 1e6]; each shift from -x to x is equally likely.
    y : float, optional
        The same downwards. Default: `x`.
    subpixel : bool, default False
        Shift by fractions of pixels too, not by whole pixels alone.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> from chainrule import augment
    >>> image = [[[0.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, 0.0]]]
    >>> augment.apply(image, [augment.RandomShift(1)], seed=1)[0]
    array([[0., 0., 0.],
           [0., 0., 0.],
           [5., 0., 0.]], dtype=float32)
    """

    kind = "random_shift"
    x: float
    y: float | None = Field[float](float, default=None)  # type: ignore[assignment]
    _: KW_ONLY
    subpixel: bool = False


class RandomFlip(Augmentation):
    """Flip half of the images left to right, half of them upside down, or both.

    Parameters
    ----------
    horizontal : bool, default True
        Left to right.
    vertical : bool, default False
        Upside down, independently of that.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> from chainrule import augment
    >>> augment.apply([[[1, 2]], [[1, 2]]], [augment.RandomFlip()], seed=1)
    array([[[2., 1.]],
    <BLANKLINE>
           [[1., 2.]]], dtype=float32)
    """

    kind = "random_flip"
    horizontal: bool = True
    vertical: bool = False


class RandomRotation(Augmentation):
    """Rotation about the centre, counterclockwise.

    Parameters
    ----------
    degrees : float or (float, float)
        d for angles from -d to d, or the least and the greatest angle, each in [-1e6, 1e6].
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> from chainrule import augment
    >>> augment.apply([[[1, 2], [3, 4]]], [augment.RandomRotation((90, 90))])[0]
    array([[2., 4.],
           [1., 3.]], dtype=float32)
    """

    kind = "random_rotation"
    degrees = Field[tuple[float, ...]](tuple)

    def __init__(self, degrees: float | Sequence[float], *, input: str | None = None) -> None:
        degrees = degrees if isinstance(degrees, Iterable) else [degrees]
        super().__init__(degrees=degrees, input=input)


class RandomZoom(Augmentation):
    """Make images larger or smaller about their centre, by one factor for height and width.

    Parameters
    ----------
    low, high : float
        The least and the greatest factor, in [0.001, 1000]; 1 leaves an image as it is, and 2
        makes everything in it twice as large.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> from chainrule import augment
    >>> augment.apply([[[0, 0, 0], [0, 4, 0], [0, 0, 0]]], [augment.RandomZoom(2, 2)])[0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """

    kind = "random_zoom"
    low: float
    high: float


class ElasticDeformation(Augmentation):
    """Take each pixel from a place nearby, which changes smoothly from pixel to pixel.

    The displacements are alpha times random numbers uniform in (-1, 1), one for each pixel and
    direction, smoothed by a Gaussian that ends at 3 sigma and sees zeros around the image. They
    are added behind all other changes of place, wherever in the list they stand.

    Parameters
    ----------
    sigma : float, default 4.0
        Standard deviation of the Gaussian in pixels, in (0, 1000]. The displacements are like those
        of waves for a small one, and like shifts for a large one.
    alpha : float, default 34.0
        Factor of the smoothed numbers, in [0, 1e6]. Within an image displacements have a
        standard deviation of about 0.16 alpha / sigma pixels.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    References
    ----------
    Simard, Steinkraus & Platt, "Best practices for convolutional neural networks applied to visual
    document analysis", ICDAR 2003, which found the defaults for images of 29 x 29 pixels.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import augment
    >>> image = np.zeros((1, 28, 28))
    >>> image[:, 8:20, 13:15] = 1.0
    >>> deformed = augment.apply(image, [augment.ElasticDeformation()])
    >>> deformed.shape, bool((deformed != image).any())
    ((1, 28, 28), True)
    """

    kind = "elastic_deformation"
    sigma: float = 4.0
    alpha: float = 34.0
