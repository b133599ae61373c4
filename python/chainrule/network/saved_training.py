# SPDX-License-Identifier: Apache-2.0
"""What model files keep of a training: to the core's form, and back to a network.

Metrics, the history and what callbacks remember are Python's, and go through the core as JSON text.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from chainrule import _core, losses, metrics
from chainrule.callbacks.saved_states import check_saved
from chainrule.callbacks.states import CallbackStates
from chainrule.errors import ModelFileError
from chainrule.network.epoch_under_way import EpochUnderWay
from chainrule.network.history import History
from chainrule.network.measuring import resolve_metrics
from chainrule.network.output_losses import OutputLosses, function_names
from chainrule.optimizers import FullBatchOptimizer, Optimizer
from chainrule.schedules import FunctionSchedule, ReduceOnPlateau, Schedule

if TYPE_CHECKING:
    from chainrule.metrics import Metric
    from chainrule.network.compiled import Compiled

__all__ = ["model_bytes", "parsed", "restore_training", "training_state"]


def model_bytes(net: Compiled) -> bytes:
    """Return the content of a model file."""
    return _core.model_bytes(net._built_core(), training_state(net))


def training_state(net: Compiled) -> _core.TrainingState:
    """Return what a file keeps of the training beside parameters and the optimizer's memory."""
    import json  # here, since it would make `import chainrule` slower

    state = _core.TrainingState()
    several = isinstance(net.loss, OutputLosses)
    functions = function_names(net.loss)
    state.loss = None if net.loss is None or several or functions else net.loss._core
    state.schedule_origin = net._schedule_origin
    if isinstance(net.optimizer, Optimizer):
        state.optimizer = net.optimizer._core
        schedule = net.optimizer.schedule
        if schedule is not None and not isinstance(schedule, FunctionSchedule):
            state.schedule = schedule._core
        if isinstance(schedule, ReduceOnPlateau):
            state.plateau = schedule._plateau
            state.monitor, state.mode = schedule.monitor, schedule.mode
    record: dict[str, Any] = {
        "metrics": None if net.metrics is None or several else _named(net.metrics),
        "history": net.history.to_dict(),
    }
    if functions or net._lost_loss is not None:
        record["loss_function"] = ", ".join(functions) or net._lost_loss
    if several:
        if not functions:
            record["output_losses"] = net.loss.config
        if net.metrics is not None:
            record["output_metrics"] = [_named(each) for each in net.metrics]
    if isinstance(net.optimizer, FullBatchOptimizer):
        record["full_batch_optimizer"] = net.optimizer.config
    if net.target_name is not None:
        record["target_name"] = _text_or_none("target_name", net.target_name)
    if net.table is not None:
        record["table"] = net.table
    if net._under_way is not None and net._under_way.total_steps == net._built_core().total_steps:
        record["epoch_under_way"] = net._under_way.record
    callbacks = net._callback_states.states()
    if callbacks:
        record["callbacks"] = callbacks
    state.rest = json.dumps(_finite(record), allow_nan=False)
    return state


def restore_training(net: Compiled, state: _core.TrainingState) -> None:
    """Give a network that was read what the file says of its training.

    Raises
    ------
    ModelFileError
        If the state does not fit the network or itself.
    """
    record = parsed(state.rest)
    try:
        net.loss = None if state.loss is None else losses.get(state.loss.config)
        if "output_losses" in record:
            several = record["output_losses"]
            net.loss = net._chosen_loss(several["losses"], several["weights"])
        net._lost_loss = _text_or_none("loss_function", record.get("loss_function"))
        net.optimizer = _optimizer(state)
        if "full_batch_optimizer" in record:
            net.optimizer = FullBatchOptimizer.from_config(record["full_batch_optimizer"])
        net._schedule_origin = state.schedule_origin
        if net.optimizer is not None:
            net._schedules = net.optimizer.schedule, net.optimizer.weight_decay_schedule
        if record.get("metrics") is not None:
            net.metrics = resolve_metrics(record["metrics"])
        if "output_metrics" in record:
            net.metrics = resolve_metrics(record["output_metrics"], net.loss)
        if "history" in record:
            net.history = History.from_dict(record["history"])
        net.target_name = _text_or_none("target_name", record.get("target_name"))
        net.table = _object_or_none("table", record.get("table"))
        if "epoch_under_way" in record:
            net._under_way = EpochUnderWay.of_record(record["epoch_under_way"])
        if "callbacks" in record:
            check_saved(record["callbacks"], [p.shape for p in net._built_core().parameters])
            net._callback_states = CallbackStates(record["callbacks"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error


def parsed(text: str) -> Any:
    """Return what a JSON text says; ModelFileError for what Python cannot read."""
    import json  # here, since it would make `import chainrule` slower

    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error


def _finite(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _named(chosen: list[Metric]) -> list[str]:
    """Return the names of the metrics that their names stand for: a file cannot hold functions."""
    return [metric.name for metric in chosen if _metric(metric.name) == metric]


def _metric(name: str) -> Metric | None:
    try:
        return metrics.get(name)
    except ValueError:
        return None


def _text_or_none(name: str, value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name} is {value!r:.40}, expected text")
    return value


def _object_or_none(name: str, value: object) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} is {value!r:.40}, expected an object")
    return value


def _optimizer(state: _core.TrainingState) -> Optimizer | None:
    if state.optimizer is None:
        return None
    config = dict(state.optimizer.config)
    if state.schedule is not None:
        schedule_config = state.schedule.config
        if state.plateau is not None:
            schedule_config.update(monitor=state.monitor, mode=state.mode)
        schedule = Schedule.from_config(schedule_config)
        if isinstance(schedule, ReduceOnPlateau) and state.plateau is not None:
            schedule._plateau = state.plateau
        config["learning_rate"] = schedule
    return Optimizer.from_config(config)
