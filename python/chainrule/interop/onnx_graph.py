# SPDX-License-Identifier: Apache-2.0
"""The part of an ONNX graph that computes some outputs: its constants, and its nodes in order."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_constants import ConstantFolder
from chainrule.interop.onnx_evaluation import is_evaluable
from chainrule.interop.onnx_model import FLOAT_TYPES, NUMBER_TYPES, Graph, Node, Value, type_name
from chainrule.names import unknown_name

__all__ = ["Slice", "chosen_outputs", "slice_graph"]

# Functions of several operators have at most so many, and are tried up to so many ends.
_MOST_OPERATORS, _MOST_ENDS = 64, 16


@dataclass
class Slice:
    """What computes some outputs of a graph: nodes in order, and constants beside them."""

    inputs: list[Value]
    outputs: list[str]
    nodes: list[Node]
    constants: ConstantFolder
    graph: Graph

    def __post_init__(self) -> None:
        """Note which nodes read each tensor, once for each place, and that outputs are read too."""
        self.readers: defaultdict[str, list[int]] = defaultdict(list)
        for index, node in enumerate(self.nodes):
            for name in self.varying(node):
                self.readers[name].append(index)
        for name in self.outputs:
            self.readers[name].append(len(self.nodes))

    def varying(self, node: Node) -> list[str]:
        """Return what a node reads that depends on an input."""
        return [name for name in node.inputs if name and name not in self.constants]

    def functions(self, first: int, done: Container[int]) -> Iterator[list[Node]]:
        """Yield nodes that are together a function of the one tensor that the first reads.

        They begin with the first and end with one that alone makes what is read elsewhere; each
        yield has more of them than the one before. All can be evaluated.
        """
        entries = set(self.varying(self.nodes[first]))
        if len(entries) != 1 or not is_evaluable(self.nodes[first]):
            return
        waiting = [i for i in self.readers[next(iter(entries))] if i not in done]
        members: dict[int, Node] = {}
        left: Counter[str] = Counter()
        ends = 0
        while waiting and len(members) < _MOST_OPERATORS and ends < _MOST_ENDS:
            index = heapq.heappop(waiting)
            if index in members or index == len(self.nodes):
                continue
            node = self.nodes[index]
            read = self.varying(node)
            if not is_evaluable(node) or not left.keys() | entries >= set(read):
                continue
            members[index] = node
            left.subtract(name for name in read if name not in entries)
            left[node.made] = len(self.readers[node.made])
            for reader in self.readers[node.made]:
                heapq.heappush(waiting, reader)
            if [name for name, count in left.items() if count] == [node.made]:
                ends += 1
                yield list(members.values())


def slice_graph(graph: Graph, outputs: Sequence[str], size: int) -> Slice:
    """Return what computes some outputs.

    Constants may take a multiple of `size`, the bytes of the file. ModelFileError if inputs are no
    numbers, or the graph has a cycle, or a tensor that nothing makes.
    """
    makers: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        for name in filter(None, node.outputs):
            if name in makers or name in graph.initializers:
                raise ModelFileError(f"two nodes make the tensor {name!r}")
            makers[name] = index
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        made_by = makers.get(waiting.pop())
        if made_by is not None and made_by not in needed:
            needed.add(made_by)
            waiting += graph.nodes[made_by].inputs
    nodes = [graph.nodes[index] for index in sorted(needed)]
    inputs = _inputs(graph, nodes)
    constants = ConstantFolder(graph, inputs, size)
    made = {*(value.name for value in inputs), *graph.initializers}
    varying: list[Node] = []
    for node in nodes:
        for name in filter(None, node.inputs):
            if name not in made:
                reason = "it is made later, or in a cycle" if name in makers else "nothing makes it"
                raise ModelFileError(f"{node} reads the tensor {name!r}, but {reason}")
        made.update(node.outputs)
        if not constants.fold(node):
            varying.append(node)
    return Slice(inputs, list(outputs), varying, constants, graph)


def chosen_outputs(graph: Graph, wanted: str | None) -> list[Value]:
    """Return the output of a name, by default all of floating-point numbers."""
    by_name = {value.name: value for value in graph.outputs}
    if not by_name:
        raise ModelFileError("the graph has no output")
    if wanted is not None:
        if wanted not in by_name:
            raise ModelFileError(unknown_name("output", wanted, by_name))
        return [by_name[wanted]]
    # A classifier's labels and its maps from labels to probabilities stand beside its numbers.
    floats = [value for value in graph.outputs if value.element_type in FLOAT_TYPES]
    maps = [value for value in graph.outputs if value.element_type == 0]
    chosen = floats or maps or graph.outputs
    if len(chosen) > 1 and not (floats):
        names = ", ".join(repr(value.name) for value in chosen)
        raise ModelFileError(f"the graph has several outputs, {names}: choose one")
    return chosen


def _inputs(graph: Graph, nodes: Sequence[Node]) -> list[Value]:
    read = {name for node in nodes for name in node.inputs}
    entries = [value for value in graph.inputs if value.name not in graph.initializers]
    used = [value for value in entries if value.name in read]
    if not used:
        raise ModelFileError("the output depends on 0 inputs")
    for value in used:
        if value.element_type not in NUMBER_TYPES:
            raise ModelFileError(
                f"input {value.name!r} has elements of type {type_name(value.element_type)}"
            )
    return used
