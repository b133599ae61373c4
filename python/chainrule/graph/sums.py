# SPDX-License-Identifier: Apache-2.0
"""Sums, means and products of many numbers, in the order of summation that the core has."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Sequence
from typing import Any

from chainrule.graph.fma import fma
from chainrule.graph.nodes import (
    InSteps,
    Node,
    Operation,
)

__all__ = ["DOT", "MEAN", "MEAN_SQUARE", "PRODUCT", "TREE", "TREE_MEAN", "scaled_sum"]

_LANES = 16  # sums that the core adds as a tree


def _dot(start: float, *pairs: float) -> float:
    total = start
    for x, w in zip(pairs[::2], pairs[1::2], strict=True):
        total = fma(x, w, total)
    return total


def _dot_derivatives(y: Any, start: Any, *pairs: Any) -> Sequence[Any]:
    swapped = [pairs[i ^ 1] for i in range(len(pairs))]
    return [1.0, *swapped]


def _tree(*both: float) -> float:
    """Return sums of products of every sixteenth pair, added as a tree."""
    count = len(both) // 2
    sums = [0.0] * _LANES
    for j, (a, b) in enumerate(zip(both[:count], both[count:], strict=True)):
        sums[j % _LANES] = fma(a, b, sums[j % _LANES])
    return _folded(sums)


def _folded(sums: list[float]) -> float:
    half = _LANES // 2
    while half:
        sums = [sums[i] + sums[i + half] for i in range(half)]
        half //= 2
    return sums[0]


def _tree_mean(*xs: float) -> float:
    """Return the mean, of sums of every sixteenth number, added as a tree."""
    sums = [0.0] * _LANES
    for j, x in enumerate(xs):
        sums[j % _LANES] += x
    return _folded(sums) / len(xs)


def _tree_derivatives(y: Any, *both: Any) -> Sequence[Any]:
    count = len(both) // 2
    return [*both[count:], *both[:count]]


def _mean(*xs: float) -> float:
    return functools.reduce(operator.add, xs) / len(xs)


def _mean_derivatives(y: Any, *xs: Any) -> Sequence[Any]:
    count = float(len(xs))
    return [InSteps(1.0 / count, lambda gradient: gradient / count)] * len(xs)


def scaled_sum(factor: float) -> Operation:
    """Return a sum times a number, such as the mean of a window of a pool."""
    derivative = InSteps(factor, lambda gradient: gradient * factor)
    return Operation(
        "mean",
        lambda *xs: functools.reduce(operator.add, xs) * factor,
        lambda y, *xs: [derivative] * len(xs),
    )


def _product_derivatives(y: Any, *xs: Any) -> Sequence[Any]:
    others = [[*xs[:k], *xs[k + 1 :]] for k in range(len(xs))]
    if isinstance(xs[0], Node):
        return [functools.reduce(operator.mul, each) for each in others]
    return [InSteps(math.prod(each), functools.partial(_times, each)) for each in others]


def _times(factors: Sequence[float], gradient: float) -> float:
    return functools.reduce(operator.mul, factors, gradient)


DOT = Operation("dot", _dot, _dot_derivatives)


TREE = Operation("dot", _tree, _tree_derivatives)


MEAN = Operation("mean", _mean, _mean_derivatives)


TREE_MEAN = Operation("mean", _tree_mean, _mean_derivatives)


MEAN_SQUARE = Operation(
    "mean_square",
    lambda *xs: _tree_mean(*(x * x for x in xs)),
    lambda y, *xs: [2.0 * x / len(xs) for x in xs],
)


PRODUCT = Operation("*", lambda *xs: functools.reduce(operator.mul, xs), _product_derivatives)
