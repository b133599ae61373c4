# SPDX-License-Identifier: Apache-2.0
"""The compiled networks of each dtype."""

from __future__ import annotations

from chainrule import _core
from chainrule.network.graph import Graph

__all__ = ["CORE_NETWORKS", "CoreNetwork", "make_core"]

CoreNetwork = _core.Network32 | _core.Network64
CORE_NETWORKS: dict[str, type[CoreNetwork]] = {
    "float32": _core.Network32,
    "float64": _core.Network64,
}


def make_core(graph: Graph, seed: int, dtype: str) -> CoreNetwork:
    """Return the compiled network of a graph, with first values for its parameters."""
    return CORE_NETWORKS[dtype](graph.description, list(graph.outputs), seed)
