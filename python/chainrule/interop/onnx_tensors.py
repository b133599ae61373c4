# SPDX-License-Identifier: Apache-2.0
"""The tensors of an ONNX graph, as an assembly of layers has them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chainrule.interop.assembly import Assembly
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Node
from chainrule.interop.tensor import Tensor

__all__ = ["TensorReader"]


class TensorReader:
    """Knows what the nodes of a part of a graph have made."""

    def __init__(self, part: Slice, dtype: str) -> None:
        self.part = part
        self.constants = part.constants
        self.assembly = Assembly(dtype)
        names = part.graph.names
        self.assembly.frozen, self.assembly.shared = names.frozen, names.shared
        self._tied = {*names.shared, *names.shared.values()}
        self._tensors: dict[str, Tensor] = {}  # by the names of the file
        # The last states of each direction, by the name of the tensor that has all of them.
        self.states: dict[str, Sequence[Tensor]] = {}
        # What leads from an input to the lengths of a recurrent operator, by its id.
        self.lengths_paths: dict[int, list[Node]] = {}

    def tensor(self, name: str) -> Tensor:
        """Return what a node has made."""
        return self._tensors[name]

    def read(self, name: str, readers: Collection[Node]) -> Tensor:
        """Return a tensor for some nodes; where others read it too, none may change it.

        Nor may another layer change the tensor of one that shares its parameters.
        """
        if name not in self._tensors:
            raise NotImplementedError(f"nothing that is known makes its input {name!r}")
        nodes = self.part.nodes
        if any(i == len(nodes) or nodes[i] not in readers for i in self.part.readers[name]):
            self._tensors[name] = self.assembly.share(self._tensors[name])
        x = self._tensors[name]
        origin = "" if x.node is None else x.node.origin
        if origin in self._tied and origin != self.assembly.origin and not x.shared:
            self._tensors[name] = self.assembly.share(x)
        return self._tensors[name]

    def splits(self, nodes: Collection[Node]) -> bool:
        """Whether nodes are a part of a layer that shares its parameters, and of another one."""
        origins = {self.part.graph.names.of_operator(node.name) for node in nodes}
        return len(origins) > 1 and not origins.isdisjoint(self._tied)

    def give(self, node: Node, tensor: Tensor, place: int | None = None) -> None:
        """Note what a node makes, by default as the first of its outputs that has a name."""
        self._tensors[node.made if place is None else node.outputs[place]] = tensor

    def lengths(self, node: Node) -> Tensor | None:
        """Return the lengths of rows that a recurrent operator reads, None if no input is that."""
        path = self.lengths_paths.get(id(node))
        if path is None:
            return None
        return self.read(path[0].inputs[0] if path else node.inputs[4], [*path, node])
