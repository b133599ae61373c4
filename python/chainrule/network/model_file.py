# SPDX-License-Identifier: Apache-2.0
"""Model files: what Python keeps in them beside what the compiled core writes and reads.

The core knows the format, which docs/model-format.md specifies. Metrics and the history are
Python's, and go through it as JSON text.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

from chainrule import _core, metrics
from chainrule.errors import ModelFileError
from chainrule.layers import Layer

if TYPE_CHECKING:
    from chainrule.metrics import Metric
    from chainrule.network.sequential import Sequential
    from chainrule.network.stack import CoreNetwork
    from chainrule.optimizers import Optimizer

__all__ = ["FORMAT_VERSION", "description", "from_bytes", "load", "save", "to_bytes"]

FORMAT_VERSION: int = _core.MODEL_FORMAT_VERSION


def save(net: Sequential, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, the old file or the new one at any instant."""
    _core.save_model(os.fsencode(path), net._built_core(), _training_state(net))


def load(path: str | os.PathLike[str]) -> Sequential:
    """Read a network that `Sequential.save` or a C++ program has written.

    Parameters
    ----------
    path : path-like
        The model file.

    Returns
    -------
    Sequential
        With parameters, optimizer state and history; training goes on where it stopped, to the
        same bits.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, altered, of a newer version or not a model file.
    """
    core, state = _core.load_model(os.fsencode(path))
    try:
        return _restored(core, state)
    except ModelFileError as error:
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error


def to_bytes(net: Sequential) -> bytes:
    """Return the content of a model file."""
    return _core.model_bytes(net._built_core(), _training_state(net))


def from_bytes(content: bytes) -> Sequential:
    """Return the network that `to_bytes` has written; ModelFileError for anything else."""
    return _restored(*_core.read_model(content))


def description(content: bytes) -> dict[str, Any]:
    """Return a file's description: format version, network and state of the training.

    Parameters
    ----------
    content : bytes
        A whole model file.

    Returns
    -------
    dict
        As in the file.

    Raises
    ------
    ModelFileError
        If the content is truncated, altered, of a newer version or not a model file.
    """
    found: dict[str, Any] = _parsed(_core.read_model_description(content))
    return found


def _parsed(text: str) -> Any:
    """Return what a JSON text says; ModelFileError for what Python cannot read."""
    try:
        return json.loads(text)
    except (RecursionError, ValueError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error


def _training_state(net: Sequential) -> _core.TrainingState:
    from chainrule.schedules import FunctionSchedule, ReduceOnPlateau

    state = _core.TrainingState()
    state.loss = None if net.loss is None else net.loss._core
    state.schedule_origin = net._schedule_origin
    if net.optimizer is not None:
        state.optimizer = net.optimizer._core
        schedule = net.optimizer.schedule
        if schedule is not None and not isinstance(schedule, FunctionSchedule):
            state.schedule = schedule._core
        if isinstance(schedule, ReduceOnPlateau):
            state.plateau = schedule._plateau
            state.monitor, state.mode = schedule.monitor, schedule.mode
    record: dict[str, Any] = {
        "metrics": None if net.metrics is None else _named(net.metrics),
        "history": net.history.to_dict(),
    }
    if net.target_name is not None:
        record["target_name"] = _text_or_none(net.target_name)
    callbacks = net._callback_states.states()
    if callbacks:
        record["callbacks"] = callbacks
    state.rest = json.dumps(_finite(record), allow_nan=False)
    return state


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


def _restored(core: CoreNetwork, state: _core.TrainingState) -> Sequential:
    """Return the network around a core that was read."""
    from chainrule import losses
    from chainrule.callbacks.saved_states import check_saved
    from chainrule.callbacks.states import CallbackStates
    from chainrule.network.history import History
    from chainrule.network.measuring import resolve_metrics
    from chainrule.network.sequential import Sequential

    record = _parsed(state.rest)
    try:
        layers = [Layer.from_config(config) for config in core.layers]
        dtype = "float32" if isinstance(core, _core.Network32) else "float64"
        net = Sequential(layers, seed=core.seed, dtype=dtype)
        net._core = core
        net.loss = None if state.loss is None else losses.get(state.loss.config)
        net.optimizer = _optimizer(state)
        net._schedule_origin = state.schedule_origin
        net._schedule = None if net.optimizer is None else net.optimizer.schedule
        if record.get("metrics") is not None:
            net.metrics = resolve_metrics(record["metrics"])
        if "history" in record:
            net.history = History.from_dict(record["history"])
        net.target_name = _text_or_none(record.get("target_name"))
        if "callbacks" in record:
            check_saved(record["callbacks"], net)
            net._callback_states = CallbackStates(record["callbacks"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelFileError(f"the description does not fit: {error}") from error
    return net


def _text_or_none(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"target_name is {value!r:.40}, expected text")
    return value


def _optimizer(state: _core.TrainingState) -> Optimizer | None:
    from chainrule.optimizers import Optimizer
    from chainrule.schedules import ReduceOnPlateau, Schedule

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
