# SPDX-License-Identifier: Apache-2.0
"""Huber's loss."""

from __future__ import annotations

from chainrule.losses.loss import Loss
from chainrule.spec import Field

__all__ = ["Huber"]


class Huber(Loss):
    """Squared error near the target, absolute error away from it.

    With d = o - t: d**2 / 2 where abs(d) <= delta, else delta * (abs(d) - delta / 2). The gradient
    is d clipped to [-delta, delta].

    Parameters
    ----------
    delta : float, default 1.0
        Where the one becomes the other; above 0.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.
    """

    kind = "huber"
    delta = Field[float]()

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__(delta=delta)
