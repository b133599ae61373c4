# SPDX-License-Identifier: Apache-2.0
"""A stack of layers with what it is trained by: loss, optimizer, metrics and history."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from chainrule import _core, losses, metrics, optimizers
from chainrule.callbacks.states import CallbackStates
from chainrule.layers import Input, Layer
from chainrule.names import names_arguments
from chainrule.network.by_hand import ByHand
from chainrule.network.history import History
from chainrule.network.measuring import resolve_metrics

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer
    from chainrule.schedules import Schedule

__all__ = ["Compiled"]


class Compiled(ByHand):
    """The part of `Sequential` that holds a loss, an optimizer, metrics and the history.

    Parameters
    ----------
    layers, seed, dtype
        As for `Sequential`.
    """

    @names_arguments
    def __init__(
        self, layers: Sequence[Layer | Input], seed: int | None = None, dtype: str = "float32"
    ) -> None:
        super().__init__(layers, seed, dtype)
        self.history = History()
        self.loss: Loss | None = None
        self.optimizer: Optimizer | None = None
        self.metrics: list[metrics.Metric] | None = None
        self.target_name: str | None = None
        self._schedule_origin = 0
        self._schedule: Schedule | None = None  # which the origin is for
        self._callback_states = CallbackStates()
        self._training = _core.TrainingLock()

    @names_arguments
    def compile(
        self,
        *,
        loss: str | Loss | None = None,
        optimizer: str | Optimizer | None = None,
        metrics: Iterable[str | metrics.Metric | Callable[..., Any]] | None = None,
    ) -> None:
        """Give once what `fit`, `train_on_batch` and `evaluate` otherwise take each time.

        Parameters
        ----------
        loss, optimizer, metrics
            As in `fit`; what is None stays as it is.
        """
        if loss is not None:
            self.loss = losses.get(loss)
        if optimizer is not None:
            self._use_optimizer(optimizers.get(optimizer))
        if metrics is not None:
            self.metrics = resolve_metrics(metrics)

    def _step(self, optimizer: _core.Optimizer, learning_rate: float) -> None:
        """One optimizer step from the last gradients; `Optimizer.step` calls it."""
        # The optimizer that owns the state has to be known, or a model file could not keep it.
        owner = self.optimizer
        if owner is None or not owner._core.remembers_as(optimizer):
            owner = optimizers.get(optimizer.config)
        self._built_core().step(optimizer, learning_rate)
        if owner is not self.optimizer:
            self._use_optimizer(owner)

    def _chosen_loss(self, given: str | Loss | None) -> Loss:
        if given is not None:
            return losses.get(given)
        if self.loss is None:
            raise ValueError('the network has no loss yet: give one, such as loss="cross_entropy"')
        return self.loss

    def _use_optimizer(self, optimizer: Optimizer) -> None:
        # A new schedule counts its steps from here; the same one goes on.
        if self._core is not None and optimizer.schedule != self._schedule:
            self._schedule_origin = self._core.total_steps
        self._schedule = optimizer.schedule
        self.optimizer = optimizer
