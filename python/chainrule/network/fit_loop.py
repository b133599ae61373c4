# SPDX-License-Identifier: Apache-2.0
"""The training loop around the core's epochs: data, validation, metrics, callbacks, progress."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.callbacks import Callback, CallbackList, StopTraining
from chainrule.errors import DivergenceError
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import core_rows
from chainrule.network.divergence import divergence
from chainrule.network.epoch_under_way import EpochUnderWay
from chainrule.network.lazy_training import adapt_lazily, evaluate_lazily
from chainrule.network.measuring import Undefined, measure, metrics_for
from chainrule.network.output_losses import OutputLosses, loss_weights_of
from chainrule.network.progress import Progress, make_progress
from chainrule.optimizers import Optimizer
from chainrule.schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from chainrule.callbacks.callback import Network
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled
    from chainrule.network.history import History
    from chainrule.optimizers import AnyOptimizer

INFERENCE_ROWS = 256


class FitPlan(NamedTuple):
    """The checked numbers of one call of ``fit``."""

    epochs: int
    batch_size: int
    shuffle: bool
    verbose: int
    num_threads: int
    input_sparsity: str
    callbacks: CallbackList


def resolve_callbacks(
    given: Iterable[Callback | Callable[[int, Mapping[str, Any]], object]],
) -> CallbackList:
    """Return the callbacks as one; TypeError unless they are a list of callbacks or functions."""
    if isinstance(given, Callback | str) or not isinstance(given, Iterable):
        raise TypeError(f"callbacks must be a list, got {given!r:.80}")
    return CallbackList(given)


def step_rates(
    net: Compiled, optimizer: AnyOptimizer, count: int, steps_per_epoch: int, ahead: int = 0
) -> NDArray[np.float64]:
    """Return the learning rates of the next `count` steps, or of those `ahead` of the next."""
    schedule = optimizer.schedule
    assert isinstance(optimizer, Optimizer)  # others take no steps
    if schedule is None:
        return np.full(count, optimizer.learning_rate)
    first = net._built_core().total_steps - net._schedule_origin + ahead
    return schedule.rates(first, count, steps_per_epoch)


def evaluate(
    net: Compiled,
    data: CheckedData,
    loss: Any,
    metrics: Any,
    batch_size: int,
    num_threads: int,
    input_sparsity: str,
) -> tuple[float, NDArray[Any] | None, Any]:
    """Return the mean loss in inference mode, outputs where metrics need them, sums of losses."""
    core = net._built_core()
    outputs = np.empty((len(data.x), core.outputs), net.dtype) if metrics else None
    sums: Any
    if isinstance(data.x, LazyRows):
        value, sums = evaluate_lazily(
            core, data, loss, outputs, batch_size, num_threads, input_sparsity
        )
        return value, outputs, sums
    sums = _core.LossSum() if isinstance(loss, OutputLosses) else None
    value = core.evaluate(
        core_rows(data.x),
        core_rows(data.y),
        loss._core,
        batch_size,
        num_threads,
        input_sparsity,
        data.sample_weight,
        data.class_weight,
        outputs,
        sums,
        loss_weights_of(loss),
    )
    return value, outputs, sums


def progress(net: Compiled, data: CheckedData, plan: FitPlan) -> Progress:
    """Return what shows the progress of the epochs to come."""
    batches = -(-len(data.x) // plan.batch_size)
    return make_progress(plan.verbose, net._built_core().epochs + plan.epochs, batches)


def fit(
    net: Compiled,
    data: CheckedData,
    validation: CheckedData | None,
    plan: FitPlan,
    progress: Progress,
    epoch_of: Callable[..., Epoch],
) -> History:
    """Train for ``plan.epochs`` epochs; see `Sequential.fit`."""
    run = plan.callbacks
    seen = cast("Network", net)  # callbacks get the whole of it, which can save itself too
    assert net.loss is not None
    # Once, since what is customary depends on all targets.
    measured = _Measured(
        metrics_for(net.loss, net.outputs, net.metrics, data.y),
        [] if validation is None else metrics_for(net.loss, net.outputs, net.metrics, validation.y),
        Undefined(),
    )
    net.history.interrupted = False
    net.history.end = None
    resumed, net._under_way = _resumed(net, data, plan), None
    first_epoch = net._built_core().epochs + (resumed is None or not resumed.is_over)
    last_epoch = first_epoch + plan.epochs - 1
    try:
        with _adapted(net, data), progress:
            run.on_train_begin(seen)
            for epoch in range(first_epoch, last_epoch + 1):
                run.on_epoch_begin(seen, epoch)
                progress.epoch_begin(epoch)
                started = time.perf_counter()
                logs: dict[str, Any] = {}
                try:
                    present = epoch_of(net, data, plan, epoch, progress, measured, resumed)
                    resumed = None
                    present.train(logs)
                    if validation is not None:
                        present.validate(validation, logs)
                except MemoryError:
                    # As in the core, without a report there is no epoch.
                    if net._built_core().epochs == epoch:
                        present.restore()
                    raise
                finally:
                    # Whatever is raised, an epoch that the core counts is in the history.
                    if net._built_core().epochs == epoch:
                        present.record(logs)
                _observe_plateau(net, logs)
                progress.epoch_end(epoch, logs, time.perf_counter() - started)
                run.on_epoch_end(seen, epoch, logs)
    except StopTraining:
        pass
    except DivergenceError:
        net.history.forget_after(net._built_core().epochs)
        raise
    except KeyboardInterrupt:
        net.history.interrupted = True
        warnings.warn("training was interrupted; weights and history are kept", stacklevel=5)
    finally:
        run.on_train_end(seen)
        net._callback_states.end()
    return net.history


def _resumed(net: Compiled, data: CheckedData, plan: FitPlan) -> EpochUnderWay | None:
    """Return where in its first epoch the training goes on, if the network was saved within it."""
    saved = net._under_way
    outputs = len(net.loss.losses) if isinstance(net.loss, OutputLosses) else 1
    steps = net._built_core().total_steps
    if saved is None or not saved.fits(len(data.x), plan.batch_size, plan.shuffle, steps, outputs):
        return None
    return saved


@contextmanager
def _adapted(net: Compiled, data: CheckedData) -> Iterator[None]:
    """Adapt Normalization layers to the data; where no step is taken then, take it back."""
    core = net._built_core()
    steps, waiting = core.total_steps, net._unadapted()
    try:
        if isinstance(data.x, LazyRows):
            adapt_lazily(core, data.x, remaining=True)
        else:
            core.adapt_remaining(core_rows(data.x))
        yield
    finally:
        if waiting and core.adapted and core.total_steps == steps:
            core.undo_adaptation()


class _Measured(NamedTuple):
    """The metrics of a fit, and what has been warned of."""

    training: Any
    validation: Any
    undefined: Undefined


class Epoch:
    """One epoch: what the core trains, with what is measured of it."""

    def __init__(
        self,
        net: Compiled,
        data: CheckedData,
        plan: FitPlan,
        epoch: int,
        progress: Progress,
        measured: _Measured,
        resumed: EpochUnderWay | None,
    ) -> None:
        assert net.loss is not None
        assert net.optimizer is not None
        self._net = net
        self._seen = cast("Network", net)  # as callbacks get it
        self._data = data
        self._plan = plan
        self._epoch = epoch
        self._callbacks = plan.callbacks
        self._progress = progress
        self._measured = measured
        self._loss = net.loss
        self._optimizer = net.optimizer
        # A callback may have given it another learning rate.
        net._use_optimizer(net.optimizer)
        self._described = net.optimizer._core
        self._metrics = measured.training
        self._steps = net._built_core().total_steps
        self._batches = -(-len(data.x) // plan.batch_size)
        self._resumed = resumed
        self._first = 0 if resumed is None else resumed.batch
        self._rates = self._planned_rates()
        self._outputs = np.empty((len(data.x), net.outputs), net.dtype) if self._metrics else None
        self._sums: Any = None  # of losses, for each of several outputs

    def _planned_rates(self) -> NDArray[np.float64]:
        net, optimizer, batches = self._net, self._optimizer, self._batches
        rates = np.zeros(batches)
        left = batches - self._first
        rates[self._first :] = step_rates(net, optimizer, left, batches)
        if left == 0:
            rates[-1:] = step_rates(net, optimizer, 1, batches, ahead=-1)
        return rates

    def train(self, logs: dict[str, Any]) -> None:
        """Run the batches; what has been measured stands in `logs` after an exception too."""
        try:
            loss = self._run()
        except Exception as error:
            # A part of an epoch that no callback asked to end there would be in no history.
            # The core has gone back by itself after a divergence, maybe by more than the epoch.
            moved = self._net._built_core().total_steps != self._steps
            if moved and not isinstance(error, DivergenceError | StopTraining):
                self.restore()
            raise
        data, outputs = self._data, self._outputs
        if self._resumed is not None and outputs is not None:
            # Of the rows before, only the losses are known.
            left, rows = self._resumed.left(data, self._net.seed, self._epoch - 1)
            if len(rows) > 0 and (left.sample_weight is None or left.sample_weight.any()):
                data, outputs = left, outputs[rows]
            else:
                outputs = None
                logs.update(self._unknown_metrics())
        self._check_finite(self._data, loss, outputs, "the loss of an output")
        try:
            measure(
                self._metrics,
                self._loss,
                data,
                loss,
                outputs,
                logs,
                self._measured.undefined,
                losses=self._sums,
            )
        finally:
            if self._optimizer.schedule is not None:
                logs["learning_rate"] = float(self._rates[-1])

    def _unknown_metrics(self) -> dict[str, float]:
        """Return NaN for each metric of the training rows."""
        if not isinstance(self._loss, OutputLosses):
            return {metric.name: math.nan for metric in self._metrics}
        pairs = zip(self._loss.names, self._metrics, strict=True)
        return {f"{name}_{metric.name}": math.nan for name, few in pairs for metric in few}

    def validate(self, validation: CheckedData, logs: dict[str, Any]) -> None:
        """Add loss and metrics of the validation data to `logs`."""
        plan, net = self._plan, self._net
        metrics = self._measured.validation
        value, outputs, sums = evaluate(
            net,
            validation,
            self._loss,
            metrics,
            INFERENCE_ROWS,
            plan.num_threads,
            plan.input_sparsity,
        )
        self._check_finite(validation, value, outputs, "the validation loss")
        measure(
            metrics,
            self._loss,
            validation,
            value,
            outputs,
            logs,
            self._measured.undefined,
            "val_",
            sums,
        )

    def record(self, logs: dict[str, Any]) -> None:
        """Add the epoch to the history; where that fails, it has not been."""
        history = self._net.history
        try:
            history.append(self._epoch, logs)
        except BaseException:
            if history.epochs[-1:] != [self._epoch]:
                self.restore()
            raise

    def _run(self) -> float:
        """Train on all batches; another optimizer from within takes another call."""
        plan, x = self._plan, self._data.x
        lazy = x if isinstance(x, LazyRows) else None
        rows = x.shapes if isinstance(x, LazyRows) else core_rows(x)
        watched = self._callbacks.wants_batches
        done, loss, before = self._first, math.nan, None
        if self._resumed is not None:
            self._sums = before = self._resumed.sums
            weights = loss_weights_of(self._loss) or [1.0]
            loss = sum(w * mean for w, mean in zip(weights, before.means, strict=True))
        while done < self._batches:
            result = self._net._built_core().run_epoch(
                rows,
                core_rows(self._data.y),
                self._loss._core,
                self._described,
                plan.batch_size,
                plan.shuffle,
                plan.num_threads,
                plan.input_sparsity,
                self._rates,
                self._data.sample_weight,
                self._data.class_weight,
                done,
                -1,  # to the end
                True,  # of a whole epoch
                self._outputs,
                None if watched else self._progress.batch,
                loss_weights_of(self._loss),
                None if lazy is None else lambda rows: lazy.gather(rows, plan.batch_size),
                self._after_batch if watched else None,
                before,
            )
            before = None
            done += result.batches
            loss, self._sums = result.epoch_loss, result.epoch_losses
        return loss

    def restore(self) -> None:
        """Put back what the network was when the epoch began."""
        self._net._built_core().restore_epoch()

    def _after_batch(self, batch: int, loss: float, mean: float, losses: _core.LossSum) -> bool:
        """Return whether the batches that are left need another optimizer."""
        self._progress.batch(batch, mean)
        # What a file needs that is saved now, to go on from here.
        self._net._under_way = EpochUnderWay(
            batch,
            self._plan.batch_size,
            len(self._data.x),
            self._plan.shuffle,
            self._steps + batch - self._first,
            losses.parts,
        )
        try:
            self._callbacks.on_batch_end(self._seen, self._epoch, batch, {"loss": loss})
        finally:
            self._net._under_way = None
        if self._optimizer._core is self._described or batch == self._batches:
            return False
        # A callback has set another learning rate.
        self._described = self._optimizer._core
        self._net._use_optimizer(self._optimizer)
        left = self._batches - batch
        self._rates[batch:] = step_rates(self._net, self._optimizer, left, self._batches)
        return True

    def _check_finite(
        self, data: CheckedData, value: float, outputs: NDArray[Any] | None, what: str
    ) -> None:
        finite = math.isfinite(value) and (outputs is None or np.isfinite(outputs).all())
        if not finite:
            error = divergence(
                self._net, data, value, epoch=self._epoch, batch=self._batches, what=what
            )
            self.restore()
            raise error


def _observe_plateau(net: Compiled, logs: dict[str, Any]) -> None:
    schedule = None if net.optimizer is None else net.optimizer.schedule
    if isinstance(schedule, ReduceOnPlateau):
        schedule.observe(logs)
