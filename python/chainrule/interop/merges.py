# SPDX-License-Identifier: Apache-2.0
"""Layers of several inputs, and what they are in other software."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["MERGES", "NARY", "Merge"]


class Merge(NamedTuple):
    """What a layer of two inputs is elsewhere; of more it is the same of the first two and so on.

    Attributes
    ----------
    onnx_operator : str
    torch_function : str
        The name of the function in ``torch``, and of the method of tensors.
    c_function : str
        The name of the function in ``c_export``.
    values : callable
        What NumPy makes of two arrays of rows.
    mean : bool
        Whether functions of two inputs make a sum, which is then divided by their number.
    """

    onnx_operator: str
    torch_function: str
    c_function: str
    values: Callable[[Any, Any], Any]
    mean: bool = False


def _joined(a: Any, b: Any) -> Any:
    return np.concatenate([a, b], axis=-1)


MERGES: Mapping[str, Merge] = {
    "add": Merge("Add", "add", "add", np.add),
    "average": Merge("Mean", "add", "add", np.add, mean=True),
    "concatenate": Merge("Concat", "cat", "concatenate", _joined),
    "maximum": Merge("Max", "maximum", "maximum", np.maximum),
    "multiply": Merge("Mul", "mul", "multiply", np.multiply),
    "subtract": Merge("Sub", "sub", "subtract", np.subtract),
}
"""Other software's names for each kind of merging layer."""

NARY = frozenset({"Concat", "Max", "Mean", "Sum"})
"""Operators of ONNX that take any number of inputs."""
