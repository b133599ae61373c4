# SPDX-License-Identifier: Apache-2.0
"""Watching one metric for improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from chainrule import metrics
from chainrule.callbacks.callback import Logs
from chainrule.names import unknown_name

_RISES = {"auto": None, "min": False, "max": True}
MODES = tuple(_RISES)


class Monitor:
    """Reads one metric, or the mean of several, from the logs and tells whether it improved."""

    def __init__(self, names: str | Sequence[str], mode: str, min_delta: float = 0.0) -> None:
        given: object = [names] if isinstance(names, str) else names
        if not isinstance(given, Sequence) or not all(isinstance(name, str) for name in given):
            raise TypeError(f"monitor must be a name or a list of names, got {names!r:.80}")
        self._names = list(given)
        if not self._names:
            raise ValueError("monitor names nothing")
        if mode not in MODES:
            raise ValueError(unknown_name("mode", mode, MODES))
        check_not_negative("min_delta", min_delta)
        self.name = ", ".join(self._names)
        self.min_delta = min_delta
        rises = _RISES[mode]
        if rises is None:
            each = {name: _greater_is_better(name) for name in self._names}
            rises = each[self._names[0]]
            if set(each.values()) != {rises}:
                raise ValueError(f"monitor {self.name}: some are to rise, others to fall")
        self.greater_is_better = rises

    def read(self, logs: Logs) -> float:
        """Return the metric's value, or raise naming what the logs have."""
        return sum(_number(name, logs) for name in self._names) / len(self._names)

    def improves(self, value: float, best: float | None) -> bool:
        """Return whether `value` is better than `best`, where None stands for no value yet."""
        if best is None:
            return not math.isnan(value)
        gain = value - best if self.greater_is_better else best - value
        return gain > self.min_delta


def check_not_negative(name: str, value: float) -> None:
    """Raise TypeError or ValueError unless `value` is a number >= 0; it may be infinite."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number, got {value!r:.80}")
    if not value >= 0:
        raise ValueError(f"{name} must not be negative, got {value}")


def _number(name: str, logs: Logs) -> float:
    if name not in logs:
        raise ValueError(unknown_name("monitor", name, logs))
    value = logs[name]
    if np.ndim(value) != 0:
        shape = np.shape(value)
        raise ValueError(f"monitor {name!r} must be a number, got an array of shape {shape}")
    return float(value)


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
