# SPDX-License-Identifier: Apache-2.0
"""Parameters that several networks use: a network within another, or a part of one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["SharedParameters", "share"]


class _Newest:
    """Where the newest values of a parameter are: the network that changed it last."""

    __slots__ = ("changes", "name", "network")

    def __init__(self, network: Any, name: str) -> None:
        self.network = network
        self.name = name
        self.changes = 0

    def stamp(self) -> tuple[object, ...]:
        """Return what differs after every change."""
        core = self.network._core
        return id(self.network), self.changes, core.total_steps, core.epochs


class SharedParameters:
    """The parameters of one network that others use too.

    Each compiled network has its own memory, in the layout of its plan. What one has changed, the
    others take over when they are used next.
    """

    def __init__(self) -> None:
        self._newest: dict[str, _Newest] = {}
        self._seen: dict[str, tuple[object, ...]] = {}

    def newest(self, network: Any, name: str) -> _Newest:
        """Return where the newest values of a parameter of this network are."""
        if name not in self._newest:
            self._newest[name] = _Newest(network, name)
        return self._newest[name]

    def follow(self, name: str, newest: _Newest) -> None:
        """Take the newest values of a parameter from there."""
        self._newest[name] = newest
        self._seen.pop(name, None)

    def update(self, network: Any) -> None:
        """Give a network the newest values of all shared parameters."""
        for name, newest in self._newest.items():
            if newest.network is network:
                continue
            stamp = newest.stamp()
            if self._seen.get(name) != stamp:
                values = newest.network._core.get_parameter(newest.name)
                network._core.set_parameter(name, values)
                self._seen[name] = stamp

    def take_over(self, network: Any) -> None:
        """Make this network's values the newest."""
        for name, newest in self._newest.items():
            newest.network, newest.name = network, name
            newest.changes += 1


def share(outer: Any, owners: Iterable[tuple[str, Any, str]]) -> None:
    """Let a network use parameters of others.

    Parameters
    ----------
    outer : Network
        The network.
    owners : iterable of (str, Network, str)
        A node of `outer`, a network within it, and the node there whose parameters are used.

    Raises
    ------
    ValueError
        If such a node reads other shapes there, or computes in another precision.
    """
    core = outer._built_core()
    own = {parameter.name for parameter in core.parameters}
    listed = list(owners)
    for node, network, inner in listed:
        _check_fits(outer, node, network, inner)
    for node, network, inner in listed:
        for parameter in network._built_core().parameters:
            prefix, _, array = parameter.name.rpartition(".")
            name = f"{node}.{array}"
            if prefix != inner or name not in own:
                continue
            if network._shared is None:
                network._shared = SharedParameters()
            if outer._shared is None:
                outer._shared = SharedParameters()
            outer._shared.follow(name, network._shared.newest(network, parameter.name))


def _check_fits(outer: Any, node: str, network: Any, inner: str) -> None:
    shares = f"node {node!r} shares the parameters of {inner!r} in another network"
    if network.dtype != outer.dtype:
        raise ValueError(f"{shares}, which computes in {network.dtype} and not in {outer.dtype}")
    here, there = (_shapes_read(*place) for place in ((outer, node), (network, inner)))
    if here != there:
        raise ValueError(f"{shares}, which reads {_text(there)}, and cannot read {_text(here)}")


def _shapes_read(network: Any, node: str) -> list[tuple[int, ...]]:
    return [network._shapes[name] for name in network._graph[node].inputs]


def _text(shapes: list[tuple[int, ...]]) -> str:
    return " and ".join(map(str, shapes))
