# SPDX-License-Identifier: Apache-2.0
"""The graph of an ONNX file, as the onnx package reads it, without what networks do not need.

References
----------
"Open Neural Network Exchange intermediate representation", https://onnx.ai/onnx/repo-docs/IR.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_limits import check_message
from chainrule.interop.onnx_tensor import MOST_DIMS

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto

__all__ = ["Graph", "Node", "Value", "need_onnx", "read_model"]

# Other domains are told from these two, which are one.
_DEFAULT_DOMAINS = ("", "ai.onnx")
_OLDEST_OPSET, _NEWEST_OPSET = 7, 28

Attribute: TypeAlias = "float | int | str | NDArray[Any] | TensorProto | None"


def need_onnx() -> None:
    """Raise ImportError, naming the extra, unless the onnx package is installed."""
    try:
        import onnx  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise ImportError(
            'ONNX files need the onnx package: pip install "chainrule[onnx]"'
        ) from error


@dataclass
class Node:
    """An operator with the tensors that it reads and makes, by name; `proto` is the package's."""

    op: str
    inputs: list[str]
    outputs: list[str]
    name: str
    domain: str
    attributes: dict[str, Attribute]
    proto: NodeProto

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
    """An input or output of a graph; None stands for sizes and shapes that the file leaves open."""

    name: str
    element_type: int
    shape: list[int | None] | None


@dataclass
class Graph:
    """What a model computes; `opset` is the version of the operators of the default domain."""

    opset: int
    nodes: list[Node] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)


def read_model(content: bytes) -> Graph:
    """Return the graph of a file; ModelFileError if that is no model, or of unknown version."""
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    check_message(content, ModelProto.DESCRIPTOR)
    try:
        model = ModelProto.FromString(content)
    except DecodeError as error:
        raise ModelFileError(f"not an ONNX model: {error}") from error
    if not model.HasField("graph"):
        raise ModelFileError("not an ONNX model: there is no graph")
    opsets = {_domain(entry.domain): entry.version for entry in model.opset_import}
    if "" not in opsets:
        raise ModelFileError("not an ONNX model: it does not say the version of its operators")
    if not _OLDEST_OPSET <= opsets[""] <= _NEWEST_OPSET:
        raise ModelFileError(
            f"the operators have version (opset) {opsets['']}, "
            f"expected {_OLDEST_OPSET} to {_NEWEST_OPSET}"
        )
    graph = _graph(model.graph, opsets[""])
    own = {(_domain(function.domain), _text(function.name)) for function in model.functions}
    for node in graph.nodes:
        if (node.domain, node.op) in own:
            raise ModelFileError(f"{node} is a function of the model's own, which is not run")
    return graph


def _graph(proto: GraphProto, opset: int) -> Graph:
    graph = Graph(opset, [_node(node) for node in proto.node])
    for tensor in proto.initializer:
        name = _text(tensor.name)
        if graph.initializers.setdefault(name, tensor) is not tensor:
            raise ModelFileError(f"two initializers have the name {name!r}")
    graph.inputs = [_value(value) for value in proto.input]
    graph.outputs = [_value(value) for value in proto.output]
    return graph


def _node(proto: NodeProto) -> Node:
    proto.domain = _domain(proto.domain)
    return Node(
        _text(proto.op_type),
        _texts(proto.input),
        _texts(proto.output),
        _text(proto.name),
        proto.domain,
        {_text(attribute.name): _attribute(attribute) for attribute in proto.attribute},
        proto,
    )


def _attribute(proto: AttributeProto) -> Attribute:
    """Return an attribute's value, None for kinds that no known operator has."""
    kinds = type(proto)
    if proto.type == kinds.FLOAT:
        return float(proto.f)
    if proto.type == kinds.INT:
        return int(proto.i)
    if proto.type == kinds.STRING:
        return proto.s.decode("utf-8", "replace")
    if proto.type == kinds.TENSOR:
        return proto.t
    if proto.type == kinds.FLOATS:
        return np.array(proto.floats, dtype=np.float32)
    if proto.type == kinds.INTS:
        return np.array(proto.ints, dtype=np.int64)
    return None


def _value(proto: ValueInfoProto) -> Value:
    tensor = proto.type.tensor_type
    shape: list[int | None] | None = None
    if tensor.HasField("shape"):
        if len(tensor.shape.dim) > MOST_DIMS:
            raise ModelFileError(f"an input or output has over {MOST_DIMS} dimensions")
        shape = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    return Value(_text(proto.name), tensor.elem_type, shape)


def _domain(name: str | bytes) -> str:
    domain = _text(name)
    return "" if domain in _DEFAULT_DOMAINS else domain


def _text(value: str | bytes) -> str:
    """Return a name, which the package gives as bytes where it is no text."""
    if isinstance(value, bytes):
        raise ModelFileError(f"the name {value!r:.80} is no UTF-8")
    return value


def _texts(values: Iterable[str | bytes]) -> list[str]:
    return [_text(value) for value in values]
