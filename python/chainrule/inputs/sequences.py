# SPDX-License-Identifier: Apache-2.0
"""Sequences of different length: as data sets keep them, and put into rows of one length."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.inputs.arrays import as_numbers
from chainrule.inputs.containers import as_array, read_only

__all__ = [
    "Sequences",
    "as_sequences",
    "given_sequences",
    "is_ragged",
    "padded",
    "targets_of_steps",
]


class Sequences(tuple[NDArray[Any], ...]):
    """What a data set has where it was given a list of sequences: a read-only array for each row.

    Other lists may be rows of one length, or tables of several inputs; these are sequences.
    """

    def take(self, numbers: NDArray[np.int64]) -> Sequences:
        """Return some of them, in any order."""
        return Sequences(self[number] for number in numbers)


def is_ragged(x: object) -> TypeGuard[Sequence[Any]]:
    """Whether a list has entries of different length."""
    if not isinstance(x, list | tuple) or not all(hasattr(each, "__len__") for each in x):
        return False
    return len({len(each) for each in x}) > 1


def as_sequences(
    given: Iterable[ArrayLike], name: str, features: tuple[int, ...] | None = None
) -> Sequences:
    """Return sequences of shape (steps, features); steps of one number may be given as (steps,).

    Errors call them `name`, and `features` are those that each step has to have.
    """
    arrays: list[NDArray[Any]] = []
    for i, sequence in enumerate(given):
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
        if features is not None and array.shape[1] != math.prod(features[1:]):
            raise ValueError(
                f"{called} has {array.shape[1]} features; the input expects "
                f"{math.prod(features[1:])}, of shape {features}"
            )
        arrays.append(read_only(array))
    if not arrays:
        raise ValueError("there are no sequences")
    return Sequences(arrays)


def given_sequences(x: Any, y: Any) -> Any:
    """Return rows for a `Dataset`, with the lists that must be of sequences as `Sequences`.

    Those by name are, where they have two axes each; of other lists those whose entries differ in
    length, or in number from their rows where there is one label for each of them. All else may be
    tables of several inputs, also with entries of different width, of which one lacks rows.
    """
    if isinstance(x, Mapping) and not hasattr(x, "dtype"):
        return {key: _named_sequences(part, f"x[{key!r}]") for key, part in x.items()}
    if not isinstance(x, list | tuple) or isinstance(x, Sequences) or not x:
        return x
    shapes = [getattr(part, "shape", ()) for part in x]
    labelled = _has_labels(y, len(x))
    if is_ragged(x):
        widths = {shape[1:] for shape in shapes}
        are_rows = len(widths) == 1 or () in widths or labelled
    else:
        are_rows = labelled and min(map(len, shapes)) > 1 and len(x[0]) != len(x)
    if not are_rows:
        return x
    return as_sequences(x, "x") if len(shapes[0]) < 3 else as_array(x, name="x")


def _has_labels(y: Any, rows: int) -> bool:
    """Whether there is a number or a name for each row, and not targets of several outputs."""
    if not hasattr(y, "__len__") or isinstance(y, Mapping) or len(y) != rows:
        return False
    return not isinstance(y, list | tuple) or not all(map(_has_entries, y))


def _has_entries(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)


def _named_sequences(part: Any, name: str) -> Any:
    if not isinstance(part, list | tuple) or isinstance(part, Sequences) or not part:
        return part
    are_sequences = is_ragged(part) or all(np.ndim(each) == 2 for each in part)
    return as_sequences(part, name) if are_sequences else part


def targets_of_steps(y: Any, x: Any) -> Any:
    """Return targets for a `Dataset`, a list with some for each of its sequences as `Sequences`."""
    parts = x.values() if isinstance(x, dict) else [x]
    rows = {len(part) for part in parts if isinstance(part, Sequences)}
    if not isinstance(y, list | tuple) or rows != {len(y)}:
        return y
    if not all(map(_has_entries, y)):
        return y
    return Sequences(read_only(as_array(each, name=f"y[{i}]")) for i, each in enumerate(y))


def padded(
    sequences: Iterable[ArrayLike],
    time: int | None,
    name: str,
    features: tuple[int, ...] | None = None,
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return sequences in rows of one length, with zeros behind their ends, and their lengths.

    Errors call the sequences `name`, and `features` is the shape of a row that they have to fit.
    """
    arrays = as_sequences(sequences, name, features)
    lengths = np.array([[len(array)] for array in arrays], np.int64)
    longest = int(lengths.max()) if time is None else time
    too_long = np.flatnonzero(lengths > longest)
    if len(too_long) > 0:
        i = too_long[0]
        raise ValueError(f"{name}[{i}] has {lengths[i, 0]} steps, more than time = {time}")
    x = np.zeros((len(arrays), longest, arrays[0].shape[1]), np.result_type(*arrays))
    for row, array in zip(x, arrays, strict=True):
        row[: len(array)] = array
    return x, lengths
