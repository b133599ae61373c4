# SPDX-License-Identifier: Apache-2.0
"""A smooth activation that is not monotonic."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Mish"]

_MISH_OPSET = 18


class Mish(PlainActivation):
    """f(x) = x * tanh(log(1 + exp(x))).

    References
    ----------
    Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.
    """

    kind = "mish"
    torch_module = "Mish"
    onnx_operator = "Mish"
    c_source = """\
/* y = x * tanh(log(1 + exp(x))) = x * n / (n + 2), n = exp(x) * (exp(x) + 2). */
static void mish(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    /* From 20 on y = x. */
    const float power = exponential(x[i] > 20.0f ? 20.0f : x[i]);
    const float numerator = power * (power + 2.0f);
    y[i] = x[i] * (numerator / (numerator + 2.0f));
  }
}
"""

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double and in versions that lack it."""
        if graph.dtype == "float32" and graph.opset >= _MISH_OPSET:
            graph.add("Mish")
            return
        z = graph.current
        # From 20 on f(z) = z.
        power = graph.add("Exp", graph.add("Min", z, graph.scalar(20.0)))
        numerator = graph.add("Mul", power, graph.add("Add", power, graph.scalar(2.0)))
        denominator = graph.add("Add", numerator, graph.scalar(2.0))
        graph.add("Mul", z, graph.add("Div", numerator, denominator))
