# SPDX-License-Identifier: Apache-2.0
"""Sequences of different length as rows of one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import as_numbers

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


def padded(
    sequences: Iterable[ArrayLike],
    time: int | None,
    name: str,
    features: tuple[int, ...] | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the same; errors call the sequences `name`, and `features` are those of each step."""
    arrays: list[NDArray[Any]] = []
    for i, sequence in enumerate(sequences):
        called = f"{name}[{i}]"
        array = as_numbers(sequence, name=called)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.size == 0:
            raise ValueError(
                f"{called} has shape {np.shape(array)}, expected (steps, features) with at least "
                "one of each"
            )
        if arrays and array.shape[1] != arrays[0].shape[1]:
            raise ValueError(
                f"{called} has {array.shape[1]} features and {name}[0] has {arrays[0].shape[1]}"
            )
        if features is not None and array.shape[1] != math.prod(features):
            raise ValueError(
                f"{called} has {array.shape[1]} features; the input expects {math.prod(features)}, "
                f"of shape {(time, *features)}"
            )
        if time is not None and len(array) > time:
            raise ValueError(f"{called} has {len(array)} steps, more than time = {time}")
        arrays.append(array)
    if not arrays:
        raise ValueError("there are no sequences")
    lengths = np.array([[len(array)] for array in arrays], np.int64)
    longest = int(lengths.max()) if time is None else time
    x = np.zeros((len(arrays), longest, arrays[0].shape[1]), np.result_type(*arrays))
    for row, array in zip(x, arrays, strict=True):
        row[: len(array)] = array
    return x, lengths
