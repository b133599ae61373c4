# SPDX-License-Identifier: Apache-2.0
"""What symbolic tensors say that a network is: its nodes, their names and order; and refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule.layers.layer import SymbolicTensor
from chainrule.network.graph import Graph, Node, chain, embed, trace


def described(graph: Graph) -> list[tuple[str, tuple[str, ...]]]:
    return [(node.name, node.inputs) for node in graph.nodes]


def test_nodes_stand_as_they_were_written_down() -> None:
    x = cr.Input(3)
    left = cr.Dense(2)(x)
    right = cr.Dense(2, name="right")(x)
    unused = cr.Dense(9)(x)
    total = right + left
    graph = trace(x, cr.Dense(1)(total))
    assert described(graph) == [
        ("input", ()),
        ("dense", ("input",)),
        ("right", ("input",)),
        ("add", ("right", "dense")),
        ("dense_1", ("add",)),
    ]
    assert graph.outputs == ("dense_1",)
    assert unused.layer not in graph.layers
    assert graph["input"].shape == (3,)
    assert graph["right"].description == {
        "name": "right",
        "layer": cr.Dense(2).config,
        "inputs": ["input"],
    }
    assert graph["input"].description == {"name": "input", "shape": (3,)}


def test_numbers_skip_names_that_are_taken() -> None:
    x = cr.Input(3)
    a, b, c = cr.Dense(1)(x), cr.Dense(1, name="dense_1")(x), cr.Dense(1)(x)
    graph = trace(x, [a, b, c])
    assert graph.outputs == ("dense", "dense_1", "dense_2")


def test_mappings_name_inputs_and_outputs() -> None:
    a, b = cr.Input(3), cr.Input((2, 2), name="right")
    h = cr.Dense(2)(a)
    outputs = {
        "sum": cr.Dense(1)(h),
        "h": h,
        "again": h,
        "echo": a,
        "named": cr.Dense(2, name="n")(b),
    }
    graph = trace({"left": a, "right": b}, outputs)
    assert [node.name for node in graph.inputs] == ["left", "right"]
    assert graph["right"].shape == (2, 2)
    assert graph.outputs == ("sum", "h", "again", "echo", "named")
    assert graph["h"].layer == cr.Dense(2)
    # A tensor that has a name already is passed on.
    for name, source in {"again": "h", "echo": "left", "named": "n"}.items():
        assert graph[name] == Node(name, cr.Activation("linear"), (source,))


def test_a_layer_that_is_called_again_shares_its_parameters() -> None:
    a, b, c = cr.Input(3), cr.Input(3), cr.Input(3)
    tower, other = cr.Dense(2, name="tower"), cr.Dense(2, name="other")
    graph = trace([a, b, c], cr.Concatenate()([tower(a), tower(b), tower(c), other(a)]))
    assert [(n.name, n.shares) for n in graph.nodes if n.layer == tower and n.name != "other"] == [
        ("tower", None),
        ("tower/1", "tower"),
        ("tower/2", "tower"),
    ]
    assert graph["other"].shares is None
    assert graph["tower/1"].description["shares"] == "tower"
    assert graph.layers == [tower, other, cr.Concatenate()]


def test_equal_layers_are_two_layers() -> None:
    x = cr.Input(3)
    graph = trace(x, cr.Dense(2)(x) - cr.Dense(2)(x))
    assert [node.shares for node in graph.nodes] == [None] * 4


@pytest.mark.parametrize(
    ("make", "layer"),
    [
        (lambda h, g: h + g, "Add()"),
        (lambda h, g: h - g, "Subtract()"),
        (lambda h, g: h * g, "Multiply()"),
        (lambda h, _: h + 2, "Rescaling(1.0, offset=2.0)"),
        (lambda h, _: 2 + h, "Rescaling(1.0, offset=2.0)"),
        (lambda h, _: h - 2, "Rescaling(1.0, offset=-2.0)"),
        (lambda h, _: 2 - h, "Rescaling(-1.0, offset=2.0)"),
        (lambda h, _: 3 * h, "Rescaling(3.0)"),
        (lambda h, _: h * np.float32(3), "Rescaling(3.0)"),
        (lambda h, _: np.float64(3) * h, "Rescaling(3.0)"),
        (lambda h, _: h / 4, "Rescaling(0.25)"),
        (lambda h, _: -h, "Rescaling(-1.0)"),
    ],
)
def test_operators(
    make: Callable[[SymbolicTensor, SymbolicTensor], SymbolicTensor], layer: str
) -> None:
    h, g = cr.Input(2), cr.Input(2)
    made = make(h, g)
    assert repr(made.layer) == layer
    assert made.inputs[0] is h
    assert len(made.inputs) == 1 or made.inputs[1] is g


@pytest.mark.parametrize(
    "wrong",
    [
        lambda h: h + "a",
        lambda h: h * None,
        lambda h: np.ones(2) + h,
        lambda h: h * np.ones(2),
        lambda h: h / h,
        lambda h: h + True,
    ],
)
def test_operators_refuse_what_is_no_tensor_and_no_number(wrong: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError):
        wrong(cr.Input(2))


A, B = cr.Input(3, name="a"), cr.Input(3, name="b")


@pytest.mark.parametrize(
    ("inputs", "outputs", "error", "text"),
    [
        (
            A,
            lambda: cr.Dense(1)(A) + cr.Dense(1)(B),
            ValueError,
            r"needs Input\(3, name='b'\), which",
        ),
        ([A, B], lambda: cr.Dense(1)(A), ValueError, "no output needs the input 'b'"),
        ([A, A], lambda: cr.Dense(1)(A), ValueError, "inputs has Input.* twice"),
        ({"c": A}, lambda: cr.Dense(1)(A), ValueError, "the input 'c' is called 'a' already"),
        (
            A,
            lambda: cr.Dense(1, name="y")(cr.Dense(1, name="y")(A)),
            ValueError,
            r"two nodes are called 'y': Dense\(1, name='y'\) and Dense",
        ),
        (A, lambda: cr.Dense(1, name="a")(A), ValueError, "two nodes are called 'a': an input and"),
        ([], lambda: cr.Dense(1)(A), ValueError, "inputs is empty"),
        (A, lambda: {}, ValueError, "outputs is empty"),
        (A, lambda: 3, TypeError, "outputs must be a symbolic tensor, a list or a dict"),
        (A, lambda: [cr.Dense(1)(A), np.ones(3)], TypeError, "outputs must hold symbolic tensors"),
        (A, lambda: {1: cr.Dense(1)(A)}, TypeError, "outputs: names must be strings, got 1"),
        (cr.Dense(1)(A), lambda: cr.Dense(1)(A), TypeError, "inputs must be Input, got"),
    ],
)
def test_what_is_no_graph(inputs: Any, outputs: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        trace(inputs, outputs())


@pytest.mark.parametrize("given", [np.ones((2, 3)), [np.ones((2, 3))], 3, None, cr.Dense(2)])
def test_layers_are_called_with_tensors(given: Any) -> None:
    with pytest.raises(TypeError, match=r"Dense\(1\) takes symbolic tensors, as Input makes them"):
        cr.Dense(1)(given)


@pytest.mark.parametrize(("name", "error"), [(3, TypeError), ("", ValueError)])
def test_names_are_text(name: Any, error: type[Exception]) -> None:
    for make in (lambda: cr.Dense(1, name=name), lambda: cr.Input(1, name=name)):
        with pytest.raises(error, match="name"):
            make()


def test_names_do_not_make_layers_unequal() -> None:
    assert cr.Dense(1, name="a") == cr.Dense(1)
    assert repr(cr.Dense(1, name="a")) == "Dense(1, name='a')"
    assert cr.Dense(1, name="a").config == cr.Dense(1).config


def test_a_chain_is_numbered() -> None:
    graph = chain([cr.Dense(2), cr.Activation("relu", name="positive"), cr.Dense(1)], (4,))
    assert described(graph) == [
        ("x", ()),
        ("0", ("x",)),
        ("positive", ("0",)),
        ("2", ("positive",)),
    ]
    assert graph.outputs == ("2",)
    with pytest.raises(ValueError, match="two nodes are called '1'"):
        cr.Sequential([cr.Dense(2, name="1"), cr.Dense(1)])


def test_a_network_within_another() -> None:
    inner = cr.Sequential([cr.Input(3), cr.Dense(2), cr.Dense(2, name="code")], seed=0)
    a, b = cr.Input(3), cr.Input(3)
    graph = trace([a, b], inner(a) + inner(b))
    assert [(n.name, n.shares) for n in graph.nodes] == [
        ("input", None),
        ("input_1", None),
        ("sequential/0", None),
        ("sequential/code", None),
        ("sequential/0/1", "sequential/0"),
        ("sequential/code/1", "sequential/code"),
        ("add", None),
    ]
    assert {name: (o.network, o.node) for name, o in graph.owners.items()} == {
        "sequential/0": (inner, "0"),
        "sequential/code": (inner, "code"),
    }


def test_two_networks_within_another() -> None:
    first = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0, name="encoder")
    second = cr.Sequential([cr.Input(2), cr.Dense(3)], seed=0, name="encoder")
    x = cr.Input(3)
    graph = trace(x, {"code": first(x), "image": second(first(x))})
    names = ["input", "encoder/0", "code", "encoder/0/1", "encoder_1/0", "image"]
    assert sorted(node.name for node in graph.nodes) == sorted(names)


def test_the_part_that_leads_to_a_node() -> None:
    x, y = cr.Input(3, name="x"), cr.Input(3, name="y")
    tower = cr.Dense(2, name="tower")
    first, second, third = tower(x), tower(y), tower(y)
    graph = trace([x, y], [cr.Dense(1)(first), second + third])
    assert described(graph.leading_to(["dense"])) == [
        ("x", ()),
        ("tower", ("x",)),
        ("dense", ("tower",)),
    ]
    part = graph.leading_to(["add"])
    assert [(n.name, n.shares) for n in part.nodes] == [
        ("y", None),
        ("tower/1", None),
        ("tower/2", "tower/1"),
        ("add", None),
    ]


class Named:
    """Stands for a network that is called."""

    name = "twice"


def test_what_is_shared_within_a_network_is_shared_where_it_is_called() -> None:
    a, x = cr.Input(3), cr.Input(3)
    layer = cr.Dense(3)
    inner = trace(a, layer(layer(a)))
    outer = trace(x, list(embed(inner, Named(), [x]).values()))
    assert [(node.name, node.shares) for node in outer.nodes] == [
        ("input", None),
        ("twice/dense", None),
        ("twice/dense/1", "twice/dense"),
    ]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        (np.ones((2, 3)), TypeError, "a network is called with symbolic tensors, got ndarray"),
        ([A, B], ValueError, r"the network has 1 inputs \(x\), got 2"),
        ({"y": A}, ValueError, "unknown input 'y'"),
        ({}, ValueError, "the input 'x' is missing"),
    ],
)
def test_networks_are_called_with_tensors(given: Any, error: type[Exception], text: str) -> None:
    net = cr.Sequential([cr.Input(3), cr.Dense(2)], seed=0)
    with pytest.raises(error, match=text):
        net(given)


def test_an_unbuilt_network_is_no_layer_yet() -> None:
    with pytest.raises(RuntimeError, match=re.escape("begin the layers with Input(n)")):
        cr.Sequential([cr.Dense(2)])(A)
