# SPDX-License-Identifier: Apache-2.0
"""Graphs of named nodes: what symbolic tensors say that a network is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from chainrule.layers import Activation, Input, Layer, RecurrentLayer
from chainrule.layers.layer import SymbolicTensor

__all__ = ["Graph", "Node", "Owner", "chain", "embed", "trace"]

Inputs = Input | Sequence[Input] | Mapping[str, Input]
Outputs = SymbolicTensor | Sequence[SymbolicTensor] | Mapping[str, SymbolicTensor]


class Node(NamedTuple):
    """An input, or a layer with the nodes that it reads.

    Attributes
    ----------
    name : str
        Unlike all others of the graph.
    layer : Layer or None
        None for an input.
    inputs : tuple of str
        The nodes that it reads.
    shape : tuple of int
        The extents of a row of an input, channels last.
    shares : str or None
        The node whose parameters this one uses.
    member : int
        Of an ensemble, from 1; 0 of none. It draws random numbers as if there were no others.
    """

    name: str
    layer: Layer | None
    inputs: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    shares: str | None = None
    member: int = 0

    @property
    def description(self) -> dict[str, Any]:
        """The node as the core reads it."""
        if self.layer is None:
            return {"name": self.name, "shape": self.shape}
        what = {"layer": self.layer.config} if self.shares is None else {"shares": self.shares}
        member = {"member": self.member} if self.member else {}
        return {"name": self.name, "inputs": list(self.inputs), **what, **member}

    @property
    def text(self) -> str:
        """What it is, without its name."""
        return "Input" if self.layer is None else repr(Layer.from_config(self.layer.config))


class Owner(NamedTuple):
    """The parameters of a node within another network."""

    network: Any
    node: str


class Graph:
    """Nodes, each behind those that it reads, and the names of the outputs.

    Attributes
    ----------
    nodes : tuple of Node
        Inputs first.
    outputs : tuple of str
        Names of nodes.
    owners : dict of str to Owner
        The networks that nodes share parameters with.
    inputs : tuple of Node
        The inputs.
    """

    def __init__(
        self, nodes: tuple[Node, ...], outputs: tuple[str, ...], owners: Mapping[str, Owner]
    ) -> None:
        self.nodes = nodes
        self.outputs = outputs
        self.owners = owners
        self.inputs = tuple(node for node in nodes if node.layer is None)

    @classmethod
    def of(cls, nodes: Iterable[Mapping[str, Any]], outputs: Iterable[str]) -> Graph:
        """Return the graph that the core describes."""
        made: dict[str, Node] = {}
        for node in nodes:
            name, shares = node["name"], node.get("shares")
            if "shape" in node:
                made[name] = Node(name, None, (), tuple(node["shape"]))
                continue
            layer = made[shares].layer if shares else Layer.from_config(node["layer"])
            member = node.get("member", 0)
            made[name] = Node(name, layer, tuple(node["inputs"]), (), shares, member)
        return cls(tuple(made.values()), tuple(outputs), {})

    @property
    def chained(self) -> list[Layer] | None:
        """The layers of a chain, with names where they are not numbers; None of other graphs."""
        layers = []
        for index, (node, before) in enumerate(zip(self.nodes[1:], self.nodes, strict=False)):
            if node.layer is None or node.shares or node.member or node.inputs != (before.name,):
                return None
            name = None if node.name == str(index) else node.name
            layers.append(Layer.from_config({**node.layer.config, "name": name}))
        fits = len(self.nodes[0].shape) == 1 or keeps_axes(layers) or flattens(layers)
        return layers if fits and self.outputs == (self.nodes[-1].name,) else None

    @property
    def layers(self) -> list[Layer]:
        """The layers of the nodes, those that are called several times once."""
        return [n.layer for n in self.nodes if n.layer is not None and n.shares is None]

    @property
    def description(self) -> list[dict[str, Any]]:
        """The nodes as the core reads them."""
        return [node.description for node in self.nodes]

    def readers_of_lengths(self, name: str, shapes: Mapping[str, tuple[int, ...]]) -> list[Node]:
        """Return the recurrent layers that take what a node gives for the lengths of rows.

        `shapes` are those of a row of each node.
        """
        return [
            node
            for node in self.nodes
            if isinstance(node.layer, RecurrentLayer)
            and node.inputs[1:2] == (name,)
            and node.layer._core.reads_lengths([shapes[each] for each in node.inputs])
        ]

    def sequence_inputs(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, str]:
        """Return for each input of lengths the one whose sequences have them, if it is only one.

        `shapes` are those of a row of each node.
        """
        readers = {node.name: self.readers_of_lengths(node.name, shapes) for node in self.inputs}
        found = {}
        for length in (name for name, nodes in readers.items() if nodes):
            owners = {name for name, nodes in readers.items() if not nodes}
            for node in readers[length]:
                time = shapes[node.inputs[0]][0]
                sources = self.leading_to(node.inputs[:1]).inputs
                owners &= {each.name for each in sources if each.shape[0] == time}
            if len(owners) == 1:
                (found[length],) = owners
        return found

    def __getitem__(self, name: str) -> Node:
        """Return the node of a name."""
        return next(node for node in self.nodes if node.name == name)

    def leading_to(self, outputs: Sequence[str]) -> Graph:
        """Return the nodes that these outputs need, as a graph."""
        needed = set(outputs)
        for node in reversed(self.nodes):
            if node.name in needed:
                needed.update(node.inputs)
        kept = [node for node in self.nodes if node.name in needed]
        present = {node.name for node in kept}
        # Where the first call of a shared layer is left out, the next one is the first.
        heirs: dict[str, str] = {}
        nodes = []
        for node in kept:
            shares = node.shares
            if shares is not None and shares not in present:
                heir = heirs.setdefault(shares, node.name)
                shares = None if heir == node.name else heir
            nodes.append(node._replace(shares=shares))
        return Graph(tuple(nodes), tuple(outputs), {})


def chain(layers: Sequence[Layer], shape: tuple[int, ...], name: str | None = None) -> Graph:
    """Return the graph of layers that each read the one before; unnamed ones are numbered."""
    nodes = [Node(name or "x", None, (), shape)]
    for index, layer in enumerate(layers):
        nodes.append(Node(layer.name or str(index), layer, (nodes[-1].name,)))
    _refuse_twice(nodes)
    return Graph(tuple(nodes), (nodes[-1].name,), {})


def keeps_axes(layers: Sequence[Layer]) -> bool:
    """Whether one of them reads rows of several axes, before one gives rows another shape."""
    for layer in layers:
        if layer._reads_axes:
            return True
        if layer.kind in ("flatten", "reshape"):
            break
    return False


def flattens(layers: Sequence[Layer]) -> bool:
    """Whether rows that may have any axes are flattened, and before that at most scaled."""
    kinds = (layer.kind for layer in layers)
    return next((kind for kind in kinds if kind != "rescaling"), None) == "flatten"


def trace(inputs: Inputs, outputs: Outputs) -> Graph:
    """Return the graph that leads from inputs to outputs.

    Raises
    ------
    TypeError
        If something else than tensors is given.
    ValueError
        If an output needs an input that is not given, an input leads to no output, or a name occurs
        twice.
    """
    sources = _tensors("inputs", inputs)
    targets = _tensors("outputs", outputs)
    for _, tensor in sources:
        if not isinstance(tensor, Input):
            raise TypeError(f"inputs must be Input, got {tensor!r:.80}")
    names: dict[int, str] = {}
    seen = set()
    for key, tensor in sources:
        if id(tensor) in seen:
            raise ValueError(f"inputs has {tensor!r} twice")
        seen.add(id(tensor))
        _call(names, key, tensor, "input")
    results = [_as_output(key, tensor, names) for key, tensor in targets]
    tensors = _reached(sources, results)
    return _named_graph([t for _, t in sources], tensors, [t for _, t in results], names)


def embed(
    graph: Graph, network: object, given: Sequence[SymbolicTensor]
) -> dict[str, SymbolicTensor]:
    """Return the outputs of a graph's nodes on other tensors, with the network's parameters."""
    tensors = dict(zip((node.name for node in graph.inputs), given, strict=True))
    for node in graph.nodes:
        if node.layer is not None:
            owner = Owner(network, node.shares or node.name)
            read = [tensors[name] for name in node.inputs]
            tensors[node.name] = SymbolicTensor(node.layer, read, None, owner)
    return {name: tensors[name] for name in graph.outputs}


def _tensors(what: str, given: object) -> list[tuple[str | None, SymbolicTensor]]:
    """Return tensors with the names that a mapping gives them."""
    if isinstance(given, SymbolicTensor):
        items: list[tuple[str | None, Any]] = [(None, given)]
    elif isinstance(given, Mapping):
        items = list(given.items())
    elif isinstance(given, list | tuple):
        items = [(None, tensor) for tensor in given]
    else:
        raise TypeError(
            f"{what} must be a symbolic tensor, a list or a dict of them, got {given!r:.80}"
        )
    if not items:
        raise ValueError(f"{what} is empty: a network needs at least one")
    for name, tensor in items:
        if not isinstance(tensor, SymbolicTensor):
            raise TypeError(f"{what} must hold symbolic tensors, got {tensor!r:.80}")
        if name is not None and not isinstance(name, str):
            raise TypeError(f"{what}: names must be strings, got {name!r:.80}")
    return items


def _call(names: dict[int, str], key: str | None, tensor: SymbolicTensor, what: str) -> None:
    """Give a tensor the name that the caller's mapping has for it."""
    if key is None:
        return
    if tensor.name not in (None, key):
        raise ValueError(f"the {what} {key!r} is called {tensor.name!r} already")
    names[id(tensor)] = key


