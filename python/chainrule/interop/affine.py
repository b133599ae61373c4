# SPDX-License-Identifier: Apache-2.0
"""Layers that scale and shift, as the two arrays of x * scale + offset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.layers import BatchNormalization, Layer, Normalization, Rescaling

__all__ = ["affine_of", "moments_of", "quartiles_of", "scale_and_offset"]


def affine_of(
    layer: Layer, arrays: Mapping[str, NDArray[Any]], dtype: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return `scale_and_offset` rounded to a dtype, with which a core multiplies and adds."""
    affine = scale_and_offset(layer, arrays)
    return None if affine is None else (_rounded(affine[0], dtype), _rounded(affine[1], dtype))


def scale_and_offset(
    layer: Layer, arrays: Mapping[str, NDArray[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return scale and offset, () or (columns,), of a layer that is no more in inference, or None.

    A `Normalization` may have limits behind it, see `limits_of`. Both are worked out in double from
    the layer's arrays.
    """
    scale: NDArray[np.float64]
    if isinstance(layer, Rescaling):
        return np.array(layer.scale), np.array(layer.offset)
    if isinstance(layer, Normalization) and layer.method == "robust":
        center, spread = (arrays[name].astype(np.float64) for name in ("center", "scale"))
        if layer.invert:
            return np.where(spread > 0, spread, 0.0), center
        # A feature that never varies is 0.
        scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 0)
        return scale, -center * scale
    if isinstance(layer, Normalization):
        mean, variance = (arrays[name].astype(np.float64) for name in ("mean", "variance"))
        # A feature that never varies is only centred.
        deviation = np.sqrt(np.where(variance > 0, variance, 1.0))
        if layer.invert:
            return deviation, mean
        scale = 1.0 / deviation
        return scale, -mean * scale
    if isinstance(layer, BatchNormalization):
        mean, variance = (arrays[f"running_{name}"] for name in ("mean", "variance"))
        scale = 1.0 / np.sqrt(variance.astype(np.float64) + layer.epsilon)
        scale = scale * arrays.get("gamma", 1.0)
        return scale, arrays.get("beta", 0.0) - mean * scale
    if layer.kind == "scale":
        return arrays["scale"].astype(np.float64), np.zeros(())
    return None


def moments_of(
    scale: NDArray[np.float64], offset: NDArray[np.float64], dtype: str
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return mean and variance with which `Normalization` scales and shifts like this, or None.

    Of neighbouring numbers they are those that give scale and offset, of shape (columns,), to the
    bit, where there are such. None: no finite variance does.
    """
    return _statistics(scale, offset, dtype, lambda s: 1.0 / np.square(s), np.sqrt)


def quartiles_of(
    scale: NDArray[np.float64], offset: NDArray[np.float64], dtype: str
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return center and scale of a robust `Normalization`, as `moments_of`; 0 where scale is."""
    none = scale == 0.0
    found = _statistics(
        np.where(none, 1.0, scale), np.where(none, 0.0, offset), dtype, np.reciprocal, np.array
    )
    return None if found is None else (found[0], np.where(none, 0, found[1]).astype(dtype))


def _statistics(
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    dtype: str,
    spread_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    divisor_of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return the center and the spread by which a layer divides, see `moments_of`."""
    with np.errstate(all="ignore"):
        spread = spread_of(scale).astype(dtype)
        center = (-offset / scale).astype(dtype)
    if not ((scale > 0) & np.isfinite(spread) & (spread > 0) & np.isfinite(center)).all():
        return None
    best_center, best_spread = center.copy(), spread.copy()
    found = np.zeros(len(scale), dtype=bool)
    for near_spread in _neighbours(spread):
        layer_scale = 1.0 / divisor_of(near_spread.astype(np.float64))
        for near_center in _neighbours((-offset / layer_scale).astype(dtype)):
            layer_offset = -near_center.astype(np.float64) * layer_scale
            fits = _rounded(layer_scale, dtype) == _rounded(scale, dtype)
            fits &= _rounded(layer_offset, dtype) == _rounded(offset, dtype)
            fits &= ~found
            best_spread[fits], best_center[fits] = near_spread[fits], near_center[fits]
            found |= fits
    return best_center, best_spread


def _rounded(values: Any, dtype: str) -> NDArray[np.float64]:
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(dtype).astype(np.float64)


def _neighbours(values: NDArray[Any]) -> list[NDArray[Any]]:
    """Return arrays of the same numbers, of the next ones and of those after."""
    above, below = np.nextafter(values, np.inf), np.nextafter(values, 0)
    return [values, above, below, np.nextafter(above, np.inf), np.nextafter(below, 0)]
