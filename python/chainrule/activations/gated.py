# SPDX-License-Identifier: Apache-2.0
"""Activations that are x times a gate between 0 and 1."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Tensor

__all__ = ["Gelu", "HardSwish", "Mish", "Silu"]

# erfc(x) = t exp(-x**2 + a polynomial of t) with t = 1 / (1 + x / 2); highest power first. Press
# et al., "Numerical recipes", 2nd edition, 6.2.
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
    onnx_opset = 20
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

    @property
    def onnx_attributes(self) -> dict[str, Any]:
        """The approximation."""
        return {"approximate": self.approximate}

    def formula(self, z: Tensor) -> Tensor:
        """Return f(z) by tanh, erf, or in double, where onnxruntime lacks erf, exp."""
        if self.approximate == "tanh":
            inner = (z + z * z * z * 0.044715) * math.sqrt(2 / math.pi)
            return z * (inner.op("Tanh") + 1.0) * 0.5
        if z.has_erf:
            return z * ((z * math.sqrt(0.5)).op("Erf") + 1.0) * 0.5
        # max(0, z) - a erfc(a / sqrt(2)) / 2 with a = abs(z), to 1.2e-7 of the second term.
        size = z.op("Abs")
        x = size * math.sqrt(0.5)
        t = (x * 0.5 + 1.0).op("Reciprocal")
        polynomial = t * _ERFC[0]
        for coefficient in _ERFC[1:-1]:
            polynomial = (polynomial + coefficient) * t
        erfc = t * (polynomial + _ERFC[-1] - x * x).op("Exp")
        return z.op("Relu") - size * 0.5 * erfc

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


class Silu(Activation):
    """f(x) = x * sigmoid(x), also known as swish.

    References
    ----------
    Elfwing, Uchibe & Doya, "Sigmoid-weighted linear units for neural network function
    approximation in reinforcement learning", Neural Networks 107, 2018.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("silu")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.2384,  0.3112,  1.7616]], dtype=float32)
    """

    kind = "silu"
    torch_module = "SiLU"
    c_source = """\
/* y = x / (1 + exp(-x)). */
static void silu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0f + exponential(-x[i]));
}
"""

    def formula(self, z: Tensor) -> Tensor:
        """Return z * sigmoid(z)."""
        return z * z.op("Sigmoid")


class Mish(Activation):
    """f(x) = x * tanh(log(1 + exp(x))).

    References
    ----------
    Misra, "Mish: a self regularized non-monotonic activation function", BMVC 2020.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("mish")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.2525,  0.3752,  1.944 ]], dtype=float32)
    """

    kind = "mish"
    torch_module = "Mish"
    onnx_operator = "Mish"
    onnx_opset = 18
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

    def formula(self, z: Tensor) -> Tensor:
        """Return z * n / (n + 2), n = exp(z) * (exp(z) + 2); from 20 on f(z) = z."""
        power = z.op("Min", 20.0).op("Exp")
        numerator = power * (power + 2.0)
        return z * (numerator / (numerator + 2.0))


class HardSwish(Activation):
    """f(x) = x * min(6, max(0, x + 3)) / 6, also known as hard_silu.

    References
    ----------
    Howard et al., "Searching for MobileNetV3", ICCV 2019.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("hard_swish")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.3333,  0.2917,  1.6667]], dtype=float32)
    """

    kind = "hard_swish"
    torch_module = "Hardswish"
    onnx_operator = "HardSwish"
    onnx_opset = 14
    c_source = """\
/* y = x * h, h = (x + 3) / 6 within 0 .. 1. */
static void hard_swish(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    const float line = x[i] + 3.0f;
    y[i] = x[i] * ((line < 0.0f ? 0.0f : line > 6.0f ? 6.0f : line) / 6.0f);
  }
}
"""

    def formula(self, z: Tensor) -> Tensor:
        """Return f(z)."""
        return z * ((z + 3.0).op("Clip", 0.0, 6.0) / 6.0)
