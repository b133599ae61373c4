# SPDX-License-Identifier: Apache-2.0
"""Stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with or without momentum.

    With parameter w and gradient g (weight decay added)::

        m = momentum * m + (1 - dampening) * g        (first step: m = g)
        w = w - learning_rate * m                     (nesterov: g + momentum * m for m)

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.01
    momentum : float, default 0.0
        In [0, 1).
    dampening : float, default 0.0
        In [0, 1].
    nesterov : bool, default False
        Look ahead; needs momentum above 0 and no dampening.
    weight_decay, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
    2013.
    """

    kind = "sgd"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
