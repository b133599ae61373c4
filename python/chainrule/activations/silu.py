# SPDX-License-Identifier: Apache-2.0
"""The sigmoid-weighted linear unit."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Silu"]


class Silu(PlainActivation):
    """f(x) = x * sigmoid(x), also known as swish.

    References
    ----------
    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.
    """

    kind = "silu"
    torch_module = "SiLU"
    onnx_operator = ""
    c_source = """\
/* y = x / (1 + exp(-x)). */
static void silu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0f + exponential(-x[i]));
}
"""

    def add_to(self, graph: Graph) -> None:
        """Add z * sigmoid(z)."""
        z = graph.current
        graph.add("Mul", z, graph.add("Sigmoid"))
