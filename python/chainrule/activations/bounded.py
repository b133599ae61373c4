# SPDX-License-Identifier: Apache-2.0
"""Activations with two bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Tensor, shortest

__all__ = ["HardSigmoid", "Sigmoid", "Softmax", "Softsign", "Tanh"]

_SIXTH = 1 / 6


class Sigmoid(Activation):
    """f(x) = 1 / (1 + exp(-x)).

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("sigmoid")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[0.1192, 0.6225, 0.8808]], dtype=float32)
    """

    kind = "sigmoid"
    never_negative = True
    flat_outside = (0.01, 0.99)
    torch_module = "Sigmoid"
    onnx_operator = "Sigmoid"
    onnx_double = True
    c_source = """\
/* y = 1 / (1 + exp(-x)). */
static void sigmoid(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = 1.0f / (1.0f + exponential(-x[i]));
}
"""


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
    never_negative = True
    dies = True
    flat_outside = (1e-6, 1.0 - 1e-6)
    torch_module = "Hardsigmoid"
    onnx_operator = "HardSigmoid"
    onnx_options = (("alpha", "alpha", 0.2), ("beta", "beta", 0.5))
    c_source = """\
/* y = alpha * x + beta within 0 .. 1. */
static void hard_sigmoid(const float* x, float* y, size_t n, float alpha, float beta) {
  for (size_t i = 0; i < n; ++i) {
    const float line = alpha * x[i] + beta;
    y[i] = line < 0.0f ? 0.0f : line > 1.0f ? 1.0f : line;
  }
}
"""
    alpha: float = _SIXTH
    beta: float = 0.5

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

    def formula(self, z: Tensor) -> Tensor:
        """Return f(z)."""
        return (z * self.alpha + self.beta).op("Clip", 0.0, 1.0)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return it with the operator's options."""
        found = super().from_onnx(attributes)
        assert isinstance(found, HardSigmoid)
        return cls(_exact(found.alpha), found.beta)

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


class Tanh(Activation):
    """f(x) = tanh(x).

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("tanh")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.964 ,  0.4621,  0.964 ]], dtype=float32)
    """

    kind = "tanh"
    flat_outside = (-0.98, 0.98)
    torch_module = "Tanh"
    onnx_operator = "Tanh"
    onnx_double = True
    # Not ``tanh``, which is in the C library.
    c_function = "hyperbolic_tangent"
    c_source = """\
/* y = tanh(x). */
static void hyperbolic_tangent(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = tanhf(x[i]);
}
"""


class Softsign(Activation):
    """f(x) = x / (1 + abs(x)).

    References
    ----------
    Turian, Bergstra & Bengio, "Quadratic features and deep architectures for chunking", NAACL 2009.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("softsign")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.6667,  0.3333,  0.6667]], dtype=float32)
    """

    kind = "softsign"
    flat_outside = (-0.8, 0.8)
    torch_module = "Softsign"
    onnx_operator = "Softsign"
    c_source = """\
/* y = x / (1 + |x|). */
static void softsign(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] / (1.0f + (x[i] < 0.0f ? -x[i] : x[i]));
}
"""

    def formula(self, z: Tensor) -> Tensor:
        """Return f(z)."""
        return z / (z.op("Abs") + 1.0)


class Softmax(Activation):
    """f(x)_j = exp(x_j) / sum_k exp(x_k), over each row.

    The loss `chainrule.losses.CrossEntropy` applies it by itself: give that loss a linear layer.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("softmax")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[0.0148, 0.1797, 0.8055]], dtype=float32)
    """

    kind = "softmax"
    never_negative = True
    torch_module = "Softmax"
    onnx_operator = "Softmax"
    onnx_double = True
    c_source = """\
/* y = exp(x) / sum(exp(x)), with the largest x taken from all so that nothing overflows. */
static void softmax(const float* x, float* y, size_t n) {
  float largest = x[0];
  for (size_t i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  float sum = 0.0f;
  for (size_t i = 0; i < n; ++i) {
    y[i] = exponential(x[i] - largest);
    sum += y[i];
  }
  for (size_t i = 0; i < n; ++i) y[i] /= sum;
}
"""

    @property
    def torch_arguments(self) -> dict[str, Any]:
        """Over each row."""
        return {"dim": -1}

    @property
    def onnx_attributes(self) -> dict[str, Any]:
        """Over each row."""
        return {"axis": -1}

    @classmethod
    def torch_objection(cls, module: Any) -> str | None:
        """Refuse other axes than that of the columns."""
        return None if module.dim in (1, -1) else "it is not over the last axis"

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return it if it is over each row."""
        # Before opset 13 the default axis was 1; on rows of columns that is the last one too.
        return cls() if attributes.get("axis", -1) in (-1, 1) else None

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return none: it is not elementwise."""
        return []
