# SPDX-License-Identifier: Apache-2.0
"""What a network is trained by, kept until an attempt to train it otherwise has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.network.compiled import Compiled

__all__ = ["BeforeTraining"]


class BeforeTraining:
    """What an attempt to train leaves as it was, if it does not begin."""

    __slots__ = ("_chosen", "_net", "_steps", "_unnamed")

    def __init__(self, net: Compiled, unnamed: tuple[tuple[str, Any], ...]) -> None:
        self._net = net
        self._steps = 0 if net._core is None else net._core.total_steps
        self._unnamed = unnamed
        self._chosen = net.loss, net.optimizer, net._schedules, net._schedule_origin

    def unless_begun(self) -> None:
        """Undo an attempt that failed before its first step: no memory, or a function as loss.

        After other errors what the caller chose stays, for the next try.
        """
        net = self._net
        if net._core is not None and net._core.total_steps == self._steps:
            net.loss, net.optimizer, net._schedules, net._schedule_origin = self._chosen
            net._forget_names(self._unnamed)
