# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's own callbacks, which versions from 1.9 have: an epoch is a task of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.callbacks import Callback, StopTraining
from chainrule.callbacks.callback import Logs

__all__ = ["WRAPPERS", "CallbackSupport", "FitTasks", "with_callbacks"]

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import with_callbacks

    WRAPPERS = 1  # calls that `with_callbacks` puts between a fit and its caller
except ImportError:
    WRAPPERS = 0

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing, where scikit-learn has no callbacks."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


class FitTasks(Callback):
    """Call the hooks of an estimator's scikit-learn callbacks, at the epochs of its networks.

    Parameters
    ----------
    estimator : estimator
    X, y, sample_weight
        As the user gave them.
    epochs, members : int
        The most epochs of a network, and the networks; of several each is a task that has epochs.
    """

    def __init__(
        self, estimator: Any, X: Any, y: Any, sample_weight: Any, *, epochs: int, members: int = 1
    ) -> None:
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._told = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._epochs, self._members = epochs, members
        self._root = estimator._init_callback_context(
            max_subtasks=epochs if members == 1 else members
        )
        self._network = self._epoch = self._root
        self.attributes: Callable[[Any], dict[str, Any]] | None = None
        self._root.call_on_fit_task_begin(**self._told)

    @staticmethod
    def of(estimator: Any, *data: Any, **counts: int) -> list[FitTasks]:
        """Return the tasks of an estimator that has callbacks, or none."""
        return [FitTasks(estimator, *data, **counts)] if _has_callbacks(estimator) else []

    def on_train_begin(self, net: Any) -> None:
        """Begin the task of one of several networks."""
        if self._members > 1:
            self._network = self._root.subcontext("member", max_subtasks=self._epochs)
            self._network.call_on_fit_task_begin(**self._told)

    def on_epoch_begin(self, net: Any, epoch: int) -> None:
        """Begin the task of an epoch."""
        self._epoch = self._network.subcontext("epoch")
        self._epoch.call_on_fit_task_begin(**self._told)

    def on_epoch_end(self, net: Any, epoch: int, logs: Logs) -> None:
        """End the task of an epoch, and the training where a callback says so."""
        attributes = self.attributes
        fitted = None if attributes is None else lambda: attributes(net)
        if self._epoch.call_on_fit_task_end(**self._told, reconstruction_attributes=fitted):
            raise StopTraining

    def on_train_end(self, net: Any) -> None:
        """End the task of one of several networks."""
        if self._members > 1:
            self._network.call_on_fit_task_end(**self._told)

    def end(self) -> None:
        """End the task of the fit, whose estimator is ready."""
        self._root.call_on_fit_task_end(**self._told, reconstruction_attributes={})


def _has_callbacks(estimator: Any) -> bool:
    return bool(WRAPPERS and getattr(estimator, "_skl_callbacks", ()))