def _as_output(
    key: str | None, tensor: SymbolicTensor, names: dict[int, str]
) -> tuple[str | None, SymbolicTensor]:
    """Return an output; one that cannot have the mapping's name itself is passed on by a node."""
    if key is None:
        return key, tensor
    taken = tensor.name not in (None, key) or names.get(id(tensor), key) != key
    if taken or tensor.layer is None or isinstance(tensor._parameters, Owner):
        tensor = Activation("linear")(tensor)
    names[id(tensor)] = key
    return key, tensor


def _reached(
    sources: Iterable[tuple[str | None, SymbolicTensor]],
    targets: Iterable[tuple[str | None, SymbolicTensor]],
) -> list[SymbolicTensor]:
    """Return all tensors but inputs that the targets need, as they were written down."""
    given = {id(tensor) for _, tensor in sources}
    found: dict[int, SymbolicTensor] = {}
    for key, target in targets:
        waiting = [target]
        while waiting:
            tensor = waiting.pop()
            if id(tensor) in found:
                continue
            found[id(tensor)] = tensor
            if tensor.layer is None and id(tensor) not in given:
                name = key or target.name
                output = f"the output {name!r}" if name else f"the output of {target.layer!r}"
                raise ValueError(f"{output} needs {tensor!r}, which is not among the inputs")
            waiting.extend(tensor.inputs)
    for key, tensor in sources:
        if id(tensor) not in found:
            raise ValueError(f"no output needs the input {key or tensor.name or tensor!r}")
    layered = [tensor for tensor in found.values() if tensor.layer is not None]
    return sorted(layered, key=lambda tensor: tensor._order)


