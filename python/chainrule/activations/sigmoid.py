# SPDX-License-Identifier: Apache-2.0
"""The logistic function."""

from __future__ import annotations

from chainrule.activations.activation import PlainActivation

__all__ = ["Sigmoid"]


class Sigmoid(PlainActivation):
    """f(x) = 1 / (1 + exp(-x))."""

    kind = "sigmoid"
    torch_module = "Sigmoid"
    onnx_operator = "Sigmoid"
    c_source = """\
/* y = 1 / (1 + exp(-x)). */
static void sigmoid(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = 1.0f / (1.0f + exponential(-x[i]));
}
"""
