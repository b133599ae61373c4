# SPDX-License-Identifier: Apache-2.0
"""A call of the core's loop of training: what it is asked for, how it begins and ends."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.callbacks import Callback, CallbackList, StopTraining
from chainrule.errors import DivergenceError
from chainrule.network.progress import Progress, make_progress
from chainrule.optimizers import Optimizer

if TYPE_CHECKING:
    from chainrule.callbacks.callback import Network
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled
    from chainrule.network.fit_plan import FitPlan
    from chainrule.network.history import History
    from chainrule.network.observer import Observer


def resolve_callbacks(
    given: Iterable[Callback | Callable[[int, Mapping[str, Any]], object]],
) -> CallbackList:
    """Return the callbacks as one; TypeError unless they are a list of callbacks or functions."""
    if isinstance(given, Callback | str) or not isinstance(given, Iterable):
        raise TypeError(f"callbacks must be a list, got {given!r:.80}")
    return CallbackList(given)


def resolve_augmentations(given: object) -> list[_core.Augmentation]:
    """Return the core's descriptions of augmentations, which few trainings have."""
    if given is None:
        return []
    from chainrule.augment.augmentation import resolve

    return resolve(given)


def single_rate(net: Compiled, optimizer: Optimizer) -> NDArray[np.float64]:
    """Return the learning rate of a step that is an epoch by itself, as an array."""
    schedule = optimizer.schedule
    if schedule is None:
        return np.full(1, optimizer.learning_rate)
    return schedule.rates(net._built_core().total_steps - net._schedule_origin, 1, 1)


def progress(net: Compiled, data: CheckedData, plan: FitPlan) -> Progress:
    """Return what shows the progress of the epochs to come."""
    batches = -(-data.row_count // plan.batch_size)
    return make_progress(plan.verbose, net._built_core().epochs + plan.epochs, batches)


def fit(
    net: Compiled, plan: FitPlan, progress: Progress, begins: Callable[[], Observer]
) -> History:
    """Train for ``plan.epochs`` epochs with the observer that `begins` returns."""
    observer = begins()
    try:
        with progress:
            observer.run()
    except BaseException as error:
        if not end(net, plan, error):
            raise
        if net.history.interrupted:
            warnings.warn("training was interrupted; weights and history are kept", stacklevel=5)
    else:
        end(net, plan)
    return net.history


def begin(
    net: Compiled,
    data: CheckedData,
    validation: CheckedData | None,
    plan: FitPlan,
    progress: Progress,
    observer_of: Callable[..., Observer],
) -> Observer:
    """Return what the core's loop asks and tells; `end` follows."""
    net.history.interrupted = False
    net.history.end = None
    return observer_of(net, data, validation, plan, progress)


def end(net: Compiled, plan: FitPlan, error: BaseException | None = None) -> bool:
    """Take over how the core's loop has ended; whether an error is an ordinary end of it."""
    try:
        if isinstance(error, DivergenceError):
            net.history.forget_after(net._built_core().epochs)
        net.history.interrupted = isinstance(error, KeyboardInterrupt)
    finally:
        plan.callbacks.on_train_end(cast("Network", net))  # callbacks get the whole of it
        net._callback_states.end()
    return isinstance(error, StopTraining | KeyboardInterrupt)
