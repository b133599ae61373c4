# SPDX-License-Identifier: Apache-2.0
"""A sigmoid-like activation without an exponential."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Softsign"]


class Softsign(PlainActivation):
    """f(x) = x / (1 + abs(x)).

    References
    ----------
    Turian, Bergstra & Bengio, "Quadratic features and deep architectures for chunking", NAACL 2009.
    """

    kind = "softsign"
    torch_module = "Softsign"
    onnx_operator = "Softsign"
    c_source = """\
/* y = x / (1 + |x|). */
static void softsign(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0f + (x[i] < 0.0f ? -x[i] : x[i]));
}
"""

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double."""
        if graph.dtype == "float32":
            graph.add("Softsign")
            return
        z = graph.current
        graph.add("Div", z, graph.add("Add", graph.add("Abs", z), graph.scalar(1.0)))
