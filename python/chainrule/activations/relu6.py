# SPDX-License-Identifier: Apache-2.0
"""The rectified linear unit with an upper bound."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Relu6"]


class Relu6(PlainActivation):
    """f(x) = min(6, max(0, x)), with f'(0) = f'(6) = 0.

    References
    ----------
    Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.
    """

    kind = "relu6"
    torch_module = "ReLU6"
    c_source = """\
/* y = x within 0 .. 6. */
static void relu6(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i] > 6.0f ? 6.0f : x[i];
}
"""

    def add_to(self, graph: Graph) -> None:
        """Add Clip, which is known again by its values."""
        graph.add("Clip", graph.current, graph.scalar(0.0), graph.scalar(6.0))
