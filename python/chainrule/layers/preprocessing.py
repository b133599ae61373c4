# SPDX-License-Identifier: Apache-2.0
"""Layers that scale the inputs."""

from __future__ import annotations

from chainrule.described import Option
from chainrule.layers.layer import Layer

__all__ = ["Normalization", "Rescaling"]


class Rescaling(Layer):
    """x * scale + offset, the same two numbers for every feature.

    Parameters
    ----------
    scale : float
        Factor.
    offset : float, default 0.0
        Added after scaling.

    Examples
    --------
    >>> Rescaling(1 / 127.5, offset=-1.0).offset
    -1.0
    """

    kind = "rescaling"
    scale = Option[float]()
    offset = Option[float]()

    def __init__(self, scale: float, offset: float = 0.0) -> None:
        super().__init__(scale=scale, offset=offset)


class Normalization(Layer):
    """(x - mean) / sqrt(variance), per feature.

    Mean and variance are not trained: the network's first ``fit``, or its ``adapt``, takes them
    from the data.
    """

    kind = "normalization"

    def __init__(self) -> None:
        super().__init__()
