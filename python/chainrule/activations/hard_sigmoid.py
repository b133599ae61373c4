# SPDX-License-Identifier: Apache-2.0
"""A sigmoid of straight pieces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Graph, number_of, shortest
from chainrule.spec import Field

__all__ = ["HardSigmoid"]

_SIXTH = 1 / 6


class HardSigmoid(Activation):
    """f(x) = min(1, max(0, alpha * x + beta)).

    Parameters
    ----------
    alpha : float, default 1 / 6
        The slope; above 0. The default is PyTorch's and Keras', ONNX has 0.2.
    beta : float, default 0.5
        The value at 0.

    Examples
    --------
    >>> HardSigmoid()
    HardSigmoid()
    >>> HardSigmoid(0.2)
    HardSigmoid(alpha=0.2)
    """

    kind = "hard_sigmoid"
    alpha = Field[float]()
    beta = Field[float]()
    torch_module = "Hardsigmoid"
    onnx_operator = "HardSigmoid"
    c_source = """\
/* y = alpha * x + beta within 0 .. 1. */
static void hard_sigmoid(const float* x, float* y, size_t n, float alpha, float beta) {
  for (size_t i = 0; i < n; ++i) {
    const float line = alpha * x[i] + beta;
    y[i] = line < 0.0f ? 0.0f : line > 1.0f ? 1.0f : line;
  }
}
"""

    def __init__(self, alpha: float = _SIXTH, beta: float = 0.5) -> None:
        super().__init__(alpha=alpha, beta=beta)

    @property
    def torch_arguments(self) -> dict[str, Any]:
        """None: PyTorch has the default options only."""
        if self != HardSigmoid():
            raise ValueError(f"PyTorch has no {self}, only HardSigmoid()")
        return {}

    @classmethod
    def from_torch(cls, module: Any) -> Activation:
        """Return it with the default options."""
        return cls()

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double: attributes would round the options."""
        if graph.dtype == "float32":
            graph.add("HardSigmoid", alpha=self.alpha, beta=self.beta)
            return
        scaled = graph.add("Mul", graph.current, graph.scalar(self.alpha))
        line = graph.add("Add", scaled, graph.scalar(self.beta))
        graph.add("Clip", line, graph.scalar(0.0), graph.scalar(1.0))

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation:
        """Return it with the operator's options."""
        alpha, beta = number_of(attributes, "alpha", 0.2), number_of(attributes, "beta", 0.5)
        return cls(_exact(alpha), beta)

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the one with y's slope and place between y's two limits."""
        low, high = y[x.argmin()], y[x.argmax()]
        with np.errstate(all="ignore"):
            part = (y - low) / (high - low)
        inner = np.flatnonzero((part > 0) & (part < 1))
        if len(inner) < 2:
            return []
        first, last = inner[x[inner].argmin()], inner[x[inner].argmax()]
        alpha = (part[last] - part[first]) / (x[last] - x[first])
        if not alpha > 0:
            return []
        return [cls(_exact(shortest(alpha)), shortest(part[last] - alpha * x[last]))]


def _exact(alpha: float) -> float:
    """Return 1 / 6 for what is left of it in 32 bits."""
    return _SIXTH if abs(alpha - _SIXTH) <= 1e-8 else alpha
