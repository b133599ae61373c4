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

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.c_export.lowering import refuse
from chainrule.c_export.operations import Activation, Affine, Array, Dense, Operation, Product
from chainrule.c_export.program import Program, apply

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

    @property
    def function(self) -> str:
        """The C function."""
        return "quantize" if self.uniform else "quantize_features"

    @property
    def constants(self) -> dict[str, Array]:
        """The arrays, with names of their own."""
        return {f"input_{name}": values for name, values in super().constants.items()}

    def run(self, x: Array) -> Array:
        """Return integers."""
        limited = np.clip(super().run(x), np.float32(-128), np.float32(127))
        return ((limited + np.float32(128.5)).astype(np.int32) - 128).astype(np.int8)


@dataclass(frozen=True, eq=False)
class Dense8Float(Product):
    """y = scale * (x weight + bias): integers in, floats out.

    The weight is of int8, bias and scale of int32 and float32, a number for each output.
    """

    weight: Array
    bias: Array
    scale: Array
    function = "dense_int8_float"
    reads = "int8"

    def run(self, x: Array) -> Array:
        """Return the scaled sums."""
        return _sums(x, self.weight, self.bias).astype(np.float32) * self.scale


@dataclass(frozen=True, eq=False)
class Dense8(Product):
    """y = (x weight + bias) * multiplier / 2**shift + zero_point, of integers only.

    The weight is of int8, bias and multiplier of int32, the shift of uint8.
    """

    weight: Array
    bias: Array
    multiplier: Array
    shift: Array
    zero_point: int
    function = "dense_int8"
    reads = "int8"
    writes = "int8"
    options = ("zero_point",)

    def run(self, x: Array) -> Array:
        """Return integers."""
        sums = _sums(x, self.weight, self.bias)
        shift = self.shift.astype(np.int64)
        magnitude = (np.abs(sums) * self.multiplier + (1 << (shift - 1))) >> shift
        rounded: Array = np.sign(sums) * magnitude + self.zero_point
        return rounded.clip(-128, 127).astype(np.int8)


def quantized(program: Program, x: Mapping[str, Array]) -> tuple[Program, list[str]]:
    """Return a program with int8 in place of what can be int8, and what cannot.

    A dense layer is. Behind it a relu, or nothing, before further dense layers is too; everything
    else is computed in float.

    Parameters
    ----------
    program : Program
        In float.
    x : dict of str to ndarray of shape (rows, columns)
        Rows of the inputs. The smallest and largest values before each dense layer become -128 and
        127, but for one value of 10,000 at either end, which is limited to them.

    Returns
    -------
    program : Program
    in_float : list of str
        A line for each operation that is not int8.

    Raises
    ------
    ValueError
        If there is no dense layer to quantize, or a value becomes infinite for `x`.
    """
    operations, makers = program.operations, program.makers
    refuse([] if any(map(_can_be_int8, operations)) else ["it has no dense layer to quantize"])
    ranges = _ranges(program, x)
    # Values that are read by dense layers in int8 alone.
    readers: dict[str, list[Operation | None]] = {name: [None] for name in program.outputs}
    for operation in operations:
        for name in operation.read:
            readers.setdefault(name, []).append(operation)
    inner = {name for name, each in readers.items() if all(map(_can_be_int8, each))}
    result: dict[str, Operation] = {}
    in_float: list[str] = []
    for operation in operations:
        if isinstance(operation, Affine) and _is_absorbed(operation, readers, inner):
            continue  # part of the rounding to integers
        if operation.made in result:
            continue  # a relu that is part of a dense layer
        if not isinstance(operation, Dense) or not _can_be_int8(operation):
            result[operation.made] = operation
            in_float.append(_reason(operation))
            continue
        (source,) = operation.read
        scale, zero = ranges[source]
        if source not in result or result[source].writes != "int8":
            maker = makers.get(source)
            alone = maker is not None and _is_absorbed(maker, readers, inner)
            entry = _quantize(operation, maker, alone, scale, zero)
            source = entry.made
            result.setdefault(source, entry)
        weight, bias, steps = _integers(operation, scale, zero)
        wiring = ((source,), operation.nodes, operation.inputs, operation.outputs)
        times = operation.positions
        last = operation.made
        if len(readers[last]) == 1 and _is_relu(readers[last][0]):
            last = getattr(readers[last][0], "made", last)
        if last in inner:
            # Finer than the sums themselves it need not be.
            ranges[last] = max(ranges[last][0], float(steps.max())), ranges[last][1]
            multiplier, shift = _fixed_point(steps / ranges[last][0])
            result[last] = Dense8(
                last, *wiring, weight, bias, multiplier, shift, ranges[last][1], positions=times
            )
        else:
            made = operation.made
            scales = steps.astype(np.float32)
            result[made] = Dense8Float(made, *wiring, weight, bias, scales, positions=times)
    return Program(program.inputs, list(result.values()), program.outputs), in_float


