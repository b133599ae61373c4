# SPDX-License-Identifier: Apache-2.0
"""The absolute error."""

from __future__ import annotations

from chainrule.losses.loss import PlainLoss

__all__ = ["MAE"]


class MAE(PlainLoss):
    """Absolute error abs(o - t), of gradient sign(o - t), which is 0 for o = t."""

    kind = "mae"
