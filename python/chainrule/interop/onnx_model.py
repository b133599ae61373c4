# SPDX-License-Identifier: Apache-2.0
"""The messages of an ONNX file that describe a network: model, graph, nodes and attributes.

References
----------
"Open Neural Network Exchange intermediate representation", https://onnx.ai/onnx/repo-docs/IR.html;
field numbers from its onnx.proto.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_tensor import MOST_DIMS, TensorReader, float_bytes, write_tensor
from chainrule.interop.protobuf import MessageReader, MessageWriter

__all__ = ["Attribute", "Graph", "Node", "Value", "read_model", "write_model"]

# Other domains are told from these two, which are one.
_DEFAULT_DOMAINS = ("", "ai.onnx")
_OLDEST_OPSET, _NEWEST_OPSET = 7, 28
# The first version of the format with all that we write.
_WRITTEN_IR_VERSION = 8
# Python objects take more memory than the bytes that they stand for, so a file gets so many, and
# more as it grows.
_LEAST_OBJECTS, _BYTES_PER_OBJECT, _OBJECTS_PER_NODE = 4096, 64, 5

_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7

Attribute = float | int | str | NDArray[Any] | TensorReader | None


@dataclass
class Node:
    """An operator with the names of the tensors that it reads and makes."""

    op: str
    inputs: list[str]
    outputs: list[str]
    name: str = ""
    domain: str = ""
    attributes: dict[str, Attribute] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return how error texts call the node."""
        operator = f"{self.domain}.{self.op}" if self.domain else self.op
        return f"{operator} {self.name!r}" if self.name else f"{operator} that makes {self.made!r}"

    @property
    def made(self) -> str:
        """The name of its first output."""
        return self.outputs[0] if self.outputs else ""


@dataclass
class Value:
    """An input or an output of a graph.

    Attributes
    ----------
    element_type : int
        ONNX's number of it; 0 for what is no tensor.
    shape : list of int or None, or None
        None for dimensions, and shapes, that the file leaves open.
    """

    name: str
    element_type: int
    shape: list[int | None] | None


@dataclass
class Graph:
    """What a model computes.

    Attributes
    ----------
    opset : int
        Version of the operators of the default domain.
    initializers : dict of str to TensorReader
        The constant tensors.
    """

    opset: int
    nodes: list[Node] = field(default_factory=list)
    initializers: dict[str, TensorReader] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)


class _Allowance:
    """How many objects may still be made of a file."""

    def __init__(self, size: int) -> None:
        self._left = _LEAST_OBJECTS + size // _BYTES_PER_OBJECT

    def take(self, count: int = 1) -> None:
        self._left -= count
        if self._left < 0:
            raise ModelFileError("the graph has too many small parts for a multilayer perceptron")


def read_model(content: bytes) -> Graph:
    """Return the graph of an ONNX file.

    Parameters
    ----------
    content : bytes
        The whole file; elements of tensors stay there until they are asked for.

    Returns
    -------
    Graph

    Raises
    ------
    ModelFileError
        If the content is no ONNX model, or one for operators of an unknown version.
    """
    view = memoryview(content)
    allowance = _Allowance(len(view))
    graph: memoryview | None = None
    opsets: dict[str, int] = {}
    for number, value in MessageReader(view, "the model"):
        if number == 7 and isinstance(value, memoryview):
            graph = value
        elif number == 8 and isinstance(value, memoryview):
            allowance.take()
            domain, version = _opset(value)
            opsets["" if domain in _DEFAULT_DOMAINS else domain] = version
    if graph is None:
        raise ModelFileError("not an ONNX model: there is no graph")
    if "" not in opsets:
        raise ModelFileError("not an ONNX model: it does not say the version of its operators")
    if not _OLDEST_OPSET <= opsets[""] <= _NEWEST_OPSET:
        raise ModelFileError(
            f"the operators have version (opset) {opsets['']}, "
            f"expected {_OLDEST_OPSET} to {_NEWEST_OPSET}"
        )
    return _graph(graph, opsets[""], allowance)


def _opset(content: memoryview) -> tuple[str, int]:
    domain, version = "", 0
    for number, value in MessageReader(content, "an opset"):
        if number == 1:
            domain = _text(value)
        elif number == 2 and isinstance(value, int):
            version = value
    return domain, version


def _graph(content: memoryview, opset: int, allowance: _Allowance) -> Graph:
    graph = Graph(opset)
    for number, value in MessageReader(content, "the graph"):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            allowance.take(_OBJECTS_PER_NODE)
            graph.nodes.append(_node(value, allowance))
        elif number == 5:
            allowance.take(_OBJECTS_PER_NODE)
            tensor = TensorReader(value)
            if graph.initializers.setdefault(tensor.name, tensor) is not tensor:
                raise ModelFileError(f"two initializers have the name {tensor.name!r}")
        elif number in (11, 12):
            allowance.take(_OBJECTS_PER_NODE)
            (graph.inputs if number == 11 else graph.outputs).append(_value(value))
    return graph


def _node(content: memoryview, allowance: _Allowance) -> Node:
    node = Node("", [], [])
    for number, value in MessageReader(content, "a node"):
        if number in (1, 2):
            allowance.take()
            (node.inputs if number == 1 else node.outputs).append(_text(value))
        elif number == 3:
            node.name = _text(value)
        elif number == 4:
            node.op = _text(value)
        elif number == 5 and isinstance(value, memoryview):
            allowance.take(2)
            name, attribute = _attribute(value, allowance)
            node.attributes[name] = attribute
        elif number == 7:
            domain = _text(value)
            node.domain = "" if domain in _DEFAULT_DOMAINS else domain
    return node


