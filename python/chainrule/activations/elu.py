# SPDX-License-Identifier: Apache-2.0
"""The exponential linear unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Graph, at, number_of, shortest
from chainrule.spec import Field

__all__ = ["Elu"]


class Elu(Activation):
    """f(x) = x for x > 0, else alpha * (exp(x) - 1).

    Parameters
    ----------
    alpha : float, default 1.0
        At least 0.

    References
    ----------
    Clevert, Unterthiner & Hochreiter, "Fast and accurate deep network learning by exponential
    linear units (ELUs)", ICLR 2016.
    """

    kind = "elu"
    torch_module = "ELU"
    onnx_operator = "Elu"
    c_source = """\
/* y = x where x > 0, else alpha * (exp(x) - 1). */
static void elu(const float* x, float* y, size_t n, float alpha) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : alpha * expm1f(x[i]);
}
"""
    alpha = Field[float]()

    def __init__(self, alpha: float = 1.0) -> None:
        super().__init__(alpha=alpha)

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula where onnxruntime lacks it."""
        if graph.dtype == "float32":
            graph.add("Elu", alpha=self.alpha)
            return
        z = graph.current
        power = graph.add("Exp", graph.add("Min", z, graph.scalar(0.0)))
        less_one = graph.add("Sub", power, graph.scalar(1.0))
        below = graph.add("Mul", less_one, graph.scalar(self.alpha))
        graph.add("Add", graph.add("Relu", z), below)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation:
        """Return it with the operator's alpha."""
        return cls(number_of(attributes, "alpha", 1.0))

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the one whose depth below zero has the ratio of y's to its slope above."""
        below, zero, above = at(x, y, -10.0, 0.0, 1.0)
        depth = (zero - below) / (above - zero) if above != zero else -1.0
        return [cls(shortest(depth / -math.expm1(-10.0)))] if depth >= 0 else []
