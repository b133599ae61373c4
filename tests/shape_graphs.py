# SPDX-License-Identifier: Apache-2.0
"""Random graphs whose rows have several axes, with every layer that changes them."""

from __future__ import annotations

import numpy as np
from shaken_weights import shaken

import chainrule as cr

ACTIVATIONS = ["relu", "tanh", "silu", "elu", "linear", "sigmoid", "softmax"]
MERGES = [cr.Add, cr.Subtract, cr.Multiply, cr.Average, cr.Maximum]
SHAPES = [(6,), (4, 3), (2, 3, 4)]


def random_shape_graph(seed: int, dtype: str = "float32"):
    """Return a network of one or two inputs, whose rows have up to three axes, and some rows."""
    rng = np.random.default_rng(seed)

    def dense(x, units):
        kind = str(rng.choice(ACTIVATIONS))
        return cr.Dense(units, kind, use_bias=bool(rng.random() < 0.8))(x)

    shapes = [SHAPES[rng.integers(3)] for _ in range(int(rng.integers(1, 3)))]
    inputs = [cr.Input(shape, name=f"in_{i}") for i, shape in enumerate(shapes)]
    nodes = list(zip(inputs, shapes, strict=True))
    read = set()

    def add(layer, parents, shape):
        read.update(id(x) for x in parents)
        nodes.append((layer(parents if len(parents) > 1 else parents[0]), tuple(shape)))

    for _ in range(int(rng.integers(3, 10))):
        x, shape = nodes[rng.integers(len(nodes))]
        columns, count = shape[-1], int(np.prod(shape))
        kind = rng.integers(12)
        if kind == 0:
            merge = MERGES[rng.integers(len(MERGES))]
            add(merge(), [dense(x, columns), x], shape)
        elif kind == 1:
            units = int(rng.integers(1, 4))
            add(cr.Concatenate(), [x, dense(x, units)], (*shape[:-1], columns + units))
        elif kind == 2 and len(shape) <= 2:
            add(cr.Dot(), [x, dense(x, columns)], (1,) if len(shape) == 1 else (shape[0],) * 2)
        elif kind == 3:
            factor = next((f for f in range(2, count) if count % f == 0), count)
            add(cr.Reshape((-1, factor)), [x], (count // factor, factor))
        elif kind == 4 and len(shape) > 1:
            dims = rng.permutation(len(shape)) + 1
            add(cr.Permute(tuple(map(int, dims))), [x], (shape[d - 1] for d in dims))
        elif kind == 5 and len(shape) == 1:
            add(cr.RepeatVector(3), [x], (3, columns))
        elif kind == 6 and len(shape) > 1:
            add(cr.GlobalAveragePooling(), [x], (columns,))
        elif kind == 7:
            add(cr.Flatten(), [x], (count,))
        else:
            layers = [
                cr.BatchNormalization(),
                cr.LayerNormalization(),
                cr.PReLU(),
                cr.Activation(str(rng.choice(ACTIVATIONS))),
                cr.Rescaling(0.5, 0.25),
                cr.Clip(-0.8, 0.9),
                cr.Scale(0.7),
            ]
            add(layers[rng.integers(len(layers))], [x], shape)
        if np.prod(nodes[-1][1]) > 200:
            break
    ends = [(x, shape) for x, shape in nodes if id(x) not in read]
    whole = [cr.Flatten()(x) for x, _ in ends]
    whole = whole[0] if len(whole) == 1 else cr.Concatenate()(whole)
    outputs = {"y": cr.Dense(2)(whole)}
    if seed % 2:  # an output that has axes, too
        x, shape = ends[-1]
        outputs["positions"] = cr.Dense(3)(x)
    net = cr.Network(inputs, outputs, seed=seed, dtype=dtype)
    return shaken(net, seed), [rng.normal(size=(9, *shape)).astype(dtype) for shape in shapes]
