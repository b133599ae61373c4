# SPDX-License-Identifier: Apache-2.0
"""Operators that the onnx package's reference implementation lacks, or has only in part.

ConvTranspose and recurrent operators are written by the formulas of "Operator schemas",
https://onnx.ai/onnx/operators; the recurrent ones of the package know no lengths of rows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["own_operators"]

Array = NDArray[Any]


def _sigmoid(z: Array) -> Array:
    return np.asarray(0.5 * np.tanh(0.5 * z) + 0.5)


_FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "affine": lambda z, alpha=1.0, beta=0.0: alpha * z + beta,
    "elu": lambda z, alpha=1.0, beta=0.0: np.where(z < 0, alpha * np.expm1(np.minimum(z, 0)), z),
    "hardsigmoid": lambda z, alpha=0.2, beta=0.5: np.clip(alpha * z + beta, 0.0, 1.0),
    "leakyrelu": lambda z, alpha=0.01, beta=0.0: np.where(z < 0, alpha * z, z),
    "relu": lambda z, alpha=0.0, beta=0.0: np.maximum(z, 0.0),
    "sigmoid": lambda z, alpha=0.0, beta=0.0: _sigmoid(z),
    "softplus": lambda z, alpha=0.0, beta=0.0: np.logaddexp(0.0, z),
    "softsign": lambda z, alpha=0.0, beta=0.0: z / (1.0 + np.abs(z)),
    "tanh": lambda z, alpha=0.0, beta=0.0: np.tanh(z),
}
_TAKING: Mapping[str, Sequence[str]] = {
    "affine": ("alpha", "beta"),
    "elu": ("alpha",),
    "hardsigmoid": ("alpha", "beta"),
    "leakyrelu": ("alpha",),
}


def _functions(attributes: Mapping[str, Any], directions: int) -> Sequence[Callable[..., Array]]:
    """Return what follows the sums of an RNN, for each direction."""
    names = [name.lower() for name in attributes.get("activations", [b"Tanh"] * directions)]
    names = [name.decode() if isinstance(name, bytes) else name for name in names]
    left = {key: [*attributes.get(f"activation_{key}", ())] for key in ("alpha", "beta")}
    made = []
    for name in names:
        given = {key: float(left[key].pop(0)) for key in _TAKING.get(name, ()) if left[key]}
        made.append(functools.partial(_FUNCTIONS[name], **given))
    return made


def _rnn(x: Array, h: Array, c: Array, r: Array, b: Array, f: Any, linear: bool) -> Any:
    return f(x + b[0] + h @ r.T + b[1]), c


def _gru(x: Array, h: Array, c: Array, r: Array, b: Array, f: Any, linear: bool) -> Any:
    units = h.shape[-1]
    x = x + b[0]
    gates = _sigmoid(x[:, : 2 * units] + h @ r[: 2 * units].T + b[1, : 2 * units])
    update, reset = gates[:, :units], gates[:, units:]
    matrix, bias = r[2 * units :].T, b[1, 2 * units :]
    state = reset * (h @ matrix + bias) if linear else (reset * h) @ matrix + bias
    return (1 - update) * np.tanh(x[:, 2 * units :] + state) + update * h, c


def _lstm(x: Array, h: Array, c: Array, r: Array, b: Array, f: Any, linear: bool) -> Any:
    i, o, forget, g = np.split(x + b[0] + h @ r.T + b[1], 4, axis=-1)
    c = _sigmoid(forget) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


_STEPS = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}


def _recurrence(op: str, attributes: Mapping[str, Any], inputs: tuple[Any, ...]) -> Any:
    """Return Y, Y_h and of LSTM Y_c."""
    x, w, r, b, lengths, *first = (*inputs, *[None] * 4)[:7]
    # x: (time, rows, features), w and r: (directions, gates * units, columns)
    if attributes.get("layout", 0):
        x, *first = (None if each is None else np.swapaxes(each, 0, 1) for each in (x, *first))
    time, rows, _ = x.shape
    directions, units = len(w), r.shape[-1]
    b = np.zeros((directions, 2 * w.shape[1])) if b is None else b
    lengths = np.full(rows, time) if lengths is None else lengths
    direction = attributes.get("direction", b"forward")
    direction = direction.decode() if isinstance(direction, bytes) else direction
    functions = _functions(attributes, directions) if op == "RNN" else [None] * directions
    y = np.zeros((time, directions, rows, units))
    last = np.zeros((2, directions, rows, units))
    for d in range(directions):
        h, c = (np.zeros((rows, units)) if each is None else each[d] for each in first)
        steps = range(time)
        for t in reversed(steps) if direction == "reverse" or d else steps:
            inside = (t < lengths)[:, None]
            biases = b[d].reshape(2, -1)
            linear = bool(attributes.get("linear_before_reset", 0))
            new = _STEPS[op](x[t] @ w[d].T, h, c, r[d], biases, functions[d], linear)
            h, c = (np.where(inside, a, old) for a, old in zip(new, (h, c), strict=True))
            y[t, d] = np.where(inside, h, 0.0)
        last[:, d] = h, c
    made = [y, *last[: 2 if op == "LSTM" else 1]]
    if attributes.get("layout", 0):
        made = [np.moveaxis(y, 2, 0), *(np.swapaxes(each, 0, 1) for each in made[1:])]
    return tuple(made)


def _conv_transpose(attributes: Mapping[str, Any], inputs: tuple[Any, ...]) -> Array:
    """Return y; channels are in groups, which have nothing to do with each other."""
    x, w, b = (*inputs, None)[:3]
    groups = attributes.get("group", 1)
    if groups > 1:
        parts = zip(np.split(x, groups, 1), np.split(w, groups), strict=True)
        y = np.concatenate([_conv_transpose({**attributes, "group": 1}, pair) for pair in parts], 1)
        return y if b is None else y + b.reshape(-1, *[1] * (x.ndim - 2))
    # x: (rows, channels, *positions), w: (channels, filters, *sizes)
    axes = x.ndim - 2
    strides, dilations = (attributes.get(name, [1] * axes) for name in ("strides", "dilations"))
    auto = attributes.get("auto_pad", b"NOTSET").decode()
    pads = [0] * (2 * axes) if auto == "VALID" else attributes.get("pads", [0] * (2 * axes))
    along = zip(x.shape[2:], strides, w.shape[2:], dilations, strict=True)
    extents = [(n - 1) * stride + (size - 1) * d + 1 for n, stride, size, d in along]
    extents = np.add(extents, attributes.get("output_padding", [0] * axes)).tolist()
    whole = np.zeros((len(x), w.shape[1], *extents), x.dtype)
    for place in np.ndindex(*w.shape[2:]):
        begins = [p * d for p, d in zip(place, dilations, strict=True)]
        reached = zip(begins, x.shape[2:], strides, strict=True)
        at = tuple(slice(begin, begin + (n - 1) * s + 1, s) for begin, n, s in reached)
        sums = np.tensordot(x, w[(slice(None), slice(None), *place)], (1, 0))
        whole[(slice(None), slice(None), *at)] += np.moveaxis(sums, -1, 1)
    given = attributes.get("output_shape")
    if given is None and auto.startswith("SAME"):
        given = np.multiply(x.shape[2:], strides)
    if given is not None:
        total = np.subtract(extents, given)
        before = total // 2 if auto == "SAME_UPPER" else total - total // 2
        pads = [*before, *(total - before)]
    ends = [n - behind for n, behind in zip(extents, pads[axes:], strict=True)]
    y = whole[(slice(None), slice(None), *map(slice, pads[:axes], ends))]
    return y if b is None else y + b.reshape(-1, *[1] * axes)


@functools.cache
def own_operators() -> list[Any]:
    """Return classes of operators for the package's reference implementation."""
    from onnx.reference.op_run import OpRun

    class ConvTranspose(OpRun):  # which the package has number by number
        op_domain = ""

        def _run(self, *inputs: Any, **others: Any) -> tuple[Array]:
            return (_conv_transpose(_attributes(self.onnx_node), inputs),)

    class Erfc(OpRun):  # which ONNX lacks, but tf2onnx leaves it where Keras has gelu
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            return (np.array([math.erfc(value) for value in x.ravel()], x.dtype).reshape(x.shape),)

    class GlobalMaxPool(OpRun):  # which the package has right for images alone
        op_domain = ""

        def _run(self, x: Array) -> tuple[Array]:
            return (x.max(axis=tuple(range(2, x.ndim)), keepdims=True),)

    class Recurrent(OpRun):
        op_domain = ""

        def _run(self, *inputs: Any, **others: Any) -> Any:
            node = self.onnx_node
            made = _recurrence(node.op_type, _attributes(node), inputs)
            return made[: len(node.output)]

    named = (type(name, (Recurrent,), {}) for name in _STEPS)
    return [ConvTranspose, Erfc, GlobalMaxPool, *named]


def _attributes(node: Any) -> dict[str, Any]:
    from onnx import helper

    return {a.name: helper.get_attribute_value(a) for a in node.attribute}
