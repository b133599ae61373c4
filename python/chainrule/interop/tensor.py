# SPDX-License-Identifier: Apache-2.0
"""What a node of a network in the making gives, with a scaling that has no place yet."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.nodes import NetworkNode, Shape
from chainrule.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
)

__all__ = ["ONE", "ZERO", "Tensor", "by_columns", "folded", "is_sums", "lacks_bias"]
__all__ += ["is_permuted", "unpermuted"]

Array = NDArray[Any]

ONE, ZERO = np.array(1.0), np.array(0.0)
_SUMS = (
    *(Dense, Conv1D, Conv2D, Conv1DTranspose, Conv2DTranspose),
    *(DepthwiseConv1D, DepthwiseConv2D),
)


@dataclass(eq=False)
class Tensor:
    """What a node of the network gives, times `scale` plus `offset`.

    Both are of shape (), or (columns,), or that of the rows, `shape`. `stored` is the shape in
    which the node gives the same numbers in the same order. `node` is None for an input, which has
    `name`. What is `shared` by several readers is not to be changed for one of them. `origin` is
    what scaled it or gave it its shape, which may become a layer later. `batch` is the axis of the
    rows in the other program's tensor, whose other axes are the shape.
    """

    shape: Shape
    stored: Shape
    node: NetworkNode | None = None
    name: str = ""
    scale: Array = field(default_factory=lambda: ONE)
    offset: Array = field(default_factory=lambda: ZERO)
    shared: bool = False
    origin: str = ""
    batch: int = 0

    @property
    def columns(self) -> int:
        """The last extent; 1 of rows of a single number, whose shape is ()."""
        return self.shape[-1] if self.shape else 1

    def spread(self) -> tuple[Array, Array]:
        """Return scale and offset of each column."""
        shape = (self.columns,)
        return np.broadcast_to(self.scale, shape), np.broadcast_to(self.offset, shape)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but what the node gives."""
        return bool(np.all(self.scale == 1.0) and np.all(self.offset == 0.0))

    @property
    def by_columns(self) -> bool:
        """Whether all positions have the same scale and offset."""
        return max(np.ndim(self.scale), np.ndim(self.offset)) <= 1


def by_columns(array: Array) -> Array:
    """Return an array of the rows' shape as one of columns, if all positions have the same."""
    array = np.asarray(array)
    if array.ndim <= 1:
        return array
    positions = array.reshape(-1, array.shape[-1])
    return positions[0] if bool((positions == positions[:1]).all()) else array


def is_sums(x: Tensor) -> bool:
    """Whether a tensor is what a linear `Dense` or convolution gives, which may be changed."""
    layer = None if x.node is None or x.shared else x.node.layer
    return isinstance(layer, _SUMS) and layer.activation.kind == "linear"


def lacks_bias(x: Tensor) -> bool:
    """Whether a tensor is such sums without a bias."""
    return is_sums(x) and x.node is not None and "bias" not in x.node.arrays


def is_permuted(x: Tensor) -> bool:
    """Whether a tensor is what a `Permute` gives."""
    return x.node is not None and x.node.layer.kind == "permute" and x.shape == x.stored


def unpermuted(x: Tensor, before: Tensor) -> Tensor | None:
    """Return `before`, of which a `Permute` makes x, scaled as x is.

    None unless that is a scaling of columns.
    """
    assert x.node is not None
    axes = np.argsort(x.node.layer.dims)
    scale, offset = (
        by_columns(np.broadcast_to(each, x.shape).transpose(axes)) if np.ndim(each) else each
        for each in (x.scale, x.offset)
    )
    made = replace(before, scale=scale, offset=offset, origin=x.origin)
    return made if made.by_columns else None


def folded(x: Tensor, weight: Array, bias: Array | None) -> tuple[Array, Array | None]:
    """Return weights that scale and shift their own inputs."""
    scale, offset = x.spread()
    with np.errstate(all="ignore"):
        shift = np.einsum("i,ij->j", offset, weight, dtype=np.float64, casting="same_kind")
        weight = weight * scale.astype(weight.dtype)[:, None]
    return weight, shift if bias is None else bias + shift
