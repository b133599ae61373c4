# SPDX-License-Identifier: Apache-2.0
"""The layers of images with a kernel that moves, their options, and what they give by NumPy."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np

import chainrule as cr

BIAS = cr.initializers.Uniform(-1, 1)
OPTIONS = [
    {"filters": 3, "kernel_size": 3},
    {"filters": 5, "kernel_size": (1, 1)},
    {"filters": 17, "kernel_size": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
    {"filters": 4, "kernel_size": 4, "strides": 2, "padding": "same"},
    {"filters": 4, "kernel_size": (2, 4), "strides": (3, 2)},
    {"filters": 4, "kernel_size": (2, 3), "dilation": (3, 2), "padding": "same"},
    {"filters": 4, "kernel_size": 2, "dilation": 2, "strides": 2},
    {"filters": 4, "kernel_size": 3, "dilation": 2, "strides": 3, "padding": "same"},
    {"filters": 4, "kernel_size": 1, "strides": 3},
    {"filters": 70, "kernel_size": 5, "padding": "same", "use_bias": False},
    {"filters": 2, "kernel_size": (7, 9), "padding": "same"},
    {"filters": 2, "kernel_size": (7, 8)},
    {"filters": 2, "kernel_size": (3, 30), "padding": "same"},
]
KINDS = {layer.kind: layer for layer in (cr.Conv2D, cr.Conv2DTranspose, cr.DepthwiseConv2D)}
EXTENTS = {kind: (7, 8) for kind in KINDS} | {"conv2d_transpose": (4, 5)}


def layer_of(kind: str, options, **others) -> cr.layers.Layer:
    """Return a layer with options, of which one of each channel by itself has no filters."""
    given = {**options, **others}
    if kind == "depthwise_conv2d":
        del given["filters"]
    return KINDS[kind](**given)


def single(kind: str, options, channels: int) -> cr.Sequential:
    """Return a network of one layer, in double."""
    layer = layer_of(kind, options, bias_initializer=BIAS)
    image = cr.Input((*EXTENTS[kind], channels))
    return cr.Sequential([image, layer], seed=3, dtype="float64")


def pair(value) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def moves(options) -> dict:
    """Return strides, padding and dilation."""
    return {k: v for k, v in options.items() if k in ("strides", "padding", "dilation")}


def zeros_around(extent: int, size: int, stride: int, dilation: int, padding: str):
    """Zeros before and behind an axis."""
    span = dilation * (size - 1) + 1
    if padding == "causal":
        return span - 1, 0
    if padding == "valid":
        return 0, 0
    total = max(0, (-(-extent // stride) - 1) * stride + span - extent)
    return total // 2, total - total // 2


def convolution(x, weight, bias, strides=1, padding="valid", dilation=1):
    """The definition: x (n, height, width, channels), weight (rows, columns, channels, filters).

    Without filters the weight is of each channel by itself.
    """
    (sy, sx), (dy, dx) = pair(strides), pair(dilation)
    rows, columns = weight.shape[:2]
    around = [
        zeros_around(x.shape[1], rows, sy, dy, padding),
        zeros_around(x.shape[2], columns, sx, dx, padding),
    ]
    x = np.pad(x, [(0, 0), *around, (0, 0)])
    height = (x.shape[1] - dy * (rows - 1) - 1) // sy + 1
    width = (x.shape[2] - dx * (columns - 1) - 1) // sx + 1
    y = np.zeros((len(x), height, width, weight.shape[-1])) + bias
    for i, j in itertools.product(range(height), range(width)):
        for k, m in itertools.product(range(rows), range(columns)):
            inputs, factors = x[:, i * sy + k * dy, j * sx + m * dx], weight[k, m]
            y[:, i, j] += inputs @ factors if weight.ndim == 4 else inputs * factors
    return y


def transposed(x, weight, bias, strides=1, padding="valid", dilation=1):
    """The definition: x (n, height, width, channels), weight (rows, columns, filters, channels)."""
    (sy, sx), (dy, dx) = pair(strides), pair(dilation)
    n, height, width, _ = x.shape
    rows, columns, filters, _ = weight.shape
    spans = dy * (rows - 1) + 1, dx * (columns - 1) + 1
    whole = np.zeros((n, height * sy + spans[0], width * sx + spans[1], filters))
    for i, j in itertools.product(range(height), range(width)):
        for k, m in itertools.product(range(rows), range(columns)):
            whole[:, i * sy + k * dy, j * sx + m * dx] += x[:, i, j] @ weight[k, m].T
    begin, size = [], []
    for extent, stride, span in zip((height, width), (sy, sx), spans, strict=True):
        more = max(span - stride, 0)
        begin.append(more // 2 if padding == "same" else 0)
        size.append(extent * stride + (more if padding == "valid" else 0))
    return whole[:, begin[0] : begin[0] + size[0], begin[1] : begin[1] + size[1]] + bias


def images(kind: str, rows: int = 300):
    """Return images, and what the network of `trained` learns of them: classes, or images."""
    rng = np.random.default_rng(4)
    x = rng.integers(0, 256, (rows, 12, 12, 1), dtype=np.uint8)
    return x, x / 255 if kind == "conv2d_transpose" else rng.integers(0, 10, rows)


def network(kind: str, seed: int = 0, **options) -> cr.Sequential:
    """Return a network of images with layers of a kind."""
    image = [cr.Input((12, 12, 1)), cr.Rescaling(1 / 255)]
    layers = {
        "conv2d": [
            cr.Conv2D(6, 5, activation="relu"),
            cr.Conv2D(17, 3, strides=2, padding="same", activation="relu"),
            cr.Dropout(0.2),
            cr.Flatten(),
            cr.Dense(10),
        ],
        "conv2d_transpose": [
            cr.Conv2D(9, 3, strides=2, padding="same", activation="sigmoid"),
            cr.Conv2D(21, 3, strides=2, padding="same", activation="sigmoid"),
            cr.Dropout(0.1),
            cr.Conv2DTranspose(9, 3, strides=2, padding="same", activation="relu"),
            cr.Conv2DTranspose(1, 4, strides=2, padding="same"),
        ],
        "depthwise_conv2d": [
            cr.Conv2D(19, 3, activation="sigmoid"),
            cr.DepthwiseConv2D(3, 2, "same", use_bias=False),
            cr.Conv2D(24, 1, activation="relu"),
            cr.DepthwiseConv2D(3, dilation=2, padding="same", activation="relu"),
            cr.Dropout(0.1),
            cr.GlobalAveragePooling(),
            cr.Dense(10),
        ],
    }
    return cr.Sequential([*image, *layers[kind]], seed=seed, **options)


def trained(kind: str, threads: int) -> cr.Sequential:
    """Return that network after two epochs of three batches, of which the last is a short one."""
    net = network(kind)
    loss = "mse" if kind == "conv2d_transpose" else "cross_entropy"
    net.fit(*images(kind, 140), epochs=2, batch_size=64, num_threads=threads, loss=loss, verbose=0)
    return net


def digest(net: cr.Network) -> str:
    return hashlib.sha256(b"".join(w.tobytes() for w in net.get_weights())).hexdigest()
