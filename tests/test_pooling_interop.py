# SPDX-License-Identifier: Apache-2.0
"""Layers over positions in ONNX files, PyTorch and C, and back."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from compiled_c import each_compiler, load, needs_compiler, outputs
from compiled_together import Together
from onnx_graphs import model, node, onnx
from window_layers import CASES, IDS, on

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs
from chainrule.interop.onnx_export import onnx_bytes

each_layer = pytest.mark.parametrize(("shape", "layer"), CASES, ids=IDS)
RNG = np.random.default_rng(7)


def around(shape, layer, dtype="float32"):
    """Return a network with a layer between others, and rows for it."""
    net = on(shape, cr.Dense(4, "tanh"), layer, cr.Dense(3), dtype=dtype)
    return net, RNG.normal(size=(9, *shape)).astype(dtype)


@pytest.mark.parametrize("opset", [13, 18, 22])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
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


def chain(*layers: cr.layers.Layer) -> list[str]:
    """Return the operators of a file with layers over the positions of an image."""
    graph = onnx.load_from_string(onnx_bytes(on((8, 8, 3), *layers, dtype="float32"))).graph
    return [each.op_type for each in graph.node]


def test_transpositions_between_operators_of_channels_cancel() -> None:
    assert chain(cr.MaxPooling(), cr.BatchNormalization(), cr.AveragePooling()) == [
        "Transpose",
        "MaxPool",
        "BatchNormalization",
        "AveragePool",
        "Transpose",
    ]
    assert chain(cr.Permute((3, 1, 2)), cr.Permute((2, 3, 1)), cr.Dense(2)) == ["MatMul", "Add"]


def resize(**options):
    """Return a Resize by scales."""
    return onnx.helper.make_node("Resize", ["x", "", "s"], ["y"], **options)


def read(nodes, constants=None, shape=(3, 6, 7)):
    """Return the network of nodes from x to y on rows of a shape, channels first."""
    content = model(nodes, constants or {}, shape=["rows", *shape])
    net = cr.from_onnx(content)
    x = RNG.normal(size=(5, *shape)).astype(np.float32)
    assert largest_relative_difference(net.predict(x), onnxruntime_outputs(content, x)) <= 1e-5
    return [layer for layer in net.layers if layer.kind != "permute"]


@pytest.mark.parametrize(
    ("operator", "options", "expected"),
    [
        ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}, [cr.MaxPooling()]),
        ("MaxPool", {"kernel_shape": [3, 2]}, [cr.MaxPooling((3, 2), 1)]),
        (
            "MaxPool",
            {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
            [cr.MaxPooling(padding="same")],
        ),
        (
            "MaxPool",
            {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
            [cr.MaxPooling(3, 2, "same")],
        ),
        (
            "AveragePool",
            {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]},
            [cr.AveragePooling(3, 1, "same")],
        ),
        (
            "AveragePool",
            {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
            [cr.ZeroPadding(), cr.AveragePooling(3, 1)],
        ),
        ("GlobalMaxPool", {}, [cr.GlobalMaxPooling(), cr.Reshape((3, 1, 1))]),
        ("GlobalAveragePool", {}, [cr.GlobalAveragePooling(), cr.Reshape((3, 1, 1))]),
    ],
)
def test_pools_of_other_exporters(operator, options, expected) -> None:
    assert read([node(operator, "x", "y", **options)]) == expected


def test_a_border_of_zeros_serves_numbers_that_are_not_negative() -> None:
    options = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    relu = node("Relu", "x", "h")
    found = read([relu, node("MaxPool", "h", "y", **options)], shape=(3, 6, 8))
    assert found == [cr.Activation("relu"), cr.ZeroPadding(), cr.MaxPooling(3, 2)]
    with pytest.raises(cr.ModelFileError, match="border is neither none nor that of padding"):
        read([node("MaxPool", "x", "y", **options)], shape=(3, 6, 8))


def test_resizing_of_other_exporters() -> None:
    scales = np.array([1, 1, 2, 3], np.float32)
    assert read([resize(mode="nearest")], {"s": scales}) == [cr.UpSampling((2, 3))]
    pads = np.array([0, 0, 1, 2, 0, 0, 1, 0])
    assert read([node("Pad", "x pads", "y")], {"pads": pads}) == [cr.ZeroPadding(((1, 1), (2, 0)))]
    ends = {"starts": np.array([1, 2]), "ends": np.array([-1, 99]), "axes": np.array([2, 3])}
    assert read([node("Slice", "x starts ends axes", "y")], ends) == [cr.Cropping(((1, 1), (2, 0)))]


@pytest.mark.parametrize(
    ("given", "constants", "text"),
    [
        (node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[2, 2]), {}, "dilated"),
        (node("MaxPool", "x", "y", kernel_shape=[9, 2]), {}, "MaxPool"),
        (node("MaxPool", "x", "y", kernel_shape=[0, 2]), {}, r"windows of \[0, 2\]"),
        (node("MaxPool", "x", "y", kernel_shape=[2]), {}, r"kernel_shape are \[2\]"),
        (resize(mode="linear"), {"s": np.ones(4, np.float32)}, "repeat"),
        (resize(), {"s": np.array([1, 1, 1.5, 1], np.float32)}, "scales"),
        (resize(), {"s": np.array([1, 1, 1e6, 1e6], np.float32)}, "columns"),
        (node("Pad", "x p", "y", mode="reflect"), {"p": np.ones(8, np.int64)}, "constants"),
        (node("Pad", "x p", "y"), {"p": np.array([0, 1, 1, 0, 0, 0, 0, 1])}, "channels"),
        (
            node("Slice", "x b e a", "y"),
            {"b": np.array([3]), "e": np.array([3]), "a": np.array([2])},
            "leaves nothing of axis 2",
        ),
    ],
)
def test_operators_that_are_no_layer_are_refused(given, constants, text) -> None:
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(model([given], constants, shape=["rows", 3, 6, 7]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_layer
def test_torch_gives_the_same_and_comes_back(shape, layer, dtype) -> None:
    torch = pytest.importorskip("torch")
    net, x = around(shape, layer, dtype)
    module = cr.to_torch(net).eval()
    with torch.no_grad():
        y = module(torch.from_numpy(x)).numpy()
    limit = 1e-5 if dtype == "float32" else 1e-12
    assert largest_relative_difference(y, net.predict(x)) <= limit
    if layer == cr.AveragePooling((3, 2), (2, 1), "same"):  # of which PyTorch makes one more
        with pytest.raises(ValueError, match="border is neither none nor that of padding 'same'"):
            cr.from_torch(module, input_shape=shape)
        return
    again = cr.from_torch(module, input_shape=shape)
    assert [*again.layers] == [*net.layers]
    assert largest_relative_difference(again.predict(x), net.predict(x)) <= limit


def test_torch_has_an_even_window_at_every_place() -> None:
    torch = pytest.importorskip("torch")
    for layer in (cr.MaxPooling(2, 1, "same"), cr.AveragePooling((4, 3), (1, 2), "same")):
        net, x = around((6, 7, 3), layer)
        module = cr.to_torch(net).eval()
        with torch.no_grad():
            y = module(torch.from_numpy(x)).numpy()
        assert largest_relative_difference(y, net.predict(x)) <= 1e-5


def test_modules_and_functions_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    nn, functional = torch.nn, torch.nn.functional

    class Own(nn.Module):
        """What models of images do between convolutions."""

        def __init__(self) -> None:
            super().__init__()
            self.pad = nn.ZeroPad2d((1, 0, 2, -1))
            self.pool = nn.MaxPool2d(3, 2, padding=1)
            self.up = nn.Upsample(scale_factor=2)
            self.mean = nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)
            self.largest = nn.AdaptiveMaxPool2d(1)
            self.last = nn.Linear(3, 2)

        def forward(self, x):
            x = self.up(self.pool(torch.relu(self.pad(x))))
            x = self.mean(functional.pad(x, (0, 1, 1, 0)))
            x = functional.max_pool2d(x, 2, stride=1)
            x = functional.avg_pool2d(functional.interpolate(x, scale_factor=3), 3)
            return self.last(self.largest(x).flatten(1))

    module = Own().double().eval()
    net = cr.from_torch(module, input_shape=(3, 8, 9))
    kinds = {layer.kind for layer in net.layers}
    assert kinds >= {"zero_padding", "cropping", "max_pooling", "average_pooling", "up_sampling"}
    x = RNG.normal(size=(6, 3, 8, 9))
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    assert largest_relative_difference(net.predict(x), expected) <= 1e-12


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("MaxPool2d", {"kernel_size": 2, "dilation": 2}, "dilated"),
        ("MaxPool2d", {"kernel_size": 2, "return_indices": True}, "indices"),
        ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1}, "border"),
        ("AvgPool2d", {"kernel_size": 2, "divisor_override": 3}, "number of its own"),
        ("AdaptiveMaxPool2d", {"output_size": 2}, "more than one position"),
        ("AdaptiveMaxPool1d", {"output_size": 1}, "pools 1 axes"),
        ("Upsample", {"scale_factor": 1.5}, "1.5"),
        ("Upsample", {"scale_factor": 2, "mode": "bilinear"}, "bilinear"),
        ("ConstantPad2d", {"padding": 1, "value": 2.0}, "adds 2.0"),
        ("ZeroPad1d", {"padding": 1}, "pads 1 axes"),
    ],
)
def test_modules_that_are_no_layer_are_refused(name, options, text) -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(getattr(torch.nn, name)(**options))
    with pytest.raises(ValueError, match=text):
        cr.from_torch(module, input_shape=(3, 6, 8))


def exported(shape, layer, folder, name):
    """Export a network with a layer between others; return it, rows, and what is reported."""
    net, x = around(shape, layer)
    return net, x, cr.export_c(net, folder, name=name, test_rows=x)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Together:
    """Return the networks of all layers as C, made once and compiled together."""
    exports = {f"layer_{i}": partial(exported, *case) for i, case in enumerate(CASES)}
    return Together(tmp_path_factory.mktemp("together"), exports)


@needs_compiler
@each_compiler
@pytest.mark.parametrize("name", [f"layer_{i}" for i in range(len(CASES))], ids=IDS)
def test_c_gives_the_same(compiler: str, name: str, together: Together) -> None:
    net, x, result = together[name]
    assert result.largest_difference <= 1e-6
    y = outputs(together.library(compiler), name, net, x)
    np.testing.assert_allclose(y, net.predict(x).reshape(len(x), -1), rtol=1e-5, atol=1e-6)


@needs_compiler
@each_compiler
def test_c_takes_the_first_nan_for_the_largest(compiler: str, tmp_path: Path) -> None:
    net = on((4, 4, 2), cr.MaxPooling(), dtype="float32")
    cr.export_c(net, tmp_path)
    x = RNG.normal(size=(5, 4, 4, 2)).astype(np.float32)
    x[2, 1, 1, 0] = x[3, 2, 2, 1] = np.nan
    y = outputs(load(compiler, tmp_path, "model"), "model", net, x).reshape(5, 2, 2, 2)
    expected = x.reshape(5, 2, 2, 2, 2, 2).max(axis=(2, 4))
    np.testing.assert_array_equal(y, expected)
