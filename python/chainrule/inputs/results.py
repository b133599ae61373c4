# SPDX-License-Identifier: Apache-2.0
"""What functions of the caller's return, checked, for the core to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["function_name", "store_result"]


def store_result(what: str, value: object, shape: tuple[int, ...], to: NDArray[Any] | None) -> None:
    """Write numbers that a function has returned to `to`, if there is such.

    Raises
    ------
    TypeError
        If they are no real numbers.
    ValueError
        If they are not of this shape.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} has dtype {array.dtype}, expected real numbers")
    if array.shape != shape:
        raise ValueError(f"{what} has shape {array.shape}, expected {shape}")
    if to is not None:
        # What is too large for float32 becomes infinite, which the core names by its row.
        with np.errstate(over="ignore", invalid="ignore"):
            to[...] = array


def function_name(function: Callable[..., Any]) -> str:
    """Return what a function is called, of other callables their class."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__
