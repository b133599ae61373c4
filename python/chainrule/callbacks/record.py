# SPDX-License-Identifier: Apache-2.0
"""Keeping the weights of steps of a training, to look at afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from chainrule.arguments import positive_integer
from chainrule.callbacks.callback import Callback, Logs, Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Record", "Snapshot"]


class Snapshot(NamedTuple):
    """The weights after a step: 0 before the first."""

    step: int
    weights: list[NDArray[Any]]


class Record(Callback):
    """Keep the weights of a network as it trains, for `Network.explain` to show.

    Where more than `limit` steps would be kept, every second is dropped and `every` doubles.

    Parameters
    ----------
    every : int, default 1
        Steps from one record to the next; the state before the first and after the last step of a
        ``fit`` are kept too.
    limit : int, default 60
        Most steps to keep, at least 2.

    Attributes
    ----------
    snapshots : list of Snapshot
        The steps, with copies of the weights in the order of `Sequential.parameters`.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(10)], seed=0)
    >>> record = cr.callbacks.Record(every=20)
    >>> history = net.fit(x, y, loss="cross_entropy", callbacks=[record], verbose=0)
    >>> [snapshot.step for snapshot in record.snapshots]
    [0, 20, 40, 57]
    """

    def __init__(self, every: int = 1, limit: int = 60) -> None:
        self.every = positive_integer("every", every)
        self.limit = positive_integer("limit", limit)
        if self.limit < 2:
            raise ValueError(f"limit must be 2 or more, got {limit}")
        self.snapshots: list[Snapshot] = []
        self._step = 0

    def on_train_begin(self, net: Network) -> None:
        """Keep the weights before the first step."""
        if not self.snapshots:
            self._keep(net)

    def on_batch_end(self, net: Network, epoch: int, batch: int, logs: Logs) -> None:
        """Keep the weights at every `every`-th step."""
        self._step += 1
        if self._step % self.every == 0:
            self._keep(net)

    def on_train_end(self, net: Network) -> None:
        """Keep the weights after the last step."""
        self._keep(net, last=True)

    def _keep(self, net: Network, *, last: bool = False) -> None:
        if self.snapshots and self.snapshots[-1].step == self._step:
            self.snapshots.pop()  # an epoch's end may have changed them
        if len(self.snapshots) >= self.limit:
            self.every *= 2
            self.snapshots = [s for s in self.snapshots if s.step % self.every == 0]
            if self._step % self.every and not last:
                return
        self.snapshots.append(Snapshot(self._step, net.get_weights()))
