# SPDX-License-Identifier: Apache-2.0
"""AdaGrad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["AdaGrad"]


class AdaGrad(Optimizer):
    """Steps that shrink with the sum of all squared gradients so far.

    With parameter w and gradient g (weight decay added), in step t counted from 1::

        s = s + g**2
        w = w - learning_rate / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + epsilon)

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.01
    lr_decay : float, default 0.0
        At least 0.
    initial_accumulator : float, default 0.0
        First value of s, at least 0.
    epsilon : float, default 1e-10
        Above 0.
    weight_decay, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.
    """

    kind = "adagrad"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    lr_decay: float = 0.0
    initial_accumulator: float = 0.0
    epsilon: float = 1e-10
