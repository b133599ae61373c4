# SPDX-License-Identifier: Apache-2.0
"""The rectified linear unit."""

from __future__ import annotations

from chainrule.activations.activation import PlainActivation

__all__ = ["Relu"]


class Relu(PlainActivation):
    """f(x) = max(0, x), with f'(0) = 0.

    References
    ----------
    Glorot, Bordes & Bengio, "Deep sparse rectifier neural networks", AISTATS 2011.
    """

    kind = "relu"
    torch_module = "ReLU"
    onnx_operator = "Relu"
    c_source = """\
/* y = max(0, x). */
static void relu(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}
"""
