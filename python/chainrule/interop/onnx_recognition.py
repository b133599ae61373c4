# SPDX-License-Identifier: Apache-2.0
"""Activations and layer normalisation that a file writes as several operators.

Exporters spell the same function in many ways, so it is known by its values: the operators are run
on sample rows, and what comes out is compared with what the core makes of the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

from chainrule import activations
from chainrule.activations import Activation
from chainrule.activations.activation import shortest
from chainrule.interop.onnx_evaluation import REDUCTIONS, activation_values, evaluate_in_double
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Array, Node
from chainrule.layers import Layer, LayerNormalization, PReLU

__all__ = ["Recognised", "recognise", "reduces"]

# Exporters round constants to 32 bits.
_TOLERANCE = 2e-6
_LARGEST_INNER = 10.0
_INNER = np.linspace(-_LARGEST_INNER, _LARGEST_INNER, 41)
_OUTER = np.array([1e-4, 1e-2, 15.0, 25.0, 60.0, 300.0, 1e4, 1e8, 1e20])
# Formulas of float may overflow far out, but a good part of the samples has to count.
_LEAST_FINITE = 30
# What holds for rows of one width only, such as that softmax has the mean 1 / columns, is no match.
_WIDTHS = (5, 7)


@dataclass
class Recognised:
    """What nodes compute: f(x) * scale + offset, both of shape () or (columns,)."""

    function: Activation | Layer
    scale: Array
    offset: Array
    arrays: dict[str, Array] = field(default_factory=dict)


def reduces(nodes: Sequence[Node]) -> bool:
    """Whether nodes make columns depend on each other."""
    return any(node.op in REDUCTIONS for node in nodes)


class _Program:
    """Nodes that can be evaluated as a function of rows of float64."""

    # `columns` are those of the widest constant, 0 if all are single numbers, which `scalars` are.

    def __init__(self, nodes: Sequence[Node], part: Slice, axes: int) -> None:
        self._axes = axes
        self._nodes, self._opset = nodes, part.graph.opset
        (self._input, *_) = part.varying(nodes[0])
        read = {name for node in nodes for name in node.inputs if name in part.constants}
        self._constants = {name: part.constants[name] for name in read}
        arrays = list(self._constants.values())
        self.columns = max((a.shape[-1] for a in arrays if a.size > 1), default=0)
        self.scalars = [float(a.reshape(())) for a in arrays if a.size == 1]

    def __call__(self, rows: Array) -> Array:
        """Return what comes out for rows; ValueError where nodes do not fit."""
        # Rows of several axes are positions of a batch of one: a function of columns knows no
        # other.
        count, columns = rows.shape
        axes = (1, count, *[1] * (self._axes - 2), columns) if self._axes > 1 else rows.shape
        given = {self._input: rows.reshape(axes), **self._constants}
        (values,) = evaluate_in_double(self._nodes, given, self._opset).values()
        if self._axes > 1 and values.shape[:2] != axes[:2]:
            raise ValueError("the positions are gone")
        return values.reshape(count, -1)


def recognise(nodes: Sequence[Node], part: Slice, shape: Sequence[int]) -> Recognised | None:
    """Return the function that nodes compute of rows of a shape, or None if it is not known."""
    known: dict[Any, Recognised | None] = part.graph.functions
    if tuple(nodes) not in known:
        known[tuple(nodes)] = _recognise(nodes, part, shape)
    return known[tuple(nodes)]


def _recognise(nodes: Sequence[Node], part: Slice, shape: Sequence[int]) -> Recognised | None:
    try:
        program = _Program(nodes, part, len(shape))
        if program.columns not in (0, shape[-1]):
            return None
        return _recognise_rows(program) if reduces(nodes) else _recognise_elements(program)
    # Whatever does not fit is not a function of rows.
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None


def _recognise_slopes(program: _Program) -> Recognised | None:
    """Recognise a rectifier with a slope for each column."""
    rows = np.outer([-1.0, 1.0, -1e3, 1e-3, 0.0, 7.0], np.ones(program.columns))
    values = program(rows)
    slopes = -values[0]
    if not np.allclose(values, np.where(rows > 0, rows, slopes * rows), rtol=_TOLERANCE):
        return None
    return Recognised(PReLU(), np.ones(()), np.zeros(()), {"slope": slopes})


def _recognise_elements(program: _Program) -> Recognised | None:
    if program.columns:
        return _recognise_slopes(program)
    turns = np.array(program.scalars)
    turns = turns[np.abs(turns) < 1e30]
    outer = np.concatenate([_OUTER, -_OUTER, turns, -turns, 0.5 * turns, 2.0 * turns])
    samples = np.concatenate([_INNER, outer])[:, None]
    values = np.broadcast_to(program(samples), samples.shape)
    inner = slice(0, len(_INNER))
    # With options those fit that are others without.
    owners = sorted(Activation.of_kinds(), key=lambda owner: bool(owner.get(owner.kind).options))
    x, y = samples[:, 0], values[:, 0]
    for candidate in chain.from_iterable(owner.candidates(x, y) for owner in owners):
        found = _fitted(candidate, activation_values(candidate, samples), values, inner)
        if found is not None:
            return Recognised(candidate, found.scale[0], found.offset[0])
    return None


def _fitted(
    function: Activation | Layer, basis: Array, values: Array, inner: slice
) -> Recognised | None:
    """Return the scale and offset of each column with which basis is values, if there are such."""
    low, high = basis[inner].argmin(axis=0), basis[inner].argmax(axis=0)
    columns = np.arange(values.shape[1])
    with np.errstate(all="ignore"):
        run = basis[inner][high, columns] - basis[inner][low, columns]
        scale = (values[inner][high, columns] - values[inner][low, columns]) / run
        offset = values[inner][low, columns] - scale * basis[inner][low, columns]
        error = np.abs(basis * scale + offset - values)
        limit = _TOLERANCE * (np.abs(scale) + np.abs(values) + np.abs(offset))
        counts = np.isfinite(values) & np.isfinite(basis)
        fits = (error <= limit) | ~counts
    enough = counts[inner].sum() >= min(_LEAST_FINITE, counts[inner].size)
    if not (enough and fits.all() and np.isfinite(scale).all() and np.any(scale)):
        return None
    scale = np.where(np.abs(scale - 1.0) <= _TOLERANCE, 1.0, scale)
    offset = np.where(np.abs(offset) <= _TOLERANCE * np.abs(scale), 0.0, offset)
    return Recognised(function, scale, offset)


def _recognise_rows(program: _Program) -> Recognised | None:
    """Recognise softmax and layer normalisation."""
    if program.columns:
        return _recognise_width(program, program.columns)
    narrow, wide = (_recognise_width(program, width) for width in _WIDTHS)
    if narrow is None or wide is None:
        return None
    scales = np.concatenate([narrow.scale, wide.scale])
    offsets = np.concatenate([narrow.offset, wide.offset])
    if np.ptp(scales) > _TOLERANCE or np.ptp(offsets) > _TOLERANCE:
        return None
    return Recognised(wide.function, scales[0], offsets[0])


def _recognise_width(program: _Program, width: int) -> Recognised | None:
    if width < 2:
        return None
    rng = np.random.default_rng(0)
    sizes = np.array([1.0, 3.0, 1e-2, 1e-3, 0.3, 5.0])[:, None]
    samples = (rng.normal(size=(len(sizes), width)) + 0.1) * sizes
    values = np.broadcast_to(program(samples), samples.shape)
    softmax = activations.Softmax()
    candidates: list[tuple[Activation | Layer, Array]] = [
        (softmax, activation_values(softmax, samples))
    ]
    centred = samples - samples.mean(axis=1, keepdims=True)
    variance = np.square(centred).mean(axis=1, keepdims=True)
    for epsilon in {value for value in program.scalars if 0 < value < 1}:
        layer = LayerNormalization(epsilon=shortest(epsilon), center=False, scale=False)
        candidates.append((layer, centred / np.sqrt(variance + epsilon)))
    for function, basis in candidates:
        found = _fitted(function, basis, values, slice(None))
        if found is not None:
            return found
    return None
