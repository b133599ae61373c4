# SPDX-License-Identifier: Apache-2.0
"""The bins of a `PiecewiseLinearEmbedding` as other programs compute them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["bins_of", "edges_of"]

Array = NDArray[Any]


def bins_of(edges: Array) -> dict[str, Array]:
    """Return arrays of shape (columns, bins) from edges of shape (columns, bins + 1).

    The place of x in a bin is ``(min(max(x, low), high) - edge) * rate``. Instead of infinity, the
    ends of the first and the last bin are the largest numbers of the dtype.
    """
    edge, width = edges[:, :-1].copy(), np.diff(edges.astype(np.float64))
    low, high = edge.copy(), edges[:, 1:].copy()
    with np.errstate(divide="ignore", over="ignore"):
        rate = np.where(width > 0.0, 1.0 / width, 0.0).astype(edges.dtype)
    rate[~np.isfinite(rate)] = 0.0
    rate[~rate.any(axis=1), 0] = 1.0
    columns, largest = np.arange(len(rate)), np.finfo(edges.dtype).max
    low[columns, (rate > 0.0).argmax(axis=1)] = -largest
    high[columns, rate.shape[1] - 1 - (rate > 0.0)[:, ::-1].argmax(axis=1)] = largest
    return {"edge": edge, "rate": rate, "low": low, "high": high}


def edges_of(bins: Mapping[str, Array]) -> Array:
    """Return edges of which `bins_of` makes these arrays.

    What is beyond the last bin with a width is lost; the numbers there make no difference.
    """
    edge, rate, last = bins["edge"], bins["rate"][:, -1], bins["high"][:, -1].copy()
    lost = last == np.finfo(edge.dtype).max
    with np.errstate(divide="ignore"):
        wanted = (edge[:, -1] + 1.0 / rate.astype(np.float64)).astype(edge.dtype)
    # Of neighbours, one with exactly this rate.
    for near in (wanted, np.nextafter(wanted, np.inf), np.nextafter(wanted, -np.inf)):
        width = near.astype(np.float64) - edge[:, -1]
        with np.errstate(divide="ignore"):
            fits = lost & ((1.0 / width).astype(edge.dtype) == rate)
        last[fits] = near[fits]
        lost &= ~fits
    last[lost] = wanted[lost]
    edges: Array = np.concatenate([edge, last[:, np.newaxis]], axis=1)
    return edges
