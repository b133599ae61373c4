# SPDX-License-Identifier: Apache-2.0
"""Stopping when a metric no longer improves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule import _core
from chainrule.arguments import boolean
from chainrule.callbacks.callback import BestWeights, Callback, Logs, Network, StopTraining
from chainrule.callbacks.monitor import Monitor, check_not_negative
from chainrule.callbacks.state_values import (
    decoded,
    encoded,
    encoded_number,
    number,
    whole_number,
)

_NEVER = 2**62


class EarlyStopping(Callback):
    """Stop when a metric has not improved for some epochs.

    Parameters
    ----------
    monitor : str or sequence of str, default "val_loss"
        Name of the metric in the logs; of several, such as one of each output, their mean.
    patience : int, default 5
        Stop at this many epochs in a row without improvement; 0 acts as 1.
    min_delta : float, default 0.0
        A change has to be greater than this to count as improvement; ``nan`` never does.
    mode : {"auto", "min", "max"}, default "auto"
        Direction of improvement; ``"auto"`` knows the loss and the metrics of `chainrule.metrics`.
    restore_best_weights : bool, default True
        At the end of training, however it came, go back to the weights of the best epoch.

    Notes
    -----
    Each ``fit`` begins anew, but one that goes on from a model file: there the first ``fit`` with a
    new EarlyStopping of the same `monitor` goes on with the file's best value, its weights and the
    epochs waited, unless the training had been stopped.

    Attributes
    ----------
    best : float or None
        Best value of the present or last ``fit``.
    best_epoch : int or None
        Epoch that reached it.
    stopped_epoch : int or None
        Epoch after which training was stopped, None if it was not.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    ValueError
        If one is out of range, or, before the first epoch of a ``fit``, `monitor` is not
        among what its epochs report.

    Examples
    --------
    >>> from chainrule.callbacks import EarlyStopping
    >>> stopping = EarlyStopping(monitor="val_accuracy", patience=3)
    """

    def __init__(
        self,
        monitor: str | Sequence[str] = "val_loss",
        patience: int = 5,
        min_delta: float = 0.0,
        mode: str = "auto",
        restore_best_weights: bool = True,
    ) -> None:
        check_not_negative("patience", patience)
        self._monitor = Monitor(monitor, mode, min_delta)
        self.patience = patience
        self.restore_best_weights = boolean("restore_best_weights", restore_best_weights)
        self._reset()

    @property
    def best(self) -> float | None:
        """The best value of the present or last ``fit``."""
        return self._memory.best if self._memory.best_epoch else None

    @property
    def best_epoch(self) -> int | None:
        """The epoch that reached it."""
        return self._memory.best_epoch or None

    @property
    def stopped_epoch(self) -> int | None:
        """The epoch after which training was stopped."""
        return self._memory.stopped_epoch or None

    def _reset(self) -> None:
        self._memory = _core.EarlyStoppingMemory()
        self._best_weights: BestWeights | None = None  # from the beginning of a fit to its end
        self._saved_weights: Any = None  # the best ones of a file, until the next fit begins
        # The network's weights are the best: then a file need not hold them twice.
        self._holds_best = False
        self._resumed = False

    def _weights(self) -> Any:
        """Return the best weights, if they are kept."""
        kept = self._best_weights
        return self._saved_weights if kept is None or not kept.held else kept.arrays()

    def _put_best_into(self, net: Network) -> None:
        """Give a copy of the network that is trained the best weights so far, if they are kept."""
        weights = self._weights()
        if weights is not None:
            best = net._best_weights()
            best.hold(weights)
            best.put_back()

    def __getstate__(self) -> dict[str, Any]:
        """Return the attributes, with arrays for what the core keeps."""
        return {**vars(self), "_best_weights": None, "_saved_weights": self._weights()}

    @property
    def state_key(self) -> str:
        """Class and monitor."""
        return f"EarlyStopping({self._monitor.name})"

    def check(self, logs: Logs) -> None:
        """Raise ValueError unless the monitor is in the logs and a number."""
        self._monitor.read(logs)

    def state_dict(self) -> dict[str, Any]:
        """Return best value, epoch and weights and the epochs waited; nothing once it stopped."""
        if self.best is None or self.stopped_epoch is not None:
            return {}
        weights = None if self._holds_best else self._weights()
        return {
            "best": encoded_number(self.best),
            "best_epoch": self.best_epoch,
            "waited": self._memory.waited,
            "best_weights": None if weights is None else encoded(weights),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the next ``fit`` from what `state_dict` returned."""
        self._reset()
        self._memory.best = number(state, "best")
        self._memory.best_epoch = whole_number(state, "best_epoch")
        self._memory.waited = whole_number(state, "waited")
        weights = state.get("best_weights")
        self._saved_weights = None if weights is None else decoded(weights)
        self._holds_best = weights is None
        self._resumed = True

    def on_train_begin(self, net: Network) -> None:
        """Forget the last ``fit``, unless this one goes on from a file."""
        if not self._resumed:
            self._reset()
        self._resumed = False
        if not self.restore_best_weights:
            return
        best = net._best_weights()
        if self._saved_weights is not None:
            best.hold(self._saved_weights)
        elif self._holds_best:
            best.take()
        self._best_weights, self._saved_weights = best, None

    def on_epoch_begin(self, net: Network, epoch: int) -> None:
        """Expect other weights."""
        self._holds_best = False

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Compare with the best epoch so far."""
        monitor = self._monitor
        improved = self._memory.observe(
            epoch,
            monitor.read(logs),
            math.ceil(min(self.patience, _NEVER)),
            monitor.min_delta,
            monitor.greater_is_better,
        )
        if improved:
            self._holds_best = True
            if self._best_weights is not None:
                self._best_weights.take()
        if self.stopped_epoch is not None:
            raise StopTraining

    def on_train_end(self, net: Network) -> None:
        """Restore the best weights."""
        best = self._best_weights
        if best is not None and best.held:
            best.put_back()
            self._holds_best = True
        self._best_weights = None
