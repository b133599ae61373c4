# SPDX-License-Identifier: Apache-2.0
"""Images as training sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.arguments import positive_integer, seed_number
from chainrule.augment.augmentation import resolve
from chainrule.inputs.arrays import as_features, as_numbers

__all__ = ["apply"]


def apply(
    images: object,
    augmentations: object,
    *,
    seed: int = 0,
    epoch: int = 0,
    first_row: int = 0,
    dtype: str = "float32",
) -> NDArray[Any]:
    """Return what ``fit(images, ..., augment=augmentations)`` makes of images in an epoch.

    Parameters
    ----------
    images : array_like of shape (rows, height, width) or (rows, height, width, channels)
        Of any type that `fit` takes.
    augmentations : list of Augmentation
        Also their names or configs.
    seed : int, default 0
        The network's.
    epoch : int, default 0
        The epochs that the network has been trained for.
    first_row : int, default 0
        The row of the first image among those that the network is trained on.
    dtype : {"float32", "float64"}, default "float32"
        The network's.

    Returns
    -------
    ndarray of `dtype`, of the shape of `images`

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit, or `images` has another number of axes.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, _ = cr.data.load_digits()
    >>> list_of = [cr.augment.RandomRotation(15), cr.augment.PixelNoise(0.1)]
    >>> cr.augment.apply(x.reshape(-1, 8, 8)[:3], list_of, epoch=5).shape
    (3, 8, 8)
    """
    described = resolve(augmentations, "augmentations")
    array = as_numbers(images, name="images")
    if array.ndim not in (3, 4):
        raise ValueError(
            f"images has shape {array.shape}, expected (rows, height, width) or "
            "(rows, height, width, channels)"
        )
    if dtype not in ("float32", "float64"):
        raise ValueError(f'dtype must be "float32" or "float64", got {dtype!r:.80}')
    rows = as_features(np.ascontiguousarray(array), name="images")
    out = np.empty((len(array), rows.shape[1]), dtype)
    _core.augment_images(
        described,
        rows,
        list(array.shape[1:]),
        seed_number(seed),
        positive_integer("epoch", epoch, least=0),
        positive_integer("first_row", first_row, least=0),
        out,
    )
    return out.reshape(array.shape)
