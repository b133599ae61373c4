# SPDX-License-Identifier: Apache-2.0
"""What ONNX files say of a network beside its operators: names, what is frozen and shared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.errors import ModelFileError
from chainrule.interop.nodes import NetworkNode

__all__ = ["DESCRIBED", "Names", "metadata_of", "prefix_of"]

_NODES, _FROZEN, _LAYERS = "chainrule.nodes", "chainrule.frozen", "chainrule.layers"
_SHARED = "chainrule.shared"
# Kinds of layers that operators alone do not tell.
DESCRIBED = frozenset(
    {
        "average_pooling",
        "category_encoding",
        "conv1d",
        "conv1d_transpose",
        "conv2d",
        "conv2d_transpose",
        "depthwise_conv1d",
        "depthwise_conv2d",
        "embedding",
        "normalization",
        "periodic_embedding",
        "piecewise_linear_embedding",
        "up_sampling",
    }
)


def prefix_of(node: NetworkNode) -> str:
    """Return what the names of a node's operators begin with, before a dot."""
    # Layers without a name of their own have a number.
    return f"{node.name}.{node.layer.kind}" if node.name.isdecimal() else node.name


def metadata_of(inputs: Sequence[str], nodes: Sequence[NetworkNode]) -> dict[str, str]:
    """Return the entries of a file's metadata as JSON: names, layers and owners by name."""
    frozen = [node.name for node in nodes if node.frozen]
    metadata = {_NODES: json.dumps([*inputs, *(node.name for node in nodes)])}
    layers = {node.name: node.layer.config for node in nodes if node.layer.kind in DESCRIBED}
    metadata |= {_FROZEN: json.dumps(frozen)} if frozen else {}
    metadata |= {_LAYERS: json.dumps(layers)} if layers else {}
    first: dict[int, str] = {}  # nodes that share parameters have one dict of them
    owners = {node.name: first.setdefault(id(node.arrays), node.name) for node in nodes}
    having = [node.name for node in nodes if node.arrays]
    shared = {name: owners[name] for name in having if owners[name] != name}
    return metadata | ({_SHARED: json.dumps(shared)} if shared else {})


class Names:
    """The names of nodes in a file; none in a file that another program wrote.

    Parameters
    ----------
    metadata : mapping of str to str
        That of the file.

    Attributes
    ----------
    frozen : frozenset of str
        The nodes whose parameters training leaves as they are.
    layers : mapping of str to dict
        The configs of some nodes' layers.
    shared : mapping of str to str
        Nodes that use another one's parameters, with that one.

    Raises
    ------
    ModelFileError
        If an entry is not what it should be.
    """

    def __init__(self, metadata: Mapping[str, str]) -> None:
        self._nodes = _names(metadata, _NODES)
        self.frozen = _names(metadata, _FROZEN)
        layers = _parsed(metadata, _LAYERS, "{}")
        if not isinstance(layers, dict) or not all(isinstance(v, dict) for v in layers.values()):
            raise ModelFileError(f"the metadata {_LAYERS!r} are no layers by name")
        self.layers: Mapping[str, Mapping[str, Any]] = layers
        shared = _parsed(metadata, _SHARED, "{}")
        if not isinstance(shared, dict) or not all(isinstance(v, str) for v in shared.values()):
            raise ModelFileError(f"the metadata {_SHARED!r} are no names by name")
        self.shared: Mapping[str, str] = shared

    def __contains__(self, name: str) -> bool:
        """Whether there is such a node or input."""
        return name in self._nodes

    def of_operator(self, name: str) -> str:
        """Return the name of the node that an operator is a part of; nothing if that is unknown."""
        node = name.rpartition(".")[0]
        number = node.partition(".")[0]
        node = number if number.isdecimal() else node
        return node if node in self._nodes else ""


def _names(metadata: Mapping[str, str], key: str) -> frozenset[str]:
    names = _parsed(metadata, key, "[]")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ModelFileError(f"the metadata {key!r} is no list of names")
    return frozenset(names)


def _parsed(metadata: Mapping[str, str], key: str, default: str) -> Any:
    try:
        return json.loads(metadata.get(key, default))
    except (RecursionError, ValueError) as error:
        raise ModelFileError(f"the metadata {key!r} is no JSON: {error}") from error
