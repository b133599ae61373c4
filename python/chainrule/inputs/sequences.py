# SPDX-License-Identifier: Apache-2.0
"""Sequences of different length, put into rows of one."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import as_numbers

__all__ = ["padded"]


def padded(
    sequences: Iterable[ArrayLike],
    time: int | None,
    name: str,
    features: tuple[int, ...] | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return sequences in rows of one length, with zeros behind their ends, and their lengths.

    Errors call the sequences `name`, and `features` are those that each step has to have.
    """
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
