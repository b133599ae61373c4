# SPDX-License-Identifier: Apache-2.0
"""The fused multiply-add, of which every sum of the core is made: a b + c, rounded once."""

from __future__ import annotations

import math
import sys

__all__ = ["emulated_fma", "fma"]


def emulated_fma(a: float, b: float, c: float) -> float:
    """Return a b + c, rounded once: `math.fma` for Python before 3.13, errors included.

    Examples
    --------
    >>> tenth = 0.1
    >>> tenth * 10 - 1.0, emulated_fma(tenth, 10.0, -1.0)
    (0.0, 5.551115123125783e-17)
    """
    if not (math.isfinite(a) and math.isfinite(b)):
        result = a * b + c
        if math.isnan(result) and not (math.isnan(a) or math.isnan(b) or math.isnan(c)):
            raise ValueError("invalid operation in fma")
        return result
    if not math.isfinite(c):
        return c
    # Every float is a fraction of integers, whose division Python rounds once.
    (a_top, a_bottom), (b_top, b_bottom) = a.as_integer_ratio(), b.as_integer_ratio()
    c_top, c_bottom = c.as_integer_ratio()
    bottom = a_bottom * b_bottom
    top = a_top * b_top * c_bottom + c_top * bottom
    if top == 0:
        # Of zeros the signs count; a sum that cancels is +0.
        return a * b + c if a_top * b_top == 0 else 0.0
    try:
        return top / (bottom * c_bottom)
    except OverflowError:
        raise OverflowError("overflow in fma") from None


if sys.version_info >= (3, 13):
    fma = math.fma
else:
    fma = emulated_fma
