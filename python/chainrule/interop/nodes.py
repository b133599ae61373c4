# SPDX-License-Identifier: Apache-2.0
"""Networks as nodes: layers with their arrays, and the names of what each reads."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.layers import Input
from chainrule.network.sequential import Sequential

if TYPE_CHECKING:
    from chainrule.network.core_network import CoreNetwork

__all__ = ["NetworkNode", "built_core", "network_of", "nodes_of", "refuse_missing"]

Array = NDArray[Any]


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


def built_core(net: Sequential) -> CoreNetwork:
    """Return what runs a network; TypeError if it is none, RuntimeError if it is not built."""
    if not isinstance(net, Sequential):
        raise TypeError(f"net must be a Sequential, got {type(net).__name__}")
    return net._built_core()


def nodes_of(net: Sequential) -> tuple[dict[str, int], list[NetworkNode], list[str]]:
    """Return the columns of a built network's inputs, its nodes, and the names of its outputs.

    Nodes have copies of their parameters.
    """
    core = built_core(net)
    arrays: list[dict[str, Array]] = [{} for _ in net.layers]
    for parameter in core.parameters:
        name = parameter.name.partition(".")[2]
        arrays[parameter.layer][name] = core.get_parameter(parameter.name)
    last, columns = "x", core.inputs
    nodes = []
    for index, layer in enumerate(net.layers):
        columns = layer.outputs(columns)
        nodes.append(NetworkNode(str(index), layer, [last], arrays[index], columns))
        last = nodes[-1].name
    return {"x": core.inputs}, nodes, [last]


def network_of(
    inputs: Mapping[str, int], nodes: Sequence[NetworkNode], outputs: Sequence[str], dtype: str
) -> Sequential:
    """Return the network; ValueError if an array has a wrong shape or is not finite.

    NotImplementedError if the nodes are no chain.
    """
    names = [*inputs, *(node.name for node in nodes)]
    for last, node in zip(names, nodes, strict=False):
        if node.inputs != [last]:
            raise NotImplementedError(f"{node} is no link of a chain")
    layers = [node.layer for node in nodes]
    net = Sequential([*map(Input, inputs.values()), *layers], seed=0, dtype=dtype)
    for node in nodes:
        for name, values in node.arrays.items():
            # One at a time, so that of all weights only one is there a third time.
            net.set_weights({f"{node.name}.{name}": values})
    net._built_core().adapted = True
    return net


def refuse_missing(nodes: Sequence[NetworkNode], kinds: Container[str], form: str) -> None:
    """Raise ValueError with all layers whose kind is none of those that `form` can hold."""
    missing = [str(node) for node in nodes if node.layer.kind not in kinds]
    if missing:
        raise ValueError(f"{form} cannot hold the network: {', '.join(missing)} has no form there")
