# SPDX-License-Identifier: Apache-2.0
"""The pinball loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from chainrule.losses.loss import Loss
from chainrule.spec import Field

__all__ = ["Quantile"]


class Quantile(Loss):
    """Pinball loss, whose minimum is a quantile of the targets.

    q max(0, t - o) + (1 - q) max(0, o - t), of gradient -q for o < t, 1 - q for o > t and 0 for
    o = t. With several quantiles the outputs are one group per quantile, each with as many columns
    as y: for two quantiles of two columns, (y0 at q0, y1 at q0, y0 at q1, y1 at q1).

    Parameters
    ----------
    quantiles : float or sequence of float, default (0.5,)
        In (0, 1), increasing.

    References
    ----------
    Koenker & Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> Quantile((0.1, 0.9))([[0.0, 0.0]], [1.0])
    0.5
    """

    kind = "quantile"
    quantiles = Field[tuple[float, ...]](tuple)

    def __init__(self, quantiles: float | Sequence[float] = (0.5,)) -> None:
        super().__init__(quantiles=quantiles if isinstance(quantiles, Iterable) else [quantiles])
