# SPDX-License-Identifier: Apache-2.0
"""Networks from ONNX files of other programs, compared with onnxruntime or with those programs."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from onnx_graphs import model, node, onnx

import chainrule as cr
from chainrule.interop.difference import largest_relative_difference
from chainrule.interop.onnx_check import onnxruntime_outputs

pytest.importorskip("onnxruntime")

GOLDEN = Path(__file__).parent / "golden" / "onnx"


def single(*values):
    return np.array(values, dtype=np.float32)


NUMBERS = {
    "zero": 0.0,
    "half": 0.5,
    "one": 1.0,
    "three": 3.0,
    "fifth": 0.2,
    "twenty": 20.0,
    "selu_alpha": 1.6732632423543772,
    "selu_scale": 1.0507009873554805,
    "six": 6.0,
    "sqrt2": math.sqrt(2),
    "sqrt_half": math.sqrt(0.5),
    "cubic": 0.044715,
    "sqrt_2_pi": math.sqrt(2 / math.pi),
}


def written(formula):
    """Return the nodes of a formula; those that reduce do so over the last axis."""
    nodes = []
    for line in formula.split(";"):
        op, *names = line.split()
        op, _, axes_as_input = op.partition(":")
        attributes = {"keepdims": 1} if op.startswith("Reduce") else {}
        if op.startswith("Reduce") and not axes_as_input:
            attributes["axes"] = [-1]
        nodes.append(node(op, " ".join(names[:-1]), names[-1], **attributes))
    used = {name for one in nodes for name in one.input}
    constants = {n: np.float32(v) for n, v in NUMBERS.items() if n in used}
    if "last" in used:
        constants["last"] = np.array([-1])
    return nodes, constants


def check(content, layers, rng, *, columns=4, tolerance=2e-6):
    """Compare a file's network with onnxruntime, and its layers with those expected."""
    net = cr.from_onnx(content)
    assert net.layers == layers
    x = rng.normal(size=(40, columns)).astype(np.float32) * 3
    expected = onnxruntime_outputs(content, x)
    assert largest_relative_difference(net.predict(x), expected) <= tolerance


@pytest.mark.parametrize("trans_b", [0, 1])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 2.0), (1.0, 0.0)])
@pytest.mark.parametrize("bias", [None, (3,), (1, 3), (), (1,)])
def test_gemm(trans_b, alpha, beta, bias, rng):
    constants = {"w": rng.normal(size=(3, 4) if trans_b else (4, 3)).astype(np.float32)}
    names = "x w"
    if bias is not None:
        constants["b"] = rng.normal(size=bias).astype(np.float32)
        names += " b"
    gemm = node("Gemm", names, "y", alpha=alpha, beta=beta, transB=trans_b)
    whole = bias is not None and (beta != 0.0 or bias in ((3,), (1, 3)))
    check(model([gemm], constants), [cr.Dense(3, use_bias=whole)], rng)


def test_gemm_of_turned_rows():
    gemm = node("Gemm", "x w", "y", transA=1)
    with pytest.raises(cr.ModelFileError, match="transA turns the rows of the batch"):
        cr.from_onnx(model([gemm], {"w": np.ones((4, 3), np.float32)}))


ARITHMETIC = {
    "add": ("Add", "x c", single(1, 2, 3, 4), [cr.Normalization()]),
    "sub": ("Sub", "x c", single(1, 2, 3, 4), [cr.Normalization()]),
    "mul": ("Mul", "c x", single(1, 2, 3, 4), [cr.Normalization()]),
    "div": ("Div", "x c", single(1, 2, 3, 4), [cr.Normalization()]),
    "div by a row": ("Div", "x c", single(1, 2, 3, 4)[None], [cr.Normalization()]),
    "mul by some negative": ("Mul", "x c", single(1, -2, 0, 4), [cr.BatchNormalization()]),
    "sub from": ("Sub", "c x", single(1, 2, 3, 4), [cr.BatchNormalization()]),
    "add a number": ("Add", "x c", np.float32(2), [cr.Rescaling(1.0, 2.0)]),
    "sub from a number": ("Sub", "c x", np.float32(2), [cr.Rescaling(-1.0, 2.0)]),
    "mul by a number": ("Mul", "x c", single(0.5), [cr.Rescaling(0.5)]),
    "div by a number": ("Div", "x c", np.float32(4), [cr.Rescaling(0.25)]),
    "negative": ("Neg", "x", None, [cr.Rescaling(-1.0)]),
}


@pytest.mark.parametrize("case", ARITHMETIC)
def test_scaling_at_the_front(case, rng):
    op, inputs, constant, layers = ARITHMETIC[case]
    constants = {} if constant is None else {"c": constant}
    check(model([node(op, inputs, "y")], constants), layers, rng)


