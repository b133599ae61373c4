# SPDX-License-Identifier: Apache-2.0
"""From layers to operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import activations
from chainrule.c_export.operations import (
    Activation,
    Affine,
    Array,
    Copy,
    Dense,
    LayerNormalization,
    Operation,
    PReLU,
)
from chainrule.interop.affine import scale_and_offset

if TYPE_CHECKING:
    from chainrule.network.sequential import Sequential

__all__ = ["lower", "refuse"]

_LARGEST = float(np.finfo(np.float32).max)
# Weights times a factor beyond these could leave the range in which floats have all their digits.
_MODERATE = (1e-6, 1e6)


def lower(net: Sequential, *, into_weights: bool) -> list[Operation]:
    """Return the operations of a network in inference.

    Dropout and linear activations vanish; neighbouring scalings become one; a scaling behind a
    linear dense layer becomes part of its weights.

    Parameters
    ----------
    net : Sequential
        A built network.
    into_weights : bool
        Whether a factor before a dense layer becomes part of its weights too. Weights that will be
        rounded to int8 should not take over the features' different sizes.

    Returns
    -------
    list of Operation
        At least one, with arrays of float32.

    Raises
    ------
    ValueError
        If the network has no form in C; the text lists all reasons.
    """
    parameters: dict[int, dict[str, Array]] = {}
    for name, values in net.parameters.items():
        owner, array = name.split(".")
        parameters.setdefault(int(owner), {})[array] = values.astype(np.float64)
    operations: list[Operation] = []
    reasons = []
    columns = inputs = net._built_core().inputs
    for index, layer in enumerate(net.layers):
        own = parameters.get(index, {})
        beyond = [name for name, values in own.items() if not _fits(values)]
        if beyond:
            listed = " and ".join(beyond)
            reasons.append(f"layer {index} ({layer.kind}): {listed} beyond the range of float")
        elif layer.kind not in _OPERATIONS_OF:
            reasons.append(f"layer {index} ({layer.kind}) has no form in C")
        else:
            operations += _OPERATIONS_OF[layer.kind](layer, index, columns, own)
        columns = layer.outputs(columns)
    refuse(reasons)
    operations = _merged(operations)
    if into_weights:
        operations = _factors_in_weights(operations)
    operations = [_in_float32(operation) for operation in operations]
    refuse(
        f"layer {operation.layer} ({net.layers[operation.layer].kind}) together with its "
        "neighbouring scaling is beyond the range of float"
        for operation in operations
        if not all(np.isfinite(array).all() for array in operation.constants)
    )
    return operations or [Copy(0, (), inputs, inputs)]


def refuse(reasons: Iterable[str]) -> None:
    """Raise ValueError with all reasons why a network cannot be exported, if there are any."""
    listed = list(reasons)
    if listed:
        raise ValueError(f"the network cannot be exported to C: {'; '.join(listed)}")


def _fits(values: Array) -> bool:
    return bool(np.isfinite(values).all() and (np.abs(values) <= _LARGEST).all())


def _activation(activation: activations.Activation, index: int, columns: int) -> list[Operation]:
    if activation.kind == "linear":
        return []
    if isinstance(activation, activations.LeakyRelu) and activation.negative_slope == 0:
        activation = activations.Relu()
    return [Activation(index, (), columns, columns, activation)]


def _of_dense(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    bias = own.get("bias", np.zeros(layer.units))
    dense = Dense(index, (), columns, layer.units, own["weight"], bias)
    return [dense, *_activation(layer.activation, index, layer.units)]


def _of_activation(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    return _activation(layer.activation, index, columns)


def _of_dropout(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    return []


def _of_affine(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    affine = scale_and_offset(layer, own)
    assert affine is not None
    scale, shift = (np.broadcast_to(values, columns) for values in affine)
    return [Affine(index, (), columns, columns, scale, shift)]


def _of_layer_normalization(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    gamma, beta = own.get("gamma", np.ones(columns)), own.get("beta", np.zeros(columns))
    return [LayerNormalization(index, (), columns, columns, gamma, beta, layer.epsilon)]


def _of_prelu(
    layer: Any, index: int, columns: int, own: Mapping[str, Array]
) -> Sequence[Operation]:
    return [PReLU(index, (), columns, columns, own["slope"])]


_OPERATIONS_OF = {
    "activation": _of_activation,
    "batch_normalization": _of_affine,
    "dense": _of_dense,
    "dropout": _of_dropout,
    "layer_normalization": _of_layer_normalization,
    "normalization": _of_affine,
    "prelu": _of_prelu,
    "rescaling": _of_affine,
}


def _merged(operations: Sequence[Operation]) -> list[Operation]:
    """Make every scaling a part of the scaling or the linear dense layer before it."""
    result: list[Operation] = []
    for operation in operations:
        before = result[-1] if result else None
        if not isinstance(operation, Affine) or not isinstance(before, Affine | Dense):
            result.append(operation)
            continue
        scale, shift = operation.scale, operation.shift
        merged = (*before.merged, operation.layer)
        if isinstance(before, Dense):
            weight, bias = before.weight * scale, before.bias * scale + shift
            result[-1] = replace(before, merged=merged, weight=weight, bias=bias)
        else:
            both, total = before.scale * scale, before.shift * scale + shift
            result[-1] = replace(before, merged=merged, scale=both, shift=total)
    return result


def _factors_in_weights(operations: Sequence[Operation]) -> list[Operation]:
    """Make scalings without a shift a part of the dense layer behind them."""
    result: list[Operation] = []
    for operation in operations:
        before = result[-1] if result else None
        if isinstance(operation, Dense) and isinstance(before, Affine) and _is_factor(before):
            merged = (*operation.merged, before.layer, *before.merged)
            weight = operation.weight * before.scale[:, np.newaxis]
            result[-1] = replace(operation, merged=merged, weight=weight)
        else:
            result.append(operation)
    return result


def _is_factor(affine: Affine) -> bool:
    # With a shift, large means would cancel in the sums.
    size = np.abs(affine.scale)
    return not affine.shift.any() and bool(((_MODERATE[0] <= size) & (size <= _MODERATE[1])).all())


def _in_float32(operation: Operation) -> Operation:
    if isinstance(operation, Affine):
        scale, shift = _floats(operation.scale), _floats(operation.shift)
        return replace(operation, scale=scale, shift=shift)
    if isinstance(operation, Dense):
        weight, bias = _floats(operation.weight), _floats(operation.bias)
        return replace(operation, weight=weight, bias=bias)
    if isinstance(operation, PReLU):
        return replace(operation, slope=_floats(operation.slope))
    if isinstance(operation, LayerNormalization):
        gamma, beta = _floats(operation.gamma), _floats(operation.beta)
        return replace(operation, gamma=gamma, beta=beta)
    return operation


def _floats(values: Array) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)
