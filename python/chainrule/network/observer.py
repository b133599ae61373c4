# SPDX-License-Identifier: Apache-2.0
"""What the core's loop of training asks and tells: metrics, history, callbacks, progress."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.callbacks import StopTraining
from chainrule.errors import DivergenceError
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.epoch_under_way import EpochUnderWay
from chainrule.network.lazy_training import RowReader
from chainrule.network.measuring import Undefined, measure, metrics_for
from chainrule.network.output_losses import OutputLosses, loss_weights_of
from chainrule.network.progress import Progress
from chainrule.optimizers import Optimizer
from chainrule.schedules import ReduceOnPlateau, Schedule

if TYPE_CHECKING:
    from chainrule.callbacks.callback import Network
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled
    from chainrule.network.fit_plan import FitPlan
    from chainrule.optimizers import AnyOptimizer


def _resumed(net: Compiled, data: CheckedData, plan: FitPlan) -> EpochUnderWay | None:
    """Return where in its first epoch the training goes on, if the network was saved within it."""
    saved = net._under_way
    outputs = len(net.loss.losses) if isinstance(net.loss, OutputLosses) else 1
    steps = net._built_core().total_steps
    if saved is None or not saved.fits(
        data.row_count, plan.batch_size, plan.shuffle, steps, outputs, _configs(plan)
    ):
        return None
    return saved


def _configs(plan: FitPlan) -> list[dict[str, Any]]:
    return [augmentation.config for augmentation in plan.augment]


def _is_cores(schedule: Schedule) -> bool:
    """Whether the core works out the rates, and no class of the caller's."""
    cores = (Schedule, ReduceOnPlateau)
    kind = type(schedule)
    return kind.rates is Schedule.rates and any(kind.rate is own.rate for own in cores)


