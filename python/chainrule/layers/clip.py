# SPDX-License-Identifier: Apache-2.0
"""Limits for numbers."""

from __future__ import annotations

from chainrule.layers.layer import Layer
from chainrule.spec import Field

__all__ = ["Clip"]


class Clip(Layer):
    """Each number limited to [min_value, max_value].

    The gradient passes where a number is within, both limits included, and is 0 elsewhere.

    Parameters
    ----------
    min_value, max_value : float, optional
        At least one of them.
    name : str, optional
        See `Layer`.

    Examples
    --------
    >>> import chainrule as cr
    >>> cr.Sequential([Clip(-1, 1)]).predict([[-3.0, 0.5, 2.0]])
    array([[-1. ,  0.5,  1. ]], dtype=float32)
    """

    kind = "clip"
    _optional = ("min_value", "max_value")
    min_value = Field[float | None]()
    max_value = Field[float | None]()

    def __init__(
        self,
        min_value: float | None = None,
        max_value: float | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(min_value=min_value, max_value=max_value, name=name)
