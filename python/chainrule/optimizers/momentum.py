# SPDX-License-Identifier: Apache-2.0
"""Optimizers that step along a gradient or its moving average: SGD and Lion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["SGD", "Lion"]


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
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
    2013.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.SGD(0.1, momentum=0.9, nesterov=True)
    SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    """

    kind = "sgd"
    learning_rate: Rate = Rate(0.01)
    _: KW_ONLY
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False


class Lion(Optimizer):
    """Steps of equal size in the direction of a moving average's signs.

    With parameter w and gradient g::

        w = w - learning_rate * weight_decay * w
        w = w - learning_rate * sign(beta1 * m + (1 - beta1) * g)
        m = beta2 * m + (1 - beta2) * g

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.0001
    beta1, beta2 : float, default 0.9 and 0.99
        Weights of the past in the step and in the average, in [0, 1).
    weight_decay : float, default 0.0
        Taken from the parameter itself, not added to its gradient.
    weight_decay_schedule, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Lion(3e-4, weight_decay=0.1)
    Lion(learning_rate=0.0003, weight_decay=0.1)
    """

    kind = "lion"
    learning_rate: Rate = Rate(0.0001)
    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.99