def test_scaling_that_fits_no_layer_becomes_weights(rng):
    constants = {
        "s": single(1, -2, 0, 4),
        "w": rng.normal(size=(4, 3)).astype(np.float32),
        "b": single(1, 2, 3),
        "t": single(-1, 0.5, 2),
        "v": rng.normal(size=(3, 2)).astype(np.float32),
    }
    nodes = [
        node("Mul", "x s", "1"),
        node("Add", "1 s", "2"),
        node("MatMul", "2 w", "3"),
        node("Add", "b 3", "4"),
        node("Mul", "4 t", "5"),
        node("Relu", "5", "6"),
        node("Mul", "6 t", "7"),
        node("MatMul", "7 v", "y"),
    ]
    layers = [cr.Dense(3, activation="relu"), cr.Dense(2, use_bias=True)]
    check(model(nodes, constants), layers, rng)


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_layer_normalization_of_several_operators(affine, inside, rng):
    nodes, _ = written("ReduceMean x m;Sub x m c;Mul c c q;ReduceMean q v;Add v e w;Sqrt w s")
    constants = {"e": np.float32(1e-3)}
    if affine:
        constants |= {"g": single(1, -2, 3, 4), "b": single(1, 2, 3, 4)}
    if affine and inside:
        # As Keras writes it: x (gamma / s) + (beta - mean (gamma / s)).
        nodes += written("Reciprocal s r;Mul r g h;Mul x h 1;Mul m h 2;Sub b 2 3;Add 1 3 y")[0]
    elif affine:
        nodes += written("Div c s n;Mul n g p;Add p b y")[0]
    else:
        nodes += written("Div c s y")[0]
    layer = cr.LayerNormalization(epsilon=1e-3, center=affine, scale=affine)
    if affine and not inside:
        layer = cr.LayerNormalization(epsilon=1e-3)
    content = model(nodes, constants)
    check(content, [layer], rng)


def test_normalizations_as_operators(rng):
    arrays = {
        "g": single(1, -2, 3, 4),
        "b": single(1, 2, 3, 4),
        "m": single(0, 1, 2, 3),
        "v": single(1, 2, 3, 4),
    }
    batch = node("BatchNormalization", "x g b m v", "z", epsilon=1e-3, momentum=0.8)
    layer = node("LayerNormalization", "z g b", "y", epsilon=1e-6)
    layers = [
        cr.BatchNormalization(epsilon=1e-3, momentum=0.8),
        cr.LayerNormalization(epsilon=1e-6),
    ]
    check(model([batch, layer], arrays), layers, rng)


def test_what_only_changes_shapes_and_types(rng):
    weight = rng.normal(size=(6, 3)).astype(np.float32)
    nodes = [
        node("Cast", "x", "0", to=1),
        node("Flatten", "0", "1"),
        node("Identity", "1", "2"),
        node("Dropout", "2", "3"),
        node("Shape", "3", "s"),
        node("Gather", "s zero", "rows"),
        node("Unsqueeze", "rows first", "r"),
        node("Concat", "r minus", "shape", axis=0),
        node("Reshape", "3 shape", "4"),
        node("Transpose", "w", "t", perm=[1, 0]),
        node("MatMul", "4 t", "y"),
    ]
    constants = {
        "w": weight.T.copy(),
        "zero": np.array(0),
        "first": np.array([0]),
        "minus": np.array([-1]),
    }
    content = model(nodes, constants, shape=["rows", 2, 3])
    net = cr.from_onnx(content)
    assert net.layers == [cr.Dense(3, use_bias=False)]
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), onnxruntime_outputs(content, x), rtol=1e-5)


@pytest.mark.parametrize("kind", ["raw", "list", "float16", "float16 list", "double"])
def test_kinds_of_tensors(kind, rng):
    values = rng.normal(size=(4, 3)).astype(np.float16).astype(np.float32)
    types = {"float16": 10, "float16 list": 10, "double": 11}
    element = types.get(kind, 1)
    dtype = {10: np.float16, 11: np.float64}.get(element, np.float32)
    raw = kind in ("raw", "float16")
    data = values.astype(dtype).tobytes() if raw else values.astype(dtype).ravel()
    tensor = onnx.helper.make_tensor("w", element, (4, 3), data, raw=raw)
    constant = onnx.helper.make_node("Constant", [], ["w"], value=tensor)
    content = model([constant, node("MatMul", "x w", "y")], element=11 if element == 11 else 1)
    net = cr.from_onnx(content)
    assert net.dtype == ("float64" if kind == "double" else "float32")
    np.testing.assert_array_equal(net.parameters["0.weight"], values.astype(net.dtype))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.onnx")), ids=lambda path: path.stem)
