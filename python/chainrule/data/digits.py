# SPDX-License-Identifier: Apache-2.0
"""The 8 x 8 handwritten digits that come with the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def load_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the test set of the UCI Optical Recognition of Handwritten Digits.

    Each pixel counts the black points in a 4 x 4 block of a 32 x 32 bitmap [1]_. The rows are in
    their original order, in which each writer's digits are together: shuffle before splitting off
    data, as `train_test_split` does.

    Returns
    -------
    x : ndarray of uint8, shape (1797, 64)
        Pixels from 0 to 16, row by row.
    y : ndarray of int64, shape (1797,)
        The digits, 0 to 9.

    References
    ----------
    .. [1] E. Alpaydin and C. Kaynak (1998). Optical Recognition of Handwritten Digits. UCI Machine
       Learning Repository. https://doi.org/10.24432/C50P49. Licence: CC BY 4.0.

    Examples
    --------
    >>> x, y = load_digits()
    >>> x.shape, y[:10]
    ((1797, 64), array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
    """
    from importlib.resources import files

    resource = files("chainrule.data") / "digits" / "digits.npz"
    with resource.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
        return archive["x"], archive["y"].astype(np.int64)
