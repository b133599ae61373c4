# SPDX-License-Identifier: Apache-2.0
"""The range test: which learning rates make the loss fall."""

from __future__ import annotations

import copy
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.arguments import positive_integer
from chainrule.diagnosis.preparation import chosen_training, prepare
from chainrule.diagnosis.trial import Steps
from chainrule.inputs.several import core_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import Optimizer

__all__ = ["LearningRates", "find_learning_rate"]

_SMOOTHING = 0.9
_GIVEN_UP = 4.0  # times the lowest loss


class LearningRates:
    """What `find_learning_rate` found.

    Attributes
    ----------
    rates : ndarray of shape (steps,)
        The learning rates, from the lowest on, as far as it went.
    losses : ndarray of shape (steps,)
        The loss of the batch before each step.
    smoothed : ndarray of shape (steps,)
        Their running mean.
    suggestion : float
        A tenth of the rate at which the smoothed loss is lowest.
    """

    def __init__(self, rates: NDArray[np.float64], losses: NDArray[np.float64]) -> None:
        self.rates = rates
        self.losses = losses
        self.smoothed = _smoothed(losses)
        # At the lowest point the loss is about to rise; a training needs more room.
        self.suggestion = float(rates[self.smoothed.argmin()]) / 10.0

    def __repr__(self) -> str:
        """Return the suggestion and the range that was tried."""
        return (
            f"<LearningRates: {self.suggestion:.2g} suggested, "
            f"{self.rates[0]:.2g} to {self.rates[-1]:.2g} tried>"
        )

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw the loss over the rates, with the suggestion.

        Parameters
        ----------
        path : str or path-like, optional
            File to write; the suffix decides the format, such as ``.png`` or ``.svg``.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from chainrule.plots import PANEL_HEIGHT, PANEL_WIDTH, new_figure, saved

        figure = new_figure(PANEL_WIDTH, PANEL_HEIGHT)
        axes = figure.add_subplot()
        axes.plot(self.rates, self.losses, alpha=0.3, label="loss of the batch")
        axes.plot(self.rates, self.smoothed, label="smoothed")
        axes.axvline(self.suggestion, linestyle="--", label=f"{self.suggestion:.2g}")
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.3)
        axes.legend()
        return saved(figure, path)


def find_learning_rate(
    net: Compiled,
    x: object,
    y: object,
    *,
    loss: str | Loss | None = None,
    optimizer: str | Optimizer | None = None,
    batch_size: int = 32,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
) -> LearningRates:
    """Train a copy with a learning rate that grows from step to step, until the loss rises.

    Parameters
    ----------
    net : Sequential
        Is not changed.
    x, y
        As for `Sequential.fit`, in memory.
    loss, optimizer
        As for `Sequential.fit`; the optimizer's own learning rate does not count.
    batch_size : int, default 32
        Rows of a step, as they are to be in training.
    lowest, highest : float
        The first rate and the last.
    steps : int, default 100
        How many rates, each larger than the one before by the same factor.

    Returns
    -------
    LearningRates

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit.

    References
    ----------
    Smith, "Cyclical learning rates for training neural networks", WACV 2017.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(32, "relu"), cr.Dense(10)], seed=0)
    >>> found = cr.find_learning_rate(net, x, y, loss="cross_entropy", optimizer=cr.SGD())
    >>> 0.01 < found.suggestion < 3.0
    True
    """
    chosen, by = chosen_training(net, loss, optimizer)
    count = positive_integer("steps", steps)
    rows = positive_integer("batch_size", batch_size)
    for name, value in (("lowest", lowest), ("highest", highest)):
        if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
            raise TypeError(f"{name} must be a number, got {value!r:.80}")
    if not 0.0 < lowest < highest < float("inf"):
        raise ValueError(
            f"lowest and highest must be rates with 0 < lowest < highest, got {lowest}, {highest}"
        )
    if count < 10:
        raise ValueError(f"steps must be 10 or more, got {count}")
    patient: Any = copy.deepcopy(net)
    dataset = prepare(patient, x, y, chosen)
    features, targets = core_rows(dataset.x), core_rows(dataset.y)
    tables = [part for each in (features, targets) for part in _parts(each)]
    if not all(isinstance(each, np.ndarray) for each in tables):
        raise TypeError("x and y must be tables in memory to find a learning rate")
    core = patient._built_core()
    core.check_trains(by._core, "auto", rows)
    made = Steps(core, features, targets, chosen, by, rows, dataset.sample_weight)
    rates = np.geomspace(lowest, highest, count)
    seen: list[float] = []
    for rate in rates:
        value = made.step(float(rate))
        if not np.isfinite(value):
            break
        seen.append(value)
        smoothed = _smoothed(np.array(seen))
        if len(seen) > 10 and smoothed[-1] > _GIVEN_UP * max(smoothed.min(), 0.0) > 0.0:
            break
    if len(seen) < 3:
        raise ValueError(f"the loss is not finite at the learning rate {rates[len(seen)]:.2g}")
    return LearningRates(rates[: len(seen)], np.array(seen))


def _parts(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _smoothed(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the running mean, without a bias towards its beginning."""
    means, mean, weight = np.empty(len(losses)), 0.0, 0.0
    for i, value in enumerate(losses):
        mean = _SMOOTHING * mean + (1.0 - _SMOOTHING) * value
        weight = _SMOOTHING * weight + (1.0 - _SMOOTHING)
        means[i] = mean / weight
    return means