def _named_graph(
    sources: Sequence[SymbolicTensor],
    tensors: Sequence[SymbolicTensor],
    outputs: Sequence[SymbolicTensor],
    names: dict[int, str],
) -> Graph:
    """Return the nodes of these tensors, with names for those that have none."""
    naming = _Naming([names.get(id(t), t.name) for t in (*sources, *tensors)])
    nodes: list[Node] = []
    owners: dict[str, Owner] = {}
    first_calls: dict[object, str] = {}
    for source in sources:
        assert isinstance(source, Input)
        name = names.get(id(source)) or source.name or naming.number("input")
        names[id(source)] = name
        nodes.append(Node(name, None, (), source.shape))
    for tensor in tensors:
        assert tensor.layer is not None
        owner = tensor._parameters
        key = (id(owner.network), owner.node) if isinstance(owner, Owner) else id(owner)
        shares = first_calls.get(key)
        if shares is not None:
            name = naming.again(shares) if id(tensor) not in names else names[id(tensor)]
        elif isinstance(owner, Owner):
            name = f"{naming.scope(owner.network)}/{owner.node}"
        else:
            name = names.get(id(tensor)) or tensor.name or naming.number(tensor.layer.kind)
        names[id(tensor)] = name
        if shares is None:
            first_calls[key] = name
            if isinstance(owner, Owner):
                owners[name] = owner
        read = tuple(names[id(t)] for t in tensor.inputs)
        nodes.append(Node(name, tensor.layer, read, (), shares))
    _refuse_twice(nodes)
    return Graph(tuple(nodes), tuple(names[id(tensor)] for tensor in outputs), owners)


class _Naming:
    """Names for nodes that have none: after their kind, numbered from the second on."""

    def __init__(self, taken: Iterable[str | None]) -> None:
        self._taken = {name for name in taken if name is not None}
        self._scopes: dict[int, str] = {}
        self._calls: dict[str, int] = {}

    def number(self, kind: str) -> str:
        """Return the kind, or with the first number that makes it new."""
        name, count = kind, 0
        while name in self._taken:
            count += 1
            name = f"{kind}_{count}"
        self._taken.add(name)
        return name

    def again(self, first: str) -> str:
        """Return the name of the next call of a layer."""
        name = first
        while name == first or name in self._taken:  # by an output that has such a name
            self._calls[first] = self._calls.get(first, 0) + 1
            name = f"{first}/{self._calls[first]}"
        return name

    def scope(self, network: Any) -> str:
        """Return what a network within this one is called."""
        if id(network) not in self._scopes:
            kind = network.name or type(network).__name__.lower()
            self._scopes[id(network)] = self.number(kind)
        return self._scopes[id(network)]


def _refuse_twice(nodes: Iterable[Node]) -> None:
    seen: dict[str, Node] = {}
    for node in nodes:
        if node.name in seen:
            both = f"{_what(seen[node.name])} and {_what(node)}"
            raise ValueError(f"two nodes are called {node.name!r}: {both}; give each its own name")
        seen[node.name] = node


def _what(node: Node) -> str:
    return "an input" if node.layer is None else repr(node.layer)
