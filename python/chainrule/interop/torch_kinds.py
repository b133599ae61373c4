# SPDX-License-Identifier: Apache-2.0
"""What layers are in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.interop.affine import affine_of
from chainrule.interop.limits import limits_of
from chainrule.interop.nodes import NetworkNode
from chainrule.interop.torch_layers import BATCH_NORM_AXES
from chainrule.interop.torch_modules import (
    activation_modules,
    channels_first,
    fill,
    limit,
    module_of,
    scaling,
)
from chainrule.interop.torch_recurrence import RECURRENT_KINDS
from chainrule.interop.torch_windows import WINDOW_KINDS

__all__ = ["KINDS", "modules_of"]

Array = NDArray[Any]


def _dense_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    linear = nn.Linear(columns, node.columns, bias=node.layer.use_bias)
    fill(linear, weight=node.arrays["weight"].T, bias=node.arrays.get("bias"))
    return [linear, *activation_modules(nn, node.layer.activation)]


def _activation_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    return activation_modules(nn, node.layer.activation)


def _norm_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    layer, arrays = node.layer, node.arrays
    affine = "gamma" in arrays or "beta" in arrays
    if layer.kind == "batch_normalization":
        axes = len(node.shape) + 1
        known = [name for name, each in BATCH_NORM_AXES.items() if axes in each]
        if not known:
            raise ValueError(f"{node} has rows of shape {node.shape}, for which PyTorch has none")
        momentum = 1.0 - layer.momentum
        norm = getattr(nn, known[0])(columns, layer.epsilon, momentum, affine=affine)
        fill(norm, running_mean=arrays["running_mean"], running_var=arrays["running_variance"])
    else:
        norm = nn.LayerNorm(columns, layer.epsilon, elementwise_affine=affine)
    fill(norm, weight=arrays.get("gamma"), bias=arrays.get("beta"))
    axes = 1 if layer.kind == "layer_normalization" else len(node.shape)
    return channels_first([norm], axes)


def _flatten_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    return [nn.Flatten()] if len(node.reads[0]) > 1 else []


def _reshape_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    if node.shape == node.reads[0]:
        return []
    parted = [nn.Unflatten(1, node.shape)] if len(node.shape) > 1 else []
    return [*_flatten_modules(nn, node, columns, dtype), *parted]


def _prelu_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    prelu = nn.PReLU(columns)
    fill(prelu, weight=node.arrays["slope"])
    return channels_first([prelu], len(node.shape))


def _parametric_activation_modules(
    nn: Any, node: NetworkNode, columns: int, dtype: str
) -> list[Any]:
    inner = [*activation_modules(nn, node.layer.activation), nn.Identity()][0]
    mixed = module_of("ParametricActivation", inner, columns)
    fill(mixed, alpha=node.arrays["alpha"])
    return [mixed]


def _embedding_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    module = module_of("CategoryEmbedding", node.layer, columns)
    fill(module.table, **node.arrays)
    return [module]


def _periodic_embedding_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    layer = node.layer
    module = module_of("PeriodicEmbedding", columns, layer.units, layer.frequencies)
    fill(module, **node.arrays)
    return [module]


def _piecewise_linear_embedding_modules(
    nn: Any, node: NetworkNode, columns: int, dtype: str
) -> list[Any]:
    layer = node.layer
    module = module_of("PiecewiseLinearEmbedding", columns, layer.units, layer.bins)
    fill(module, **node.arrays)
    return [module]


def _dropout_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    layer, axes = node.layer, len(node.shape)
    if not layer.per_channel or axes == 1:
        return [nn.Dropout(layer.rate)]
    if axes > 4:
        raise ValueError(f"{node} has rows of shape {node.shape}, for which PyTorch has none")
    return channels_first([getattr(nn, f"Dropout{axes - 1}d")(layer.rate)], axes)


def _clip_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    low, high = node.layer.min_value, node.layer.max_value
    return [nn.Hardtanh(-np.inf if low is None else low, np.inf if high is None else high)]


def _scaling_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    affine = affine_of(node.layer, node.arrays, dtype)
    assert affine is not None
    return [scaling(*affine)]


def _normalization_modules(nn: Any, node: NetworkNode, columns: int, dtype: str) -> list[Any]:
    scaled = _scaling_modules(nn, node, columns, dtype)
    limits = limits_of(node.layer, columns)
    limited = limits.filled or limits.rates.any()
    return [*scaled, *([limit(limits)] if limited else [])]


KINDS: Mapping[str, Callable[[Any, NetworkNode, int, str], list[Any]]] = {
    "activation": _activation_modules,
    "batch_normalization": _norm_modules,
    "category_encoding": lambda nn, node, columns, dtype: [
        module_of("CategoryEncoding", node.layer, columns)
    ],
    "clip": _clip_modules,
    "dense": _dense_modules,
    "dot": lambda nn, node, columns, dtype: [module_of("Dot")],
    "dropout": _dropout_modules,
    "embedding": _embedding_modules,
    "flatten": _flatten_modules,
    "gaussian_noise": lambda nn, node, columns, dtype: [],
    "global_average_pooling": lambda nn, node, columns, dtype: [module_of("GlobalAveragePooling")],
    "layer_normalization": _norm_modules,
    "normalization": _normalization_modules,
    "parametric_activation": _parametric_activation_modules,
    "periodic_embedding": _periodic_embedding_modules,
    "permute": lambda nn, node, columns, dtype: [module_of("Permute", node.layer.dims)],
    "piecewise_linear_embedding": _piecewise_linear_embedding_modules,
    "prelu": _prelu_modules,
    "position": lambda nn, node, columns, dtype: [module_of("Step", node.layer.index)],
    "repeat_vector": lambda nn, node, columns, dtype: [module_of("RepeatVector", node.layer.n)],
    "rescaling": _scaling_modules,
    "reshape": _reshape_modules,
    "scale": _scaling_modules,
    "take": lambda nn, node, columns, dtype: [module_of("Take", node.layer.columns, columns)],
    **RECURRENT_KINDS,
    **WINDOW_KINDS,
}
"""The modules, one after the other, that a layer is which reads some columns of a dtype."""


def modules_of(node: NetworkNode, dtype: str) -> list[Any]:
    """Return the modules, one after the other, that a node is."""
    from torch import nn

    return KINDS[node.layer.kind](nn, node, node.reads[0][-1], dtype)
