# SPDX-License-Identifier: Apache-2.0
"""The logarithm of the hyperbolic cosine."""

from __future__ import annotations

from chainrule.losses.loss import PlainLoss

__all__ = ["LogCosh"]


class LogCosh(PlainLoss):
    """log(cosh(o - t)), of gradient tanh(o - t): a smooth variant of `Huber`."""

    kind = "log_cosh"
