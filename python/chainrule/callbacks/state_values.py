# SPDX-License-Identifier: Apache-2.0
"""Values of a callback's state as JSON has them, and back; a file may hold anything."""

from __future__ import annotations

import binascii
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TYPES: Mapping[str, np.dtype[Any]] = {name: np.dtype(name) for name in ("<f4", "<f8")}
_INFINITIES = ("inf", "-inf")

__all__ = ["decoded", "encoded", "encoded_number", "number", "text", "whole_number"]


def encoded_number(value: float) -> float | str:
    """Return a number, or the text for an infinity, which JSON does not have.

    Examples
    --------
    >>> encoded_number(0.5), encoded_number(-math.inf)
    (0.5, '-inf')
    """
    return str(value) if math.isinf(value) else value


def number(state: Mapping[str, Any], name: str) -> float:
    """Return a number that `encoded_number` wrote; ValueError if there is none of that name."""
    value = state.get(name)
    if isinstance(value, str) and value in _INFINITIES:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"the state of a callback has no number {name}, got {value!r:.40}")
    return float(value)


def whole_number(state: Mapping[str, Any], name: str) -> int:
    """Return a whole number >= 0 of the state; ValueError if it has none of that name."""
    value = state.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise ValueError(f"the state of a callback has no whole number {name}, got {value!r:.40}")
    return value


def text(state: Mapping[str, Any], name: str) -> str | None:
    """Return a text of the state or None; ValueError for anything else."""
    value = state.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"the state of a callback has no text {name}, got {value!r:.40}")
    return value


def encoded(arrays: Sequence[NDArray[Any]]) -> list[dict[str, Any]]:
    """Return arrays as shapes, types and their bytes in base 64.

    Examples
    --------
    >>> encoded([np.zeros((1, 2), np.float32)])
    [{'shape': [1, 2], 'dtype': '<f4', 'bytes': 'AAAAAAAAAAA='}]
    """
    import base64

    little = [np.ascontiguousarray(a, dtype=np.asarray(a).dtype.newbyteorder("<")) for a in arrays]
    return [
        {
            "shape": list(array.shape),
            "dtype": array.dtype.str,
            "bytes": base64.b64encode(array.tobytes()).decode("ascii"),
        }
        for array in little
    ]


def decoded(records: Any) -> list[NDArray[Any]]:
    """Return the arrays that `encoded` has written; ValueError for anything else."""
    import base64

    try:
        return [
            np.frombuffer(
                base64.b64decode(record["bytes"], validate=True),
                dtype=_TYPES[record["dtype"]],
            )
            .reshape(record["shape"])
            .astype(record["dtype"][1:])
            for record in records
        ]
    except (AttributeError, LookupError, TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"the state of a callback holds no weights: {error}") from None
