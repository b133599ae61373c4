# SPDX-License-Identifier: Apache-2.0
"""The Gaussian error linear unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Graph

__all__ = ["Gelu"]

_GELU_OPSET = 20
# erfc(x) = t exp(-x**2 + a polynomial of t) with t = 1 / (1 + x / 2); highest power first.
_ERFC = (
    0.17087277,
    -0.82215223,
    1.48851587,
    -1.13520398,
    0.27886807,
    -0.18628806,
    0.09678418,
    0.37409196,
    1.00002368,
    -1.26551223,
)


class Gelu(Activation):
    """f(x) = x * Phi(x), where Phi is the standard normal distribution function.

    Parameters
    ----------
    approximate : {"none", "tanh"}, default "none"
        "tanh": f(x) = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))), of kind
        "gelu_tanh".

    References
    ----------
    Hendrycks & Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415.

    Examples
    --------
    >>> from chainrule import activations
    >>> Gelu(approximate="tanh") == activations.get("gelu_tanh")
    True
    """

    kind = "gelu"
    torch_module = "GELU"
    onnx_operator = "Gelu"
    c_source = """\
/* y = x * Phi(x), Phi being the standard normal distribution function. */
static void gelu(const float* x, float* y, size_t n) {
  const float inverse_sqrt_2 = 0.707106781f;
  for (size_t i = 0; i < n; ++i) y[i] = 0.5f * x[i] * erfcf(-inverse_sqrt_2 * x[i]);
}

/* y = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))). */
static void gelu_tanh(const float* x, float* y, size_t n) {
  const float sqrt_2_over_pi = 0.797884561f;
  for (size_t i = 0; i < n; ++i) {
    const float inner = sqrt_2_over_pi * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    y[i] = 0.5f * x[i] * (1.0f + tanhf(inner));
  }
}
"""

    def __init__(self, approximate: str = "none") -> None:
        super().__init__(approximate=approximate)

    @property
    def approximate(self) -> str:
        """The approximation: "none" or "tanh"."""
        return "tanh" if self.config["kind"] == "gelu_tanh" else "none"

    @property
    def torch_arguments(self) -> dict[str, Any]:
        """The approximation."""
        return {"approximate": self.approximate}

    @classmethod
    def from_torch(cls, module: Any) -> Activation:
        """Return it with the module's approximation."""
        return cls(module.approximate)

    def add_to(self, graph: Graph) -> None:
        """Add the operator, or the formula in double and in versions that lack it."""
        if graph.dtype == "float32" and graph.opset >= _GELU_OPSET:
            graph.add("Gelu", approximate=self.approximate)
        elif self.approximate == "tanh":
            _add_tanh(graph)
        elif graph.dtype == "float32":
            _add_erf(graph)
        else:
            _add_erfc(graph)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation:
        """Return it with the operator's approximation."""
        return cls(str(attributes.get("approximate", "none")))

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return both."""
        return [cls(), cls("tanh")]


# The core has the approximation as a kind of its own.
Activation._classes["gelu_tanh"] = Gelu


def _add_tanh(graph: Graph) -> None:
    z = graph.current
    cube = graph.add("Mul", graph.add("Mul", z, z), z)
    inner = graph.add("Add", z, graph.add("Mul", cube, graph.scalar(0.044715)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.scalar(math.sqrt(2 / math.pi))))
    twice = graph.add("Mul", z, graph.add("Add", tanh, graph.scalar(1.0)))
    graph.add("Mul", twice, graph.scalar(0.5))


def _add_erf(graph: Graph) -> None:
    z = graph.current
    erf = graph.add("Erf", graph.add("Mul", z, graph.scalar(math.sqrt(0.5))))
    twice = graph.add("Mul", z, graph.add("Add", erf, graph.scalar(1.0)))
    graph.add("Mul", twice, graph.scalar(0.5))


def _add_erfc(graph: Graph) -> None:
    """Add max(0, z) - a erfc(a / sqrt(2)) / 2 with a = abs(z), to 1.2e-7 of the second term.

    References
    ----------
    Press et al., "Numerical recipes", 2nd edition, 6.2, for erfc.
    """
    z = graph.current
    size = graph.add("Abs", z)
    x = graph.add("Mul", size, graph.scalar(math.sqrt(0.5)))
    half = graph.add("Mul", x, graph.scalar(0.5))
    t = graph.add("Reciprocal", graph.add("Add", half, graph.scalar(1.0)))
    total = graph.scalar(_ERFC[0])
    for coefficient in _ERFC[1:]:
        total = graph.add("Add", graph.add("Mul", total, t), graph.scalar(coefficient))
    exponent = graph.add("Sub", total, graph.add("Mul", x, x))
    erfc = graph.add("Mul", t, graph.add("Exp", exponent))
    below = graph.add("Mul", graph.add("Mul", size, graph.scalar(0.5)), erfc)
    graph.add("Sub", graph.add("Relu", z), below)
