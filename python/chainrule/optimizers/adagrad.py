# SPDX-License-Identifier: Apache-2.0
"""AdaGrad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import LearningRate, Optimizer, SharedOptions
from chainrule.spec import Field

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AdaGrad"]


class AdaGrad(Optimizer):
    """Steps that shrink with the sum of all squared gradients so far.

    With parameter w and gradient g (weight decay added), in step t counted from 1::

        s = s + g**2
        w = w - learning_rate / (1 + (t - 1) * lr_decay) * g / (sqrt(s) + epsilon)

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.01
        See `Optimizer`.
    lr_decay : float, default 0.0
        At least 0.
    initial_accumulator : float, default 0.0
        First value of s, at least 0.
    epsilon : float, default 1e-10
        Above 0.
    weight_decay, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Duchi, Hazan & Singer, "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.
    """

    kind = "adagrad"
    lr_decay = Field[float]()
    initial_accumulator = Field[float]()
    epsilon = Field[float]()

    def __init__(
        self,
        learning_rate: LearningRate = 0.01,
        *,
        lr_decay: float = 0.0,
        initial_accumulator: float = 0.0,
        epsilon: float = 1e-10,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(
            learning_rate,
            lr_decay=lr_decay,
            initial_accumulator=initial_accumulator,
            epsilon=epsilon,
            **shared,
        )
