# SPDX-License-Identifier: Apache-2.0
"""Convolutions in ONNX files and as PyTorch modules, and back."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs import model, node, onnx
from window_layers import IMAGE, TIME, on

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes

LAYERS = [
    (TIME, cr.Conv1D(4, 3)),
    (TIME, cr.Conv1D(5, 2, 2, "same", activation="relu")),
    (TIME, cr.Conv1D(4, 3, padding="causal", dilation=2, activation="tanh")),
    (TIME, cr.Conv1D(2, 3, 2, "causal", use_bias=False)),
    (TIME, cr.Conv1D(4, 2, 3, activation="softmax")),
    (IMAGE, cr.Conv2D(4, 3)),
    (IMAGE, cr.Conv2D(5, 3, 2, "same", activation="relu")),
    (IMAGE, cr.Conv2D(3, (2, 3), (1, 2), "same", (2, 1), use_bias=False)),
    (IMAGE, cr.Conv2D(4, (3, 2), activation="leaky_relu")),
    (IMAGE, cr.Conv2D(4, (1, 2), (3, 1), activation="softmax")),
    (IMAGE, cr.Conv2DTranspose(4, (3, 2))),
    (IMAGE, cr.Conv2DTranspose(5, (2, 3), 2, "same", activation="relu")),
    (IMAGE, cr.Conv2DTranspose(3, 4, 2, "same", use_bias=False)),
    (IMAGE, cr.Conv2DTranspose(3, (3, 4), (1, 2), "same", (2, 1), activation="tanh")),
    (IMAGE, cr.Conv2DTranspose(2, (2, 1), (3, 2), activation="softmax")),
    (IMAGE, cr.DepthwiseConv2D((3, 2))),
    (IMAGE, cr.DepthwiseConv2D(3, 2, "same", activation="relu")),
    (IMAGE, cr.DepthwiseConv2D((2, 3), (1, 2), "same", (2, 1), use_bias=False)),
    (IMAGE, cr.DepthwiseConv2D((1, 2), (3, 1), activation="softmax")),
    (IMAGE, cr.DepthwiseConv2D(3, 2, "same", activation="relu", depth_multiplier=3)),
    (IMAGE, cr.DepthwiseConv2D((3, 2), use_bias=False, depth_multiplier=2)),
    (TIME, cr.DepthwiseConv1D(3, depth_multiplier=2)),
    (TIME, cr.DepthwiseConv1D(2, 2, "same", activation="relu")),
    (TIME, cr.DepthwiseConv1D(3, padding="causal", dilation=2, depth_multiplier=3)),
    (TIME, cr.Conv1DTranspose(4, 3)),
    (TIME, cr.Conv1DTranspose(5, 3, 2, "same", activation="relu")),
    (TIME, cr.Conv1DTranspose(3, 2, 3, dilation=2, activation="softmax")),
    (TIME, cr.Conv1DTranspose(3, 4, 2, "same", use_bias=False)),
]
each_layer = pytest.mark.parametrize(
    ("shape", "layer"), LAYERS, ids=[repr(layer) for _, layer in LAYERS]
)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
RNG = np.random.default_rng(11)


def around(shape, layer, dtype="float32"):
    """Return a network with a layer between others, its biases not zero, and rows for it."""
    net = on(shape, cr.Dense(4, "tanh"), layer, cr.Dense(3), dtype=dtype)
    net.set_weights(
        {k: RNG.normal(size=v.shape) for k, v in net.parameters.items() if k.endswith("bias")}
    )
    return net, RNG.normal(size=(9, *shape)).astype(dtype)


@pytest.mark.parametrize("opset", [13, 18])
@each_dtype
@each_layer
def test_onnx_gives_the_same_and_comes_back(shape, layer, dtype, opset) -> None:
    net, x = around(shape, layer, dtype)
    content = onnx_bytes(net, opset=opset)
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    y = net.predict(x)
    limit = 1e-5 if dtype == "float32" else 1e-12
    assert largest_relative_difference(onnxruntime_outputs(content, x), y) <= limit
    again = cr.from_onnx(content)
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(x), y) <= limit


@each_dtype
@each_layer
def test_torch_gives_the_same_and_comes_back(shape, layer, dtype) -> None:
    torch = pytest.importorskip("torch")
    net, x = around(shape, layer, dtype)
    module = cr.to_torch(net).eval()
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    limit = 1e-5 if dtype == "float32" else 1e-12
    assert largest_relative_difference(y, net.predict(x)) <= limit
    again = cr.from_torch(module, input_shape=shape)
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= limit


def operators(net: cr.Network) -> list[str]:
    """Return the operators of a network's file."""
    return [each.op_type for each in onnx.load_from_string(onnx_bytes(net)).graph.node]


