# SPDX-License-Identifier: Apache-2.0
"""The likelihood of counts."""

from __future__ import annotations

from chainrule.losses.loss import LossOfLogits

__all__ = ["Poisson"]


class Poisson(LossOfLogits):
    """exp(o) - t o, of gradient exp(o) - t; exp(o) is the mean of counts t >= 0.

    It is the negative log-likelihood without the term log(t!), which depends on t alone.

    Parameters
    ----------
    from_logits : bool, default False
        Take the network's outputs as logarithms of means whatever activation gave them. Without it
        a network must end without activation, or in one that gives all real numbers.
    """

    kind = "poisson"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)
