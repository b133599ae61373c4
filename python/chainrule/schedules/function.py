# SPDX-License-Identifier: Apache-2.0
"""Schedules that ask a Python function for the rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from chainrule.schedules.schedule import Schedule


class FunctionSchedule(Schedule):
    """Base class of `PerEpoch` and `PerStep`.

    A config cannot hold a function: `config` raises, and the config of an optimizer with such a
    schedule has a number in its place.

    Parameters
    ----------
    function : callable
        Gets a count from 0 and returns a rate: finite, 0 or more.

    Raises
    ------
    TypeError
        If `function` cannot be called.

    Examples
    --------
    >>> import chainrule as cr
    >>> isinstance(cr.schedules.PerEpoch(lambda epoch: 0.1), cr.schedules.FunctionSchedule)
    True
    """

    _counts: ClassVar[str]

    def __init__(self, function: Callable[[int], float]) -> None:
        given: object = function
        if not callable(given) or isinstance(given, type):
            raise TypeError(
                f"{type(self).__name__} needs a function of the {self._counts}, got {given!r}"
            )
        self.function = function

    @property
    def config(self) -> dict[str, Any]:
        """Raise TypeError: a config cannot hold a function."""
        raise TypeError(f"{self!r} calls a Python function, which a config cannot hold")

    def _count(self, step: int, steps_per_epoch: int) -> int:
        """Return what the function gets."""
        return step

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of one step; see `Schedule.rate`."""
        if step < 0:
            raise ValueError(f"step must be >= 0, got {step}")
        if steps_per_epoch < 1:
            raise ValueError(f"steps_per_epoch must be >= 1, got {steps_per_epoch}")
        count = self._count(step, steps_per_epoch)
        rate = self.function(count)
        place = f"the learning rate of {self._counts} {count}"
        try:
            number = float(rate)
        except (TypeError, ValueError):
            raise TypeError(f"{place} must be a number, got {rate!r}") from None
        if not math.isfinite(number) or number < 0.0:
            raise ValueError(f"{place} must be finite and >= 0, got {number}")
        return number

    def __repr__(self) -> str:
        """Return the class and the function's name."""
        name = getattr(self.function, "__qualname__", repr(self.function))
        return f"{type(self).__name__}({name})"

    def __eq__(self, other: object) -> bool:
        """Whether the functions are equal."""
        if not isinstance(other, FunctionSchedule):
            return NotImplemented
        return type(self) is type(other) and self.function == other.function

    def __hash__(self) -> int:
        """Hash of the function."""
        return hash((type(self), self.function))


class PerEpoch(FunctionSchedule):
    """function(epoch), counted from 0; it is called once per epoch.

    Examples
    --------
    >>> from chainrule.schedules import PerEpoch
    >>> PerEpoch(lambda epoch: 0.1 / (1 + epoch)).rates(0, 4, steps_per_epoch=2)
    array([0.1 , 0.1 , 0.05, 0.05])
    """

    _counts = "epoch"

    def _count(self, step: int, steps_per_epoch: int) -> int:
        return step // steps_per_epoch

    def rates(self, first_step: int, count: int, steps_per_epoch: int) -> NDArray[np.float64]:
        """Return the rates of several steps; see `Schedule.rates`."""
        epochs = (first_step + np.arange(count)) // max(steps_per_epoch, 1)
        _, first, place = np.unique(epochs, return_index=True, return_inverse=True)
        rates = [self.rate(first_step + int(i), steps_per_epoch) for i in first]
        return np.array(rates, np.float64)[place]


class PerStep(FunctionSchedule):
    """function(step), counted from 0 over all epochs.

    Examples
    --------
    >>> from chainrule.schedules import PerStep
    >>> PerStep(lambda step: 0.1 * min(1.0, (step + 1) / 4)).rate(1, steps_per_epoch=100)
    0.05
    """

    _counts = "step"
