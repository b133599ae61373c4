# SPDX-License-Identifier: Apache-2.0
"""Watching one metric for improvement."""

from __future__ import annotations

import math

import numpy as np

from chainrule import metrics
from chainrule.callbacks.callback import Logs
from chainrule.names import unknown_name

_RISES = {"auto": None, "min": False, "max": True}
MODES = tuple(_RISES)


class Monitor:
    """Reads one metric from the logs and tells whether it improved."""

    def __init__(self, name: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in MODES:
            raise ValueError(unknown_name("mode", mode, MODES))
        if not min_delta >= 0:
            raise ValueError(f"min_delta must not be negative, got {min_delta}")
        self.name = name
        self.min_delta = min_delta
        rises = _RISES[mode]
        self.greater_is_better = _greater_is_better(name) if rises is None else rises

    def read(self, logs: Logs) -> float:
        """Return the metric's value, or raise naming what the logs have."""
        if self.name not in logs:
            raise ValueError(unknown_name("monitor", self.name, logs))
        value = logs[self.name]
        if np.ndim(value) != 0:
            shape = np.shape(value)
            raise ValueError(
                f"monitor {self.name!r} must be a number, got an array of shape {shape}"
            )
        return float(value)

    def improves(self, value: float, best: float | None) -> bool:
        """Return whether `value` is better than `best`, where None stands for no value yet."""
        if best is None:
            return not math.isnan(value)
        gain = value - best if self.greater_is_better else best - value
        return gain > self.min_delta


def _greater_is_better(monitor: str) -> bool:
    name = monitor.removeprefix("val_")
    while True:
        if name == "loss":
            return False
        try:
            return metrics.get(name).greater_is_better
        except ValueError:
            pass
        _, separator, name = name.partition("_")  # of one of several outputs: "digit_accuracy"
        if separator:
            continue
        raise ValueError(
            f"mode='auto' cannot tell whether {monitor!r} is to fall or to rise; "
            f"pass mode='min' or mode='max' (known: loss, {', '.join(metrics.METRICS)})"
        ) from None
