# SPDX-License-Identifier: Apache-2.0
"""Layers that training leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule.names import unknown_name
from chainrule.network.compiled import Compiled

__all__ = ["freeze", "unfreeze"]


def freeze(net: Compiled, *names: str) -> None:
    """Have training leave the parameters of layers as they are, as in transfer learning.

    A `BatchNormalization` that is frozen works with its running statistics. Networks that share
    the parameters are not frozen with this one.

    Parameters
    ----------
    *names : str
        Nodes, or the name of a network within this one for all of its nodes.

    Raises
    ------
    ValueError
        If there is no such node; none has been frozen then.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(4), cr.Dense(3, name="features"), cr.Dense(2)], seed=0)
    >>> net.freeze("features")
    >>> net.count_params(trainable_only=True), net.count_params()
    (8, 23)
    """
    _set_trainable(net, names, trainable=False)


def unfreeze(net: Compiled, *names: str) -> None:
    """Have training change the parameters of layers again.

    Parameters
    ----------
    *names : str
        As of `freeze`.

    Raises
    ------
    ValueError
        If there is no such node; nothing has changed then.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0)
    >>> net.freeze("0")
    >>> net.unfreeze("0")
    >>> net.count_params(trainable_only=True)
    3
    """
    _set_trainable(net, names, trainable=True)


def _set_trainable(net: Compiled, names: Sequence[str], *, trainable: bool) -> None:
    core = net._built_core()
    assert net._graph is not None
    nodes = [n.name for n in net._graph.nodes if n.layer is not None and n.shares is None]
    chosen = []
    for name in names:
        own = [node for node in nodes if node == name or node.startswith(f"{name}/")]
        if not own:
            raise ValueError(unknown_name("node", name, nodes))
        chosen += own
    for node in chosen:
        core.set_trainable(node, trainable)
