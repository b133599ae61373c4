# SPDX-License-Identifier: Apache-2.0
"""No activation."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Linear"]


class Linear(PlainActivation):
    """f(x) = x: no activation."""

    kind = "linear"

    def add_to(self, graph: Graph) -> None:
        """Add nothing."""
