# SPDX-License-Identifier: Apache-2.0
"""Random graphs of all layers that merge tensors or change shapes."""

from __future__ import annotations

import numpy as np

import chainrule as cr

BIAS = {"kind": "uniform", "low": -0.5, "high": 0.5}


def random_network(seed: int, dtype: str = "float64"):
    """Return a network of one or two inputs with smooth activations, and rows and targets."""
    rng = np.random.default_rng(seed)

    def dense(x, units: int):
        kind = ("tanh", "gelu")[rng.integers(2)]
        return cr.Dense(units, kind, bias_initializer=BIAS)(x)

    widths = [int(rng.integers(1, 9)) for _ in range(int(rng.integers(1, 3)))]
    inputs = [cr.Input(width) for width in widths]
    nodes = [(x, (width,)) for x, width in zip(inputs, widths, strict=True)]
    read = set()

    def add(layer, parents, shape) -> None:
        read.update(id(x) for x in parents)
        nodes.append((layer(parents if len(parents) > 1 else parents[0]), shape))

    for _ in range(int(rng.integers(2, 10))):
        x, shape = nodes[rng.integers(len(nodes))]
        columns, count = shape[-1], int(np.prod(shape))
        like = dense(x, columns)
        kind = rng.integers(13)
        if kind < 5:
            merge = (cr.Add, cr.Subtract, cr.Multiply, cr.Average, cr.Maximum)[kind]
            more = [] if merge is cr.Subtract or rng.integers(2) else [dense(x, columns)]
            add(merge(), [like, x, *more], shape)
        elif kind == 5:
            units = int(rng.integers(1, 5))
            add(cr.Concatenate(), [x, dense(x, units), x], (*shape[:-1], 2 * columns + units))
        elif kind == 6 and len(shape) <= 2:
            add(cr.Dot(), [x, like], (1,) if len(shape) == 1 else (shape[0], shape[0]))
        elif kind == 7:
            factor = next(f for f in range(2, count + 2) if count % f == 0 or f > count)
            factor = min(factor, count)
            add(cr.Reshape((-1, factor)), [x], (count // factor, factor))
        elif kind == 8:
            dims = rng.permutation(len(shape)) + 1
            add(cr.Permute(tuple(map(int, dims))), [x], tuple(shape[d - 1] for d in dims))
        elif kind == 9 and len(shape) == 1:
            add(cr.RepeatVector(3), [x], (3, columns))
        elif kind == 10 and len(shape) > 1:
            add(cr.GlobalAveragePooling(), [x], (columns,))
        elif kind == 11:
            add(cr.Clip(-0.4, 0.6), [x], shape)
        else:
            noise = cr.GaussianNoise(0.1)(x)
            read.add(id(x))
            add(cr.Scale(float(rng.uniform(0.5, 2))), [noise], shape)
    ends = [cr.Flatten()(x) for x, _ in nodes if id(x) not in read]
    end = ends[0] if len(ends) == 1 else cr.Concatenate()(ends)
    net = cr.Network(inputs=inputs, outputs=cr.Dense(3)(end), seed=seed, dtype=dtype)
    x = [rng.uniform(-1, 1, (4, width)) for width in widths]
    return net, x if len(x) > 1 else x[0], rng.uniform(-1, 1, (4, 3))
