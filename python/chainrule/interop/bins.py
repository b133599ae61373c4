# SPDX-License-Identifier: Apache-2.0
"""The bins of a `PiecewiseLinearEmbedding` as other programs compute them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["bins_of"]

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
