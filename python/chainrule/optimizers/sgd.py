# SPDX-License-Identifier: Apache-2.0
"""Stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import LearningRate, Optimizer, SharedOptions
from chainrule.spec import Field

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with or without momentum.

    With parameter w and gradient g (weight decay added)::

        m = momentum * m + (1 - dampening) * g        (first step: m = g)
        w = w - learning_rate * m                     (nesterov: g + momentum * m for m)

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.01
        See `Optimizer`.
    momentum : float, default 0.0
        In [0, 1).
    dampening : float, default 0.0
        In [0, 1].
    nesterov : bool, default False
        Look ahead; needs momentum above 0 and no dampening.
    weight_decay, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
    2013.
    """

    kind = "sgd"
    momentum = Field[float]()
    dampening = Field[float]()
    nesterov = Field[bool]()

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(
            learning_rate,
            momentum=momentum,
            dampening=dampening,
            nesterov=nesterov,
            **shared,
        )
