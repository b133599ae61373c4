# SPDX-License-Identifier: Apache-2.0
"""Activations that pass positive values on and stop or shrink negative ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.activations.activation import Activation, Tensor, at, shortest

__all__ = ["Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Softplus"]

# From there on softplus(x) is x in single precision.
_LEAST_THRESHOLD = 15.0


class Relu(Activation):
    """f(x) = max(0, x), with f'(0) = 0.

    References
    ----------
    Glorot, Bordes & Bengio, "Deep sparse rectifier neural networks", AISTATS 2011.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("relu")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[0. , 0.5, 2. ]], dtype=float32)
    """

    kind = "relu"
    never_negative = True
    dies = True
    torch_module = "ReLU"
    onnx_operator = "Relu"
    onnx_double = True
    c_source = """\
/* y = max(0, x). */
static void relu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}
"""


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
    onnx_options = (("negative_slope", "alpha", 0.01),)
    c_source = """\
/* y = x where x > 0, else slope * x. */
static void leaky_relu(const float* x, float* y, size_t n, float slope) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}
"""
    negative_slope: float = 0.01

    def formula(self, z: Tensor) -> Tensor:
        """Return max(0, z) + slope * min(0, z)."""
        return z.op("Relu") + z.op("Min", 0.0) * self.negative_slope

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the one whose slopes on the two sides of zero have the ratio of y's."""
        below, zero, above = at(x, y, -1.0, 0.0, 1.0)
        slope = (zero - below) / (above - zero) if above != zero else -1.0
        return [cls(shortest(slope))] if slope >= 0 else []


class Relu6(Activation):
    """f(x) = min(6, max(0, x)), with f'(0) = f'(6) = 0.

    References
    ----------
    Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("relu6")])
    >>> net.predict([[-2.0, 0.5, 9.0]]).round(4)
    array([[0. , 0.5, 6. ]], dtype=float32)
    """

    kind = "relu6"
    never_negative = True
    dies = True
    torch_module = "ReLU6"
    c_source = """\
/* y = x within 0 .. 6. */
static void relu6(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i] > 6.0f ? 6.0f : x[i];
}
"""

    def formula(self, z: Tensor) -> Tensor:
        """Return what is known again by its values."""
        return z.op("Clip", 0.0, 6.0)


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

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("elu")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-0.8647,  0.5   ,  2.    ]], dtype=float32)
    """

    kind = "elu"
    torch_module = "ELU"
    onnx_operator = "Elu"
    onnx_options = (("alpha", "alpha", 1.0),)
    c_source = """\
/* y = x where x > 0, else alpha * (exp(x) - 1). */
static void elu(const float* x, float* y, size_t n, float alpha) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] > 0.0f ? x[i] : alpha * expm1f(x[i]);
}
"""
    alpha: float = 1.0

    def formula(self, z: Tensor) -> Tensor:
        """Return max(0, z) + alpha * (exp(min(0, z)) - 1)."""
        return z.op("Relu") + (z.op("Min", 0.0).op("Exp") - 1.0) * self.alpha

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the one whose depth below zero has the ratio of y's to its slope above."""
        below, zero, above = at(x, y, -10.0, 0.0, 1.0)
        depth = (zero - below) / (above - zero) if above != zero else -1.0
        return [cls(shortest(depth / -math.expm1(-10.0)))] if depth >= 0 else []


class Selu(Activation):
    """f(x) = c * x for x > 0, else c * a * (exp(x) - 1): c is 1.0507..., a is 1.6732...

    With these constants, weights of `chainrule.initializers.LecunNormal` (the default before it)
    and normalised inputs, layers keep activations near mean 0 and variance 1.

    References
    ----------
    Klambauer, Unterthiner, Mayr & Hochreiter, "Self-normalizing neural networks", NeurIPS 2017.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("selu")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-1.5202,  0.5254,  2.1014]], dtype=float32)
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
        return list(_selu_constants())

    def formula(self, z: Tensor) -> Tensor:
        """Return c * max(0, z) + c * a * (exp(min(0, z)) - 1)."""
        scale, depth = _selu_constants()
        return z.op("Relu") * scale + (z.op("Min", 0.0).op("Exp") - 1.0) * depth

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return it if the operator has its constants, which ONNX rounds to 32 bits."""
        scale, depth = _selu_constants()
        gamma, alpha = attributes.get("gamma", scale), attributes.get("alpha", depth / scale)
        return cls() if np.allclose([gamma, alpha * scale], [scale, depth], rtol=1e-6) else None


@cache
def _selu_constants() -> tuple[float, float]:
    """Return the core's c and c * a: the values at 1 and, but for the sign, far below 0."""
    net = _core.Network64([{"kind": "activation", "activation": "selu"}], 2, 0)
    above, below = net.forward(np.array([[1.0, -1000.0]]), training=False)[0]
    return float(above), -float(below)


class Softplus(Activation):
    """f(x) = log(1 + exp(x)).

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("softplus")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[0.1269, 0.9741, 2.1269]], dtype=float32)
    """

    kind = "softplus"
    never_negative = True
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

    def formula(self, z: Tensor) -> Tensor:
        """Return max(0, z) + log(1 + exp(-abs(z)))."""
        return z.op("Relu") + (z.op("Abs").op("Neg").op("Exp") + 1.0).op("Log")
