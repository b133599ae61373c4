# SPDX-License-Identifier: Apache-2.0
"""Which metrics are measured, and their values and the loss on examples."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule import metrics as metrics_module
from chainrule.inputs.compressed_rows import Rows, as_table, stored
from chainrule.inputs.lazy_rows import LazyRows
from chainrule.inputs.several import Several, core_rows
from chainrule.losses import Quantile
from chainrule.metrics.inputs import UndefinedMetricError, UndefinedMetricWarning
from chainrule.names import unknown_name
from chainrule.network.lazy_training import evaluate_lazily
from chainrule.network.output_losses import OutputLosses, loss_weights_of

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.metrics import Metric
    from chainrule.network.compiled import Compiled

__all__ = ["INFERENCE_ROWS", "Undefined", "evaluate", "measure", "measure_predictions"]
__all__ += ["metrics_for", "resolve_metrics"]

INFERENCE_ROWS = 256
_DEFAULT_METRICS = {"cross_entropy": ["accuracy"], "binary_cross_entropy": ["accuracy"]}
# What the record of an epoch, or the table that a callback writes, has under these names itself.
_RESERVED = ("loss", "learning_rate", "epoch")


class Undefined:
    """Warns once of each value that the data leave undefined, which becomes NaN."""

    def __init__(self) -> None:
        self._warned: set[str] = set()

    def value(self, name: str, reason: object) -> float:
        """Return NaN, and warn unless that has been done for this name."""
        if name not in self._warned:
            self._warned.add(name)
            warnings.warn(f"{name} is NaN: {reason}", UndefinedMetricWarning, stacklevel=2)
        return math.nan


def resolve_metrics(given: Any, loss: Any = None) -> Any:
    """Return the metrics, of several outputs a list for each; a single name is a list of one.

    Raises
    ------
    ValueError
        If two have the same name, or one has that of something else in the history.
    TypeError
        If one of them is no metric, or they are no list.
    """
    if isinstance(loss, OutputLosses):
        by_output = isinstance(given, list) and all(isinstance(each, list) for each in given)
        if by_output and len(given) == len(loss.names):
            return [_resolved(each) for each in given]
        if not isinstance(given, Mapping):
            return [_resolved(given) for _ in loss.names]
        for name in given:
            if name not in loss.names:
                raise ValueError(f"metrics: {unknown_name('output', name, loss.names)}")
        return [_resolved(given.get(name, [])) for name in loss.names]
    return _resolved(given)


def _resolved(given: Iterable[str | Metric | Callable[..., Any]]) -> list[Metric]:
    if isinstance(given, str):
        given = [given]
    if isinstance(given, metrics_module.Metric) or not isinstance(given, Iterable):
        raise TypeError(f"metrics must be a list, got {given!r:.80}")
    chosen = [metrics_module.get(metric) for metric in given]
    indices: dict[str, int] = {}
    for place, metric in enumerate(chosen):
        name = metric.name
        if name in _RESERVED or name.startswith("val_"):
            raise ValueError(
                f"metrics[{place}] is called {name!r}, as something else in the history is; give "
                f"it another name by Metric(name, function)"
            )
        if name in indices:
            raise ValueError(
                f"metrics[{indices[name]}] and metrics[{place}] are both called {name!r}; give "
                "each a name of its own by Metric(name, function)"
            )
        indices[name] = place
    return chosen


def metrics_for(loss: Any, outputs: int, chosen: Any, targets: Rows | Several) -> Any:
    """Return the metrics to report: the chosen ones, or those customary for loss and targets.

    Of several outputs a list for each, or an empty list where none has any.
    """
    if isinstance(loss, OutputLosses):
        assert isinstance(targets, Several)
        chosen = [None] * len(loss.losses) if chosen is None else chosen
        each = [
            metrics_for(one, columns, few, part)
            for one, columns, few, part in zip(
                loss.losses, loss.columns, chosen, targets.parts, strict=True
            )
        ]
        return each if any(each) else []
    assert not isinstance(targets, Several)
    if chosen is None:
        chosen = resolve_metrics(_DEFAULT_METRICS.get(loss.kind, []))
        # Of a probability between 0 and 1 no prediction is right or wrong.
        values = targets if isinstance(targets, np.ndarray) else stored(targets)[0]
        if loss.kind == "binary_cross_entropy" and not np.isin(values, (0, 1)).all():
            chosen = []
    if loss.kind == "binary_cross_entropy" and outputs > 1:
        return [metric.as_multilabel() for metric in chosen]
    if isinstance(loss, Quantile):
        return [metric.with_quantiles(loss.quantiles) for metric in chosen]
    return chosen


def measure(
    metrics: Any,
    loss: Any,
    data: CheckedData,
    value: float,
    outputs: NDArray[Any] | None,
    logs: dict[str, Any],
    undefined: Undefined,
    prefix: str = "",
    losses: Any = None,
) -> None:
    """Add the loss and the metrics of raw outputs to `logs`, one after the other.

    `losses` has the sums of the losses of several outputs.
    """
    name = f"{prefix}loss"
    nothing = data.sample_weight is not None and not data.sample_weight.any()
    logs[name] = undefined.value(name, "all of its rows weigh 0") if nothing else value
    if isinstance(loss, OutputLosses):
        for output, mean in zip(loss.names, losses.means, strict=True):
            name = f"{prefix}{output}_loss"
            logs[name] = math.nan if nothing else mean
        for index, few in enumerate(metrics if outputs is not None else ()):
            assert outputs is not None
            part = loss.part(outputs, index)
            one = data.output(index)
            measured: dict[str, Any] = {}
            own = f"{prefix}{loss.names[index]}_"
            measure(few, loss.losses[index], one, value, part, measured, undefined, own)
            del measured[f"{own}loss"]
            logs.update(measured)
        return
    if outputs is None:
        return
    data = data.by_position()
    targets = as_table(data.y)
    predictions = loss.link(outputs.reshape(len(targets), -1))
    for metric in metrics:
        name = prefix + metric.name
        try:
            logs[name] = metric(targets, predictions, data.sample_weight)
        except UndefinedMetricError as error:
            logs[name] = undefined.value(name, error)


def measure_predictions(
    net: Compiled, loss: Any, data: CheckedData, metrics: Any, told: NDArray[Any]
) -> dict[str, Any]:
    """Return the loss and the metrics of predictions that something else made for a network.

    Those of several outputs stand side by side.
    """
    outputs = _before_links(net, loss, told)
    several = isinstance(loss, OutputLosses)
    losses = loss.losses if several else [loss]
    means = []
    for place, one in enumerate(losses):
        part = (data.output(place) if several else data).by_position()
        targets = as_table(part.y)
        raw = loss.part(outputs, place) if several else outputs
        means.append(one(raw.reshape(len(targets), -1), targets, part.sample_weight))
    value = float(np.dot(loss_weights_of(loss) or [1.0], means))
    logs: dict[str, Any] = {}
    sums = SimpleNamespace(means=means)
    measure(metrics, loss, data, value, outputs, logs, Undefined(), losses=sums)
    return logs


def _before_links(net: Compiled, loss: Any, outputs: NDArray[Any]) -> NDArray[Any]:
    """Return predictions as they are before the links, which a network may have applied itself."""
    several = isinstance(loss, OutputLosses)
    each = loss.losses if several else [loss]
    parts = [loss.part(outputs, i) for i in range(len(each))] if several else [outputs]
    for place, one in enumerate(each):
        if one._core.link != "identity" and net._link_to_apply(place) == "linear":
            parts[place] = one.inverse_link(parts[place])
    return np.hstack(parts)


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
