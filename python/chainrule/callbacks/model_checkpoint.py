# SPDX-License-Identifier: Apache-2.0
"""Saving the network while it trains."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.callbacks.callback import Callback, Logs, Network
from chainrule.callbacks.monitor import Monitor
from chainrule.callbacks.paths import check_writable
from chainrule.callbacks.state_values import encoded_number, number, text
from chainrule.names import unknown_name


class ModelCheckpoint(Callback):
    """Save the network after each epoch, or each epoch that is the best so far.

    Parameters
    ----------
    path : str or path-like
        File to write. Fields in braces are filled in: ``{epoch}`` and the names in the logs, as in
        ``"net-{epoch:03d}-{val_loss:.4f}.safetensors"``.
    monitor : str or sequence of str, default "val_loss"
        Name of the metric in the logs; of several their mean. Without `save_best_only` it is not
        read.
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
        If `mode` is unknown, or, before the first epoch of a ``fit``, `monitor` or a field of
        `path` is not among what its epochs report.
    OSError
        If, then, the folder does not exist or cannot be written to.

    Notes
    -----
    The best value is part of the model files that are written. When a training goes on from one of
    them, with a new ModelCheckpoint of the same `monitor` and `path`, a file is replaced only by a
    better one.

    Examples
    --------
    >>> from chainrule.callbacks import ModelCheckpoint
    >>> checkpoint = ModelCheckpoint("best.safetensors", monitor="val_accuracy")
    """

    saves_network = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str | Sequence[str] = "val_loss",
        save_best_only: bool = True,
        mode: str = "auto",
    ) -> None:
        self.path = os.fspath(path)
        self._monitor = Monitor(monitor, mode) if save_best_only else None
        self.best: float | None = None
        self.last_path: str | None = None

    @property
    def remembers(self) -> bool:
        """Whether there is a best value to remember."""
        return self._monitor is not None

    @property
    def state_key(self) -> str:
        """Class and monitor."""
        return f"ModelCheckpoint({self._monitor.name if self._monitor else ''})"

    def check(self, logs: Logs) -> None:
        """Raise for a monitor or a field that the logs lack, and a folder that takes no files."""
        from pathlib import Path  # here, since it would make `import chainrule` slower

        if self._monitor is not None:
            self._monitor.read(logs)
        check_writable(
            self._filled({"epoch": 1, **logs}), varies="{" in str(Path(self.path).parent)
        )

    def state_dict(self) -> dict[str, Any]:
        """Return the best value so far and the path that it was saved under."""
        if self.best is None:
            return {}
        return {"path": self.path, "best": encoded_number(self.best), "last_path": self.last_path}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned, unless other files are written now."""
        if state.get("path") == self.path:
            self.best = number(state, "best")
            self.last_path = text(state, "last_path")

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Save the network if it is due."""
        if self._monitor is not None:
            value = self._monitor.read(logs)
            if not self._monitor.improves(value, self.best):
                return
        path = self._filled({"epoch": epoch, **logs})
        before = self.best, self.last_path
        self.last_path = path
        if self._monitor is not None:
            self.best = value
        try:
            net.save(path)  # with the best value, for a run that resumes from the file
        except BaseException:
            self.best, self.last_path = before
            raise

    def _filled(self, fields: dict[str, Any]) -> str:
        try:
            return self.path.format(**fields)
        except (KeyError, IndexError) as error:
            field = error.args[0] if isinstance(error, KeyError) else ""
            raise ValueError(unknown_name(f"field in path {self.path!r}", field, fields)) from None
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(f"path {self.path!r} cannot be filled in: {error}") from None