def _can_be_int8(operation: Operation | None) -> bool:
    return isinstance(operation, Dense) and operation.inputs <= _MOST_INPUTS


def _is_absorbed(
    maker: Operation, readers: Mapping[str, list[Operation | None]], inner: Collection[str]
) -> bool:
    """Whether what an operation makes becomes integers at once, for the same positions."""
    several = [reader.positions for reader in readers[maker.made] if reader is not None]
    return maker.made in inner and {*several} == {maker.positions}


def _is_relu(operation: Operation | None) -> bool:
    return isinstance(operation, Activation) and operation.activation.kind == "relu"


def _reason(operation: Operation) -> str:
    name = operation.name
    if isinstance(operation, Dense):
        return f"layer {operation.nodes[0]} (dense): more than {_MOST_INPUTS:,} inputs"
    if isinstance(operation, Activation):
        name = operation.activation.config["kind"]
    return f"layer {operation.nodes[0]} ({name})"


def _ranges(program: Program, x: Mapping[str, Array]) -> dict[str, tuple[float, int]]:
    """Return scale and zero point of what enters each dense layer."""
    widest = max(
        max(operation.inputs * operation.positions, operation.size)
        for operation in program.operations
    )
    # Rows from all of the data, which may be sorted.
    values = {
        name: rows[:: -(-len(rows) * widest // _MOST_VALUES)].astype(np.float32)
        for name, rows in x.items()
    }
    ranges = {}
    for operation in program.operations:
        if isinstance(operation, Dense):
            entering = values[operation.read[0]]
            if not np.isfinite(entering).all():
                raise ValueError(
                    f"calibration: what enters layer {operation.nodes[0]} is not finite for a row"
                )
            low, high = np.quantile(entering, [_LEFT_OUT, 1 - _LEFT_OUT])
            ranges[operation.read[0]] = _scale_and_zero(min(low, 0.0), max(high, 0.0))
        values[operation.made] = apply(operation, values)
    return ranges


def _scale_and_zero(low: float, high: float) -> tuple[float, int]:
    scale = float(high - low) / 255 or 1.0
    return scale, round(-128 - low / scale)


def _quantize(
    dense: Dense, maker: Operation | None, alone: bool, scale: float, zero: int
) -> Quantize:
    """Return what rounds the values that a dense layer reads, with the scaling that makes them."""
    n, (read,) = dense.inputs, dense.read
    factor, offset, nodes = np.ones(n), np.zeros(n), dense.nodes[:1]
    if alone and isinstance(maker, Affine):
        read, nodes = maker.read[0], (*nodes, *maker.nodes)
        factor, offset = maker.scale.astype(np.float64), maker.shift.astype(np.float64)
    factor, offset = factor / scale, offset / scale + zero
    arrays = factor.astype(np.float32), offset.astype(np.float32)
    made = f"integers of {dense.read[0]}"
    return Quantize(made, (read,), nodes, n, n, *arrays, positions=dense.positions)


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
