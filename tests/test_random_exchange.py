# SPDX-License-Identifier: Apache-2.0
"""Random convolutional and recurrent networks through ONNX files and onnxruntime, and back."""

from __future__ import annotations

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes

pytest.importorskip("onnxruntime")

ACTIVATIONS = ["linear", "relu", "tanh", "sigmoid", "leaky_relu", "softmax", "swish"]
NETWORKS = 100


def pick(rng, *values):
    """Return one of some values."""
    return values[rng.integers(len(values))]


def convolution(rng, shape):
    """Return a convolution that fits rows of a shape."""
    axes = len(shape) - 1
    sizes = tuple(int(rng.integers(1, min(4, extent + 1))) for extent in shape[:-1])
    strides = tuple(int(n) for n in rng.integers(1, 3, axes))
    padding = pick(rng, "valid", "same", *(["causal"] if axes == 1 else []))
    fits = [
        (extent - 1) // max(size - 1, 1) for size, extent in zip(sizes, shape[:-1], strict=True)
    ]
    dilation = tuple(int(rng.integers(1, min(3, max(most, 1)) + 1)) for most in fits)
    options = {"activation": pick(rng, *ACTIVATIONS), "use_bias": bool(rng.integers(2))}
    filters = int(rng.integers(1, 6))
    plain, transposed, depthwise = (
        (cr.Conv1D, cr.Conv1DTranspose, cr.DepthwiseConv1D)
        if axes == 1
        else (cr.Conv2D, cr.Conv2DTranspose, cr.DepthwiseConv2D)
    )
    # One of a single channel by itself comes back as a plain one.
    kind = pick(rng, plain, transposed, *([depthwise] if shape[-1] > 1 else []))
    if kind is transposed and padding == "causal":
        padding = "same"
    if axes == 1:
        sizes, strides, dilation = (each[0] for each in (sizes, strides, dilation))
    if kind is depthwise:
        options["depth_multiplier"] = int(rng.integers(1, 4))
    first = () if kind is depthwise else (filters,)
    return kind(*first, sizes, strides, padding, dilation, **options)


def recurrence(rng, return_sequences):
    """Return a recurrent layer, or one from both sides."""
    kind = pick(rng, cr.SimpleRNN, cr.GRU, cr.LSTM)
    options = {"return_sequences": return_sequences, "use_bias": bool(rng.integers(2))}
    if kind is cr.SimpleRNN:
        options["activation"] = pick(rng, "tanh", "relu", "sigmoid", "softsign")
    units = int(rng.integers(1, 7))
    if rng.integers(2):
        return cr.Bidirectional(kind(units, **options))
    return kind(units, go_backwards=bool(rng.integers(2)), **options)


def layers_on(rng, x, shape):
    """Return what some layers make of images or sequences, an input of this shape."""

    def shape_of(h):
        return cr.Network(x, h, seed=0).predict(np.zeros((1, *shape))).shape[1:]

    h, made = x, shape
    for _ in range(rng.integers(1, 4)):
        if len(made) == 1:
            break
        if len(made) == 2 and rng.integers(2):
            h = recurrence(rng, return_sequences=bool(rng.integers(3)))(h)
        else:
            h = convolution(rng, made)(h)
            if min(shape_of(h)[:-1]) > 2 and rng.integers(2):
                h = pick(rng, cr.MaxPooling(2), cr.AveragePooling(2), cr.BatchNormalization())(h)
        made = shape_of(h)
    if len(made) > 1:
        h = pick(rng, cr.Flatten(), cr.GlobalAveragePooling(), cr.GlobalMaxPooling())(h)
    return cr.Dense(3)(h)


@pytest.mark.parametrize("seed", range(NETWORKS))
def test_a_random_network_is_the_same_everywhere(seed) -> None:
    rng = np.random.default_rng(seed)
    extents = rng.integers(4, 10, 1 + seed % 2)
    shape = (*map(int, extents), int(rng.integers(1, 4)))
    x = cr.Input(shape)
    net = cr.Network(inputs=x, outputs=layers_on(rng, x, shape), seed=seed)
    rows = rng.normal(size=(64, *shape)).astype(np.float32)
    net.fit(rows, rng.normal(size=(64, 3)), loss="mse", epochs=1, batch_size=16, verbose=0)
    y = net.predict(rows)
    content = onnx_bytes(net, opset=pick(rng, 13, 17, 18, 22))
    assert largest_relative_difference(onnxruntime_outputs(content, rows), y) <= 1e-5
    again = cr.from_onnx(content)
    assert [layer.kind for layer in again.layers] == [layer.kind for layer in net.layers]
    assert largest_relative_difference(again.predict(rows), y) <= 1e-5
