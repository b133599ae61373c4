# SPDX-License-Identifier: Apache-2.0
"""The cross-entropy of yes and no."""

from __future__ import annotations

from chainrule.losses.loss import LossOfLogits

__all__ = ["BinaryCrossEntropy"]


class BinaryCrossEntropy(LossOfLogits):
    """Cross-entropy of sigmoid(o) with t in [0, 1], for each output by itself; outputs are logits.

    -t log sigmoid(o) - (1 - t) log(1 - sigmoid(o)), computed as max(o, 0) - o t +
    log(1 + exp(-abs(o))), of gradient sigmoid(o) - t.

    Parameters
    ----------
    from_logits : bool, default False
        As of `CrossEntropy`; the activation that the loss takes over is sigmoid.
    """

    kind = "binary_cross_entropy"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)
