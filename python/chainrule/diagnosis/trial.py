# SPDX-License-Identifier: Apache-2.0
"""Some steps of training with copies of a network, to see what a learning rate does."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.errors import DivergenceError
from chainrule.network.output_losses import loss_weights_of

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
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
    weights : ndarray, optional
        Of rows or positions.
    """

    def __init__(
        self,
        core: Any,
        x: Any,
        y: Any,
        loss: Any,
        optimizer: Optimizer,
        batch_size: int,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self._weights = weights
        self._core, self._loss, self._optimizer = core, loss, optimizer
        self._x, self._y = x, y
        self._rows = len(x[0]) if isinstance(x, list) else len(x)
        self._batch_size = min(batch_size, self._rows)
        self._begin()

    def copy(self) -> Steps:
        """Return steps of a copy of the network, from the first on."""
        made = copy.copy(self)
        made._core = self._core.copy()
        made._begin()
        return made

    @property
    def loss_weights(self) -> list[float]:
        """How much the loss of each output counts."""
        return loss_weights_of(self._loss) or [1.0]

    @property
    def rate(self) -> float:
        """The optimizer's own learning rate."""
        return float(self._optimizer.learning_rate)

    def _begin(self) -> None:
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
                None if self._weights is None else self._weights[rows],
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
        of_outputs = loss_weights_of(self._loss)
        given = (self._x, self._y, self._loss._core)
        if of_outputs is None:
            value = float(self._core.evaluate(*given, 256, 0, "auto", sample_weight=self._weights))
        else:
            made = self._core.compute_gradients(*given, False, 0, self._weights, None, of_outputs)
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


def try_rate(steps: Steps, outputs: Sequence[tuple[CheckedData, Any, int]]) -> RateTrial:
    """Return what steps do; they themselves are not made.

    `outputs` are, for each, its data with a row for each position, its loss and its columns.
    """

    def after(factor: float) -> float:
        made = steps.copy()
        if factor and any(np.isinf(made.step(factor * steps.rate)) for _ in range(_STEPS)):
            return float("inf")
        return made.loss()

    of_zeros = sum(
        weight
        * float(
            _core.loss_and_gradient(
                loss._core,
                np.zeros((len(data.y), columns)),
                np.ascontiguousarray(data.y),
                data.sample_weight,
            )[0]
        )
        for (data, loss, columns), weight in zip(outputs, steps.loss_weights, strict=True)
    )
    others = {factor: after(factor) for factor in _FACTORS}
    return RateTrial(steps.rate, after(0.0), after(1.0), others, of_zeros)
