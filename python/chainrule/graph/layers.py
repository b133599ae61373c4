# SPDX-License-Identifier: Apache-2.0
"""What layers make of a row's numbers: nodes, in the order of summation that the core has."""

from __future__ import annotations

import builtins
import itertools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import layers
from chainrule.graph.arrays import (
    SAME,
    Nodes,
    dots,
    elementwise,
    interleaved,
    label,
    shaped,
    taken,
)
from chainrule.graph.convolutions import CONVOLUTIONS
from chainrule.graph.embeddings import bin_places, waves
from chainrule.graph.fma import fma
from chainrule.graph.formulas import activation_operation
from chainrule.graph.nodes import Node, Operation, max, multiply, softmax, subtract, sum
from chainrule.graph.positions import OF_POSITIONS
from chainrule.graph.recurrence import RECURRENT
from chainrule.graph.sums import DOT, MEAN, MEAN_SQUARE, PRODUCT, TREE, TREE_MEAN
from chainrule.interop.affine import scale_and_offset

if TYPE_CHECKING:
    from chainrule.activations import Activation

__all__ = ["KNOWN", "activated", "moves_nothing", "output_of"]


def moves_nothing(layer: layers.Layer, read: tuple[int, ...], made: tuple[int, ...]) -> bool:
    """Whether a layer gives the very numbers that it reads; the core has no stage for it.

    `read` and `made` are the shapes of a row.
    """
    if isinstance(layer, layers.Permute):
        return list(layer.dims) == sorted(layer.dims)
    linear = isinstance(layer, layers.Activation) and layer.activation.kind == "linear"
    # Rows of other columns lie apart in memory.
    same = read[-1] == made[-1]
    return linear or (same and isinstance(layer, layers.Flatten | layers.Reshape))


