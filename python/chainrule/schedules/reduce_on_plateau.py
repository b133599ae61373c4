# SPDX-License-Identifier: Apache-2.0
"""The schedule that lowers the rate when training no longer improves."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from chainrule import _core
from chainrule.names import unknown_name
from chainrule.schedules.schedule import Schedule

if TYPE_CHECKING:
    from dataclasses import KW_ONLY

_STATE = ("rate", "best", "bad_epochs", "cooldown_left")


class ReduceOnPlateau(Schedule):
    """Multiply the rate by `gamma` when a value has not improved for more than `patience` epochs.

    It is PyTorch's ReduceLROnPlateau with ``threshold_mode="rel"``. The schedule remembers what it
    has observed, so give each training a schedule of its own.

    Parameters
    ----------
    learning_rate : float
        The first rate, above 0.
    monitor : str, default "val_loss"
        Name of the value in the epoch's logs.
    mode : {"min", "max"}, default "min"
        Whether smaller or greater values are better.
    gamma : float, default 0.1
        Factor, in (0, 1).
    patience : int, default 10
        Epochs without improvement that are borne.
    threshold : float, default 1e-4
        Relative improvement that counts as one, in [0, 1).
    cooldown : int, default 0
        Epochs after a reduction in which bad epochs are not counted.
    minimum : float, default 0.0
        Rate below which it does not go, not above `learning_rate`.

    Examples
    --------
    >>> from chainrule.schedules import ReduceOnPlateau
    >>> schedule = ReduceOnPlateau(0.1, gamma=0.5, patience=1)
    >>> [schedule.observe({"val_loss": value}) for value in (1.0, 0.8, 0.9, 0.8, 0.7)]
    [0.1, 0.1, 0.1, 0.05, 0.05]
    """

    kind = "reduce_on_plateau"
    learning_rate: float
    _: KW_ONLY
    monitor: str = "val_loss"
    mode: str = "min"
    gamma: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    cooldown: int = 0
    minimum: float = 0.0

    def _take(self, config: dict[str, Any], **attributes: object) -> None:
        monitor, mode = config.pop("monitor", "val_loss"), config.pop("mode", "min")
        if not isinstance(monitor, str):
            raise TypeError(f"{self.kind}: monitor must be the name of a value, got {monitor!r}")
        if mode not in ("min", "max"):
            raise ValueError(unknown_name(f"{self.kind} mode", mode, ["min", "max"]))
        super()._take(config, _watched={"monitor": monitor, "mode": mode}, **attributes)
        self._plateau = _core.Plateau(self._core)
        self._plateau.best = math.inf if mode == "min" else -math.inf

    @property
    def config(self) -> dict[str, Any]:
        """The kind and all options as plain data, without what was observed."""
        return {**super().config, **vars(self)["_watched"]}

    def rate(self, step: int, steps_per_epoch: int) -> float:
        """Return the present rate, whatever the step; see `Schedule.rate`."""
        super().rate(step, steps_per_epoch)
        return float(self._plateau.rate)

    def observe(self, logs: Mapping[str, Any]) -> float:
        """Take an epoch's values and return the rate of the next epoch.

        Parameters
        ----------
        logs : mapping of str to float
            The epoch's values by name. NaN counts as no improvement.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If `logs` lacks the monitored value.
        """
        return float(self._plateau.observe(self._core, self._monitored(logs), self.mode == "max"))

    def _monitored(self, logs: Mapping[str, Any]) -> float:
        """Return the monitored value; ValueError if there is none."""
        if self.monitor not in logs:
            raise ValueError(
                f"reduce_on_plateau monitors {self.monitor!r}, which this training does not "
                f"report; it reports: {', '.join(logs) or 'nothing'}"
            )
        return float(logs[self.monitor])

    @property
    def state(self) -> dict[str, float]:
        """What it remembers of the epochs observed; set it to resume a training."""
        return {name: getattr(self._plateau, name) for name in _STATE}

    @state.setter
    def state(self, state: Mapping[str, float]) -> None:
        if set(state) != set(_STATE):
            raise ValueError(
                f"the state of reduce_on_plateau has {', '.join(_STATE)}; got {', '.join(state)}"
            )
        plateau = _core.Plateau(self._core)
        for name in _STATE:
            setattr(plateau, name, state[name])
        self._plateau = plateau

    def __copy__(self) -> ReduceOnPlateau:
        """Return one whose memory is its own."""
        return copy.deepcopy(self)
