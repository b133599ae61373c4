# SPDX-License-Identifier: Apache-2.0
"""A call of ``fit``: what it is given is checked, then the core's loop trains."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from chainrule import optimizers
from chainrule.arguments import boolean, positive_integer, sparsity_name, thread_count
from chainrule.inputs.checked_data import CheckedData, split_validation, warn_of_unseen_classes
from chainrule.inputs.dataset import Dataset
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network import fit_loop
from chainrule.network.before_training import BeforeTraining
from chainrule.network.compiled import Compiled
from chainrule.network.fit_plan import FitPlan
from chainrule.network.history import History
from chainrule.network.lazy_training import check_rows
from chainrule.network.measuring import resolve_metrics
from chainrule.network.observer import Observer
from chainrule.network.output_losses import function_names
from chainrule.network.progress import Progress
from chainrule.network.training_data import make_dataset, prepare_validation, warn_of_scale

__all__ = ["FitCall", "end_passes"]


class FitCall:
    """What one call of ``fit`` is asked for; see there for the arguments."""

    def __init__(
        self,
        net: Compiled,
        x: object,
        y: object = None,
        *,
        loss: Any = None,
        loss_weights: Any = None,
        optimizer: Any = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_data: Any = None,
        validation_split: float = 0.0,
        sample_weight: object = None,
        class_weight: Any = None,
        shuffle: bool | None = None,
        callbacks: Any = (),
        metrics: Any = None,
        verbose: int = 1,
        num_threads: int | None = None,
        input_sparsity: str = "auto",
        augment: Any = None,
    ) -> None:
        self.net = net
        self._x, self._y = x, y
        self._weights = sample_weight, class_weight
        self._validation = validation_data, validation_split
        self._batch_size, self._shuffle = batch_size, shuffle
        self._objective = net._chosen_loss(loss, loss_weights)
        optimizer = optimizers.get(optimizer if optimizer is not None else net.optimizer or "adam")
        self._optimizer = optimizer
        default_epochs, default_rows = 1, 32
        if isinstance(optimizer, optimizers.FullBatchOptimizer):
            default_epochs, default_rows = optimizer.max_iterations, 1024
        self.plan = FitPlan(
            epochs=positive_integer("epochs", default_epochs if epochs is None else epochs),
            batch_size=positive_integer(
                "batch_size", default_rows if batch_size is None else batch_size
            ),
            shuffle=True if shuffle is None else boolean("shuffle", shuffle),
            verbose=verbose,
            num_threads=thread_count(num_threads),
            input_sparsity=sparsity_name(input_sparsity),
            augment=fit_loop.resolve_augmentations(augment),
            callbacks=fit_loop.resolve_callbacks(callbacks),
        )
        self._chosen = net.metrics
        if metrics is not None:
            self._chosen = resolve_metrics(metrics, self._objective)
        self._metrics_before = net.metrics
        self._data: CheckedData | None = None
        self._held_back: CheckedData | None = None
        self._observer_of: Callable[..., Observer] = Observer
        self.progress = Progress()
        self._before: BeforeTraining | None = None

    def rolled_back(self) -> AbstractContextManager[object]:
        """Return the context in which to `check`; where that fails, the network is as before."""
        rollback = self.net._rollback_build(self._x, self._y)
        self._before = BeforeTraining(self.net, rollback.unnamed)
        return rollback

    def check(self) -> None:
        """Check the data against the network, and try what could fail later."""
        from chainrule.network.trial import try_out

        net, objective, optimizer = self.net, self._objective, self._optimizer
        full_batch = isinstance(optimizer, optimizers.FullBatchOptimizer)
        data = make_dataset(
            net,
            self._x,
            self._y,
            objective,
            *self._weights,
            learn_names=True,
            in_place=not full_batch,
        )
        validation_data, fraction = self._validation
        data, validation = split_validation(data, fraction)
        if isinstance(data.x, LazyRows) and data.x.streams:
            self.plan = _streaming(self.plan, data.x, self._batch_size, self._shuffle)
        plan = self.plan
        if plan.augment:
            x = None if isinstance(data.x, LazyRows) else core_rows(data.x)
            net._built_core().check_augment(x, plan.augment)
        if full_batch:
            if plan.augment:
                raise ValueError(
                    f"augment needs batches, and {optimizer.kind} looks at all rows before each "
                    "step: take an optimizer such as adam"
                )
            from chainrule.network.full_batch_training import full_batch_observer

            self._observer_of = full_batch_observer(net, objective, optimizer, data, plan)
        else:
            net._built_core().check_trains(
                optimizer._core, plan.input_sparsity, min(plan.batch_size, data.row_count)
            )
        if validation_data is not None:
            if validation is not None:
                raise ValueError("give validation_data or validation_split, not both")
            validation = prepare_validation(net, validation_data, objective, in_place=True)
        if validation is not None:
            warn_of_unseen_classes(objective, data, validation)
        if isinstance(data.x, LazyRows) and not data.x.streams:
            check_rows(net._built_core(), data.x)
        try_out(net, objective, optimizer, self._chosen, data, validation, plan.callbacks)
        self.progress = fit_loop.progress(net, data, plan)
        warn_of_scale(net, objective, data)
        net._callback_states.begin(plan.callbacks.callbacks)
        self._data, self._held_back = data, validation

    @property
    def reads_lazily(self) -> bool:
        """Whether rows that `check` has found are not in memory."""
        parts = self._data, self._held_back
        return any(part is not None and isinstance(part.x, LazyRows) for part in parts)

    def begin(self) -> Observer:
        """Have the network take over what it is trained by, and return the observer of the loop."""
        net = self.net
        net.loss = self._objective
        net.metrics = self._chosen
        net._use_optimizer(self._optimizer)
        net._changing()
        assert self._data is not None
        return fit_loop.begin(
            net, self._data, self._held_back, self.plan, self.progress, self._observer_of
        )

    def failed(self, error: BaseException) -> None:
        """Take back what a training that failed has not begun."""
        self.net.metrics = self._metrics_before
        is_theirs = isinstance(error, MemoryError) or function_names(self._objective)
        if isinstance(error, Exception) and is_theirs and self._before is not None:
            self._before.unless_begun()

    def run(self) -> History:
        """Train."""
        try:
            with self.rolled_back():
                self.check()
            return fit_loop.fit(self.net, self.plan, self.progress, self.begin)
        except BaseException as error:
            self.failed(error)
            raise


def _streaming(plan: FitPlan, x: LazyRows, batch_size: int | None, shuffle: bool | None) -> FitPlan:
    """Return a plan for rows that come in one order, in batches."""
    if shuffle:
        raise ValueError(
            "shuffle=True needs all rows in memory or a file; those of a generator keep their order"
        )
    return plan._replace(
        shuffle=False, batch_size=x.batch_rows if batch_size is None else plan.batch_size
    )


def end_passes(*data: object) -> None:
    """End what is under way of the passes through generators."""
    for each in data:
        if isinstance(each, Dataset):
            each._end_passes()
