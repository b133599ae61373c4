# SPDX-License-Identifier: Apache-2.0
"""RMSprop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """Gradients divided by the root of a moving average of their squares.

    With parameter w and gradient g (weight decay added)::

        v = rho * v + (1 - rho) * g**2
        a = rho * a + (1 - rho) * g                         (centered; else a = 0)
        m = momentum * m + g / (sqrt(v - a**2) + epsilon)
        w = w - learning_rate * m

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.01
    rho : float, default 0.99
        Weight of the past in the averages, in [0, 1).
    epsilon : float, default 1e-8
        Above 0.
    momentum : float, default 0.0
        In [0, 1).
    centered : bool, default False
        Divide by the standard deviation rather than the root mean square.
    weight_decay, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Tieleman & Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012; centred: Graves, "Generating
    sequences with recurrent neural networks", arXiv:1308.0850.
    """

    kind = "rmsprop"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False
