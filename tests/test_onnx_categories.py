# SPDX-License-Identifier: Apache-2.0
"""Layers that read categories from ONNX files."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.interop.onnx_check import onnxruntime_outputs

onnx = pytest.importorskip("onnx")

KINDS = ("category_encoding", "embedding")
REFUSED = "not supported|does not fit its inputs|something else than the graph"


def with_unseen(counts: dict[int, int], layer: Any, columns: int, rows: int = 64) -> Any:
    """Return numbers with categories in some columns, some of them unknown and missing."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(rows, columns))
    for column, count in counts.items():
        x[:, column] = rng.integers(0, count, size=rows)
        if layer.unknown != "error":
            x[rng.random(rows) < 0.2, column] = count + rng.integers(0, 3)
        if layer.missing != "error":
            x[rng.random(rows) < 0.2, column] = np.nan
    return x


def own(net: cr.Network) -> list[Any]:
    """Return the layers that read categories."""
    return [layer for layer in net.layers if layer.kind in KINDS]


def check(net: cr.Network, x: Any, path: Path) -> cr.Network:
    """Return a network from the file of another, after both and onnxruntime gave the same."""
    cr.to_onnx(net, path)
    again = cr.from_onnx(path)
    assert own(again) == own(net)
    expected = net.predict(x)
    np.testing.assert_allclose(again.predict(x), expected, rtol=1e-5, atol=1e-6)
    rows = x.astype(net.dtype)
    theirs = onnxruntime_outputs(path.read_bytes(), rows)
    np.testing.assert_allclose(theirs, again.predict(x), rtol=1e-5, atol=1e-6)
    return again


CHOICES = ("error", "zero", "code")


