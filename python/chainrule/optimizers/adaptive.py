# SPDX-License-Identifier: Apache-2.0
"""Optimizers that divide by the root of past squares: AdaGrad, RMSprop and Adadelta."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["AdaGrad", "Adadelta", "RMSprop"]


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
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.AdaGrad(0.05, initial_accumulator=0.1)
    AdaGrad(learning_rate=0.05, initial_accumulator=0.1)
    """

    kind = "adagrad"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    lr_decay: float = 0.0
    initial_accumulator: float = 0.0
    epsilon: float = 1e-10


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
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Tieleman & Hinton, "Lecture 6.5: RMSProp", COURSERA, 2012; centred: Graves, "Generating
    sequences with recurrent neural networks", arXiv:1308.0850.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.RMSprop(1e-3, momentum=0.9)
    RMSprop(learning_rate=0.001, momentum=0.9)
    """

    kind = "rmsprop"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    rho: float = 0.99
    epsilon: float = 1e-8
    momentum: float = 0.0
    centered: bool = False


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
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Zeiler, "ADADELTA: an adaptive learning rate method", arXiv:1212.5701.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Adadelta(rho=0.95)
    Adadelta(rho=0.95)
    """

    kind = "adadelta"
    learning_rate: Rate = Rate(1.0)
    _: KW_ONLY
    rho: float = 0.9
    epsilon: float = 1e-6
