# SPDX-License-Identifier: Apache-2.0
"""What a Normalization does besides scaling: smooth limits, and missing numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import Normalization

__all__ = ["Limits", "limits_of"]


@dataclass(frozen=True, eq=False)
class Limits:
    """``x / sqrt(1 + (x * rates)**2)`` of each column, with 0 for missing numbers.

    Attributes
    ----------
    rates : ndarray of float64 of shape (columns,)
        1 / limit, 0 where there is none.
    filled : list of int
        Columns in which NaN becomes 0.
    indicators : list of int
        Those of which a column behind all others says where numbers are missing.
    """

    rates: NDArray[np.float64]
    filled: list[int]
    indicators: list[int]


def limits_of(layer: Normalization, columns: int) -> Limits:
    """Return what comes behind the scaling of a layer that reads `columns` columns."""
    chosen = list(range(columns) if layer.columns is None else layer.columns)
    rates = np.zeros(columns)
    if layer.clip is not None:
        rates[chosen] = 1.0 / layer.clip
    indicators = chosen if layer.indicator_columns is None else [*layer.indicator_columns]
    return Limits(
        rates,
        [] if layer.missing == "error" else sorted(chosen),
        indicators if layer.missing == "indicator" else [],
    )
