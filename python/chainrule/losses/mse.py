# SPDX-License-Identifier: Apache-2.0
"""The squared error."""

from __future__ import annotations

from chainrule.losses.loss import PlainLoss

__all__ = ["MSE"]


class MSE(PlainLoss):
    """Squared error (o - t)**2, of gradient 2 (o - t).

    Examples
    --------
    >>> MSE()([[1.0, 2.0]], [[0.0, 0.0]])
    2.5
    """

    kind = "mse"
