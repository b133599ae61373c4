# SPDX-License-Identifier: Apache-2.0
"""What would fail after the first epoch is tried on a few rows before it, and changes nothing.

Metrics score the predictions of the network as it is, and callbacks get such an epoch's logs.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.compressed_rows import as_table
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import Several, core_rows
from chainrule.layers import Normalization
from chainrule.metrics import (
    Metric,
    UndefinedMetricError,
    accuracy,
    confusion_matrix,
    f1,
    precision,
    recall,
)
from chainrule.names import unknown_name
from chainrule.network.lazy_training import predict_lazily
from chainrule.network.measuring import metrics_for
from chainrule.network.output_losses import OutputLosses
from chainrule.schedules import ReduceOnPlateau

if TYPE_CHECKING:
    from chainrule.callbacks import CallbackList
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import AnyOptimizer

__all__ = ["try_metrics", "try_out"]

_ROWS = 32
_DECIDING = (accuracy, precision, recall, f1, confusion_matrix)


def try_out(
    net: Compiled,
    loss: Any,
    optimizer: AnyOptimizer,
    chosen: Any,
    data: CheckedData,
    validation: CheckedData | None,
    callbacks: CallbackList,
) -> None:
    """Raise what metrics, the schedule's monitor or callbacks would raise after an epoch.

    Parameters
    ----------
    net : Compiled
        A network that is built; it does not change.
    loss, optimizer
        What it is to be trained with.
    chosen : list of Metric, optional
        The metrics that the caller asks for.
    data, validation : CheckedData
        What it is to be trained and validated on.
    callbacks : CallbackList
        Those of the training.
    """
    inputs = data.x.parts if isinstance(data.x, Several) else [data.x]
    sparse = not all(isinstance(rows, np.ndarray | LazyRows) for rows in inputs)
    if sparse and net._unadapted():
        if not any(isinstance(layer, Normalization) for layer in net.layers):
            raise ValueError(
                "x is sparse, and PiecewiseLinearEmbedding cannot adapt to it: pass x.toarray()"
            )
        raise ValueError(
            "x is sparse and cannot be normalized: Normalization shifts every column by its mean, "
            "which would fill x with numbers; use Rescaling, or pass x.toarray()"
        )
    done = net._built_core().epochs
    if net.history.epochs and net.history.epochs[-1] > done:
        raise ValueError(
            f"history has epoch {net.history.epochs[-1]}, which is the next or later: the network "
            f"has trained {done}; call history.forget_after({done}) or set a new History()"
        )
    logs: dict[str, Any] = {"loss": 1.0}
    logs.update(try_metrics(net, loss, chosen, data))
    if optimizer.schedule is not None:
        logs["learning_rate"] = optimizer.learning_rate
    if validation is not None:
        tried = {"loss": 1.0, **try_metrics(net, loss, chosen, validation)}
        logs.update({f"val_{name}": value for name, value in tried.items()})
    schedule = optimizer.schedule
    if isinstance(schedule, ReduceOnPlateau):
        if schedule.monitor not in logs:
            raise ValueError(unknown_name("monitor of ReduceOnPlateau", schedule.monitor, logs))
        if np.ndim(logs[schedule.monitor]) != 0:
            raise ValueError(
                f"monitor of ReduceOnPlateau, {schedule.monitor!r}, is no single number"
            )
    callbacks.check(logs)


def try_metrics(net: Compiled, loss: Any, chosen: Any, data: CheckedData) -> dict[str, Any]:
    """Return the metrics of a few rows; NaN for what these leave undefined."""
    measured = metrics_for(loss, net.outputs, chosen, data.y)
    if isinstance(loss, OutputLosses):
        return _try_several(net, loss, measured, data)
    if not measured:
        return {}
    for metric in measured:
        _check_decides(net, loss, metric)
    few = data.first(_ROWS)
    tried = _predicted(net, loss, few)
    return {metric.name: _tried(metric, net, loss, data, few, tried) for metric in measured}


def _try_several(
    net: Compiled, loss: OutputLosses, measured: list[list[Metric]], data: CheckedData
) -> dict[str, Any]:
    """Return the same of several outputs, with their losses."""
    logs: dict[str, Any] = {f"{name}_loss": 1.0 for name in loss.names}
    few = data.first(_ROWS)
    outputs = _raw(net, few)
    for index, metrics in enumerate(measured):
        one = loss.losses[index]
        own = few.output(index).by_position()
        targets = as_table(own.y)
        predictions = one.link(loss.part(outputs, index).reshape(len(targets), -1))
        for metric in metrics:
            name = f"{loss.names[index]}_{metric.name}"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    logs[name] = metric(targets, predictions, own.sample_weight)
                except UndefinedMetricError:
                    logs[name] = math.nan
    return logs


def _tried(
    metric: Metric,
    net: Compiled,
    loss: Loss,
    data: CheckedData,
    few: CheckedData,
    tried: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
) -> Any:
    # Of a few rows of an untrained network a function may well warn, and all rows decide.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return metric(*tried)
        except UndefinedMetricError:
            return math.nan
        except Exception:
            if _is_ours(metric) or data.row_count == len(few.x):
                raise
            # A function of the caller's may need more rows, for example one of each class.
            return metric(*_predicted(net, loss, data.taken()))


def _is_ours(metric: Metric) -> bool:
    return str(getattr(metric.function, "__module__", "")).startswith("chainrule.metrics.")


def _predicted(
    net: Compiled, loss: Loss, data: CheckedData
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    """Return targets, predictions, which are zeros where these are not finite, and weights."""
    outputs = _raw(net, data)
    data = data.by_position()
    targets = as_table(data.y)
    return targets, loss.link(outputs.reshape(len(targets), -1)), data.sample_weight


def _raw(net: Compiled, data: CheckedData) -> NDArray[Any]:
    """Return outputs of all rows, which are zeros where these are not finite."""
    outputs = np.empty((len(data.x), net.outputs), net.dtype)
    core = net._built_core()
    if isinstance(data.x, LazyRows):
        predict_lazily(core, data.x, outputs, 256, 0, "auto")
    else:
        core.predict(core_rows(data.x), 256, 0, "auto", outputs)
    return outputs if np.isfinite(outputs).all() else np.zeros_like(outputs)


def _check_decides(net: Compiled, loss: Loss, metric: Metric) -> None:
    """Raise ValueError where a metric is to decide by a single output that is no probability."""
    if metric.function not in _DECIDING or net.outputs > 1:
        return
    if loss._core.link in ("softmax", "sigmoid") or net._ends_with("sigmoid"):
        return
    raise ValueError(
        f"metric {metric.name!r} decides by the probability of a class, and the output that "
        f"{loss.kind} trains is none: end in Dense(1) with binary_cross_entropy or in "
        'Dense(1, activation="sigmoid"), or take a metric of regression such as "mae" or "r2"'
    )
