# SPDX-License-Identifier: Apache-2.0
"""Networks that learn side by side from the same batches, as one network."""

from __future__ import annotations

from collections.abc import Callable

from chainrule.arguments import positive_integer
from chainrule.initializers import Normal
from chainrule.layers import Average, Dense, Layer, Scale
from chainrule.names import unknown_name
from chainrule.network.graph import Graph, Node
from chainrule.network.network import Network

__all__ = ["ensemble"]

_RANDOM = ("dropout", "gaussian_noise")
_SHARED = ("trunk",)


def ensemble(network: Network, members: int, *, share: str | None = None) -> Network:
    """Return an ensemble: networks of one description that learn side by side, and their mean.

    All members see the same batches, each of which is read once. Each has the loss by itself, and
    training minimises the sum. What the ensemble gives is the mean of what the members give: of
    probabilities if `network` ends in a softmax or sigmoid. It is a `Network`, whose training loss
    is the mean of the members' and whose validation, metrics and best weights are those of the
    mean, and which is saved and exported as any other.

    Parameters
    ----------
    network : Network
        Its description, seed, dtype and frozen layers are taken; it must not have been trained.
    members : int
        How many, at least 2.
    share : {"trunk"}, optional
        Which weights the members have in common. None: none. "trunk": all but the last layers with
        parameters; the members differ by these and by a `Scale` of their own, of random factors, in
        front of the first `Dense` layer. Layers that come before that run once for all members.

    Returns
    -------
    Network
        Member m, from 1, has nodes called "member_<m>/" and their names in `network`.

    Raises
    ------
    TypeError, ValueError
        If `members` is no whole number >= 2, `network` is no untrained network, or there is no
        `Dense` layer in front of which a trunk could begin.
    RuntimeError
        If the number of the network's inputs is not known yet.

    Notes
    -----
    Where nothing is shared, member m has the bits of the network with the seed ``network.seed + m -
    1``, trained alone on batches in the same order. That order is `network`'s; alone,
    ``copy.deepcopy(net.subnetwork("member_2/<output>"))`` has it too.

    An ensemble takes about the time of its members one after another, less where they are small;
    where each may be a network by itself, `train_many` trains them on several threads in less.

    References
    ----------
    Lakshminarayanan, Pritzel & Blundell, "Simple and scalable predictive uncertainty estimation
    using deep ensembles", NeurIPS 2017. Sharing: TabM-mini of Gorishniy, Kotelnikov & Babenko,
    "TabM: advancing tabular deep learning with parameter-efficient ensembling", ICLR 2025.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> layers = [cr.Input(64), cr.Rescaling(1 / 16), cr.Dense(32, activation="relu")]
    >>> alone = cr.Sequential([*layers, cr.Dense(10, activation="softmax")], seed=0)
    >>> net = cr.ensemble(alone, members=4)
    >>> _ = net.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(1e-2), epochs=5, verbose=0)
    >>> net.evaluate(x, y)["accuracy"] > 0.95
    True
    """
    if not isinstance(network, Network):
        raise TypeError(f"network must be a Network or Sequential, got {network!r:.80}")
    count = positive_integer("members", members)
    if count < 2:
        raise ValueError(f"members must be at least 2, got {count}")
    if share is not None and share not in _SHARED:
        raise ValueError(unknown_name("share", share, _SHARED))
    core = network._built_core()
    if core.total_steps > 0:
        raise ValueError(
            "network has been trained, and the members of an ensemble begin with weights of their "
            "own: give one that is new"
        )
    parts = _Parts(network, share)
    graph = parts.graph(count)
    net = Network._made(graph, network.seed, network.dtype)
    frozen = {name for node in network._frozen for name in (node, *parts.names(node, count))}
    for node in graph.nodes:
        if node.name in frozen and node.shares is None:
            net._built_core().set_trainable(node.name, False)
    return net


class _Parts:
    """What the members of an ensemble have in common, and what each has for itself.

    Parameters
    ----------
    network : Network
        That of one member.
    share : str or None
        See `ensemble`.
    """

    def __init__(self, network: Network, share: str | None) -> None:
        assert network._graph is not None
        self._single = network._graph
        owners = {p.name.rpartition(".")[0] for p in network._built_core().parameters}
        with_parameters = {n.name for n in self._nodes if (n.shares or n.name) in owners}
        self._trunk: set[str] = set()  # the nodes whose parameters are shared
        self._scaled = share is not None  # whether members read what is common through a Scale
        if share is None:
            self._own = self._behind(
                lambda layer, name: (
                    layer.kind in _RANDOM
                    or (name in with_parameters and layer.kind != "normalization")
                )
            )
            return
        self._own = self._behind(lambda layer, name: isinstance(layer, Dense))
        if not self._own:
            raise ValueError(
                'share="trunk" needs a Dense layer, in front of which the members begin to differ'
            )
        before: set[str] = set()  # nodes that lead to ones with parameters
        for node in reversed(self._nodes):
            if node.name in before or node.name in with_parameters:
                before.update(node.inputs)
        self._trunk = with_parameters & before

    @property
    def _nodes(self) -> tuple[Node, ...]:
        return self._single.nodes

    def _behind(self, begins: Callable[[Layer, str], bool]) -> set[str]:
        """Return the nodes for which `begins` holds, and all that read them."""
        found: set[str] = set()
        for node in self._nodes:
            if node.layer is None:
                continue
            if begins(node.layer, node.name) or found.intersection(node.inputs):
                found.add(node.name)
        return found

    def names(self, node: str, count: int) -> list[str]:
        """Return what a node is called in each member; one that is common has its name alone."""
        members = range(1, count + 1)
        return [f"member_{m}/{node}" for m in members] if node in self._own else [node] * count

    def graph(self, count: int) -> Graph:
        """Return the graph of `count` members."""
        nodes: list[Node] = []
        # The order of the nodes is kept: it is that of each member's random numbers.
        for node in self._nodes:
            if node.name not in self._own:
                nodes.append(node)
                continue
            for index, name in enumerate(self.names(node.name, count)):
                read = [self._read(nodes, each, index, count) for each in node.inputs]
                owner = node.shares
                if (owner or node.name) in self._trunk:
                    index_of_owner = 0
                    owner = owner or (node.name if index > 0 else None)
                else:
                    index_of_owner = index
                shares = None if owner is None else self.names(owner, count)[index_of_owner]
                nodes.append(Node(name, node.layer, tuple(read), (), shares, index + 1))
        for output in self._single.outputs:
            if output in self._own:
                members = tuple(self.names(output, count))
                nodes.append(Node(output, Average(independent=True), members))
        return Graph(tuple(nodes), self._single.outputs, {})

    def _read(self, nodes: list[Node], name: str, index: int, count: int) -> str:
        """Return the node that a member reads for one of the description; a Scale may be added."""
        if name in self._own or not self._scaled:
            return self.names(name, count)[index]
        scaled = f"member_{index + 1}/{name}/scale"
        if all(node.name != scaled for node in nodes):
            layer = Scale(scale_initializer=Normal(0.0, 1.0))
            nodes.append(Node(scaled, layer, (name,), member=index + 1))
        return scaled
