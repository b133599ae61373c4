# SPDX-License-Identifier: Apache-2.0
"""Parts of networks as networks that share the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.names import unknown_name
from chainrule.network import sharing

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["subnetwork"]


def subnetwork(self: Network, outputs: str | Sequence[str]) -> Network:
    """Return the part that leads to some nodes, as a network that shares the parameters.

    Parameters
    ----------
    outputs : str or sequence of str
        Names of nodes, which become its outputs.

    Returns
    -------
    Network
        It can predict, be trained, and be called as a layer, as in transfer learning.

    Raises
    ------
    ValueError
        If there is no such node.

    Examples
    --------
    >>> import numpy as np
    >>> import chainrule as cr
    >>> trained = cr.Sequential([cr.Input(4), cr.Dense(3), cr.Dense(2)], seed=0)
    >>> features = trained.subnetwork("0")
    >>> features.predict(np.ones((5, 4))).shape
    (5, 3)
    >>> x = cr.Input(4)
    >>> net = cr.Network(inputs=x, outputs=cr.Dense(7)(features(x)), seed=0)
    >>> list(net.parameters)
    ['network/0.weight', 'network/0.bias', 'dense.weight', 'dense.bias']
    """
    self._built_core()
    assert self._graph is not None
    names = [outputs] if isinstance(outputs, str) else list(outputs)
    nodes = [node.name for node in self._graph.nodes if node.layer is not None]
    for name in names:
        if name not in nodes:
            raise ValueError(unknown_name("node", name, nodes))
    graph = self._graph.leading_to(names)
    net = self._made(graph, self.seed, self.dtype)
    # A node may have been the second call of a layer whose first one is left out.
    own = ((n.name, self, self._graph[n.name].shares or n.name) for n in graph.nodes)
    sharing.share(net, own)
    return net