LENET = [
    cr.Conv2D(4, 3, padding="same", activation="relu"),
    cr.MaxPooling(),
    cr.Conv2D(5, 2, activation="relu"),
    cr.BatchNormalization(),
    cr.Flatten(),
    cr.Dense(3),
]


def test_transpositions_between_convolutions_cancel() -> None:
    net = on((8, 8, 2), *LENET, dtype="float32")
    middle = ["Conv", "Relu", "MaxPool", "Conv", "Relu", "BatchNormalization"]
    assert operators(net) == ["Transpose", *middle, "Transpose", "Flatten", "Gemm"]
    again = cr.from_onnx(onnx_bytes(net))
    assert [*again.layers] == [*net.layers]


def test_a_trained_network_goes_on_elsewhere(tmp_path) -> None:
    net = on((8, 8, 2), *LENET, dtype="float32")
    x, y = RNG.normal(size=(64, 8, 8, 2)), RNG.integers(0, 3, 64)
    net.fit(x, y, loss="cross_entropy", epochs=2, verbose=0)
    report = cr.to_onnx(net, tmp_path / "net.onnx")
    assert report.max_relative_difference <= 1e-5
    assert largest_relative_difference(cr.from_onnx(report.path).predict(x), net.predict(x)) <= 1e-5


def read(nodes, constants, shape):
    """Return the layers of nodes from x to y on rows of a shape, channels first."""
    content = model(nodes, constants, shape=["rows", *shape])
    net = cr.from_onnx(content)
    x = RNG.normal(size=(5, *shape)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), onnxruntime_outputs(content, x)) <= 1e-5
    return [layer for layer in net.layers if layer.kind != "permute"]


