# SPDX-License-Identifier: Apache-2.0
"""Sequences of different length as rows of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.sequences import padded

__all__ = ["pad_sequences"]


def pad_sequences(
    sequences: Iterable[ArrayLike], time: int | None = None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Put sequences of different length into rows of one length, with zeros behind their ends.

    Recurrent layers take both results, as two inputs, and go by the lengths. `Sequential.fit` does
    this itself for a list of sequences.

    Parameters
    ----------
    sequences : iterable of array-like, shapes (steps, features)
        Each of at least one step, and all with the same features; of shapes (steps,) where they
        have one feature.
    time : int, optional
        Length of the rows; by default that of the longest sequence.

    Returns
    -------
    x : ndarray, shape (rows, time, features)
        The sequences, of a type that holds all of them.
    lengths : ndarray of int64, shape (rows, 1)
        How many steps each has.

    Raises
    ------
    TypeError
        If something is no sequence of numbers.
    ValueError
        If there are none, one is empty or longer than `time`, or they differ in their features.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, lengths = cr.data.pad_sequences([[1.0, 2.0, 3.0], [4.0]])
    >>> x[:, :, 0]
    array([[1., 2., 3.],
           [4., 0., 0.]])
    >>> lengths.ravel()
    array([3, 1])
    """
    return padded(sequences, time, "sequences")
