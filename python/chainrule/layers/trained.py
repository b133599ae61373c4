# SPDX-License-Identifier: Apache-2.0
"""What layers with parameters that are trained have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule.layers.layer import Layer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from dataclasses import KW_ONLY

__all__ = ["TrainedLayer"]


class TrainedLayer(Layer):
    """Base class of layers with parameters that are trained.

    Parameters
    ----------
    learning_rate_factor, weight_decay_factor : float or dict of str to float, default 1.0
        At least 0. An optimizer trains each parameter of the layer as if its own learning rate and
        weight decay were this many times as large, as parameter groups of PyTorch do. A float is
        for all parameters; a dict has those of some by their names, and others have 1. Where an
        optimizer multiplies the learning rate by the weight decay, as AdamW does, it multiplies by
        both factors. Clipping and the penalties `l1` and `l2`, which are in the gradients, know
        nothing of them.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> slow = cr.Dense(
    ...     8, learning_rate_factor={"bias": 0.1}, weight_decay_factor={"bias": 0.0}
    ... )
    >>> slow.learning_rate_factor, cr.Scale(learning_rate_factor=6).learning_rate_factor
    ({'bias': 0.1}, 6.0)
    """

    _: KW_ONLY
    learning_rate_factor: float | Mapping[str, float] = 1.0
    weight_decay_factor: float | Mapping[str, float] = 1.0

    if TYPE_CHECKING:  # for subclasses that write their constructor out

        def __init__(self, *, name: str | None = None, **options: Any) -> None: ...