def kernel(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


SAME, LOWER, VALID = ({"auto_pad": auto} for auto in ("SAME_UPPER", "SAME_LOWER", "VALID"))
TWICE = {"strides": [2, 2]}
MORE = {**TWICE, "output_padding": [1, 1]}
FIRST, LAST = ((1, 0), (1, 0)), ((0, 1), (0, 1))
each_alone = {"group": 3}


@pytest.mark.parametrize(
    ("options", "shape", "expected"),
    [
        ({}, (4, 3, 3, 2), [cr.Conv2D(4, (3, 2))]),
        ({"pads": [1, 1, 1, 1]}, (4, 3, 3, 3), [cr.Conv2D(4, 3, padding="same")]),
        ({"pads": [1] * 4, **TWICE}, (4, 3, 3, 3), [cr.ZeroPadding(), cr.Conv2D(4, 3, 2)]),
        ({**SAME, **TWICE}, (4, 3, 3, 3), [cr.Conv2D(4, 3, 2, "same")]),
        ({**VALID, "dilations": [2, 1]}, (4, 3, 2, 2), [cr.Conv2D(4, 2, dilation=(2, 1))]),
        (LOWER, (4, 3, 2, 2), [cr.ZeroPadding(FIRST), cr.Conv2D(4, 2)]),
        ({"pads": [2, 0], "dilations": [2]}, (4, 3, 2),
         [cr.Conv1D(4, 2, padding="causal", dilation=2)]),
        ({"pads": [0, 1]}, (4, 3, 2), [cr.Conv1D(4, 2, padding="same")]),
        (each_alone, (3, 1, 3, 2), [cr.DepthwiseConv2D((3, 2))]),
        ({**each_alone, **SAME, **TWICE}, (3, 1, 3, 3), [cr.DepthwiseConv2D(3, 2, "same")]),
        ({**each_alone, **LOWER}, (3, 1, 2, 2), [cr.ZeroPadding(FIRST), cr.DepthwiseConv2D(2)]),
        (each_alone, (6, 1, 2, 2), [cr.DepthwiseConv2D(2, depth_multiplier=2)]),
        ({**each_alone, "pads": [2, 0]}, (3, 1, 3), [cr.DepthwiseConv1D(3, padding="causal")]),
        ({**each_alone, "pads": [0, 1]}, (9, 1, 2),
         [cr.DepthwiseConv1D(2, padding="same", depth_multiplier=3)]),
    ],
)  # fmt: skip
def test_convolutions_of_other_exporters(options, shape, expected) -> None:
    conv = node("Conv", "x w b", "y", **options)
    constants = {"w": kernel(*shape), "b": kernel(shape[0])}
    assert read([conv], constants, (3, 6, 7)[: len(shape) - 1]) == expected


@pytest.mark.parametrize(
    ("options", "sizes", "expected"),
    [
        ({}, (3, 2), [cr.Conv2DTranspose(4, (3, 2))]),
        ({"dilations": [1, 2], **TWICE}, (3, 2),
         [cr.Conv2DTranspose(4, (3, 2), 2, dilation=(1, 2))]),
        ({"pads": [1] * 4}, (3, 3), [cr.Conv2DTranspose(4, 3, padding="same")]),
        ({"pads": [1] * 4, **TWICE}, (4, 4), [cr.Conv2DTranspose(4, 4, 2, "same")]),
        ({"pads": [0, 0, 1, 1], **TWICE}, (3, 3), [cr.Conv2DTranspose(4, 3, 2, "same")]),
        ({"pads": [1] * 4, **MORE}, (3, 3), [cr.Conv2DTranspose(4, 3, 2), cr.Cropping(FIRST)]),
        (MORE, (3, 3), [cr.ZeroPadding(LAST), cr.Conv2DTranspose(4, 3, 2, "same")]),
        (MORE, (1, 1), [cr.Conv2DTranspose(4, 1, 2)]),
        (TWICE, (1, 1), [cr.Conv2DTranspose(4, 1, 2), cr.Cropping(LAST)]),
        ({**SAME, **TWICE}, (3, 3), [cr.Conv2DTranspose(4, 3, 2, "same")]),
        ({**LOWER, **TWICE}, (3, 3), [cr.Conv2DTranspose(4, 3, 2), cr.Cropping(FIRST)]),
        ({**VALID, **TWICE}, (3, 3), [cr.Conv2DTranspose(4, 3, 2)]),
        ({"output_shape": [12, 14], **TWICE}, (4, 4), [cr.Conv2DTranspose(4, 4, 2, "same")]),
        ({"output_shape": [12, 14], **TWICE}, (3, 3),
         [cr.Conv2DTranspose(4, 3, 2), cr.Cropping(FIRST)]),
    ],
)  # fmt: skip
def test_transposed_convolutions_of_other_exporters(options, sizes, expected) -> None:
    conv = node("ConvTranspose", "x w b", "y", **options)
    constants = {"w": kernel(3, 4, *sizes), "b": kernel(4)}
    assert read([conv], constants, (3, 6, 7)) == expected


@pytest.mark.parametrize(
    ("options", "size", "expected"),
    [
        ({}, 3, [cr.Conv1DTranspose(4, 3)]),
        ({"strides": [2], "pads": [1, 1]}, 4, [cr.Conv1DTranspose(4, 4, 2, "same")]),
        ({"strides": [2], "pads": [1, 1], "output_padding": [1]}, 3,
         [cr.Conv1DTranspose(4, 3, 2), cr.Cropping((1, 0))]),
    ],
)  # fmt: skip
def test_transposed_convolutions_over_time_of_other_exporters(options, size, expected) -> None:
    conv = node("ConvTranspose", "x w b", "y", **options)
    assert read([conv], {"w": kernel(3, 4, size), "b": kernel(4)}, (3, 6)) == expected


def test_what_follows_a_convolution_becomes_a_part_of_it() -> None:
    nodes = [
        node("Pad", "x pads", "p"),
        node("Conv", "p w", "c"),
        node("Add", "c b", "a"),
        node("Relu", "a", "r"),
        node("MaxPool", "r", "y", kernel_shape=[2], strides=[2]),
    ]
    constants = {"pads": np.array([0, 0, 4, 0, 0, 0]), "w": kernel(4, 3, 5), "b": kernel(4, 1)}
    causal = cr.Conv1D(4, 5, padding="causal", activation="relu")
    assert read(nodes, constants, (3, 6)) == [causal, cr.MaxPooling()]


def test_what_a_transposed_convolution_gives_beyond_is_cut_off() -> None:
    nodes = [
        node("ConvTranspose", "x w", "c", strides=[2, 2]),
        node("Slice", "c zeros ends axes", "s"),
        node("Mul", "s factors", "m"),
        node("Add", "m b", "a"),
        node("Relu", "a", "y"),
    ]
    constants = {"w": kernel(3, 4, 3, 3), "b": kernel(4, 1, 1), "factors": kernel(4, 1, 1)}
    places = {"zeros": [0, 0], "ends": [12, 14], "axes": [2, 3]}
    constants |= {name: np.array(values) for name, values in places.items()}
    assert read(nodes, constants, (3, 6, 7)) == [
        cr.Conv2DTranspose(4, 3, 2, "same", activation="relu")
    ]


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("groups", [2, 3])
def test_a_few_groups_are_layers_beside_each_other(op, groups) -> None:
    shape = (12, 6 // groups, 3, 2) if op == "Conv" else (6, 12 // groups, 3, 2)
    nodes = [node(op, "x w b", "c", group=groups, strides=[2, 1], pads=[1, 0, 1, 0])]
    nodes.append(node("Relu", "c", "y"))
    constants = {"w": kernel(*shape), "b": kernel(12)}
    content = model(nodes, constants, shape=["rows", 6, 5, 4])
    net = cr.from_onnx(content)
    kind = cr.Conv2D if op == "Conv" else cr.Conv2DTranspose
    assert sum(isinstance(layer, kind) for layer in net.layers) == groups
    x = RNG.normal(size=(5, 6, 5, 4)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), onnxruntime_outputs(content, x)) <= 1e-5


@pytest.mark.parametrize(
    ("options", "shape", "text"),
    [
        ({"group": 2}, (4, 2, 2, 2), "its 3 channels are in 2 groups"),
        ({"group": 3}, (7, 1, 2, 2), "its 3 channels are in 3 groups"),
        ({"group": 3}, (3, 2, 2, 2), r"kernel has shape \(3, 2, 2, 2\)"),
        ({}, (4, 2, 2, 2), r"kernel has shape \(4, 2, 2, 2\)"),
        ({}, (4, 3, 7, 2), "span 7 of 6"),
        ({"strides": [0, 1]}, (4, 3, 2, 2), "strides"),
        ({"dilations": [9, 1]}, (4, 3, 2, 2), "span 10 of 6"),
        ({"kernel_shape": [3, 3]}, (4, 3, 2, 2), "extents"),
        ({"pads": [10**9] * 4}, (4, 3, 2, 2), "pads"),
        ({"pads": [60000] * 4}, (4, 3, 2, 2), "columns"),
        ({}, (4, 3, 2), "extents"),
    ],
)
def test_operators_that_are_no_layer_are_refused(options, shape, text) -> None:
    refuse("Conv", options, shape, text)


@pytest.mark.parametrize(
    ("options", "shape", "text"),
    [
        ({"group": 2}, (3, 1, 2, 2), "its 3 channels are in 2 groups"),
        ({"group": 0}, (3, 1, 2, 2), "its 3 channels are in 0 groups"),
        ({}, (4, 2, 2, 2), r"kernel has shape \(4, 2, 2, 2\)"),
        ({}, (3, 2, 2), r"extents \[2\] for rows"),
        ({"strides": [0, 1]}, (3, 4, 2, 2), "strides"),
        ({"strides": [10**9] * 2}, (3, 4, 2, 2), "columns"),
        ({"pads": [4] * 4}, (3, 4, 2, 2), "leaves out all"),
        ({"pads": [-1] * 4}, (3, 4, 2, 2), "pads"),
        ({"output_padding": [1, 1]}, (3, 4, 2, 2), "output_padding"),
        ({"output_padding": [1]}, (3, 4, 2, 2), "output_padding"),
        ({"output_shape": [9, 9]}, (3, 4, 2, 2), "more than windows reach"),
        ({"auto_pad": "SAME_UPPER", "strides": [3, 3]}, (3, 4, 2, 2), "more than windows reach"),
        ({"kernel_shape": [3, 3]}, (3, 4, 2, 2), "extents"),
    ],
)
def test_transposed_operators_that_are_no_layer_are_refused(options, shape, text) -> None:
    refuse("ConvTranspose", options, shape, text)


def refuse(op, options, shape, text) -> None:
    """Hold that an operator with a kernel of this shape is refused."""
    content = model(
        [node(op, "x w", "y", **options)], {"w": kernel(*shape)}, shape=["rows", 3, 6, 7]
    )
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(content)
