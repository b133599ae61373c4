# SPDX-License-Identifier: Apache-2.0
"""Dense layers in 8-bit integers.

A weight w of output j is s_j q with an integer q in -127..127, a value x that enters a layer is
s (q - z) with q in -128..127, and the sums are exact in 32 bits. The zero point z costs nothing: it
is part of the bias.

References
----------
Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", CVPR 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.c_export.lowering import refuse
from chainrule.c_export.operations import (
    Activation,
    Affine,
    Array,
    Dense,
    Operation,
    apply,
)

__all__ = ["Dense8", "Dense8Float", "Quantize", "quantized"]

# Two halves of int32: the bias, and |x| |w| <= 128 * 127 of every term and of the zero point.
_LARGEST_BIAS = 2**30
_MOST_INPUTS = 32768
_LARGEST_SHIFT = 62
_MOST_VALUES = 2**22
# On MNIST with standardised pixels, which reach hundreds, the largest values themselves as limits
# cost 0.7 points of accuracy, and limits that leave out these shares of the values cost nothing.
_LEFT_OUT = 1e-4


@dataclass(frozen=True, eq=False)
class Quantize(Affine):
    """y = scale * x + shift as int8, which includes a scaling that stood before."""

    name = "quantize"
    in_place = False
    writes = "int8"

    def run(self, x: Array) -> Array:
        """Return integers."""
        limited = np.clip(super().run(x), np.float32(-128), np.float32(127))
        return ((limited + np.float32(128.5)).astype(np.int32) - 128).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Dense8Float(Operation):
    """y = scale * (x weight + bias): integers in, floats out.

    Attributes
    ----------
    weight : ndarray of int8, shape (inputs, outputs)
    bias : ndarray of int32, shape (outputs,)
    scale : ndarray of float32, shape (outputs,)
    """

    weight: Array
    bias: Array
    scale: Array
    name = "dense"
    in_place = False
    reads = "int8"

    @property
    def constants(self) -> tuple[Array, ...]:
        """Weight, bias and scale."""
        return self.weight, self.bias, self.scale

    def run(self, x: Array) -> Array:
        """Return the scaled sums."""
        return _sums(x, self.weight, self.bias).astype(np.float32) * self.scale


@dataclass(frozen=True, eq=False)
class Dense8(Operation):
    """y = (x weight + bias) * multiplier / 2**shift + zero_point, of integers only.

    Attributes
    ----------
    weight : ndarray of int8, shape (inputs, outputs)
    bias, multiplier : ndarray of int32, shape (outputs,)
    shift : ndarray of uint8, shape (outputs,)
    zero_point : int
    """

    weight: Array
    bias: Array
    multiplier: Array
    shift: Array
    zero_point: int
    name = "dense"
    in_place = False
    reads = "int8"
    writes = "int8"

    @property
    def constants(self) -> tuple[Array, ...]:
        """Weight, bias, multiplier and shift."""
        return self.weight, self.bias, self.multiplier, self.shift

    def run(self, x: Array) -> Array:
        """Return integers."""
        sums = _sums(x, self.weight, self.bias)
        shift = self.shift.astype(np.int64)
        magnitude = (np.abs(sums) * self.multiplier + (1 << (shift - 1))) >> shift
        rounded: Array = np.sign(sums) * magnitude + self.zero_point
        return rounded.clip(-128, 127).astype(np.int8)


def quantized(operations: Sequence[Operation], x: Array) -> tuple[list[Operation], list[str]]:
    """Return the operations with int8 in place of what can be int8, and what cannot.

    A dense layer is. Behind it a relu, or nothing, before the next dense layer is too; everything
    else is computed in float.

    Parameters
    ----------
    operations : sequence of Operation
        In float.
    x : ndarray, shape (rows, inputs)
        Rows whose smallest and largest values before each dense layer become -128 and 127, but for
        one value of 10,000 at either end, which is limited to them.

    Returns
    -------
    operations : list of Operation
    in_float : list of str
        A line for each operation that is not int8.

    Raises
    ------
    ValueError
        If there is no dense layer to quantize, or a value becomes infinite for `x`.
    """
    refuse([] if any(map(_can_be_int8, operations)) else ["it has no dense layer to quantize"])
    entering = _entering_ranges(operations, x)
    result: list[Operation] = []
    in_float: list[str] = []
    place = 0
    while place < len(operations):
        operation = operations[place]
        place += 1
        if not _can_be_int8(operation):
            result.append(operation)
            in_float.append(_reason(operation))
            continue
        assert isinstance(operation, Dense)
        scale, zero = entering[operation.layer]
        last = result[-1] if result else None
        if last is None or last.writes != "int8":
            before = last if isinstance(last, Affine) else None
            if before is not None:
                result.pop()
                in_float.pop()
            result.append(_quantize(operation, before, scale, zero))
        weight, bias, steps = _integers(operation, scale, zero)
        shared = operation.layer, operation.merged, operation.inputs, operation.outputs
        following = place + (place < len(operations) and _is_relu(operations[place]))
        if following < len(operations) and _can_be_int8(operations[following]):
            place = following
            # Finer than the sums themselves it need not be.
            next_scale, next_zero = entering[operations[following].layer]
            next_scale = max(next_scale, float(steps.max()))
            entering[operations[following].layer] = next_scale, next_zero
            multiplier, shift = _fixed_point(steps / next_scale)
            result.append(Dense8(*shared, weight, bias, multiplier, shift, next_zero))
        else:
            result.append(Dense8Float(*shared, weight, bias, steps.astype(np.float32)))
    return result, in_float


def _can_be_int8(operation: Operation) -> bool:
    return isinstance(operation, Dense) and operation.inputs <= _MOST_INPUTS


def _is_relu(operation: Operation) -> bool:
    return isinstance(operation, Activation) and operation.activation.kind == "relu"


def _reason(operation: Operation) -> str:
    if isinstance(operation, Dense):
        return f"layer {operation.layer} (dense): more than {_MOST_INPUTS:,} inputs"
    name = operation.name
    if isinstance(operation, Activation):
        name = operation.activation.config["kind"]
    return f"layer {operation.layer} ({name})"


def _entering_ranges(operations: Sequence[Operation], x: Array) -> dict[int, tuple[float, int]]:
    """Return scale and zero point of what enters each dense layer, by the layer's index."""
    widest = max(max(operation.inputs, operation.outputs) for operation in operations)
    # Rows from all of the data, which may be sorted.
    rows = x[:: -(-len(x) * widest // _MOST_VALUES)].astype(np.float32)
    ranges = {}
    for operation in operations:
        if isinstance(operation, Dense):
            if not np.isfinite(rows).all():
                raise ValueError(
                    f"calibration: what enters layer {operation.layer} is not finite for a row"
                )
            low, high = np.quantile(rows, [_LEFT_OUT, 1 - _LEFT_OUT])
            ranges[operation.layer] = _scale_and_zero(min(low, 0.0), max(high, 0.0))
        rows = apply(operation, rows)
    return ranges


def _scale_and_zero(low: float, high: float) -> tuple[float, int]:
    scale = float(high - low) / 255 or 1.0
    return scale, round(-128 - low / scale)


def _quantize(dense: Dense, before: Affine | None, scale: float, zero: int) -> Quantize:
    n = dense.inputs
    factor = np.ones(n) if before is None else before.scale.astype(np.float64)
    offset = np.zeros(n) if before is None else before.shift.astype(np.float64)
    merged = () if before is None else (before.layer, *before.merged)
    factor, offset = factor / scale, offset / scale + zero
    return Quantize(dense.layer, merged, n, n, factor.astype(np.float32), offset.astype(np.float32))


def _integers(dense: Dense, scale: float, zero: int) -> tuple[Array, Array, Array]:
    """Return weight and bias as integers, and what 1 in the sum of each output stands for."""
    weight, bias = dense.weight.astype(np.float64), dense.bias.astype(np.float64)
    sizes = np.maximum(np.abs(weight).max(axis=0) / 127, np.abs(bias) / (scale * _LARGEST_BIAS))
    # An output that is always zero takes any scale.
    sizes[sizes == 0] = sizes.max() or 1.0
    integers = np.rint(weight / sizes)
    start = np.rint(bias / (scale * sizes)) - zero * integers.sum(axis=0)
    return integers.astype(np.int8), start.astype(np.int32), scale * sizes


def _fixed_point(factors: Array) -> tuple[Array, Array]:
    """Return multiplier and shift with factors = multiplier / 2**shift, multipliers of 31 bits."""
    fraction, exponent = np.frexp(factors)
    multiplier = np.rint(np.ldexp(fraction, 31)).astype(np.int64)
    shift = 31 - exponent.astype(np.int64)
    overflown = multiplier == 2**31
    multiplier[overflown] >>= 1
    shift[overflown] -= 1
    multiplier[shift > _LARGEST_SHIFT] = 0
    return multiplier.astype(np.int32), np.minimum(shift, _LARGEST_SHIFT).astype(np.uint8)


def _sums(x: Array, weight: Array, bias: Array) -> Array:
    # Products of doubles run in the BLAS and are exact below 2**53.
    products = x.astype(np.float64) @ weight.astype(np.float64)
    return products.astype(np.int64) + bias
