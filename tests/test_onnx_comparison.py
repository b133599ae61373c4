# SPDX-License-Identifier: Apache-2.0
"""Networks of ONNX files are compared with the graphs, and what differs is refused by name."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from onnx_graphs import model, node

import chainrule as cr
from chainrule.interop import onnx_comparison, onnx_import_operators

WEIGHT = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)


def relu_with_a_bump(low, high):
    """Return a relu that between two places is something else, and its constants."""
    # As tenths: at constants themselves activations are tried.
    nodes = [
        node("Mul", "x ten", "z", name="tenfold"),
        node("Sub", "z low", "a"),
        node("Max", "a zero", "b"),
        node("Sub", "high z", "c"),
        node("Max", "c zero", "d"),
        node("Mul", "b d", "bump"),
        node("Max", "x zero", "e"),
        node("Add", "bump e", "y", name="sum"),
    ]
    constants = {"ten": 10.0, "low": 10 * low, "high": 10 * high, "zero": 0.0}
    return nodes, {name: np.float32(value) for name, value in constants.items()}


def test_a_function_that_differs_from_the_one_recognised():
    content = model(*relu_with_a_bump(11.0, 14.5))
    with pytest.raises(
        cr.ModelFileError, match=r"Mul 'tenfold'.*Add 'sum': the network would compute something"
    ):
        cr.from_onnx(content)


def test_the_comparison_is_what_notices(monkeypatch):
    monkeypatch.setattr("chainrule.interop.onnx_import.compare", lambda *arguments: None)
    net = cr.from_onnx(model(*relu_with_a_bump(11.0, 14.5)))
    assert net.layers == [cr.Activation("relu")]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("place", [0, 3, 7])
def test_the_node_is_named_wherever_it_stands(place, large, monkeypatch):
    # As if the importer forgot to negate.
    monkeypatch.setitem(onnx_import_operators._OPERATORS, "Neg", lambda reader, node, x: x)
    monkeypatch.setattr(onnx_comparison, "_LARGE", 0 if large else 2**24)
    nodes, last = [], "x"
    for index in range(8):
        nodes += [
            node("MatMul", f"{last} w", f"{index}a"),
            node("Softplus", f"{index}a", f"{index}b"),
        ]
        last = f"{index}b"
        if index == place:
            nodes.append(node("Neg", last, "negated", name="forgotten"))
            last = "negated"
    nodes.append(node("MatMul", f"{last} w", "y"))
    with pytest.raises(cr.ModelFileError, match=r"^Neg 'forgotten': the network would compute"):
        cr.from_onnx(model(nodes, {"w": WEIGHT}))


@pytest.mark.parametrize("large", [False, True])
def test_what_underflows_is_let_be(large, monkeypatch):
    monkeypatch.setattr(onnx_comparison, "_LARGE", 0 if large else 2**24)
    # By scales, softplus gives from 1e-310 and 1e-40, which are no numbers of the core, to 0.1.
    shifted = node("Gemm", "x v d", "b", alpha=0.001, beta=-1.0)
    formula = [node("Exp", "b", "p"), node("Add", "p one", "q"), node("Log", "q", "e")]
    for depth in (2.0, 30.0, 90.0, 712.0):
        constants = {"v": np.eye(4, dtype=np.float32), "d": np.float32(depth), "w": WEIGHT}
        for softplus in [node("Softplus", "b", "e")], formula:
            nodes = [shifted, *softplus, node("MatMul", "e w", "y")]
            content = model(nodes, {**constants, "one": np.float32(1.0)})
            assert len(cr.from_onnx(content).layers) == 2


def test_what_overflows_is_let_be():
    nodes = [node("Exp", "x", "a"), node("Add", "a one", "b"), node("Log", "b", "y")]
    net = cr.from_onnx(model(nodes, {"one": np.float32(1.0)}))
    assert net.layers == [cr.Activation("softplus")]


def test_files_for_batches_of_one_size():
    """As PyTorch's exporter writes them when no axis is called dynamic."""
    nodes = [node("Reshape", "x shape", "flat"), node("MatMul", "flat w", "y")]
    content = model(nodes, {"w": WEIGHT, "shape": np.array([1, 4])}, shape=[1, 2, 2])
    net = cr.from_onnx(content)
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_allclose(net.predict(x), x @ WEIGHT, rtol=1e-5)


def test_old_batch_normalization():
    """In opsets before 14 it may train, which the reference implementation takes for granted."""
    arrays = {
        name: np.full(4, value, np.float32)
        for name, value in zip("gbmv", (2, 1, 3, 4), strict=True)
    }
    batch = node("BatchNormalization", "x g b m v", "y", epsilon=1e-3, momentum=0.8)
    for opset in (7, 9, 13, 14, 17):
        net = cr.from_onnx(model([batch], arrays, opset=opset))
        assert net.layers == [cr.BatchNormalization(epsilon=1e-3, momentum=0.8)]


@pytest.mark.parametrize("name", ["from_onnx", "to_onnx"])
def test_without_the_package(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    net = cr.Sequential([cr.Input(2), cr.Dense(1)])
    with pytest.raises(ImportError, match=r'the onnx package: pip install "chainrule\[onnx\]"'):
        cr.to_onnx(net, tmp_path / "net.onnx") if name == "to_onnx" else cr.from_onnx(b"")
    assert not list(tmp_path.iterdir())
