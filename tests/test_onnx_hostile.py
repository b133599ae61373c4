# SPDX-License-Identifier: Apache-2.0
"""ONNX files that are damaged or meant to do harm: `ModelFileError`, and no memory for lies."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from onnx_graphs import model, node, onnx

import chainrule as cr
from chainrule.interop import onnx_limits
from chainrule.interop.onnx_export import onnx_bytes

WEIGHT = np.ones((4, 3), dtype=np.float32)
MATMUL = node("MatMul", "x w", "y")


def varint(value):
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number, content):
    """Return a field of bytes of a message, such as another message."""
    return varint(number << 3 | 2) + varint(len(content)) + content


OPSET_17 = b"\x42\x02\x10\x11"


def edited(edit, nodes=(MATMUL,), **constants):
    """Return a valid model after a change."""
    proto = onnx.load_from_string(model(list(nodes), {"w": WEIGHT, **constants}))
    edit(proto)
    return proto.SerializeToString()


def refused(content, text):
    with pytest.raises(cr.ModelFileError, match=text):
        cr.from_onnx(content)


def weight(proto):
    return proto.graph.initializer[0]


def set_dims(*dims):
    def edit(proto):
        del weight(proto).dims[:]
        weight(proto).dims.extend(dims)

    return edit


@pytest.mark.parametrize(
    ("dims", "text"),
    [
        ((4, 4), r"tensor 'w' has 12 elements, its shape \[4, 4\] needs 16"),
        ((2**40, 2**40), "tensor 'w' has 12 elements"),
        ((2**62, 4), "tensor 'w' has 12 elements"),
        ((-4, -3), "tensor 'w' has a negative dimension"),
        ((0, 3), "tensor 'w' has 12 elements"),
        ((12,), "the weight is no matrix"),
        ((3, 4), r"the weight has shape \(3, 4\), 4 columns enter"),
        ((1,) * 9, "has more than 8 dimensions"),
    ],
)
def test_wrong_shapes(dims, text):
    refused(edited(set_dims(*dims)), text)


def test_short_raw_data():
    def shorten(proto):
        weight(proto).raw_data = weight(proto).raw_data[:-1]

    refused(edited(shorten), "47 bytes, which is no multiple of 4")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(value):
    bad = WEIGHT.copy()
    bad[1, 2] = value
    refused(model([MATMUL], {"w": bad}), "tensor 'w' has NaN or infinity")


def test_external_data():
    def elsewhere(proto):
        weight(proto).data_location = onnx.TensorProto.EXTERNAL
        entry = weight(proto).external_data.add()
        entry.key, entry.value = "location", "/etc/passwd"

    refused(edited(elsewhere), "tensor 'w' is in another file, which is not read")


def test_types_that_are_not_read():
    def strings(proto):
        weight(proto).data_type = onnx.TensorProto.STRING

    refused(edited(strings), "tensor 'w' has elements of type string")
    refused(edited(lambda proto: setattr(weight(proto), "data_type", 77)), "type number 77")


@pytest.mark.parametrize("version", [0, 6, 29, 2**40])
def test_unknown_opsets(version):
    def change(proto):
        proto.opset_import[0].version = version

    refused(edited(change), rf"version \(opset\) {version}, expected 7 to 28")


def test_missing_parts():
    refused(b"", "not an ONNX model: there is no graph")
    refused(edited(lambda proto: proto.ClearField("opset_import")), "the version of its operators")
    refused(edited(lambda proto: proto.graph.ClearField("output")), "the graph has no output")
    refused(edited(lambda proto: proto.graph.ClearField("input")), "depends on 0 inputs")
    refused(edited(lambda proto: proto.graph.ClearField("node")), "depends on 0 inputs")
    refused(
        edited(lambda proto: proto.graph.ClearField("initializer")),
        "reads the tensor 'w', but nothing makes it",
    )


def test_cycles_and_wrong_order():
    cycle = [node("Add", "x b", "a"), node("Relu", "a", "b"), node("MatMul", "b w", "y")]
    refused(edited(lambda proto: None, cycle), "reads the tensor 'b', but it is made later, or in")
    itself = [node("Add", "x a", "a"), node("MatMul", "a w", "y")]
    refused(edited(lambda proto: None, itself), "reads the tensor 'a', but it is made later, or in")
    late = [node("MatMul", "a w", "y"), node("Relu", "x", "a")]
    refused(edited(lambda proto: None, late), "reads the tensor 'a', but it is made later, or in")


def test_two_makers():
    refused(edited(lambda proto: None, [MATMUL, MATMUL]), "two nodes make the tensor 'y'")
    double = [node("Relu", "x", "w"), MATMUL]
    refused(edited(lambda proto: None, double), "two nodes make the tensor 'w'")
    refused(edited(lambda proto: proto.graph.initializer.append(weight(proto))), "two initializers")


def test_inputs_that_no_network_has():
    refused(model([node("Relu", "x", "y")], shape=["rows", 2**50]), "the input has .* columns")
    refused(model([node("Relu", "x", "y")], shape=[4]), "the input has one dimension")
    refused(model([node("Relu", "x", "y")], shape=["rows", "columns"]), "inputs cannot be told")
    scaled = model([node("Mul", "x c", "y")], {"c": np.float32(2)}, shape=["rows", "columns"])
    refused(scaled, "inputs cannot be told")
    refused(model([node("Relu", "x", "y")], element=8), "elements of type string")


def test_options_out_of_range():
    refused(model([node("LeakyRelu", "x", "y", alpha=-1.0)]), "negative_slope must be")
    batch = node("BatchNormalization", "x g g g v", "y")
    constants = {"g": np.ones(4, np.float32), "v": -np.ones(4, np.float32)}
    refused(model([batch], constants), "a variance is negative")


def peak_memory(content):
    """Return the bytes that reading takes, whatever its outcome."""
    tracemalloc.start()
    try:
        cr.from_onnx(content)
    except cr.ModelFileError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_shared_weights_take_no_more_memory_than_the_file():
    square = np.ones((200, 200), dtype=np.float32)
    names = ["x", *(str(i) for i in range(300)), "y"]
    nodes = [node("MatMul", f"{a} w", b) for a, b in pairwise(names)]
    content = model(nodes, {"w": square}, columns=200)
    refused(content, "layers share weights, and need more of them than the file holds")
    assert peak_memory(content) < 2 * len(content) + 2**20


@pytest.mark.parametrize("op", ["Gather", "Cast", "Reshape"])
def test_copies_of_constants_take_no_more_memory_than_the_file(op):
    square = np.ones((200, 200), dtype=np.float32)
    nodes, last = [], "w"
    for i in range(300):
        if op == "Gather":
            nodes.append(node("Gather", f"{last} order", str(i)))
        elif op == "Cast":
            # Of weights, to the other type of their size and back.
            nodes.append(node("Cast", last, str(i), to=1 if i % 2 else 6))
        else:
            nodes.append(node("Transpose", last, f"t{i}", perm=[1, 0]))
            nodes.append(node("Reshape", f"t{i} {'square' if i % 2 else 'wide'}", str(i)))
        last = str(i)
    constants = {
        "w": square,
        "order": np.arange(200),
        "wide": np.array([100, 400]),
        "square": np.array([200, 200]),
    }
    content = model([*nodes, node("MatMul", f"x {last}", "y")], constants, columns=200)
    refused(content, "the constants that nodes make are larger than the file")
    assert peak_memory(content) < 4 * len(content) + 2**20


def test_gathering_makes_no_axis_longer():
    # 4,000 indices are no more than the rows, but they are of the columns.
    column = np.ones((4000, 1), np.float32)
    nodes = [node("Gather", "a zeros", "w", axis=1), MATMUL]
    content = model(nodes, {"a": column, "zeros": np.zeros(4000, np.int64)}, columns=4000)
    refused(content, "the constants that nodes make are larger than the file")
    assert peak_memory(content) < 4 * len(content) + 2**20


@pytest.mark.parametrize("op", ["Expand", "Tile", "ConstantOfShape"])
def test_operators_that_make_more_of_less_are_refused(op):
    constants = {"one": np.ones((1, 1), np.float32), "sizes": np.array([30_000, 30_000])}
    made = node(op, "sizes" if op == "ConstantOfShape" else "one sizes", "w")
    content = model([made, MATMUL], constants)
    refused(content, op)
    assert peak_memory(content) < 2**20


def test_packed_dims_are_refused():
    tensor = field(1, b"\x01" * 500_000) + b"\x10\x01" + field(8, b"w")
    refused(field(7, field(5, tensor)) + OPSET_17, "too many small parts")
    few = field(1, b"\x01" * 9) + b"\x10\x01" + field(8, b"w")
    content = model([MATMUL], shape=["rows", 4])
    refused(content + field(7, field(5, few)), "tensor 'w' has more than 8 dimensions")


def test_constants_of_constants_take_no_more_memory_than_the_file():
    names = ["w", *(str(i) for i in range(300))]
    nodes = [node("Add", f"{a} w", b) for a, b in pairwise(names)]
    content = model([*nodes, node("MatMul", "x 299", "y")], {"w": np.ones((200, 200), np.float32)})
    refused(content, "the constants that nodes make are larger than the file")
    assert peak_memory(content) < 4 * len(content) + 2**20
    outer = [node("Mul", "a b", "w"), MATMUL]
    constants = {"a": np.ones((4000, 1), np.float32), "b": np.ones((1, 4000), np.float32)}
    refused(model(outer, constants), "the constants that nodes make are larger than the file")


# Reads a file of many small messages, in a process of its own, since tracemalloc sees no C++.
SMALL_PARTS = """
import resource, sys
import chainrule as cr, onnx.reference
content = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    cr.from_onnx(content)
except cr.ModelFileError as error:
    print(error, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sep="\\n")
