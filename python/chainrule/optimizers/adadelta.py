# SPDX-License-Identifier: Apache-2.0
"""Adadelta."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Steps whose size follows from the sizes of past steps and gradients.

    With parameter w and gradient g (weight decay added)::

        v = rho * v + (1 - rho) * g**2
        d = sqrt(u + epsilon) / sqrt(v + epsilon) * g
        u = rho * u + (1 - rho) * d**2
        w = w - learning_rate * d

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 1.0
    rho : float, default 0.9
        Weight of the past in the averages, in [0, 1).
    epsilon : float, default 1e-6
        Above 0.
    weight_decay, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701.
    """

    kind = "adadelta"
    learning_rate: Rate = Rate(1.0)
    _: KW_ONLY
    rho: float = 0.9
    epsilon: float = 1e-6
