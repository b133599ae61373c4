# SPDX-License-Identifier: Apache-2.0
"""Swish of straight pieces."""

from __future__ import annotations

from chainrule.activations.activation import Graph, PlainActivation

__all__ = ["HardSwish"]

_HARD_SWISH_OPSET = 14


class HardSwish(PlainActivation):
    """f(x) = x * min(6, max(0, x + 3)) / 6, also known as hard_silu.

    References
    ----------
    Howard et al., "Searching for MobileNetV3", ICCV 2019.
    """

    kind = "hard_swish"
    torch_module = "Hardswish"
    onnx_operator = "HardSwish"
    c_source = """\
/* y = x * h, h = (x + 3) / 6 within 0 .. 1. */
static void hard_swish(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float line = x[i] + 3.0f;
    y[i] = x[i] * ((line < 0.0f ? 0.0f : line > 6.0f ? 6.0f : line) / 6.0f);
  }
}
"""

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double and in versions that lack it."""
        if graph.dtype == "float32" and graph.opset >= _HARD_SWISH_OPSET:
            graph.add("HardSwish")
            return
        z = graph.current
        line = graph.add("Add", z, graph.scalar(3.0))
        clipped = graph.add("Clip", line, graph.scalar(0.0), graph.scalar(6.0))
        graph.add("Mul", z, graph.add("Div", clipped, graph.scalar(6.0)))
