# SPDX-License-Identifier: Apache-2.0
"""The training loop around the core's epochs: data, validation, metrics, callbacks, progress."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import metrics as metrics_module
from chainrule.arrays import Rows, as_table, stored
from chainrule.callbacks import Callback, CallbackList, StopTraining
from chainrule.errors import DivergenceError
from chainrule.lazy_rows import LazyRows
from chainrule.lazy_training import Chunks, evaluate_lazily
from chainrule.metrics import Metric
from chainrule.names import unknown_name
from chainrule.progress import Progress, make_progress
from chainrule.schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from chainrule.examples import Examples
    from chainrule.history import History
    from chainrule.losses import Loss
    from chainrule.optimizers import Optimizer
    from chainrule.sequential import Sequential
    from chainrule.trainable import Trainable

_DEFAULT_METRICS = {"cross_entropy": ["accuracy"], "binary_cross_entropy": ["accuracy"]}
INFERENCE_ROWS = 256


@dataclass(frozen=True)
class FitPlan:
    """The checked numbers of one call of ``fit``."""

    epochs: int
    batch_size: int
    shuffle: bool
    verbose: int
    num_threads: int
    input_sparsity: str
    callbacks: CallbackList


def boolean(name: str, value: bool) -> bool:
    """Return `value`; TypeError unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r:.80}")
    return bool(value)


def resolve_callbacks(
    given: Iterable[Callback | Callable[[int, Mapping[str, Any]], object]],
) -> CallbackList:
    """Return the callbacks as one; TypeError unless they are a list of callbacks or functions."""
    if isinstance(given, Callback) or not isinstance(given, Iterable):
        raise TypeError(f"callbacks must be a list, got {given!r:.80}")
    return CallbackList(given)


def resolve_metrics(given: Iterable[str | Metric | Callable[..., Any]]) -> list[Metric]:
    """Return the metrics; a single name is taken as a list of one."""
    if isinstance(given, str):
        given = [given]
    return [metrics_module.get(metric) for metric in given]


def metrics_for(
    loss: Loss, outputs: int, chosen: list[Metric] | None, targets: Rows
) -> list[Metric]:
    """Return the metrics to report: the chosen ones, or those customary for loss and targets."""
    if chosen is None:
        chosen = resolve_metrics(_DEFAULT_METRICS.get(loss.kind, []))
        # Of a probability between 0 and 1 no prediction is right or wrong.
        values = targets if isinstance(targets, np.ndarray) else stored(targets)[0]
        if loss.kind == "binary_cross_entropy" and not np.isin(values, (0, 1)).all():
            chosen = []
    if loss.kind == "binary_cross_entropy" and outputs > 1:
        return [metric.as_multilabel() for metric in chosen]
    return chosen


def check_monitor(optimizer: Optimizer, measured: list[Metric], *, validated: bool) -> None:
    """Raise ValueError when the schedule watches a value that no epoch will report."""
    schedule = optimizer.schedule
    if not isinstance(schedule, ReduceOnPlateau):
        return
    names = ["loss", *(metric.name for metric in measured)]
    if validated:
        names += [f"val_{name}" for name in names]
    if schedule.monitor not in names:
        raise ValueError(unknown_name("monitor of ReduceOnPlateau", schedule.monitor, names))


def step_rates(
    net: Trainable, optimizer: Optimizer, count: int, steps_per_epoch: int
) -> NDArray[np.float64]:
    """Return the learning rates of the next `count` steps."""
    schedule = optimizer.schedule
    if schedule is None:
        return np.full(count, optimizer.learning_rate)
    first = net._need_core().total_steps - net._schedule_origin
    return schedule.rates(first, count, steps_per_epoch)


def evaluate(
    net: Trainable,
    data: Examples,
    loss: Loss,
    metrics: list[Metric],
    batch_size: int,
    num_threads: int,
    input_sparsity: str,
) -> dict[str, Any]:
    """Return loss and metrics in inference mode."""
    core = net._need_core()
    outputs = np.empty((len(data.x), core.outputs), net.dtype) if metrics else None
    if isinstance(data.x, LazyRows):
        single = net.dtype == "float32"
        value = evaluate_lazily(
            core, data, loss, outputs, single, batch_size, num_threads, input_sparsity
        )
        return {"loss": value, **_measure(metrics, loss, data, outputs)}
    value = core.evaluate(
        data.x,
        data.y,
        loss._core,
        batch_size=batch_size,
        num_threads=num_threads,
        input_sparsity=input_sparsity,
        sample_weight=data.sample_weight,
        class_weight=data.class_weight,
        outputs=outputs,
    )
    return {"loss": value, **_measure(metrics, loss, data, outputs)}


def _measure(
    metrics: list[Metric], loss: Loss, data: Examples, outputs: NDArray[Any] | None
) -> dict[str, Any]:
    if outputs is None or not metrics:
        return {}
    predictions, targets = loss.link(outputs), as_table(data.y)
    return {m.name: m(targets, predictions, data.sample_weight) for m in metrics}


