# SPDX-License-Identifier: Apache-2.0
"""Losses of numbers and counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from chainrule.activations.rectifiers import Softplus
from chainrule.losses.loss import Loss, LossOfLogits
from chainrule.spec import Field

if TYPE_CHECKING:
    from chainrule.activations.activation import Tensor

__all__ = ["MAE", "MSE", "Huber", "LogCosh", "Poisson", "Quantile"]


class MSE(Loss):
    """Squared error (o - t)**2, of gradient 2 (o - t).

    Examples
    --------
    >>> MSE()([[1.0, 2.0]], [[0.0, 0.0]])
    2.5
    """

    kind = "mse"
    torch_module = "MSELoss"

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return (z - t)**2."""
        difference = z - t
        return difference * difference


class MAE(Loss):
    """Absolute error abs(o - t), of gradient sign(o - t), which is 0 for o = t.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.MAE()
    >>> loss([[3.0]], [[0.0]])
    3.0
    >>> loss.gradient([[3.0]], [[0.0]])
    array([[1.]])
    """

    kind = "mae"
    torch_module = "L1Loss"

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return abs(z - t)."""
        return (z - t).op("Abs")


class Huber(Loss):
    """Squared error near the target, absolute error away from it.

    With d = o - t: d**2 / 2 where abs(d) <= delta, else delta * (abs(d) - delta / 2). The gradient
    is d clipped to [-delta, delta].

    Parameters
    ----------
    delta : float, default 1.0
        Where the one becomes the other; above 0.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35, 1964.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.Huber(delta=1.0)
    >>> loss([[3.0]], [[0.0]])
    2.5
    >>> loss.gradient([[3.0]], [[0.0]])
    array([[1.]])
    """

    kind = "huber"
    torch_module = "HuberLoss"
    delta: float = 1.0

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return n**2 / 2 + delta (abs(z - t) - n), n the part of abs(z - t) up to delta."""
        distance = (z - t).op("Abs")
        near = distance.op("Min", self.delta)
        return near * near * 0.5 + (distance - near) * self.delta


class LogCosh(Loss):
    """log(cosh(o - t)), of gradient tanh(o - t): a smooth variant of `Huber`.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.LogCosh()
    >>> loss([[1.0]], [[0.0]])
    0.4337808304830272
    >>> loss.gradient([[1.0]], [[0.0]])
    array([[0.76159416]])
    """

    kind = "log_cosh"

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return log(cosh(z - t)) without a cosh that may overflow."""
        difference = z - t
        return Softplus().formula(difference * 2.0) - difference - math.log(2.0)


class Quantile(Loss):
    """Pinball loss, whose minimum is a quantile of the targets.

    q max(0, t - o) + (1 - q) max(0, o - t), of gradient -q for o < t, 1 - q for o > t and 0 for
    o = t. With several quantiles the outputs are one group per quantile, each with as many columns
    as y: for two quantiles of two columns, (y0 at q0, y1 at q0, y0 at q1, y1 at q1).

    Parameters
    ----------
    quantiles : float or sequence of float, default (0.5,)
        In (0, 1), increasing.

    References
    ----------
    Koenker & Bassett, "Regression quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> Quantile((0.1, 0.9))([[0.0, 0.0]], [1.0])
    0.5
    """

    kind = "quantile"
    quantiles = Field[tuple[float, ...]](tuple)

    def __init__(self, quantiles: float | Sequence[float] = (0.5,)) -> None:
        super().__init__(quantiles=quantiles if isinstance(quantiles, Iterable) else [quantiles])

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return (1 - q) max(0, z - t) + q max(0, t - z)."""
        difference, q = z - t, self.quantiles[group]
        return difference.op("Relu") * (1.0 - q) + difference.op("Neg").op("Relu") * q


class Poisson(LossOfLogits):
    """exp(o) - t o, of gradient exp(o) - t; exp(o) is the mean of counts t >= 0.

    It is the negative log-likelihood without the term log(t!), which depends on t alone.

    Parameters
    ----------
    from_logits : bool, default False
        Take the network's outputs as logarithms of means whatever activation gave them. Without it
        a network must end without activation, or in one that gives all real numbers.

    Examples
    --------
    >>> import chainrule as cr
    >>> loss = cr.losses.Poisson()
    >>> loss([[0.0]], [[2.0]])
    1.0
    >>> loss.gradient([[0.0]], [[2.0]])
    array([[-1.]])
    """

    kind = "poisson"
    torch_module = "PoissonNLLLoss"

    def __init__(self, from_logits: bool | None = False) -> None:
        super().__init__(from_logits=from_logits)

    def formula(self, z: Tensor, t: float, group: int) -> Tensor:
        """Return exp(z) - t z."""
        return z.op("Exp") - z * t
