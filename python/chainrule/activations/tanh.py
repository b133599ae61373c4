# SPDX-License-Identifier: Apache-2.0
"""The hyperbolic tangent."""

from __future__ import annotations

from chainrule.activations.activation import PlainActivation

__all__ = ["Tanh"]


class Tanh(PlainActivation):
    """f(x) = tanh(x)."""

    kind = "tanh"
    torch_module = "Tanh"
    onnx_operator = "Tanh"
    c_source = """\
/* y = tanh(x). */
static void hyperbolic_tangent(const float* x, float* y, size_t n) {
  for (size_t i = 0; i < n; ++i) y[i] = tanhf(x[i]);
}
"""

    @property
    def c_function(self) -> str:
        """Not ``tanh``, which is in the C library."""
        return "hyperbolic_tangent"