@pytest.mark.parametrize(("unknown", "missing"), [*product(CHOICES, CHOICES)])
@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize("some", [False, True])
def test_encodings_come_back(
    mode: str, unknown: str, missing: str, some: bool, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    counts = {0: 3, 2: 2, 3: 5} if mode == "one_hot" else dict.fromkeys((0, 2, 3), 4)
    columns = 5 if some else 3
    counts = counts if some else dict(enumerate(counts.values()))
    for sign, dtype in product([False, True][: 1 + (mode == "one_hot")], ["float32", "float64"]):
        layer = cr.CategoryEncoding(
            tuple(counts.values()) if mode == "one_hot" else 4,
            mode,
            columns=tuple(counts) if some else None,
            unknown=unknown,
            missing=missing,
            binary_as_sign=sign,
        )
        net = cr.Sequential([cr.Input(columns), layer, cr.Dense(3, "tanh")], seed=1, dtype=dtype)
        check(net, with_unseen(counts, layer, columns), tmp_path / "net.onnx")


@pytest.mark.parametrize(("unknown", "missing"), [*product(CHOICES, CHOICES)])
@pytest.mark.parametrize("shared", [False, True])
def test_embeddings_come_back(unknown: str, missing: str, shared: bool, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    counts = {3: 4, 0: 4} if shared else {3: 7, 0: 3}
    for dtype in ("float32", "float64"):
        layer = cr.Embedding(
            4 if shared else (7, 3),
            3,
            columns=(3, 0),
            unknown=unknown,
            missing=missing,
            weight_decay_factor=0.0,
            name="table",
        )
        net = cr.Sequential([cr.Input(4), layer, cr.Dense(2)], seed=1, dtype=dtype)
        net.freeze("table")
        again = check(net, with_unseen(counts, layer, 4), tmp_path / "net.onnx")
        weight = again.parameters["table.weight"]
        np.testing.assert_array_equal(weight, net.parameters["table.weight"])
        assert again._frozen == {"table"}


def random_net(seed: int) -> tuple[cr.Network, Any]:
    """Return a network whose layers all read one input of categories and numbers, and rows."""
    rng = np.random.default_rng(seed)
    columns = int(rng.integers(2, 7))
    held = tuple(map(int, rng.permutation(columns)[: rng.integers(1, columns + 1)]))
    counts = {column: int(rng.integers(2, 9)) for column in held}
    entry, branches = cr.Input(columns), []
    unknown, missing = (str(rng.choice(CHOICES)) for _ in range(2))
    options: Any = {"unknown": unknown, "missing": missing, "columns": held}
    sizes = tuple(counts.values())
    encoding = cr.CategoryEncoding(sizes, binary_as_sign=bool(rng.integers(2)), **options)
    for layer in (encoding, cr.Embedding(sizes, int(rng.integers(1, 5)), **options)):
        branches.append(cr.Dense(int(rng.integers(1, 5)), "relu")(layer(entry)))
    net = cr.Network(entry, cr.Dense(2)(cr.Concatenate()(branches)), seed=seed)
    return net, with_unseen(counts, encoding, columns)


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_come_back(seed: int, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    net, x = random_net(seed)
    check(net, x, tmp_path / "net.onnx")


def test_bytes_come_back_too(tmp_path: Path) -> None:
    net = cr.Sequential([cr.Input(2), cr.Embedding((5, 3), 2), cr.Dense(1)], seed=0)
    cr.to_onnx(net, tmp_path / "net.onnx", input_dtype="uint8")
    x = np.array([[4, 2], [0, 1]], dtype=np.uint8)
    np.testing.assert_array_equal(cr.from_onnx(tmp_path / "net.onnx").predict(x), net.predict(x))


def changed(layer: Any, path: Path, change: Any) -> None:
    """Write the file of a network of a layer after a change to its model."""
    cr.to_onnx(cr.Sequential([cr.Input(2), layer, cr.Dense(1)], seed=0), path)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


@pytest.mark.parametrize(
    "options",
    [
        {"num_tokens": [3, 4]},
        {"num_tokens": 10**9},
        {"num_tokens": [4, 3], "unknown": "code"},
        {"num_tokens": [4, 3], "missing": "code"},
        {"num_tokens": 4, "output_mode": "count"},
        {"num_tokens": [4, 3], "columns": [0, 7]},
    ],
)
def test_other_options_are_found(options: Any, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        (entry,) = (e for e in model.metadata_props if e.key == "chainrule.layers")
        entry.value = json.dumps({"0": {"kind": "category_encoding", **options}})

    changed(cr.CategoryEncoding((4, 3)), tmp_path / "net.onnx", change)
    with pytest.raises(cr.ModelFileError):
        cr.from_onnx(tmp_path / "net.onnx")


@pytest.mark.parametrize("layer", [cr.CategoryEncoding((4, 3), unknown="zero", missing="code")])
@pytest.mark.parametrize("name", ["categories", "read", "missing"])
def test_other_numbers_are_found(layer: Any, name: str, tmp_path: Path) -> None:
    def change(model: Any) -> None:
        (each,) = (t for t in model.graph.initializer if t.name.endswith(f".{name}"))
        array = np.roll(onnx.numpy_helper.to_array(each), 1)
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))

    changed(layer, tmp_path / "net.onnx", change)
    with pytest.raises(cr.ModelFileError, match=REFUSED):
        cr.from_onnx(tmp_path / "net.onnx")


def test_one_other_number_of_many_is_found(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        (each,) = (t for t in model.graph.initializer if t.name.endswith(".categories"))
        array = onnx.numpy_helper.to_array(each).copy()
        array[4321] = 0.25  # which random rows hardly meet
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))

    changed(cr.CategoryEncoding((5000, 3)), tmp_path / "net.onnx", change)
    with pytest.raises(cr.ModelFileError, match=REFUSED):
        cr.from_onnx(tmp_path / "net.onnx")


def test_a_last_row_that_is_not_zero_is_no_embedding(tmp_path: Path) -> None:
    def change(model: Any) -> None:
        (each,) = (t for t in model.graph.initializer if t.name == "0.embedding.weight")
        array = onnx.numpy_helper.to_array(each) + np.float32(1)
        each.CopyFrom(onnx.numpy_helper.from_array(array, each.name))

    changed(cr.Embedding((4, 3), 2, unknown="zero"), tmp_path / "net.onnx", change)
    with pytest.raises(cr.ModelFileError, match=REFUSED):
        cr.from_onnx(tmp_path / "net.onnx")


def foreign(module: Any, columns: int, path: Path, **options: Any) -> cr.Network:
    """Return the network of a graph of nodes on an input of whole numbers."""
    nodes, constants = module
    helper = onnx.helper
    tensors = [onnx.numpy_helper.from_array(a, name) for name, a in constants.items()]
    entry = helper.make_tensor_value_info("c", options.get("type", 7), ["n", columns])
    end = helper.make_tensor_value_info("y", 1, ["n", None])
    made = [helper.make_node(op, read, [out], **more) for op, read, out, more in nodes]
    graph = helper.make_graph(made, "g", [entry], [end], tensors)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return cr.from_onnx(path)


RNG = np.random.default_rng(7)
TABLE = RNG.normal(size=(5, 3)).astype(np.float32)
OTHER = RNG.normal(size=(4, 2)).astype(np.float32)
WEIGHT = RNG.normal(size=(6, 2)).astype(np.float32)
CODES = RNG.integers(0, 4, size=(20, 2))
VALUES = np.array([0.0, 1.0], np.float32)


@pytest.mark.parametrize("integers", [6, 7])
def test_a_table_of_another_program(integers: int, tmp_path: Path) -> None:
    nodes: Any = [
        ("Gather", ["table", "c"], "e", {}),
        ("Flatten", ["e"], "f", {}),
        ("MatMul", ["f", "w"], "y", {}),
    ]
    constants = {"table": TABLE, "w": WEIGHT}
    net = foreign((nodes, constants), 2, tmp_path / "net.onnx", type=integers)
    assert [layer.kind for layer in net.layers] == ["embedding", "dense"]
    expected = TABLE[CODES].reshape(20, 6) @ WEIGHT
    np.testing.assert_allclose(net.predict(CODES), expected, rtol=1e-5, atol=1e-6)


def test_a_table_for_each_column_of_another_program(tmp_path: Path) -> None:
    nodes: Any = [
        ("Gather", ["c", "one"], "c1", {"axis": 1}),
        ("Cast", ["c1"], "i1", {"to": 7}),
        ("Gather", ["table", "i1"], "e1", {}),
        ("Gather", ["c", "zero"], "c0", {"axis": 1}),
        ("Cast", ["c0"], "i0", {"to": 7}),
        ("Gather", ["other", "i0"], "e0", {}),
        ("Gather", ["c", "rest"], "r", {"axis": 1}),
        ("Concat", ["e1", "e0", "r"], "all", {"axis": 1}),
        ("MatMul", ["all", "w"], "y", {}),
    ]
    constants = {"table": TABLE, "other": OTHER, "w": WEIGHT, "rest": np.array([2])}
    constants |= {"zero": np.array(0), "one": np.array(-2)}
    net = foreign((nodes, constants), 3, tmp_path / "net.onnx", type=1)
    x = np.concatenate([CODES, RNG.normal(size=(20, 1))], axis=1)
    parts = [TABLE[CODES[:, 1]], OTHER[CODES[:, 0]], x[:, 2:]]
    expected = np.concatenate(parts, axis=1) @ WEIGHT
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("columns", [None, [1], [2, 0]])
def test_one_hot_columns_of_another_program(columns: Any, tmp_path: Path) -> None:
    x = RNG.integers(0, 4, size=(20, 3))
    nodes: Any = [("Gather", ["c", "columns"], "some", {"axis": 1})] if columns else []
    nodes += [
        ("OneHot", ["some" if columns else "c", "depth", "values"], "o", {}),
        ("Flatten", ["o"], "f", {}),
        ("MatMul", ["f", "w"], "y", {}),
    ]
    held = columns or [0, 1, 2]
    weight = RNG.normal(size=(4 * len(held), 2)).astype(np.float32)
    constants = {"depth": np.array([4]), "values": np.float32([-1.0, 2.0]), "w": weight}
    constants |= {"columns": np.array(columns)} if columns else {}
    net = foreign((nodes, constants), 3, tmp_path / "net.onnx")
    ones = (x[:, held, None] == np.arange(4)) * 3.0 - 1.0
    expected = ones.reshape(20, -1) @ weight
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("begin", "end", "step"),
    [(0, 2, 1), (1, 2**63 - 1, 1), (-2, 2**31 - 1, 1), (0, -1, 2), (3, 0, -1), (-1, -(2**63), -1)],
)
def test_slices_of_columns(begin: int, end: int, step: int, tmp_path: Path) -> None:
    x = RNG.integers(0, 4, size=(20, 4))
    held = np.arange(4)[begin:end:step]
    cut = {"b": [begin], "e": [end], "s": [step], "axis": [1]}
    constants: Any = {name: np.array(value) for name, value in cut.items()}
    constants |= {"depth": np.array([4]), "values": VALUES, "all": np.array([2**63 - 1])}
    constants |= {"v": RNG.normal(size=(len(held), 2)).astype(np.float32), "zero": np.array([0])}
    constants |= {"w": RNG.normal(size=(4 * len(held), 2)).astype(np.float32)}
    nodes: Any = [
        ("Slice", ["c", "b", "e", "axis", "s"], "some", {}),
        ("OneHot", ["some", "depth", "values"], "o", {}),
        ("Flatten", ["o"], "f", {}),
        ("MatMul", ["f", "w"], "m", {}),
        ("Cast", ["c"], "numbers", {"to": 1}),
        ("Slice", ["numbers", "zero", "all", "zero"], "rows", {}),  # all of them
        ("Slice", ["rows", "b", "e", "axis", "s"], "r", {}),
        ("MatMul", ["r", "v"], "n", {}),
        ("Add", ["m", "n"], "y", {}),
    ]
    net = foreign((nodes, constants), 4, tmp_path / "net.onnx")
    ones = (x[:, held, None] == np.arange(4)).reshape(20, -1)
    expected = ones @ constants["w"] + x[:, held] @ constants["v"]
    np.testing.assert_allclose(net.predict(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", [np.int64, np.float32])
@pytest.mark.parametrize("some", [False, True])
def test_one_hot_encoders_of_scikit_learn(kind: Any, some: bool, tmp_path: Path) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.compose import make_column_transformer
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    x = np.array([1, 2, 5, 7])[RNG.integers(0, 4, size=(60, 3))].astype(kind)
    encoder: Any = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    if some:
        encoder = make_column_transformer((encoder, [2, 0]), remainder="passthrough")
    peer = make_pipeline(encoder, MLPRegressor(hidden_layer_sizes=(4,), tol=9.0))
    peer.fit(x, RNG.normal(size=60))
    path = tmp_path / "net.onnx"
    path.write_bytes(skl2onnx.to_onnx(peer, x[:1]).SerializeToString())
    net = cr.from_onnx(path)
    assert any(layer.kind == "category_encoding" for layer in net.layers)
    x[0], x[1] = 3, 9  # none of the categories, within them and beyond
    np.testing.assert_allclose(net.predict(x)[:, 0], peer.predict(x), rtol=1e-4, atol=1e-4)


ML = {"domain": "ai.onnx.ml"}


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (("OneHotEncoder", ["c"], "y", {**ML, "cats_strings": ["a", "b"]}), "no different numbers"),
        (("OneHotEncoder", ["c"], "y", {**ML, "cats_int64s": [0, -1]}), "no different numbers"),
        (("OneHotEncoder", ["c"], "y", {**ML, "cats_int64s": [1, 1]}), "no different numbers"),
        (("OneHotEncoder", ["c"], "y", {**ML, "cats_int64s": [2**60]}), "the category 1152921"),
        (("OneHotEncoder", ["c"], "y", {**ML, "cats_int64s": [0, 2], "zeros": 0}), "are errors"),
        (("ArrayFeatureExtractor", ["c", "depth"], "y", ML), r"takes \[4\] of 2"),
        (("Slice", ["c", "one", "depth", "none"], "y", {}), "Slice.*not over an axis of the rows"),
        (("Slice", ["c", "depth", "one", "one"], "y", {}), r"Slice.*takes \[\] of 2"),
        (("Slice", ["c", "one", "depth", "one", "none"], "y", {}), "Slice"),
        (("OneHot", ["c", "depth", "values"], "y", {"axis": 1}), "OneHot.*not the last one"),
        (("OneHot", ["c", "none", "values"], "y", {}), "OneHot.*depths"),
        (("Gather", ["table", "c"], "y", {"axis": 1}), "Gather.*rows of a table"),
        (("Gather", ["values", "c"], "y", {}), "Gather.*rows of a table"),
    ],
)
def test_other_lookups_are_refused_by_name(node: Any, text: str, tmp_path: Path) -> None:
    constants = {"depth": np.array(4), "none": np.array(0), "values": VALUES, "table": TABLE}
    constants |= {"one": np.array(1)}
    with pytest.raises(cr.ModelFileError, match=f"(?s){text}"):
        foreign(([node], constants), 2, tmp_path / "net.onnx")