def test_files_of_other_programs(path):
    # By Keras 3.15 with tf2onnx 1.17, and by PyTorch 2.13's newer exporter, which needs much more
    # than PyTorch; the .npz files hold the programs' own predictions.
    net = cr.from_onnx(path)
    with np.load(path.with_suffix(".npz")) as arrays:
        x, expected = arrays["x"], arrays["y"]
    assert largest_relative_difference(net.predict(x), expected) <= 2e-6
    kinds = [layer.kind for layer in net.layers]
    front = {"keras_normalized": "normalization", "keras_pixels": "rescaling"}
    assert kinds[0] == front.get(path.stem.rpartition("_")[0], "dense")


def test_there_are_files_of_other_programs():
    assert len(list(GOLDEN.glob("*.onnx"))) == 5


def test_every_unsupported_operator_is_listed():
    nodes = [
        node("DeformConv", "x w", "1", name="first"),
        node("Relu", "1", "2"),
        node("Gemm", "2 w", "3"),
        onnx.helper.make_node("Mystery", ["3"], ["4"], domain="com.example"),
        node("Sin", "4", "5", name="last"),
        node("Softmax", "5", "y", axis=0),
    ]
    with pytest.raises(cr.ModelFileError) as caught:
        cr.from_onnx(model(nodes, {"w": np.ones((4, 3), np.float32)}))
    assert str(caught.value).splitlines() == [
        "what these operators compute is not supported:",
        "  DeformConv 'first': no known operator",
        "  com.example.Mystery that makes '4': no known operator",
        "  Sin 'last': no known operator",
        "  Softmax that makes 'y': no known operator",
    ]


def test_the_list_of_unsupported_operators_ends():
    names = ["x", *(f"{i}" for i in range(199)), "y"]
    nodes = [node("Exp", a, b) for a, b in pairwise(names)]
    with pytest.raises(cr.ModelFileError) as caught:
        cr.from_onnx(model(nodes))
    _, first, *_, last, more = str(caught.value).splitlines()
    assert first == "  Exp that makes '0': no activation that is known"
    assert last == "  Exp that makes '63': no activation that is known"
    assert more == "  and perhaps more"


def test_choice_of_the_output(rng):
    nodes = [node("Relu", "x", "a"), node("Tanh", "a", "b")]
    graph = onnx.load_from_string(model(nodes, output="a"))
    graph.graph.output.append(onnx.helper.make_tensor_value_info("b", 1, None))
    content = graph.SerializeToString()
    both = cr.from_onnx(content)
    assert both.layers == [cr.Activation("relu"), cr.Activation("tanh")]
    assert both.outputs == 8
    assert cr.from_onnx(content, output="a").layers == [cr.Activation("relu")]
    assert cr.from_onnx(content, output="b").layers == [
        cr.Activation("relu"),
        cr.Activation("tanh"),
    ]
    with pytest.raises(cr.ModelFileError, match="unknown output 'c'"):
        cr.from_onnx(content, output="c")


def test_training_goes_on(rng):
    net = cr.from_onnx(GOLDEN / "keras_normalized_opset18.onnx")
    before = net.parameters
    history = net.fit(
        rng.normal(size=(50, 6)), rng.normal(size=(50, 2)), loss="mse", epochs=3, verbose=0
    )
    assert history["loss"][-1] < history["loss"][0]
    # The file's scaling is kept: fit does not take another from its data.
    np.testing.assert_array_equal(net.parameters["0.mean"], before["0.mean"])


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        cr.from_onnx(tmp_path / "none.onnx")


def test_errors_name_the_file(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"\x00")
    with pytest.raises(cr.ModelFileError, match=r"bad\.onnx: "):
        cr.from_onnx(path)


def test_the_output_goes_by_name():
    content = model([node("MatMul", "x w", "y")], {"w": np.ones((4, 3), np.float32)})
    with pytest.raises(TypeError, match="positional argument"):
        cr.from_onnx(content, "y")
    assert cr.from_onnx(model=content, output="y").layers == [cr.Dense(3, use_bias=False)]


@pytest.mark.parametrize("name", ["UINT8", "INT8", "UINT16", "INT16", "INT32", "UINT32", "INT64"])
def test_inputs_of_whole_numbers(name):
    element = onnx.TensorProto.DataType.Value(name)
    w = np.arange(12, dtype=np.float32).reshape(4, 3)
    nodes = [node("Cast", "x", "cast", to=onnx.TensorProto.FLOAT), node("MatMul", "cast w", "y")]
    proto = onnx.load_from_string(model(nodes, {"w": w}, element=element))
    proto.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    net = cr.from_onnx(proto.SerializeToString())
    x = np.arange(8, dtype=name.lower()).reshape(2, 4)
    np.testing.assert_array_equal(net.predict(x), x.astype(np.float32) @ w)
