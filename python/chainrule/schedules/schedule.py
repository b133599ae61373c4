# SPDX-License-Identifier: Apache-2.0
"""What schedules have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.spec import Spec


class Schedule(Spec):
    """Base class of schedules.

    Examples
    --------
    >>> from chainrule import schedules
    >>> schedule = schedules.Step(0.1, gamma=0.5, period=2)
    >>> schedule.rates(0, 5, steps_per_epoch=1)
    array([0.1  , 0.1  , 0.05 , 0.05 , 0.025])
    """

    _core_type = _core.Schedule

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the learning rate of one step.

        Parameters
        ----------
        step : int
            Counted from 0 over all epochs.
        steps_per_epoch : int
            Number of batches of an epoch.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If `step` is negative or `steps_per_epoch` below 1, or they are no integers of 64 bits.
        """
        try:
            return float(self._core.rate(step, steps_per_epoch))
        except TypeError:
            given = f"step={step!r:.40} and steps_per_epoch={steps_per_epoch!r:.40}"
            raise TypeError(f"a schedule needs integers of 64 bits, got {given}") from None

    def rates(self, first_step: int, count: int, steps_per_epoch: int) -> NDArray[np.float64]:
        """Return the learning rates of `count` steps from `first_step` on.

        Parameters
        ----------
        first_step, steps_per_epoch : int
            As for `rate`.
        count : int
            Number of steps.

        Returns
        -------
        ndarray of float64, shape (count,)

        Raises
        ------
        TypeError, ValueError
            As `rate`.
        """
        steps = range(first_step, first_step + count)
        return np.array([self.rate(step, steps_per_epoch) for step in steps], dtype=np.float64)
