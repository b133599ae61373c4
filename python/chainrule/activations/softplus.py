# SPDX-License-Identifier: Apache-2.0
"""A smooth rectifier."""

from __future__ import annotations

from typing import Any

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["Softplus"]

# From there on softplus(x) is x in single precision.
_LEAST_THRESHOLD = 15.0


class Softplus(PlainActivation):
    """f(x) = log(1 + exp(x))."""

    kind = "softplus"
    torch_module = "Softplus"
    onnx_operator = "Softplus"
    c_source = """\
/* y = log(1 + exp(x)), written so that neither end overflows. */
static void softplus(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float distance = x[i] < 0.0f ? -x[i] : x[i];
    y[i] = (x[i] > 0.0f ? x[i] : 0.0f) + log1pf(exponential(-distance));
  }
}
"""

    @property
    def torch_arguments(self) -> dict[str, Any]:
        """By default PyTorch takes x itself above 20, which in double is not exact."""
        return {"threshold": 60.0}

    @classmethod
    def torch_objection(cls, module: Any) -> str | None:
        """Refuse another function of x, or thresholds at which it is not yet x."""
        if module.beta != 1:
            return "its beta is not 1"
        if module.threshold < _LEAST_THRESHOLD:
            return f"it is x itself above its threshold of {module.threshold:g}"
        return None

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula where onnxruntime lacks it."""
        if graph.dtype == "float32":
            graph.add("Softplus")
            return
        z = graph.current
        power = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
        tail = graph.add("Log", graph.add("Add", power, graph.scalar(1.0)))
        graph.add("Add", graph.add("Relu", z), tail)
