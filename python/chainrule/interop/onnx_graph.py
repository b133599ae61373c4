# SPDX-License-Identifier: Apache-2.0
"""The part of an ONNX graph that computes one output: its constants, and its nodes in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_constants import ConstantFolder
from chainrule.interop.onnx_model import Graph, Node, Value
from chainrule.interop.onnx_tensor import FLOAT_TYPES, NUMBER_TYPES, type_name
from chainrule.names import unknown_name

__all__ = ["Region", "Slice", "slice_graph"]


@dataclass
class Region:
    """Nodes through which all goes from one tensor, `input`, to another, `output`.

    Nothing else that depends on the input of the network enters or leaves.
    """

    input: str
    output: str
    nodes: list[Node] = field(default_factory=list)


@dataclass
class Slice:
    """What computes one output of a graph: regions in order, and constants beside them."""

    input: Value
    output: Value
    regions: list[Region]
    constants: ConstantFolder


def slice_graph(graph: Graph, output: str | None, size: int) -> Slice:
    """Return what computes an output; by default the only one of floating-point numbers.

    Constants may take a multiple of `size`, the bytes of the file. ModelFileError if the graph has
    no such output, not one input, a cycle, or a tensor that nothing makes.
    """
    makers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in filter(None, node.outputs):
            if name in makers or name in graph.initializers:
                raise ModelFileError(f"two nodes make the tensor {name!r}")
            makers[name] = index
    end = _output(graph, output)
    nodes = _needed_nodes(graph, makers, end.name)
    (entry,) = _inputs(graph, nodes)
    constants = ConstantFolder(graph, entry, size)
    made = {entry.name, *graph.initializers}
    varying: list[Node] = []
    for index in nodes:
        node = graph.nodes[index]
        for name in filter(None, node.inputs):
            if name not in made:
                late = makers.get(name)
                reason = "nothing makes it" if late is None else "it is made later, or in a cycle"
                raise ModelFileError(f"{node} reads the tensor {name!r}, but {reason}")
        made.update(node.outputs)
        if not constants.fold(node):
            varying.append(node)
    return Slice(entry, end, _regions(varying, entry.name, constants), constants)


def _output(graph: Graph, wanted: str | None) -> Value:
    by_name = {value.name: value for value in graph.outputs}
    if not by_name:
        raise ModelFileError("the graph has no output")
    if wanted is not None:
        if wanted not in by_name:
            raise ModelFileError(unknown_name("output", wanted, by_name))
        return by_name[wanted]
    # A classifier's labels and its maps from labels to probabilities stand beside its numbers.
    floats = [value for value in graph.outputs if value.element_type in FLOAT_TYPES]
    maps = [value for value in graph.outputs if value.element_type == 0]
    chosen = floats or maps or graph.outputs
    if len(chosen) > 1:
        names = ", ".join(repr(value.name) for value in chosen)
        raise ModelFileError(f"the graph has several outputs, {names}: choose one")
    return chosen[0]


def _needed_nodes(graph: Graph, makers: Mapping[str, int], output: str) -> list[int]:
    needed: set[int] = set()
    waiting = [output]
    while waiting:
        index = makers.get(waiting.pop())
        if index is not None and index not in needed:
            needed.add(index)
            waiting += graph.nodes[index].inputs
    return sorted(needed)


def _inputs(graph: Graph, nodes: list[int]) -> list[Value]:
    read = {name for index in nodes for name in graph.nodes[index].inputs}
    entries = [value for value in graph.inputs if value.name not in graph.initializers]
    used = [value for value in entries if value.name in read]
    if len(used) != 1:
        names = ", ".join(repr(value.name) for value in used) or "none"
        raise ModelFileError(f"the output depends on {len(used)} inputs ({names}), expected one")
    if used[0].element_type not in NUMBER_TYPES:
        raise ModelFileError(
            f"input {used[0].name!r} has elements of type {type_name(used[0].element_type)}"
        )
    return used


def _regions(nodes: list[Node], entry: str, constants: ConstantFolder) -> list[Region]:
    """Cut where a single tensor carries all that depends on the input."""
    readers: dict[str, int] = {}
    for node in nodes:
        for name in node.inputs:
            readers[name] = readers.get(name, 0) + (name not in constants)
    regions: list[Region] = []
    region = Region(entry, entry)
    carrying = {entry: readers.get(entry, 0)}
    for node in nodes:
        region.nodes.append(node)
        for name in node.inputs:
            if name in carrying:
                carrying[name] -= 1
                if not carrying[name]:
                    del carrying[name]
        for name in filter(readers.get, node.outputs):
            carrying[name] = readers[name]
        if list(carrying) in ([], [node.made]):
            region.output = node.made
            regions.append(region)
            region = Region(node.made, node.made)
    if region.nodes:
        raise ModelFileError("the nodes do not lead from the input to the output")
    return regions
