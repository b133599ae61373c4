# SPDX-License-Identifier: Apache-2.0
"""Some steps of training with copies of a network, to see what a learning rate does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.errors import DivergenceError
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.optimizers import Optimizer

__all__ = ["RateTrial", "Steps", "taken", "try_rate"]

_STEPS = 20
_FACTORS = (1.0 / 30.0, 30.0, 1000.0)


class Steps:
    """Training steps of a network of the core, on rows in a fixed random order.

    Parameters
    ----------
    core : Network32 or Network64
        Changed by the steps.
    x, y : ndarray, or list of them for several inputs or outputs
        Rows and targets as the core takes them.
    loss, optimizer
        What the steps are made by.
    batch_size : int
        Rows of a step.
    """

    def __init__(
        self,
        core: Any,
        x: Any,
        y: Any,
        loss: Any,
        optimizer: Optimizer,
        batch_size: int,
    ) -> None:
        self._core, self._loss, self._optimizer = core, loss, optimizer
        self._x, self._y = x, y
        self._rows = len(x[0]) if isinstance(x, list) else len(x)
        self._batch_size = min(batch_size, self._rows)
        self._rng = np.random.default_rng(0)
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def step(self, rate: float) -> float:
        """Make one step with this learning rate; return the batch's loss before it.

        Infinity where the loss, or what the step would make, is not finite.
        """
        if len(self._order) < self._batch_size:
            self._order = self._rng.permutation(self._rows)
        rows, self._order = np.split(self._order, [self._batch_size])
        try:
            result = self._core.run_epoch(
                taken(self._x, rows),
                taken(self._y, rows),
                self._loss._core,
                self._optimizer._core,
                len(rows),
                False,  # in the order of the rows
                0,
                "auto",
                np.array([rate]),
                None,
                None,
                0,
                1,
                False,  # not of an epoch
                loss_weights=loss_weights_of(self._loss),
            )
        except DivergenceError:
            return float("inf")
        return float(result.loss)

    def loss(self) -> float:
        """Return the loss of all rows; infinity where it is not finite."""
        weights = loss_weights_of(self._loss)
        if weights is None:
            value = float(self._core.evaluate(self._x, self._y, self._loss._core, 256, 0))
        else:
            losses = self._loss._core
            made = self._core.compute_gradients(
                self._x, self._y, losses, False, 0, None, None, weights
            )
            value = float(made[0])
        return value if np.isfinite(value) else float("inf")


def taken(given: Any, rows: NDArray[np.int64]) -> Any:
    """Return some rows, of each of several tables."""
    return [each[rows] for each in given] if isinstance(given, list) else given[rows]


@dataclass(frozen=True)
class RateTrial:
    """What 20 steps at the learning rate, and at others, do to the loss."""

    rate: float
    before: float
    after: float
    others: dict[float, float]
    """The loss after steps at other rates, by the factor between them and the rate."""
    of_zeros: float
    """The loss if all outputs were 0, to compare with."""


def try_rate(
    core: Any, x: Any, y: Any, loss: Any, optimizer: Optimizer, batch_size: int
) -> RateTrial:
    """Return what steps do; the core is not changed."""
    rate = float(optimizer.learning_rate)

    def after(factor: float) -> float:
        steps = Steps(core.copy(), x, y, loss, optimizer, batch_size)
        if factor and any(np.isinf(steps.step(factor * rate)) for _ in range(_STEPS)):
            return float("inf")
        return steps.loss()

    several = isinstance(loss, OutputLosses)
    ends = zip(loss.losses, loss.columns, y, loss.weights, strict=True) if several else None
    of_zeros = sum(
        weight * float(_core.loss_and_gradient(one._core, np.zeros((len(t), columns)), t)[0])
        for one, columns, t, weight in ends or [(loss, core.outputs, y, 1.0)]
    )
    others = {factor: after(factor) for factor in _FACTORS}
    return RateTrial(rate, after(0.0), after(1.0), others, of_zeros)