def output_of(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    """Return what a layer gives, before its activation, with nodes named as ``name.z[0]``.

    Parameters
    ----------
    name : str
        The layer's node in the network.
    layer : Layer
        A layer of a class in `KNOWN`.
    read : sequence of ndarray of Node
        What it reads.
    own : dict of str to ndarray of Node
        Its parameters.
    """
    kind = next(known for known in KNOWN if isinstance(layer, known))
    return KNOWN[kind](name, layer, read, own)


def activated(name: str, function: Activation, z: Nodes) -> Nodes:
    """Return an activation of nodes, with nodes named as ``name.y[0]``."""
    if function.kind == "linear":
        return z
    if function.kind != "softmax":
        return elementwise(activation_operation(function), f"{name}.y", [z])
    rows = [softmax(*row) for row in z.reshape(-1, z.shape[-1])]
    return shaped([node for row in rows for node in row], z.shape)


def _dense(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    (x,) = read
    biases = own.get("bias", [0.0] * layer.units)
    shape = (*x.shape[:-1], layer.units)
    rows = x.reshape(-1, x.shape[-1])
    places = np.ndindex(*x.shape[:-1])
    nodes = (
        dots(f"{name}.z", place, biases, row, own["weight"])
        for place, row in zip(places, rows, strict=True)
    )
    return shaped(itertools.chain(*nodes), shape)


def _normalization(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    values = {key: np.array([node.value for node in nodes]) for key, nodes in own.items()}
    affine = scale_and_offset(layer, values)
    assert affine is not None
    scale, offset = affine
    y = _affine(name, read[0], offset, scale)
    if layer.clip is not None:
        rates = np.zeros(y.shape[-1])
        rates[slice(None) if layer.columns is None else [*layer.columns]] = 1.0 / layer.clip
        y = elementwise(_SMOOTH_CLIP, f"{name}.clipped", [y, rates])
    # A node holds a number, so none is missing.
    indicators = layer._core.output_shape([y.shape])[-1] - y.shape[-1]
    if not indicators:
        return y
    nodes = [Node(0.0) for _ in range(y[..., 0].size * indicators)]
    return np.concatenate([y, shaped(nodes, (*y.shape[:-1], indicators))], axis=-1)


def _smooth_clip(x: float, rate: float) -> float:
    return x / math.sqrt(fma(x * rate, x * rate, 1.0))


def _smooth_clip_derivatives(y: Any, x: Any, rate: Any) -> Sequence[Any]:
    value, r = ((each.value if isinstance(each, Node) else each) for each in (x, rate))
    return ((1.0 + (value * r) ** 2) ** -1.5, 0.0)


def _batch_normalization(
    name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]
) -> Nodes:
    (x,) = read
    moments = [own[each] for each in ("running_mean", "running_variance")]
    operations = [
        _standardized_affine(mean.value, 1.0 / math.sqrt(variance.value + layer.epsilon))
        for mean, variance in zip(*moments, strict=True)
    ]
    gamma, beta = _gamma_and_beta(own, x.shape[-1])
    nodes = (
        operations[place[-1]].of(
            node, gamma[place[-1]], beta[place[-1]], name=label(f"{name}.y", place)
        )
        for place, node in np.ndenumerate(x)
    )
    return shaped(nodes, x.shape)


def _standardized_affine(mean: float, inverse: float) -> Operation:
    """Return gamma * (x - mean) * inverse + beta as a function of x, gamma and beta."""
    return Operation(
        "batch_norm",
        lambda x, gamma, beta: fma(gamma, (x - mean) * inverse, beta),
        lambda y, x, gamma, beta: (gamma * inverse, (x - mean) * inverse, 1.0),
    )


def _layer_normalization(
    name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]
) -> Nodes:
    (x,) = read
    gamma, beta = _gamma_and_beta(own, x.shape[-1])
    inverse_of = Operation(
        "inverse_deviation",
        lambda variance: 1.0 / math.sqrt(variance + layer.epsilon),
        lambda y, variance: (-0.5 * y * y * y,),
    )
    made = []
    for row in x.reshape(-1, x.shape[-1]):
        mean = TREE_MEAN.of(*row)
        centred = [node - mean for node in row]
        inverse = inverse_of.of(MEAN_SQUARE.of(*centred))
        terms = zip(beta, gamma, centred, strict=True)
        made += [(start, factor, node * inverse) for start, factor, node in terms]
    nodes = (
        DOT.of(*each, name=label(f"{name}.y", place))
        for place, each in zip(np.ndindex(*x.shape), made, strict=True)
    )
    return shaped(nodes, x.shape)


def _gamma_and_beta(own: dict[str, Nodes], columns: int) -> list[Any]:
    """Return factors and summands of each column: parameters, or where there are none numbers."""
    return [own.get("gamma", [1.0] * columns), own.get("beta", [0.0] * columns)]


def _number_embedding(functions: Callable[..., list[Node]], *, keeps_x: bool) -> Callable[..., Any]:
    """Return what makes the nodes of an embedding: sums of functions of each number by itself."""

    def nodes(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
        (x,) = read
        y = []
        for row in x.reshape(-1, x.shape[-1]):
            for j, number in enumerate(row):
                y += [SAME.of(number)] if keeps_x else []
                places = functions(number, own, j)
                for start, weights in zip(own["bias"][j], own["weight"][j], strict=True):
                    y.append(DOT.of(start, *interleaved(places, weights)))
        shape = layer._core.output_shape([x.shape])
        for place, node in zip(np.ndindex(*shape), y, strict=True):
            node.name = label(f"{name}.y", place)
        return shaped(y, shape)

    return nodes


def _affine(name: str, x: Nodes, offset: Any, scale: Any) -> Nodes:
    shape = x.shape
    terms = (np.broadcast_to(np.asarray(each, float), shape).flat for each in (offset, scale))
    nodes = (
        DOT.of(start, node, factor, name=label(f"{name}.y", place))
        for place, node, start, factor in zip(np.ndindex(*shape), x.flat, *terms, strict=True)
    )
    return shaped(nodes, shape)


def _dot_layer(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    a, b = (x.reshape(-1, x.shape[-1]) for x in read)
    nodes = [
        TREE.of(*p, *q, name=label(f"{name}.y", (i, j) if read[0].ndim > 1 else (0,)))
        for i, p in enumerate(a)
        for j, q in enumerate(b)
    ]
    return shaped(nodes, (len(a), len(b)) if read[0].ndim > 1 else (1,))


def _pooling(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    columns = read[0].reshape(-1, read[0].shape[-1]).T
    nodes = [MEAN.of(*x, name=label(f"{name}.y", (j,))) for j, x in enumerate(columns)]
    return shaped(nodes, (len(columns),))


def _repeat(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    copies = [elementwise(SAME, "", read) for _ in range(layer.n)]
    return np.stack(copies)


def _clip(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    low = -math.inf if layer.min_value is None else layer.min_value
    high = math.inf if layer.max_value is None else layer.max_value
    clip = Operation(
        "clip",
        lambda x: min(high, builtins.max(low, x)),
        lambda y, x: (float(low <= (x.value if isinstance(x, Node) else x) <= high),),
    )
    return elementwise(clip, f"{name}.y", read)


def _same(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    return read[0]


def _reshaped(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    shape = layer._core.output_shape([read[0].shape])
    return read[0].reshape(shape)


def _merged(operation: Operation) -> Callable[..., Nodes]:
    return lambda name, layer, read, own: elementwise(operation, f"{name}.y", read)


def _prelu_derivatives(y: Any, x: Any, slope: Any) -> Sequence[Any]:
    positive = (x.value if isinstance(x, Node) else x) > 0.0
    return (1.0, 0.0) if positive else (slope, x)


_SMOOTH_CLIP = Operation("smooth_clip", _smooth_clip, _smooth_clip_derivatives)
_PRELU = Operation("prelu", lambda x, s: x if x > 0.0 else s * x, _prelu_derivatives)

_MIX = Operation(
    "mix",
    lambda x, f, share: fma(share, f, (1.0 - share) * x),
    lambda y, x, f, share: (1.0 - share, share, f - x),
)


def _parametric_activation(
    name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]
) -> Nodes:
    (x,) = read
    f = activated(f"{name}.f", layer.activation, x)
    return elementwise(_MIX, f"{name}.y", [x, f, own["alpha"]])


KNOWN: dict[type[layers.Layer], Callable[..., Nodes]] = {
    layers.Dense: _dense,
    layers.Activation: _same,
    layers.PReLU: lambda name, layer, read, own: elementwise(
        _PRELU, f"{name}.y", [read[0], own["slope"]]
    ),
    layers.ParametricActivation: _parametric_activation,
    layers.Dropout: _same,
    layers.GaussianNoise: _same,
    layers.Rescaling: lambda name, layer, read, own: _affine(
        name, read[0], layer.offset, layer.scale
    ),
    layers.Normalization: _normalization,
    layers.BatchNormalization: _batch_normalization,
    layers.LayerNormalization: _layer_normalization,
    layers.Scale: lambda name, layer, read, own: elementwise(
        multiply, f"{name}.y", [read[0], own["scale"]]
    ),
    layers.PeriodicEmbedding: _number_embedding(waves, keeps_x=True),
    layers.PiecewiseLinearEmbedding: _number_embedding(bin_places, keeps_x=False),
    layers.Clip: _clip,
    layers.Add: _merged(sum),
    layers.Subtract: _merged(subtract),
    layers.Multiply: _merged(PRODUCT),
    layers.Average: _merged(MEAN),
    layers.Maximum: _merged(max),
    layers.Concatenate: lambda name, layer, read, own: np.concatenate(read, axis=-1),
    layers.Dot: _dot_layer,
    layers.Reshape: _reshaped,
    layers.Flatten: _reshaped,
    layers.Permute: lambda name, layer, read, own: read[0].transpose([d - 1 for d in layer.dims]),
    layers.RepeatVector: _repeat,
    layers.Take: lambda name, layer, read, own: taken(read[0], layer.columns),
    layers.GlobalAveragePooling: _pooling,
    **OF_POSITIONS,
    **CONVOLUTIONS,
    **RECURRENT,
}
"""The layers that are unrolled, and what makes their nodes."""
