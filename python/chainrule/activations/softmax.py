# SPDX-License-Identifier: Apache-2.0
"""The normalised exponential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Activation, Graph, PlainActivation

__all__ = ["Softmax"]


class Softmax(PlainActivation):
    """f(x)_j = exp(x_j) / sum_k exp(x_k), over each row.

    The loss `chainrule.losses.CrossEntropy` applies it by itself: give that loss a linear layer.
    """

    kind = "softmax"
    torch_module = "Softmax"
    onnx_operator = "Softmax"
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

    @classmethod
    def torch_objection(cls, module: Any) -> str | None:
        """Refuse other axes than that of the columns."""
        return None if module.dim in (1, -1) else "it is not over the last axis"

    def add_to(self, graph: Graph) -> None:
        """Add the operator, over each row."""
        graph.add("Softmax", axis=-1)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return it if it is over each row."""
        # Before opset 13 the default axis was 1; on rows of columns that is the last one too.
        return cls() if attributes.get("axis", -1) in (-1, 1) else None

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return none: it is not elementwise."""
        return []
