# SPDX-License-Identifier: Apache-2.0
"""Links: the functions from a network's raw outputs to what a loss calls predictions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["LINKS", "Link"]


class Link(NamedTuple):
    """What a link is elsewhere.

    Attributes
    ----------
    meaning : str
        What the predictions are.
    onnx_operator : str
    c_function : str
        The name of the function in ``c_export``.
    sklearn_name : str
        The output activation of scikit-learn's networks.
    onnx_attributes : dict
        The attributes of the operator.
    """

    meaning: str
    onnx_operator: str
    c_function: str
    sklearn_name: str
    onnx_attributes: Mapping[str, Any] = MappingProxyType({})


LINKS: Mapping[str, Link] = {
    "softmax": Link(
        "the probabilities of the classes", "Softmax", "softmax", "softmax", {"axis": -1}
    ),
    "sigmoid": Link("the probability of each output", "Sigmoid", "sigmoid", "logistic"),
    "exponential": Link("the expected counts", "Exp", "exponentials", "exp"),
}
"""The links by the core's names; the identity has no row."""
