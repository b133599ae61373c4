# SPDX-License-Identifier: Apache-2.0
"""Networks as nodes: layers with their arrays, and the names of what each reads."""

from __future__ import annotations

import math
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.merges import MERGES
from chainrule.layers import Input, Layer
from chainrule.layers.layer import SymbolicTensor
from chainrule.network.graph import chain
from chainrule.network.network import Network
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = [
    "NetworkNode",
    "built_core",
    "columns_made",
    "is_chain",
    "network_of",
    "nodes_of",
    "predictions",
]
__all__ += ["refuse_missing"]

Array = NDArray[Any]

_ROWS_AT_A_TIME = 256


@dataclass(eq=False)
class NetworkNode:
    """A layer in a network: its parameters by their names in it, and the names of what it reads.

    `columns` are those of what it gives. Nodes stand behind all that they read.
    """

    name: str
    layer: Any  # a Layer of the class that its kind tells
    inputs: list[str]
    arrays: dict[str, Array]
    columns: int

    def __str__(self) -> str:
        """Return how error texts call it."""
        return f"layer {self.name} ({self.layer.kind})"


def built_core(net: Network) -> CoreNetwork:
    """Return what runs a network; TypeError if it is none, RuntimeError if it is not built."""
    if not isinstance(net, Network):
        raise TypeError(f"net must be a network, got {type(net).__name__}")
    return net._built_core()


def nodes_of(net: Network) -> tuple[dict[str, int], list[NetworkNode], list[str]]:
    """Return the columns of a built network's inputs, its nodes, and the names of its outputs.

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
    for node in graph.nodes:
        if node.layer is not None and node.layer.kind != "flatten":
            for shape in (graph[name].shape for name in node.inputs):
                if len(shape) > 1:
                    raise ValueError(
                        f"{node.name} reads rows of shape {shape}; Flatten goes before"
                    )
    inputs = {node.name: math.prod(node.shape) for node in graph.inputs}
    columns = dict(inputs)
    nodes = []
    for node in graph.nodes:
        if node.layer is not None:
            columns[node.name] = columns_made(node.layer, [columns[name] for name in node.inputs])
            own = arrays.get(node.shares or node.name, {})
            nodes.append(
                NetworkNode(node.name, node.layer, [*node.inputs], own, columns[node.name])
            )
    return inputs, nodes, [*graph.outputs]


def columns_made(layer: Layer, columns: Sequence[int]) -> int:
    """Return the columns of what a layer makes of inputs with so many."""
    if layer.kind in MERGES:
        return sum(columns) if layer.kind == "concatenate" else columns[0]
    return layer.outputs(columns[0])


def predictions(net: Network, rows: Sequence[Array], *, probabilities: bool = False) -> list[Array]:
    """Return what a network gives for rows of each of its inputs, output by output."""
    core: Any = net._built_core()
    graph = net._graph
    with np.errstate(over="ignore"):
        if graph is None or (len(rows) == 1 and len(graph.outputs) == 1):
            return [net.predict_proba(rows[0]) if probabilities else net.predict(rows[0])]
        beside = core.predict([np.ascontiguousarray(each) for each in rows], _ROWS_AT_A_TIME)
    shapes = {node.name: shape for node, shape in zip(graph.nodes, core.shapes, strict=True)}
    ends = np.cumsum([math.prod(shapes[name]) for name in graph.outputs])
    return np.split(beside, ends[:-1], axis=1)


def network_of(
    inputs: Mapping[str, int], nodes: Sequence[NetworkNode], outputs: Mapping[str, str], dtype: str
) -> Network:
    """Return the network of nodes: of a chain a `Sequential`, else one that names its nodes itself.

    Of the inputs columns are given by name, of the outputs nodes. ValueError if an array has a
    wrong shape or is not finite.
    """
    layers = [node.layer for node in nodes]
    # A layer that is called twice has one set of parameters, which in a `Sequential` it has not.
    once = len({*map(id, layers)}) == len(layers)
    if once and is_chain(inputs, nodes, [*outputs.values()]):
        net: Network = Sequential([*map(Input, inputs.values()), *layers], seed=0, dtype=dtype)
    else:
        entries = {name: Input(n, name=_node_name(name)) for name, n in inputs.items()}
        tensors: dict[str, SymbolicTensor] = dict(entries)
        for node in nodes:
            tensors[node.name] = node.layer([tensors[name] for name in node.inputs])
        ends: Any = {_node_name(name): tensors[node] for name, node in outputs.items()}
        ends = ends if len(ends) > 1 else next(iter(ends.values()))
        net = Network([*entries.values()], ends, seed=0, dtype=dtype)
    core = net._built_core()
    assert net._graph is not None
    made = (node.name for node in net._graph.nodes if node.layer is not None)
    for name, node in zip(made, nodes, strict=True):
        for array, values in node.arrays.items():
            # One at a time, so that of all weights only one is there a third time.
            net.set_weights({f"{name}.{array}": values})
    core.adapted = True
    return net


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
