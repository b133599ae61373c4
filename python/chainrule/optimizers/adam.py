# SPDX-License-Identifier: Apache-2.0
"""Adam, and what was made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.optimizers.optimizer import Optimizer, Rate

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

__all__ = ["LAMB", "Adam", "AdamW", "NAdam", "RAdam"]


class Adam(Optimizer):
    """Moving averages of the gradient, divided by the root of those of its square.

    With parameter w and gradient g (weight decay added), in step t counted from 1::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2                  (amsgrad: the greatest v so far)
        w = w - learning_rate * m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + epsilon)

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.001
    beta1, beta2 : float, default 0.9 and 0.999
        Weights of the past in the averages, in [0, 1).
    epsilon : float, default 1e-8
        Above 0.
    amsgrad : bool, default False
        Divide by the greatest average so far.
    epsilon_hat : bool, default False
        Take epsilon for that of the formula before section 2.1 of the paper, beside the root before
        its correction: (sqrt(v) + epsilon) / sqrt(1 - beta2**t), as TensorFlow, Keras and
        scikit-learn have it.
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        As `learning_rate`: see `Optimizer`.

    References
    ----------
    Kingma & Ba, "Adam: a method for stochastic optimization", ICLR 2015; amsgrad: Reddi, Kale &
    Kumar, "On the convergence of Adam and beyond", ICLR 2018.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Adam(3e-4, beta2=0.99)
    Adam(learning_rate=0.0003, beta2=0.99)
    >>> cr.Adam(3e-4).beta1
    0.9
    """

    kind = "adam"
    learning_rate: Rate = Rate(0.001)
    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    amsgrad: bool = False
    epsilon_hat: bool = False


class AdamW(Adam):
    """`Adam` with decoupled weight decay: first w = w - learning_rate * weight_decay * w.

    Parameters
    ----------
    learning_rate, beta1, beta2, epsilon, amsgrad, epsilon_hat
        See `Adam`.
    weight_decay : float, default 0.01
        Taken from the parameter itself, not added to its gradient.
    weight_decay_schedule, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.AdamW(weight_decay=0.1)
    AdamW(weight_decay=0.1)
    """

    kind = "adamw"
    _: KW_ONLY
    weight_decay: float = 0.01


class NAdam(Optimizer):
    """`Adam` with Nesterov's momentum, whose weight grows from step to step.

    With parameter w and gradient g (weight decay added), in step t counted from 1::

        mu(t) = beta1 * (1 - 0.5 * 0.96**(t * momentum_decay))
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        d = (1 - mu(t)) * g / (1 - mu(1) * ... * mu(t))
            + mu(t + 1) * m / (1 - mu(1) * ... * mu(t + 1))
        w = w - learning_rate * d / (sqrt(v / (1 - beta2**t)) + epsilon)

    This is torch.optim.NAdam; Keras' Nadam is the same with a `momentum_decay` of 0.004.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.002
    beta1, beta2, epsilon
        See `Adam`.
    momentum_decay : float, default 0.004
        How fast the momentum's weight grows from beta1 / 2 to beta1; at least 0.
    decoupled_weight_decay : bool, default False
        Take the decay from the parameter itself, as `AdamW` does.
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.NAdam(decoupled_weight_decay=True, weight_decay=0.01)
    NAdam(decoupled_weight_decay=True, weight_decay=0.01)
    """

    kind = "nadam"
    learning_rate: Rate = Rate(0.002)
    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    momentum_decay: float = 0.004
    decoupled_weight_decay: bool = False


class RAdam(Optimizer):
    """`Adam` whose first steps do not divide, while the average of squares knows too little.

    With parameter w and gradient g (weight decay added), in step t counted from 1::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        n = 2 / (1 - beta2) - 1
        rho = n - 2 * t * beta2**t / (1 - beta2**t)
        r = sqrt((rho - 4) * (rho - 2) * n / ((n - 4) * (n - 2) * rho))
        d = r * sqrt(1 - beta2**t) / (sqrt(v) + epsilon)              (rho at most 5: d = 1)
        w = w - learning_rate * m / (1 - beta1**t) * d

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.001
    beta1, beta2, epsilon
        See `Adam`.
    decoupled_weight_decay : bool, default False
        Take the decay from the parameter itself, as `AdamW` does.
    weight_decay, weight_decay_schedule, clip_value, clip_norm, lazy
        See `Optimizer`.

    References
    ----------
    Liu et al., "On the variance of the adaptive learning rate and beyond", ICLR 2020.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.RAdam().beta2
    0.999
    """

    kind = "radam"
    learning_rate: Rate = Rate(0.001)
    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decoupled_weight_decay: bool = False


class LAMB(Optimizer):
    """`Adam` whose step is as long as a fraction of the parameter's norm, for large batches.

    With parameter w and gradient g, in step t counted from 1::

        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        d = m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * w
        w = w - learning_rate * norm(w) / norm(d) * d       (a norm is 0: w - learning_rate * d)

    where the norms are those of a whole array, such as a layer's weights or its biases. They need
    the array's whole gradient, which is stored for it.

    Parameters
    ----------
    learning_rate : float, Schedule, dict or callable, default 0.001
    beta1, beta2 : float, default 0.9 and 0.999
        Weights of the past in the averages, in [0, 1).
    epsilon : float, default 1e-6
        Above 0.
    weight_decay : float, default 0.0
        Part of the step whose norm is set, not added to the gradient.
    weight_decay_schedule, clip_value, clip_norm
        See `Optimizer`.
    lazy : bool, default False
        Must be False.

    References
    ----------
    You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR
    2020, algorithm 2.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.LAMB(0.01, weight_decay=0.01)
    LAMB(learning_rate=0.01, weight_decay=0.01)
    """

    kind = "lamb"
    learning_rate: Rate = Rate(0.001)
    _: KW_ONLY
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
