# SPDX-License-Identifier: Apache-2.0
"""Saving the network while it trains."""

from __future__ import annotations

import os

from chainrule.callbacks.callback import Callback, Logs, Network
from chainrule.callbacks.monitor import Monitor
from chainrule.names import unknown_name


class ModelCheckpoint(Callback):
    """Save the network after each epoch, or each epoch that is the best so far.

    Parameters
    ----------
    path : str or path-like
        File to write. Fields in braces are filled in: ``{epoch}`` and the names in the logs, as in
        ``"net-{epoch:03d}-{val_loss:.4f}.safetensors"``.
    monitor : str, default "val_loss"
        Name of the metric in the logs; without `save_best_only` it is not read.
    save_best_only : bool, default True
        Save only when `monitor` is better than ever before, in earlier calls of ``fit`` too.
    mode : {"auto", "min", "max"}, default "auto"
        Direction of improvement; ``"auto"`` knows the loss and the metrics of `chainrule.metrics`.

    Attributes
    ----------
    best : float or None
        Best value so far.
    last_path : str or None
        File written last.

    Raises
    ------
    ValueError
        If `mode` is unknown, or, after the first epoch, `monitor` or a field of `path` is not in
        the logs.

    Examples
    --------
    >>> from chainrule.callbacks import ModelCheckpoint
    >>> checkpoint = ModelCheckpoint("best.safetensors", monitor="val_accuracy")
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = True,
        mode: str = "auto",
    ) -> None:
        self.path = os.fspath(path)
        self._monitor = Monitor(monitor, mode) if save_best_only else None
        self.best: float | None = None
        self.last_path: str | None = None

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Save the network if it is due."""
        if self._monitor is not None:
            value = self._monitor.read(logs)
            if not self._monitor.improves(value, self.best):
                return
            self.best = value
        fields = {"epoch": epoch, **logs}
        try:
            path = self.path.format(**fields)
        except (KeyError, IndexError) as error:
            field = error.args[0] if isinstance(error, KeyError) else ""
            raise ValueError(unknown_name(f"field in path {self.path!r}", field, fields)) from None
        net.save(path)
        self.last_path = path
