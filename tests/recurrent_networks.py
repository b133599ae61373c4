# SPDX-License-Identifier: Apache-2.0
"""Recurrent layers in plain NumPy, and small networks that have some."""

from __future__ import annotations

import numpy as np

import chainrule as cr

ROWS, TIME, FEATURES, UNITS = 5, 6, 3, 4
KINDS = {"simple_rnn": cr.SimpleRNN, "gru": cr.GRU, "lstm": cr.LSTM}
GATES = {"simple_rnn": 1, "gru": 3, "lstm": 4}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def times(x, weight):
    """Vectors times matrices, one or many of either."""
    return (x[..., np.newaxis, :] @ weight)[..., 0, :]


def step(kind, p, x, h, c, factors=1.0):
    """One step of one row, by the formulas of the documentation; `factors` are of dropout.

    All arrays may have axes in front, of networks that differ.
    """
    bias = p.get("bias", np.zeros(GATES[kind] * h.shape[-1]))
    a = np.split(times(x, p["weight"]) + bias, GATES[kind], axis=-1)
    s = times(h * factors, p["recurrent_weight"]) + p.get("recurrent_bias", 0)
    s = np.split(s, GATES[kind], axis=-1)
    if kind == "simple_rnn":
        return np.tanh(a[0] + s[0]), c
    if kind == "gru":
        z, r = sigmoid(a[0] + s[0]), sigmoid(a[1] + s[1])
        n = np.tanh(a[2] + r * s[2])
        return (1 - z) * n + z * h, c
    i, f, g, o = (u + v for u, v in zip(a, s, strict=True))
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def states(kind, p, x, backwards, length, first=None, factors=1.0, before=None):
    """The state behind each position of one row, zero behind its length, and the last one.

    `first` are the states to begin with; `before(t, h, c)` may put others before a position.
    """
    zeros = np.zeros(p["recurrent_weight"].shape[-2])
    h, c = (zeros, zeros) if first is None else first
    y = [zeros] * x.shape[-2]
    for t in reversed(range(length)) if backwards else range(length):
        if before is not None:
            h, c = before(t, h, c)
        h, c = step(kind, p, x[..., t, :], h, c, factors)
        y[t] = h
    return stacked(y, 1), h


def stacked(arrays, axes):
    """The arrays along a new axis, behind which each has so many."""
    return np.stack(np.broadcast_arrays(*arrays), axis=-axes - 1)


def derivatives(function, arrays, dy):
    """The derivatives of (function * dy).sum() by arrays, to all digits.

    They are found by steps along the imaginary axis. The function is called once for an array, of
    which it gets all that have one number moved, along an axis in front, as its result has it.
    """
    found = {}
    for name, values in arrays.items():
        moved = np.tile(values.astype(complex), (values.size,) + (1,) * values.ndim)
        moved.reshape(values.size, -1)[np.diag_indices(values.size)] += 1e-30j
        y = function({**arrays, name: moved})
        sums = (y.imag * dy).sum(axis=tuple(range(-dy.ndim, 0)))
        found[name] = np.broadcast_to(sums, values.size).reshape(values.shape) / 1e-30
    return found


def shaken(net, rng):
    """Biases start at zero, which would hide where they go."""
    net.set_weights({n: v + 0.3 * rng.normal(size=v.shape) for n, v in net.parameters.items()})
    return net


def chain(*layers, shape=(TIME, FEATURES), seed=3, dtype="float64"):
    x = tensor = cr.Input(shape, name="x")
    for layer in layers:
        tensor = layer(tensor)
    return cr.Network(x, tensor, seed=seed, dtype=dtype)


def network(layer, rng, head=True):
    return shaken(chain(layer, *([cr.Dense(2)] if head else [])), rng)


def arrays(net):
    """The arrays of the first layer."""
    names = [name.split(".") for name in net.parameters]
    return {a: net.parameters[f"{n}.{a}"] for n, a in names if n == names[0][0]}