def _attribute(content: memoryview, allowance: _Allowance) -> tuple[str, Attribute]:
    name, kind = "", 0
    values: dict[int, Attribute] = {}
    floats, integers = array("f"), array("q")
    for number, value in MessageReader(content, "an attribute"):
        if number == 1:
            name = _text(value)
        elif number == 20 and isinstance(value, int):
            kind = value
        elif number == 2 and isinstance(value, memoryview) and len(value) == 4:
            values[_FLOAT] = float_bytes(value)
        elif number == 3 and isinstance(value, int):
            values[_INT] = _signed(value)
        elif number == 4:
            values[_STRING] = _text(value)
        elif number == 5 and isinstance(value, memoryview):
            values[_TENSOR] = TensorReader(value)
        elif number == 7 and isinstance(value, memoryview) and len(value) % 4 == 0:
            floats.frombytes(value)
        elif number == 8:
            numbers = [value] if isinstance(value, int) else MessageReader(value, "ints").varints()
            for item in numbers:
                allowance.take()
                integers.append(_signed(item))
    values[_FLOATS] = np.array(floats, dtype=np.float32)
    values[_INTS] = np.array(integers, dtype=np.int64)
    return name, values.get(kind)


def _value(content: memoryview) -> Value:
    made = Value("", 0, None)
    for number, value in MessageReader(content, "an input or output"):
        if number == 1:
            made.name = _text(value)
        elif number == 2 and isinstance(value, memoryview):
            for kind, tensor in MessageReader(value, "a type"):
                if kind == 1 and isinstance(tensor, memoryview):
                    made.element_type, made.shape = _tensor_type(tensor)
    return made


def _tensor_type(content: memoryview) -> tuple[int, list[int | None] | None]:
    element_type = 0
    shape: list[int | None] | None = None
    for number, value in MessageReader(content, "a tensor type"):
        if number == 1 and isinstance(value, int):
            element_type = value
        elif number == 2 and isinstance(value, memoryview):
            shape = []
            for _, dim in MessageReader(value, "a shape"):
                if len(shape) == MOST_DIMS:
                    raise ModelFileError(f"an input or output has over {MOST_DIMS} dimensions")
                shape.append(_dimension(dim))
    return element_type, shape


def _dimension(content: int | memoryview) -> int | None:
    if isinstance(content, memoryview):
        for number, value in MessageReader(content, "a dimension"):
            if number == 1 and isinstance(value, int):
                return _signed(value)
    return None


def _signed(value: int) -> int:
    return value - 2**64 if value >= 1 << 63 else value


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise ModelFileError("a number stands where a text is expected")
    return bytes(value).decode("utf-8", "replace")


def write_model(
    graph: Graph, constants: Mapping[str, NDArray[Any]], producer: tuple[str, str]
) -> bytes:
    """Return the content of an ONNX file.

    Parameters
    ----------
    graph : Graph
        Its initializers are not looked at.
    constants : mapping of str to ndarray
        The initializers, of float32, float64 or int64.
    producer : tuple of str
        Name and version of the program that writes.

    Returns
    -------
    bytes
    """
    body = MessageWriter()
    body.messages(1, (_write_node(node) for node in graph.nodes))
    body.text(2, "chainrule")
    body.messages(5, (write_tensor(name, values) for name, values in constants.items()))
    body.messages(11, (_write_value(value) for value in graph.inputs))
    body.messages(12, (_write_value(value) for value in graph.outputs))
    model = MessageWriter().integer(1, _WRITTEN_IR_VERSION)
    model.text(2, producer[0]).text(3, producer[1]).messages(7, [body])
    return model.messages(8, [MessageWriter().text(1, "").integer(2, graph.opset)]).content


def _write_node(node: Node) -> MessageWriter:
    message = MessageWriter()
    for name in node.inputs:
        message.text(1, name)
    for name in node.outputs:
        message.text(2, name)
    message.text(3, node.name).text(4, node.op)
    return message.messages(
        5, (_write_attribute(name, value) for name, value in node.attributes.items())
    )


def _write_attribute(name: str, value: Attribute) -> MessageWriter:
    message = MessageWriter().text(1, name)
    if isinstance(value, float):
        return message.float32(2, value).integer(20, _FLOAT)
    if isinstance(value, int):
        return message.integer(3, value).integer(20, _INT)
    if isinstance(value, str):
        return message.text(4, value).integer(20, _STRING)
    if isinstance(value, np.ndarray):
        for item in value:
            message.integer(8, int(item))
        return message.integer(20, _INTS)
    raise TypeError(f"cannot write attribute {name} of type {type(value).__name__}")


def _write_value(value: Value) -> MessageWriter:
    shape = MessageWriter()
    for dim in value.shape or ():
        described = MessageWriter()
        shape.messages(1, [described.text(2, "rows") if dim is None else described.integer(1, dim)])
    tensor = MessageWriter().integer(1, value.element_type).messages(2, [shape])
    return MessageWriter().text(1, value.name).messages(2, [MessageWriter().messages(1, [tensor])])
