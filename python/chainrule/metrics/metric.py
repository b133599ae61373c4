# SPDX-License-Identifier: Apache-2.0
"""The description of a metric, and its look-up by name."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.metrics.classification import accuracy, confusion_matrix
from chainrule.metrics.precision_recall import f1, precision, recall
from chainrule.metrics.probability import brier, log_loss
from chainrule.metrics.quantiles import coverage, pinball
from chainrule.metrics.ranking import auc, top_k
from chainrule.metrics.regression import mae, mape, mse, r2, rmse
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

    def __post_init__(self) -> None:
        """Raise TypeError or ValueError for what can have no name in a history or no values."""
        if not isinstance(self.name, str):
            raise TypeError(f"Metric: name must be text, got {self.name!r:.80}")
        if not self.name:
            raise ValueError("Metric: name must not be empty")
        if not callable(self.function):
            raise TypeError(f"Metric: function must be callable, got {self.function!r:.80}")

    def __call__(
        self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float | NDArray[Any]:
        """Return the metric of `y_pred` against `y_true`, a float or an array.

        Raises
        ------
        TypeError
            If there are weights and the function takes none, or it does not return numbers.
        """
        weight = {}
        if sample_weight is not None:
            if not self._takes("sample_weight"):
                raise TypeError(
                    f"metric {self.name!r} takes no sample_weight, and the rows have weights; give "
                    "its function that parameter"
                )
            weight = {"sample_weight": sample_weight}
        returned = self.function(y_true, y_pred, **weight, **self.options)
        result = np.asarray(returned)
        if result.dtype.kind not in "biuf":
            raise TypeError(
                f"metric {self.name!r} must return a number or an array of numbers, got "
                f"{returned!r:.80}"
            )
        return float(result) if result.ndim == 0 else result

    def as_multilabel(self) -> Metric:
        """Return the metric for independent 0/1 targets, itself where that makes no difference."""
        if "multilabel" not in _parameters(self.function):
            return self
        return replace(self, options={**self.options, "multilabel": True})

    def with_quantiles(self, quantiles: Sequence[float]) -> Metric:
        """Return the metric for outputs of these quantiles, itself where it knows none."""
        if "quantiles" not in _parameters(self.function) or "quantiles" in self.options:
            return self
        return replace(self, options={**self.options, "quantiles": tuple(quantiles)})

    def _takes(self, name: str) -> bool:
        """Whether the function may be called with this keyword, as far as it can be known."""
        parameters = _parameters(self.function)
        return not parameters or any(
            parameter.kind is parameter.VAR_KEYWORD
            or (parameter.name == name and parameter.kind is not parameter.POSITIONAL_ONLY)
            for parameter in parameters.values()
        )


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return a function's parameters; none where it does not tell."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy),
        Metric("top_k", top_k),
        Metric("auc", auc),
        Metric("log_loss", log_loss, greater_is_better=False),
        Metric("brier", brier, greater_is_better=False),
        Metric("precision", precision),
        Metric("recall", recall),
        Metric("f1", f1),
        Metric("confusion_matrix", confusion_matrix),
        Metric("mse", mse, greater_is_better=False),
        Metric("mae", mae, greater_is_better=False),
        Metric("rmse", rmse, greater_is_better=False),
        Metric("mape", mape, greater_is_better=False),
        Metric("r2", r2),
        Metric("pinball", pinball, greater_is_better=False),
        Metric("coverage", coverage),
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
    if isinstance(metric, type):
        raise TypeError(
            f"a metric must be a name, a function or a Metric, got the class {metric.__name__}"
        )
    if not callable(metric):
        raise TypeError(f"a metric must be a name, a function or a Metric, got {metric!r:.80}")
    for known in METRICS.values():
        if metric is known.function:
            return known
    name = getattr(metric, "__name__", None)
    if not isinstance(name, str):
        raise ValueError(f"{metric!r:.80} has no __name__; pass Metric(name, function)")
    return Metric(name, metric)
