# SPDX-License-Identifier: Apache-2.0
"""Schedules whose rate is a formula of the step alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.schedules.schedule import Schedule

if TYPE_CHECKING:
    from dataclasses import KW_ONLY


class Constant(Schedule):
    """Always the same rate.

    Parameters
    ----------
    learning_rate : float
        Above 0.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Constant(0.1).rates(0, 4, steps_per_epoch=1)
    array([0.1, 0.1, 0.1, 0.1])
    """

    kind = "constant"
    learning_rate: float


class Step(Schedule):
    """learning_rate * gamma**floor(t / period).

    Parameters
    ----------
    learning_rate : float
        The first rate, above 0.
    gamma : float, default 0.1
        Factor per period, above 0.
    period : float, default 1.0
        Epochs from one change to the next, above 0.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Step(0.1, gamma=0.5, period=2).rates(0, 4, steps_per_epoch=1)
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    kind = "step"
    learning_rate: float
    _: KW_ONLY
    gamma: float = 0.1
    period: float = 1.0


class Exponential(Schedule):
    """learning_rate * gamma**(t / period), changing with every step.

    Parameters
    ----------
    learning_rate : float
        The first rate, above 0.
    gamma : float, default 0.1
        Factor per period, above 0.
    period : float, default 1.0
        Epochs in which the rate changes by the factor `gamma`, above 0.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Exponential(0.1, gamma=0.5).rates(0, 4, steps_per_epoch=1)
    array([0.1   , 0.05  , 0.025 , 0.0125])
    """

    kind = "exponential"
    learning_rate: float
    _: KW_ONLY
    gamma: float = 0.1
    period: float = 1.0


class InverseTime(Schedule):
    """learning_rate / (1 + gamma * t / period).

    Parameters
    ----------
    learning_rate : float
        The first rate, above 0.
    gamma : float, default 1.0
        Decay per period, at least 0.
    period : float, default 1.0
        Epochs, above 0.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.InverseTime(0.1).rates(0, 4, steps_per_epoch=1)
    array([0.1       , 0.05      , 0.03333333, 0.025     ])
    """

    kind = "inverse_time"
    learning_rate: float
    _: KW_ONLY
    gamma: float = 1.0
    period: float = 1.0


class Piecewise(Schedule):
    """values[i], where i is the number of boundaries that t has reached.

    Parameters
    ----------
    boundaries : sequence of float
        Epochs at which the next value begins: above 0, increasing.
    values : sequence of float
        Rates above 0, one more than boundaries.

    Examples
    --------
    >>> Piecewise([2, 3], [0.1, 0.01, 0.001]).rates(0, 4, steps_per_epoch=1)
    array([0.1  , 0.1  , 0.01 , 0.001])
    """

    kind = "piecewise"
    boundaries: Sequence[float]
    values: Sequence[float]


class Cosine(Schedule):
    """minimum + (learning_rate - minimum) * (1 + cos(pi * u / U)) / 2, at u of U steps of a cycle.

    Parameters
    ----------
    learning_rate : float
        The highest rate, above 0.
    epochs : float
        Length of the first cycle, warm-up not counted; above 0.
    warmup : float, default 0.0
        Epochs before the first cycle, in which the rate rises evenly: learning_rate * (s + 1) /
        (S + 1) in step s of S.
    minimum : float, default 0.0
        Rate at a cycle's end, not above `learning_rate`.
    restart_factor : float, default 0.0
        0: the rate stays at `minimum` after the cycle. At least 1: cycles follow, each that many
        times as long as the one before.

    References
    ----------
    Loshchilov & Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.Cosine(0.1, epochs=4).rates(0, 4, steps_per_epoch=1)
    array([0.1       , 0.08535534, 0.05      , 0.01464466])
    """

    kind = "cosine"
    learning_rate: float
    epochs: float
    _: KW_ONLY
    warmup: float = 0.0
    minimum: float = 0.0
    restart_factor: float = 0.0


class OneCycle(Schedule):
    """One rise to `learning_rate` and a fall to nearly 0, each of half a cosine.

    Parameters
    ----------
    learning_rate : float
        The highest rate, above 0.
    epochs : float
        Length of the whole, above 0.
    warmup : float, default 0.3
        Fraction of the steps that rise, in [0, 1].
    div_factor : float, default 25.0
        The first rate is learning_rate / div_factor.
    final_div_factor : float, default 10000.0
        The last rate is the first one / final_div_factor.

    References
    ----------
    Smith & Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2019.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.OneCycle(0.1, epochs=4).rates(0, 4, steps_per_epoch=1)
    array([4.00000000e-03, 8.11745654e-02, 2.83060998e-02, 4.00000000e-07])
    """

    kind = "one_cycle"
    learning_rate: float
    epochs: float
    _: KW_ONLY
    warmup: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 10000.0


class CosLog(Schedule):
    """Waves from 0 to `learning_rate` and back, each about twice as long as the one before.

    learning_rate * (1 - cos(2 * pi * log2(1 + (2**cycles - 1) * t / epochs))) / 2, and 0
    afterwards.

    Parameters
    ----------
    learning_rate : float
        The highest rate, above 0.
    epochs : float
        Length of the whole, above 0.
    cycles : int, default 4
        Number of waves, 1 to 50.

    References
    ----------
    Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.CosLog(0.1, epochs=3, cycles=2).rates(0, 4, steps_per_epoch=1).round(4)
    array([0.   , 0.   , 0.093, 0.   ])
    """

    kind = "coslog"
    learning_rate: float
    epochs: float
    _: KW_ONLY
    cycles: int = 4


class FlatCosine(Schedule):
    """`learning_rate` over the first half of the epochs, then half a cosine down to 0.

    Parameters
    ----------
    learning_rate : float
        The highest rate, above 0.
    epochs : float
        Length of the whole, above 0.

    References
    ----------
    Holzmuller, Grinsztajn & Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
    on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.schedules.FlatCosine(0.1, epochs=4).rates(0, 5, steps_per_epoch=1)
    array([0.1 , 0.1 , 0.1 , 0.05, 0.  ])
    """

    kind = "flat_cosine"
    learning_rate: float
    epochs: float