def progress(net: Trainable, data: Examples, plan: FitPlan) -> Progress:
    """Return what shows the progress of the epochs to come."""
    batches = -(-len(data.x) // plan.batch_size)
    return make_progress(plan.verbose, net._need_core().epochs + plan.epochs, batches)


def fit(
    net: Sequential,
    data: Examples,
    validation: Examples | None,
    plan: FitPlan,
    progress: Progress,
) -> History:
    """Train for ``plan.epochs`` epochs; see `Sequential.fit`."""
    core = net._need_core()
    run = plan.callbacks
    net.history.interrupted = False
    first_epoch = core.epochs + 1
    last_epoch = core.epochs + plan.epochs
    try:
        with progress:
            run.on_train_begin(net)
            for epoch in range(first_epoch, last_epoch + 1):
                run.on_epoch_begin(net, epoch)
                progress.epoch_begin(epoch)
                started = time.perf_counter()
                logs = _Epoch(net, data, plan, epoch, run, progress).run()
                if validation is not None:
                    logs.update(_validate(net, validation, plan))
                _observe_plateau(net, logs)
                net.history.append(epoch, logs)
                progress.epoch_end(epoch, logs, time.perf_counter() - started)
                run.on_epoch_end(net, epoch, logs)
    except StopTraining:
        pass
    except KeyboardInterrupt:
        net.history.interrupted = True
        warnings.warn("training was interrupted; weights and history are kept", stacklevel=3)
    finally:
        run.on_train_end(net)
    return net.history


class _Epoch:
    """One epoch, in one piece or, where a callback asks for them, batch by batch."""

    def __init__(
        self,
        net: Sequential,
        data: Examples,
        plan: FitPlan,
        epoch: int,
        callbacks: CallbackList,
        progress: Progress,
    ) -> None:
        assert net.loss is not None
        assert net.optimizer is not None
        self._net = net
        self._data = data
        self._plan = plan
        self._epoch = epoch
        self._callbacks = callbacks
        self._progress = progress
        self._loss = net.loss
        self._optimizer = net.optimizer
        self._metrics = metrics_for(net.loss, net.outputs, net.metrics, data.y)
        self._batches = -(-len(data.x) // plan.batch_size)
        self._rates = step_rates(net, net.optimizer, self._batches, self._batches)
        self._outputs = np.empty((len(data.x), net.outputs), net.dtype) if self._metrics else None

    def run(self) -> dict[str, Any]:
        if isinstance(self._data.x, LazyRows):
            loss = self._chunk_by_chunk()
        elif self._callbacks.wants_batches:
            loss = self._batch_by_batch()
        else:
            loss = self._piece(0, -1).loss
        logs: dict[str, Any] = {"loss": loss}
        logs.update(_measure(self._metrics, self._loss, self._data, self._outputs))
        if self._optimizer.schedule is not None:
            logs["learning_rate"] = float(self._rates[-1])
        return logs

    def _batch_by_batch(self) -> float:
        loss = 0.0
        for batch in range(self._batches):
            result = self._piece(batch, 1)
            loss = result.epoch_loss
            self._progress.batch(batch + 1, loss)
            self._callbacks.on_batch_end(self._net, self._epoch, batch + 1, {"loss": result.loss})
        return loss

    def _chunk_by_chunk(self) -> float:
        """Train on rows that are not in memory."""
        core = self._net._need_core()
        before = core.copy()

        def report(done: int, mean: float, loss: float) -> None:
            self._progress.batch(done, mean)
            if self._callbacks.wants_batches:
                self._callbacks.on_batch_end(self._net, self._epoch, done, {"loss": loss})

        chunks = Chunks(core, self._data, self._plan.batch_size, self._plan.shuffle, self._outputs)
        options = {
            "loss": self._loss._core,
            "optimizer": self._optimizer._core,
            "num_threads": self._plan.num_threads,
            "input_sparsity": self._plan.input_sparsity,
            "class_weight": self._data.class_weight,
        }
        try:
            return chunks.run(self._callbacks.wants_batches, options, self._rates, report)
        except DivergenceError:
            # The core takes back one chunk, which it knows nothing beyond.
            self._net._core = before
            raise

    def _piece(self, first_batch: int, batches: int) -> Any:
        assert not isinstance(self._data.x, LazyRows)
        return self._net._need_core().run_epoch(
            self._data.x,
            self._data.y,
            self._loss._core,
            self._optimizer._core,
            batch_size=self._plan.batch_size,
            shuffle=self._plan.shuffle,
            num_threads=self._plan.num_threads,
            input_sparsity=self._plan.input_sparsity,
            learning_rates=self._rates,
            sample_weight=self._data.sample_weight,
            class_weight=self._data.class_weight,
            first_batch=first_batch,
            batches=batches,
            outputs=self._outputs,
            poll=self._progress.batch if batches < 0 else None,
        )


def _validate(net: Trainable, validation: Examples, plan: FitPlan) -> dict[str, Any]:
    assert net.loss is not None
    metrics = metrics_for(net.loss, net.outputs, net.metrics, validation.y)
    result = evaluate(
        net, validation, net.loss, metrics, INFERENCE_ROWS, plan.num_threads, plan.input_sparsity
    )
    return {f"val_{name}": value for name, value in result.items()}


def _observe_plateau(net: Trainable, logs: dict[str, Any]) -> None:
    schedule = None if net.optimizer is None else net.optimizer.schedule
    if isinstance(schedule, ReduceOnPlateau):
        schedule.observe(logs)
