# SPDX-License-Identifier: Apache-2.0
"""Augmentations that change the values of an image's pixels."""

from __future__ import annotations

from chainrule.augment.augmentation import Augmentation


class RandomBrightness(Augmentation):
    """Multiply an image by a number from 1 - factor to 1 + factor.

    Parameters
    ----------
    factor : float
        In [0, 1]. Nothing limits what comes of it to the range that pixels had.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> from chainrule import augment
    >>> images = augment.apply([[[100, 200]]], [augment.RandomBrightness(0.5)])
    >>> bool(50 < images[0, 0, 0] < 150), float(images[0, 0, 1] / images[0, 0, 0])
    (True, 2.0)
    """

    kind = "random_brightness"
    factor: float


class CutOut(Augmentation):
    """Set a square to 0, whose centre is any pixel of the image; what lies outside is left out.

    Parameters
    ----------
    size : int
        Pixels of its sides, at least 1.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    References
    ----------
    DeVries & Taylor, "Improved regularization of convolutional neural networks with cutout", 2017.

    Examples
    --------
    >>> from chainrule import augment
    >>> augment.apply([[[1, 1], [1, 1]]], [augment.CutOut(1)])[0].sum()
    np.float32(3.0)
    """

    kind = "cut_out"
    size: int


class PixelNoise(Augmentation):
    """Add normal random numbers, one to each number of an image.

    Parameters
    ----------
    stddev : float
        Their standard deviation, 0 or more, in the units of the pixels that `fit` is given.
    input : str, optional
        The network's input whose images are changed, see `Augmentation`.

    Examples
    --------
    >>> import numpy as np
    >>> from chainrule import augment
    >>> noise = augment.apply(np.zeros((100, 28, 28)), [augment.PixelNoise(0.5)])
    >>> float(noise.std().round(2))
    0.5
    """

    kind = "pixel_noise"
    stddev: float
