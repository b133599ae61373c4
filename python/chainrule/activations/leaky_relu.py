# SPDX-License-Identifier: Apache-2.0
"""A rectifier that lets negative values leak."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Graph, at, number_of, shortest
from chainrule.spec import Field

__all__ = ["LeakyRelu"]


class LeakyRelu(Activation):
    """f(x) = x for x > 0, else negative_slope * x.

    Parameters
    ----------
    negative_slope : float, default 0.01
        At least 0.

    References
    ----------
    Maas, Hannun & Ng, "Rectifier nonlinearities improve neural network acoustic models", ICML
    2013.

    Examples
    --------
    >>> LeakyRelu(0.2)
    LeakyRelu(negative_slope=0.2)
    """

    kind = "leaky_relu"
    torch_module = "LeakyReLU"
    onnx_operator = "LeakyRelu"
    c_source = """\
/* y = x where x > 0, else slope * x. */
static void leaky_relu(const float* x, float* y, size_t n, float slope) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}
"""
    negative_slope = Field[float]()

    def __init__(self, negative_slope: float = 0.01) -> None:
        super().__init__(negative_slope=negative_slope)

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double: an attribute would round the slope."""
        if graph.dtype == "float32":
            graph.add("LeakyRelu", alpha=self.negative_slope)
            return
        z = graph.current
        negative = graph.add("Min", z, graph.scalar(0.0))
        scaled = graph.add("Mul", negative, graph.scalar(self.negative_slope))
        graph.add("Add", graph.add("Relu", z), scaled)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation:
        """Return it with the operator's slope."""
        return cls(number_of(attributes, "alpha", 0.01))

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the one whose slopes on the two sides of zero have the ratio of y's."""
        below, zero, above = at(x, y, -1.0, 0.0, 1.0)
        slope = (zero - below) / (above - zero) if above != zero else -1.0
        return [cls(shortest(slope))] if slope >= 0 else []