"""


@pytest.mark.parametrize(
    "part", [b"\x0a\x00", b"\x2a\x00", b"\x5a\x00", b"\x0a\x04\x0a\x00\x12\x00"]
)
def test_many_small_parts(part):
    # A field of two bytes makes an object of some hundred.
    content = field(7, part * 1_000_000) + OPSET_17
    command = [sys.executable, "-c", SMALL_PARTS]
    output = subprocess.run(command, input=content, capture_output=True, check=True).stdout
    text, kibibytes = output.decode().splitlines()
    assert "too many small parts" in text
    assert int(kibibytes) * 1024 < 4 * len(content) + 2**22


def test_deep_nesting():
    graph = b""
    for _ in range(40):
        graph = field(1, field(5, field(6, graph)))
    refused(field(7, graph) + OPSET_17, "messages lie in each other more than 32 deep")


def test_functions_of_the_files_own():
    """They would be taken for the operators whose names they have."""

    def add(proto):
        function = proto.functions.add(name="Relu", domain="ai.onnx")
        function.node.append(node("Neg", "a", "b"))

    refused(edited(add, [node("Relu", "x", "y")]), "a function of the model's own, which is not")


def test_attributes_that_hold_graphs():
    branch = onnx.helper.make_graph([node("Relu", "x", "z")], "g", [], [])
    chosen = onnx.helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    refused(model([chosen, node("Add", "x y", "z")], {"c": np.array(True)}, output="z"), "If")


def test_constants_of_random_numbers():
    dropped = node("Dropout", "w ratio train", "v")
    constants = {"w": WEIGHT, "ratio": np.float32(0.5), "train": np.array(True)}
    refused(model([dropped, node("MatMul", "x v", "y")], constants), "it is in training mode")


@pytest.mark.parametrize("name", [b"Relu", b"\x01x", b"\x01y"])
def test_names_that_are_no_text(name):
    content = model([node("Relu", "x", "y")])
    assert cr.from_onnx(content).layers == [cr.Activation("relu")]
    refused(content.replace(name, name[:-1] + b"\xff"), r"the name b'.*\\xff' is no UTF-8")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_devices_and_pipes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/zero", "/dev/null", tmp_path / "pipe"):
        with pytest.raises(cr.ModelFileError, match="not a regular file but a device or a pipe"):
            cr.from_onnx(path)
    with pytest.raises(IsADirectoryError):
        cr.from_onnx(tmp_path)


def test_files_that_are_too_large(tmp_path):
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(onnx_limits.LARGEST_FILE + 1)
    with pytest.raises(cr.ModelFileError, match="2,147,483,648 bytes are more than ONNX files"):
        cr.from_onnx(path)


def test_wire_format():
    refused(b"\x00\x00", "a field numbered 0")
    refused(b"\x0b", "unknown type 3")
    refused(b"\x3a\xff\xff\xff\xff\x0f", "truncated: a field has 4294967295 bytes, 0 are left")
    refused(b"\x08\xff", "ends within an integer")
    refused(b"\x08" + b"\xff" * 12, "an integer of more than 64 bits")


def test_every_truncation():
    layers = [cr.Input(3), cr.Dense(2, activation="gelu"), cr.LayerNormalization(), cr.Dense(1)]
    content = onnx_bytes(cr.Sequential(layers, seed=0))
    # The version of the operators stands at the end.
    for size in range(len(content)):
        with pytest.raises(cr.ModelFileError):
            cr.from_onnx(content[:size])


def test_random_bytes():
    rng = random.Random(0)
    for size in range(300):
        with pytest.raises(cr.ModelFileError):
            cr.from_onnx(rng.randbytes(size))
