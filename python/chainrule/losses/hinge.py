# SPDX-License-Identifier: Apache-2.0
"""The hinge loss of support-vector machines."""

from __future__ import annotations

from chainrule.losses.loss import PlainLoss

__all__ = ["Hinge"]


class Hinge(PlainLoss):
    """max(0, 1 - s o), where s = 1 for t > 0 and else -1; targets are -1 and 1, or 0 and 1.

    The gradient is -s where s o < 1, else 0.

    References
    ----------
    Cortes & Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """

    kind = "hinge"
