# SPDX-License-Identifier: Apache-2.0
"""The scaled exponential linear unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from chainrule import _core
from chainrule.activations.activation import Activation, Graph, PlainActivation, number_of

__all__ = ["Selu"]


class Selu(PlainActivation):
    """f(x) = c * x for x > 0, else c * a * (exp(x) - 1): c is 1.0507..., a is 1.6732...

    With these constants, weights of `chainrule.initializers.LecunNormal` (the default before it)
    and normalised inputs, layers keep activations near mean 0 and variance 1.

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.
    """

    kind = "selu"
    torch_module = "SELU"
    onnx_operator = "Selu"
    c_source = """\
/* y = scale * x where x > 0, else depth * (exp(x) - 1). */
static void selu(const float* x, float* y, size_t n, float scale, float depth) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? scale * x[i] : depth * expm1f(x[i]);
}
"""

    @property
    def c_arguments(self) -> list[float]:
        """The core's constants."""
        return list(_constants())

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula where onnxruntime lacks it."""
        if graph.dtype == "float32":
            graph.add("Selu")
            return
        scale, depth = _constants()
        z = graph.current
        power = graph.add("Exp", graph.add("Min", z, graph.scalar(0.0)))
        less_one = graph.add("Sub", power, graph.scalar(1.0))
        below = graph.add("Mul", less_one, graph.scalar(depth))
        above = graph.add("Mul", graph.add("Relu", z), graph.scalar(scale))
        graph.add("Add", above, below)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return it if the operator has its constants, which ONNX rounds to 32 bits."""
        scale, depth = _constants()
        gamma = number_of(attributes, "gamma", scale)
        alpha = number_of(attributes, "alpha", depth / scale)
        same = math.isclose(gamma, scale, rel_tol=1e-6)
        return cls() if same and math.isclose(alpha * scale, depth, rel_tol=1e-6) else None


@cache
def _constants() -> tuple[float, float]:
    """Return the core's c and c * a: the values at 1 and, but for the sign, far below 0."""
    net = _core.Network64([{"kind": "activation", "activation": "selu"}], 2, 0)
    above, below = net.forward(np.array([[1.0, -1000.0]]), training=False)[0]
    return float(above), -float(below)
