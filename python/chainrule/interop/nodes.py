# SPDX-License-Identifier: Apache-2.0
"""Networks as nodes: layers with their arrays, and the names of what each reads."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import Input, Layer
from chainrule.layers.layer import SymbolicTensor
from chainrule.network.graph import chain, trace
from chainrule.network.network import Network
from chainrule.network.predicting import linked
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = [
    "NetworkNode",
    "Shape",
    "built_core",
    "is_chain",
    "network_of",
    "nodes_of",
    "predictions",
    "shape_made",
]
__all__ += ["refuse_missing"]

Array = NDArray[Any]
Shape = tuple[int, ...]

_ROWS_AT_A_TIME = 256


@dataclass(eq=False)
class NetworkNode:
    """A layer in a network: its parameters by their names in it, and the names of what it reads.

    `reads` and `shape` are those of a row of what it reads and gives, channels last. Nodes stand
    behind all that they read. `origin` is what it was called where it was read from, and `frozen`
    whether training leaves its parameters as they are.
    """

    name: str
    layer: Any  # a Layer of the class that its kind tells
    inputs: list[str]
    arrays: dict[str, Array]
    reads: tuple[Shape, ...]
    shape: Shape
    origin: str = ""
    frozen: bool = False

    @property
    def columns(self) -> int:
        """The columns of what it gives."""
        return self.shape[-1]

    def __str__(self) -> str:
        """Return how error texts call it."""
        return f"layer {self.name} ({self.layer.kind})"


def built_core(net: Network) -> CoreNetwork:
    """Return what runs a network; TypeError if it is none, RuntimeError if it is not built."""
    if not isinstance(net, Network):
        raise TypeError(f"net must be a network, got {type(net).__name__}")
    return net._built_core()


def nodes_of(net: Network) -> tuple[dict[str, Shape], list[NetworkNode], list[str]]:
    """Return the shapes of a built network's inputs, its nodes, and the names of its outputs.

    Nodes have copies of their parameters, those that share some too.
    """
    core = built_core(net)
    graph = net._graph or chain(net.layers, (core.inputs,))
    owners = [node.name for node in graph.nodes if node.layer is not None]
    arrays: dict[str, dict[str, Array]] = {}
    for parameter in core.parameters:
        name = parameter.name.rpartition(".")[2]
        own = arrays.setdefault(owners[parameter.layer], {})
        own[name] = core.get_parameter(parameter.name)
    shapes = dict(zip((node.name for node in graph.nodes), map(tuple, core.shapes), strict=True))
    inputs = {node.name: shapes[node.name] for node in graph.inputs}
    nodes = []
    for node in graph.nodes:
        if node.layer is not None:
            own = arrays.get(node.shares or node.name, {})
            reads = tuple(shapes[name] for name in node.inputs)
            made = NetworkNode(node.name, node.layer, [*node.inputs], own, reads, shapes[node.name])
            made.frozen = (node.shares or node.name) in net._frozen
            nodes.append(made)
    return inputs, nodes, [*graph.outputs]


def shape_made(layer: Layer, shapes: Sequence[Shape]) -> Shape:
    """Return the shape of what a layer makes of inputs of some; ValueError if it cannot."""
    return tuple(layer._core.output_shape([*shapes]))


def predictions(net: Network, rows: Sequence[Array], *, probabilities: bool = False) -> list[Array]:
    """Return what a network gives for rows of each of its inputs, output by output."""
    core: Any = net._built_core()
    graph = net._graph
    with np.errstate(over="ignore"):
        if graph is None or (len(rows) == 1 and len(graph.outputs) == 1):
            return [net.predict_proba(rows[0]) if probabilities else net.predict(rows[0])]
        flat = [np.ascontiguousarray(each).reshape(len(each), -1) for each in rows]
        beside = core.predict(flat, _ROWS_AT_A_TIME)
        made = net._shaped(beside)
        if probabilities:
            linked(net, made)
    return [*made.values()] if isinstance(made, dict) else [made]


def network_of(
    inputs: Mapping[str, Shape],
    nodes: Sequence[NetworkNode],
    outputs: Mapping[str, str],
    dtype: str,
    shared: Mapping[str, str] | None = None,
) -> Network:
    """Return the network of nodes: of a chain a `Sequential`, else one that names its nodes itself.

    Of the inputs shapes are given by name, of the outputs nodes. Nodes are called after their
    origins, and left out where no output depends on them. Those of origins that are `shared` have
    the parameters of another origin. ValueError if an array has a wrong shape or is not finite.
    """
    nodes = _leading_to(outputs.values(), nodes)
    _tie(nodes, shared or {})
    layers = [node.layer for node in nodes]
    # A layer that is called twice has one set of parameters, which in a `Sequential` it has not.
    once = len({*map(id, layers)}) == len(layers)
    flat = all(len(shape) == 1 for shape in inputs.values())
    if once and flat and is_chain(inputs, nodes, [*outputs.values()]):
        named = _named_layers(nodes, {*inputs, "x"})
        entry = [Input(n, name=None if name == "x" else name) for name, n in inputs.items()]
        stack = [named.get(id(layer), layer) for layer in layers]
        net: Network = Sequential([*entry, *stack], seed=0, dtype=dtype)
    else:
        net = Network(*_graph_of(inputs, nodes, outputs), seed=0, dtype=dtype)
    core = net._built_core()
    assert net._graph is not None
    made = (node.name for node in net._graph.nodes if node.layer is not None)
    for name, node in zip(made, nodes, strict=True):
        for array, values in node.arrays.items():
            # One at a time, so that of all weights only one is there a third time.
            net.set_weights({f"{name}.{array}": values})
        if node.frozen:
            core.set_trainable(name, False)
    core.adapted = True
    return net


def _leading_to(names: Collection[str], nodes: Sequence[NetworkNode]) -> list[NetworkNode]:
    """Return the nodes that those of some names depend on, and these."""
    needed = {*names}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in nodes if node.name in needed]


def _tie(nodes: Sequence[NetworkNode], shared: Mapping[str, str]) -> None:
    """Let nodes have the layers of those whose parameters theirs are, where both are the same."""
    # They are called after them; a layer that became a part of different ones stays several.
    calls: dict[str, dict[str, list[NetworkNode]]] = {}
    tied = {*shared, *shared.values()}
    for node in nodes:
        if node.arrays and node.origin in tied:
            owner = shared.get(node.origin, node.origin)
            calls.setdefault(owner, {}).setdefault(node.origin, []).append(node)
    for owner, by_origin in calls.items():
        first, *others = by_origin.values()
        for call in others:
            if len(call) == len(first) and all(map(_are_same, call, first)):
                for node, other in zip(call, first, strict=True):
                    node.layer, node.arrays, node.origin = other.layer, {}, owner
        for node in first:
            node.origin = owner


def _are_same(node: NetworkNode, other: NetworkNode) -> bool:
    """Whether two nodes have layers with the same options and parameters."""
    if node.layer.config != other.layer.config or [*node.arrays] != [*other.arrays]:
        return False
    return all(np.array_equal(a, other.arrays[name]) for name, a in node.arrays.items())


def _graph_of(
    inputs: Mapping[str, Shape], nodes: Sequence[NetworkNode], outputs: Mapping[str, str]
) -> tuple[list[Input], Any]:
    """Return inputs and outputs of the graph of nodes, as a network is made of them."""
    # The names of several outputs are those of their nodes.
    ends = {*outputs.values()} if len(outputs) > 1 else set()
    first = {id(node.layer): node.name for node in reversed(nodes)}  # of several calls of a layer
    kept = {key for key, name in first.items() if name in ends}
    taken = {*map(_node_name, (*inputs, *(outputs if ends else ())))}
    named = _named_layers([node for node in nodes if id(node.layer) not in kept], taken)

    def graph(given: Mapping[int, Layer]) -> tuple[list[Input], Any]:
        entries = {name: Input(n, name=_node_name(name)) for name, n in inputs.items()}
        tensors: dict[str, SymbolicTensor] = dict(entries)
        for node in nodes:
            layer = given.get(id(node.layer), node.layer)
            # Not by a call, which of a layer with `return_state` gives several tensors.
            read = [tensors[name] for name in node.inputs]
            name = layer.name if first[id(node.layer)] == node.name else None
            tensors[node.name] = SymbolicTensor(layer, read, name, layer)
        made: Any = {_node_name(name): tensors[node] for name, node in outputs.items()}
        return [*entries.values()], made if len(made) > 1 else next(iter(made.values()))

    # Names that a network gives by itself are left to it, if it gives the same ones.
    chosen = {
        key: layer
        for key, layer in named.items()
        if not re.fullmatch(rf"{layer.kind}(_[0-9]+)?", layer.name or "")
    }
    made = graph(chosen)
    given = {node.name for node in trace(*made).nodes}
    return made if all(layer.name in given for layer in named.values()) else graph(named)


def _named_layers(nodes: Sequence[NetworkNode], taken: Container[str]) -> dict[int, Layer]:
    """Return layers with the names that nodes had where they came from, by the ids of theirs."""
    # Of several nodes that were one, the name is that of the first with parameters.
    ordered = sorted(nodes, key=lambda node: not node.arrays)
    wanted: dict[str, NetworkNode] = {}
    for node in ordered:
        if node.origin and not node.origin.isdecimal() and node.origin not in taken:
            wanted.setdefault(node.origin, node)
    return {
        id(node.layer): Layer.from_config({**node.layer.config, "name": name})
        for name, node in wanted.items()
    }


def _node_name(name: str) -> str:
    """Return what a node may be called: parameters are called after a dot."""
    return name.replace(".", "_") or "_"


def is_chain(inputs: Collection[str], nodes: Sequence[NetworkNode], outputs: Sequence[str]) -> bool:
    """Whether each node reads the one before, the first one the only input."""
    names = [*inputs, *(node.name for node in nodes)]
    linked = all(node.inputs == [last] for node, last in zip(nodes, names, strict=False))
    return linked and len(names) == len(nodes) + 1 and [*outputs] == names[-1:]


def refuse_missing(nodes: Sequence[NetworkNode], kinds: Container[str], form: str) -> None:
    """Raise ValueError with all layers whose kind is none of those that `form` can hold."""
    missing = [str(node) for node in nodes if node.layer.kind not in kinds]
    if missing:
        raise ValueError(f"{form} cannot hold the network: {', '.join(missing)} has no form there")
