# SPDX-License-Identifier: Apache-2.0
"""Metrics: functions ``f(y_true, y_pred, *, sample_weight=None)`` that score predictions.

Predictions are taken as the network gives them after its link. Where classes are to be decided,
class probabilities (n, C) are decided by the largest, probabilities of the positive class (n,) or
(n, 1) by being at least 0.5, and integers (n,) are labels already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.metrics.inputs import UndefinedMetricError, UndefinedMetricWarning
from chainrule.names import module_attributes

if TYPE_CHECKING:
    from chainrule.metrics.classification import accuracy, confusion_matrix
    from chainrule.metrics.metric import METRICS, Metric, get
    from chainrule.metrics.precision_recall import f1, precision, recall
    from chainrule.metrics.probability import brier, log_loss
    from chainrule.metrics.quantiles import coverage, pinball
    from chainrule.metrics.ranking import auc, top_k
    from chainrule.metrics.regression import mae, mape, mse, r2, rmse

__all__ = [
    "METRICS",
    "Metric",
    "UndefinedMetricError",
    "UndefinedMetricWarning",
    "accuracy",
    "auc",
    "brier",
    "confusion_matrix",
    "coverage",
    "f1",
    "get",
    "log_loss",
    "mae",
    "mape",
    "mse",
    "pinball",
    "precision",
    "r2",
    "recall",
    "rmse",
    "top_k",
]

# The core measures what most trainings want, so only the first use pays for them.
_LAZY = {
    "METRICS": "chainrule.metrics.metric",
    "Metric": "chainrule.metrics.metric",
    "accuracy": "chainrule.metrics.classification",
    "auc": "chainrule.metrics.ranking",
    "brier": "chainrule.metrics.probability",
    "confusion_matrix": "chainrule.metrics.classification",
    "coverage": "chainrule.metrics.quantiles",
    "f1": "chainrule.metrics.precision_recall",
    "get": "chainrule.metrics.metric",
    "log_loss": "chainrule.metrics.probability",
    "mae": "chainrule.metrics.regression",
    "mape": "chainrule.metrics.regression",
    "mse": "chainrule.metrics.regression",
    "pinball": "chainrule.metrics.quantiles",
    "precision": "chainrule.metrics.precision_recall",
    "r2": "chainrule.metrics.regression",
    "recall": "chainrule.metrics.precision_recall",
    "rmse": "chainrule.metrics.regression",
    "top_k": "chainrule.metrics.ranking",
}

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__, _LAZY)
