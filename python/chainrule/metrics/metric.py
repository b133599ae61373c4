# SPDX-License-Identifier: Apache-2.0
"""The description of a metric, and its look-up by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.classification import accuracy, confusion_matrix
from chainrule.metrics.precision_recall import f1, precision, recall
from chainrule.metrics.ranking import auc, top_k
from chainrule.metrics.regression import mae, mse, r2
from chainrule.names import known_name, unknown_name


@dataclass(frozen=True)
class Metric:
    """A function that scores predictions, under the name it has in logs and histories.

    Parameters
    ----------
    name : str
        Key in `History` and in the result of ``evaluate``.
    function : callable
        ``function(y_true, y_pred, **options)`` returning a number or an array; it also gets
        ``sample_weight=`` when weights are given.
    greater_is_better : bool, default True
        Direction in which callbacks with ``mode="auto"`` look for improvement.
    options : mapping, optional
        Further keyword arguments for `function`.

    Examples
    --------
    >>> from chainrule.metrics import Metric, f1
    >>> macro = Metric("f1_macro", f1, options={"average": "macro"})
    >>> macro([0, 1, 1], [0, 1, 0])
    0.6666666666666666
    """

    name: str
    function: Callable[..., Any]
    greater_is_better: bool = True
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float | NDArray[Any]:
        """Return the metric of `y_pred` against `y_true`, a float or an array."""
        weight = {} if sample_weight is None else {"sample_weight": sample_weight}
        result = np.asarray(self.function(y_true, y_pred, **weight, **self.options))
        return float(result) if result.ndim == 0 else result

    def as_multilabel(self) -> Metric:
        """Return the metric for independent 0/1 targets, itself where that makes no difference."""
        if "multilabel" not in inspect.signature(self.function).parameters:
            return self
        return replace(self, options={**self.options, "multilabel": True})


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy),
        Metric("top_k", top_k),
        Metric("auc", auc),
        Metric("precision", precision),
        Metric("recall", recall),
        Metric("f1", f1),
        Metric("confusion_matrix", confusion_matrix),
        Metric("mse", mse, greater_is_better=False),
        Metric("mae", mae, greater_is_better=False),
        Metric("r2", r2),
    )
}


def get(metric: str | Callable[..., Any] | Metric) -> Metric:
    """Return the metric that a name, a function or a `Metric` stands for.

    Parameters
    ----------
    metric : str, callable or Metric
        A name, where ``"top_3"`` is `top_k` with ``k=3`` for any 3; a function
        ``f(y_true, y_pred)``, named by its ``__name__`` and taken as better when greater; or a
        `Metric`, returned as it is.

    Returns
    -------
    Metric

    Raises
    ------
    ValueError
        If the name is unknown, or the function has none.
    TypeError
        If `metric` is none of these.

    Examples
    --------
    >>> from chainrule import metrics
    >>> metrics.get("mse")([1.0, 2.0], [1.0, 4.0])
    2.0
    >>> metrics.get("top_3").options
    {'k': 3}
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        metric = known_name("metric", metric, METRICS)
        if metric in METRICS:
            return METRICS[metric]
        if re.fullmatch(r"top_[1-9][0-9]*", metric):
            return Metric(metric, top_k, options={"k": int(metric[4:])})
        raise ValueError(unknown_name("metric", metric, METRICS))
    if not callable(metric):
        raise TypeError(f"metric must be a name, a function or a Metric, got {metric!r}")
    for known in METRICS.values():
        if metric is known.function:
            return known
    name = getattr(metric, "__name__", None)
    if name is None:
        raise ValueError(f"{metric!r} has no __name__; pass Metric(name, function)")
    return Metric(name, metric)