class Observer:
    """What the core's loop asks and tells, in the order of the methods."""

    iterates = False
    """Whether `iterate` makes the epochs, and not batches."""

    def __init__(
        self,
        net: Compiled,
        data: CheckedData,
        validation: CheckedData | None,
        plan: FitPlan,
        progress: Progress,
    ) -> None:
        assert net.loss is not None
        assert net.optimizer is not None
        self._net = net
        self._seen = cast("Network", net)  # as callbacks get it
        self._data, self._validation = data, validation
        self._plan = plan
        self._callbacks = plan.callbacks
        self._progress = progress
        self._loss = net.loss
        self._optimizer = net.optimizer
        self._present: tuple[object, object] = (None, None)  # what the core takes its steps by
        # As metrics read them, of a list of rows those of the list.
        self._targets = data.targets()
        self._validation_targets = None if validation is None else validation.targets()
        # Once, since what is customary depends on all targets.
        self._metrics = metrics_for(net.loss, net.outputs, net.metrics, self._targets.y)
        self._validation_metrics: Any = []
        if self._validation_targets is not None:
            self._validation_metrics = metrics_for(
                net.loss, net.outputs, net.metrics, self._validation_targets.y
            )
        self._undefined = Undefined()
        self._resumed = None if self.iterates else _resumed(net, data, plan)
        net._under_way = None
        # Rows of batches before a break have no outputs.
        room = np.empty if self._resumed is None else np.zeros
        self._outputs = room((data.row_count, net.outputs), net.dtype) if self._metrics else None
        self._validation_outputs: NDArray[Any] | None = None
        if validation is not None and self._validation_metrics:
            self._validation_outputs = np.empty((validation.row_count, net.outputs), net.dtype)
        self._reader: RowReader | None = None
        self._epoch = 0
        self._started = 0.0
        self._logs: dict[str, Any] = {}
        self._recorded = True

    def run(self) -> None:
        """Have the core train."""
        try:
            self._net._built_core().fit(*self.core_call())
        finally:
            self.end()

    def end(self) -> None:
        """See to it that an epoch that the core counts is in the history, whatever was raised."""
        if self._is_unrecorded():
            self._record()

    def core_call(self) -> tuple[Any, ...]:
        """Return the arguments of the core's ``fit``."""
        core, plan, validation = self._net._built_core(), self._plan, self._validation
        resumed, watched = self._resumed, plan.callbacks.wants_batches
        if isinstance(self._data.x, LazyRows):
            self._reader = RowReader(core, self._data.x, plan.batch_size)
        validating = None
        if validation is not None:
            lazy = isinstance(validation.x, LazyRows)
            reader = RowReader(core, validation.x, checks=True) if lazy else None
            validating = _core_data(validation, self._validation_outputs, reader)
        return (
            self,
            _core_data(self._data, self._outputs, self._reader),
            validating,
            plan.epochs,
            plan.batch_size,
            plan.shuffle,
            plan.num_threads,
            plan.input_sparsity,
            0 if resumed is None else resumed.batch,
            None if resumed is None else resumed.sums,
            None if watched else self._progress.batch,
            watched,
            plan.augment,
        )

    def steps(self) -> tuple[Any, ...]:
        """Return what the next steps are taken by."""
        net, optimizer = self._net, self._optimizer
        assert isinstance(optimizer, Optimizer)  # others take no steps
        if optimizer._core is not self._present[0]:
            net._use_optimizer(optimizer)
        schedule, plateau = optimizer.schedule, _plateau_of(optimizer)
        self._present = optimizer._core, plateau
        watched = schedule if isinstance(schedule, ReduceOnPlateau) else None
        return (
            self._loss._core,
            loss_weights_of(self._loss),
            optimizer._core,
            schedule._core if schedule is not None and _is_cores(schedule) else None,
            plateau,
            "" if watched is None else watched.monitor,
            watched is not None and watched.mode == "max",
            net._schedule_origin,
        )

    def begin(self) -> None:
        """Begin; the network's Normalization layers have been adapted."""
        if self._reader is not None:
            self._reader.adapts = False
        self._callbacks.on_train_begin(self._seen)

    def begin_epoch(self, epoch: int) -> tuple[Any, ...]:
        """Begin an epoch, and return what its steps are taken by."""
        self._callbacks.on_epoch_begin(self._seen, epoch)
        self._progress.epoch_begin(epoch)
        self._started = time.perf_counter()
        self._epoch, self._logs, self._recorded = epoch, {}, False
        net = self._net
        net._built_core()  # with what others made of shared parameters
        # A callback may have set another learning rate, or compiled anew.
        assert net.loss is not None
        assert net.optimizer is not None
        self._loss, self._optimizer = net.loss, net.optimizer
        return self.steps()

    def learning_rates(
        self, step: int, count: int, steps_per_epoch: int
    ) -> NDArray[np.float64] | None:
        """Return the rates of a schedule that the core does not know."""
        schedule = self._optimizer.schedule
        if schedule is None or _is_cores(schedule):
            return None
        return schedule.rates(step, count, steps_per_epoch)

    def iterate(self) -> tuple[float, _core.LossSum] | None:
        """Make an epoch, and return its loss; None where there is none any more."""
        raise NotImplementedError

    def end_batch(
        self, batch: int, loss: float, mean: float, losses: _core.LossSum
    ) -> tuple[Any, ...] | None:
        """Tell of a batch; return what the next steps are taken by if that has changed."""
        net, data, plan = self._net, self._data, self._plan
        self._progress.batch(batch, mean)
        # What a file needs that is saved now, to go on from here.
        net._under_way = EpochUnderWay(
            batch,
            plan.batch_size,
            data.row_count,
            plan.shuffle,
            net._built_core().total_steps,
            losses.parts,
            _configs(plan),
        )
        try:
            self._callbacks.on_batch_end(self._seen, self._epoch, batch, {"loss": loss})
        finally:
            net._under_way = None
        return None if self._optimizer._core is self._present[0] else self.steps()

    def keeps(self, error: BaseException, whole: bool) -> bool:
        """Return whether an epoch that ends so stays, or some of its batches.

        These would be in no history, so they stay only where that was asked for. Where memory is
        short, as in the core, there is no epoch without a report.
        """
        if whole:
            return not isinstance(error, MemoryError)
        asked = isinstance(error, DivergenceError | StopTraining)
        return asked or not isinstance(error, Exception)

    def trained(self, loss: float, losses: _core.LossSum, learning_rate: float) -> None:
        """Measure what the batches of the epoch gave."""
        data, outputs, logs = self._targets, self._outputs, self._logs
        resumed, self._resumed = self._resumed, None
        if resumed is not None and outputs is not None:
            # Of the rows before, only the losses are known.
            left, rows = resumed.left(data, self._net.seed, self._epoch - 1)
            if len(rows) > 0 and (left.sample_weight is None or left.sample_weight.any()):
                data, outputs = left, outputs[rows]
            else:
                outputs = None
                logs.update(self._unknown_metrics())
        try:
            measure(
                self._metrics,
                self._loss,
                data,
                loss,
                outputs,
                logs,
                self._undefined,
                losses=losses,
            )
        finally:
            if self._optimizer.schedule is not None:
                logs["learning_rate"] = learning_rate
        self._net._built_core()

    def _unknown_metrics(self) -> dict[str, float]:
        """Return NaN for each metric of the training rows."""
        if not isinstance(self._loss, OutputLosses):
            return {metric.name: math.nan for metric in self._metrics}
        pairs = zip(self._loss.names, self._metrics, strict=True)
        return {f"{name}_{metric.name}": math.nan for name, few in pairs for metric in few}

    def validated(self, loss: float, losses: _core.LossSum) -> tuple[Any, ...] | None:
        """Measure what the validation gave, if any, and record the epoch."""
        if self._validation_targets is not None:
            measure(
                self._validation_metrics,
                self._loss,
                self._validation_targets,
                loss,
                self._validation_outputs,
                self._logs,
                self._undefined,
                "val_",
                losses,
            )
        self._record()
        assert self._net.optimizer is not None
        self._optimizer = self._net.optimizer
        core, plateau = self._present
        unchanged = self._optimizer._core is core and _plateau_of(self._optimizer) is plateau
        return None if unchanged else self.steps()

    def monitored(self, name: str) -> float:
        """Return the value of the epoch that the schedule watches."""
        schedule = self._optimizer.schedule
        assert isinstance(schedule, ReduceOnPlateau)
        return schedule._monitored(self._logs)

    def end_epoch(self) -> None:
        """Tell of the epoch, to which nothing is added any more."""
        seconds = time.perf_counter() - self._started
        self._progress.epoch_end(self._epoch, self._logs, seconds)
        self._callbacks.on_epoch_end(self._seen, self._epoch, self._logs)

    def _is_unrecorded(self) -> bool:
        net, epoch = self._net, self._epoch
        counted = not self._recorded and net._built_core().epochs == epoch
        return counted and net.history.epochs[-1:] != [epoch]

    def _record(self) -> None:
        """Add the epoch to the history; where that fails, it has not been."""
        net, epoch = self._net, self._epoch
        try:
            net.history.append(epoch, self._logs)
            self._recorded = True
        except BaseException:
            if net.history.epochs[-1:] != [epoch]:
                net._built_core().restore_epoch()
            raise


def _plateau_of(optimizer: AnyOptimizer) -> _core.Plateau | None:
    """Return what the schedule remembers."""
    schedule = optimizer.schedule
    return schedule._plateau if isinstance(schedule, ReduceOnPlateau) else None


def _core_data(
    data: CheckedData, outputs: NDArray[Any] | None, reader: RowReader | None
) -> tuple[Any, ...]:
    """Return rows and all that goes with them as the core takes them."""
    x = data.x.shapes if isinstance(data.x, LazyRows) else core_rows(data.x)
    weights = data.sample_weight, data.class_weight
    return x, core_rows(data.y), *weights, outputs, reader, data.rows
