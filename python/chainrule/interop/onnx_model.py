# SPDX-License-Identifier: Apache-2.0
"""The graph of an ONNX file, as the onnx package reads it, without what networks do not need.

References
----------
"Open Neural Network Exchange intermediate representation", https://onnx.ai/onnx/repo-docs/IR.html.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.errors import ModelFileError
from chainrule.interop.onnx_limits import check_message
from chainrule.interop.onnx_metadata import Names

if TYPE_CHECKING:
    from onnx import AttributeProto, NodeProto, TensorProto, ValueInfoProto

__all__ = ["DOUBLE", "FLOAT_TYPES", "NUMBER_TYPES", "Array", "Graph", "Node", "Value", "array_of"]
__all__ += ["need_onnx", "number_of", "read_model", "text_of", "type_name"]

Array = NDArray[Any]

# Other domains are told from these two, which are one.
_DEFAULT_DOMAINS = ("", "ai.onnx")
_OLDEST_OPSET, _NEWEST_OPSET = 7, 28
# Numbers of TensorProto.DataType: float, float16, double, bfloat16; and the integers.
DOUBLE, _BFLOAT16 = 11, 16
FLOAT_TYPES = frozenset({1, 10, DOUBLE, _BFLOAT16})
NUMBER_TYPES = FLOAT_TYPES | frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})
_MOST_DIMS = 8


def need_onnx() -> None:
    """Raise ImportError, naming the extra, unless the onnx package is installed."""
    try:
        import onnx  # noqa: F401  # only whether it is there
    except ImportError as error:
        raise ImportError(
            'ONNX files need the onnx package: pip install "chainrule[onnx]"'
        ) from error


class Node:
    """An operator with the tensors that it reads and makes, by name; `proto` is the package's."""

    def __init__(self, proto: NodeProto) -> None:
        self.proto = proto
        self.domain = proto.domain = _domain(proto.domain)
        self.op, self.name = _text(proto.op_type), _text(proto.name)
        self.inputs, self.outputs = [*map(_text, proto.input)], [*map(_text, proto.output)]
        self.attributes = {_text(each.name): _attribute(each) for each in proto.attribute}
        self.made = next(filter(None, self.outputs), "")

    def __str__(self) -> str:
        """Return how error texts call the node."""
        what = repr(self.name) if self.name else f"that makes {self.made!r}"
        return f"{self.operator} {what}"

    @property
    def operator(self) -> str:
        """What it does, with its domain where that is not the default one."""
        return f"{self.domain}.{self.op}" if self.domain else self.op


@dataclass
class Value:
    """An input or output of a graph; None stands for sizes and shapes that the file leaves open."""

    name: str
    element_type: int
    shape: list[int | None] | None


@dataclass
class Graph:
    """What a model computes; `opset` is the version of the operators of the default domain.

    `names` are those of the network that it was, and `functions` has what nodes were recognised
    as, which takes long.
    """

    opset: int
    nodes: list[Node]
    initializers: dict[str, TensorProto]
    inputs: list[Value]
    outputs: list[Value]
    names: Names
    functions: dict[tuple[Node, ...], Any] = field(default_factory=dict)


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
    opset = {_domain(entry.domain): entry.version for entry in model.opset_import}.get("")
    if opset is None:
        raise ModelFileError("not an ONNX model: it does not say the version of its operators")
    if not _OLDEST_OPSET <= opset <= _NEWEST_OPSET:
        raise ModelFileError(
            f"the operators have version (opset) {opset}, "
            f"expected {_OLDEST_OPSET} to {_NEWEST_OPSET}"
        )
    nodes = [Node(proto) for proto in model.graph.node]
    initializers: dict[str, TensorProto] = {}
    for tensor in model.graph.initializer:
        if initializers.setdefault(_text(tensor.name), tensor) is not tensor:
            raise ModelFileError(f"two initializers have the name {tensor.name!r}")
    inputs, outputs = ([*map(_value, each)] for each in (model.graph.input, model.graph.output))
    own = {(_domain(function.domain), _text(function.name)) for function in model.functions}
    for node in nodes:
        if (node.domain, node.op) in own:
            raise ModelFileError(f"{node} is a function of the model's own, which is not run")
    names = Names({_text(entry.key): _text(entry.value) for entry in model.metadata_props})
    return Graph(opset, nodes, initializers, inputs, outputs, names)


def _attribute(proto: AttributeProto) -> float | str | list[str] | Array | TensorProto | None:
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
    if proto.type == kinds.STRINGS:
        return [each.decode("utf-8", "replace") for each in proto.strings]
    if proto.type == kinds.FLOATS:
        return np.array(proto.floats, dtype=np.float32)
    return np.array(proto.ints, dtype=np.int64) if proto.type == kinds.INTS else None


def number_of(node: Node, name: str, default: float) -> float:
    """Return an attribute; ValueError if it is no number."""
    value = node.attributes.get(name, default)
    if not isinstance(value, int | float):
        raise ValueError(f"attribute {name} must be a number")
    return value


def text_of(node: Node, name: str, default: str) -> str:
    """Return an attribute that is a word."""
    return str(node.attributes.get(name, default))


def _value(proto: ValueInfoProto) -> Value:
    tensor = proto.type.tensor_type
    shape: list[int | None] | None = None
    if tensor.HasField("shape"):
        if len(tensor.shape.dim) > _MOST_DIMS:
            raise ModelFileError(f"an input or output has over {_MOST_DIMS} dimensions")
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


def type_name(number: int) -> str:
    """Return the name of an element type, for error texts."""
    from onnx import TensorProto

    known = TensorProto.DataType.items()
    return next((name.lower() for name, value in known if value == number), f"number {number}")


def array_of(tensor: TensorProto) -> Array:
    """Return a tensor's elements, float16 as float32; ModelFileError if they are not all there."""
    from onnx import helper, numpy_helper

    what, dims = f"tensor {tensor.name!r}", list(tensor.dims)
    if tensor.data_location or tensor.external_data:
        raise ModelFileError(
            f"{what} is in another file, which is not read; save the model as one file"
        )
    if tensor.data_type not in NUMBER_TYPES - {_BFLOAT16}:
        raise ModelFileError(f"{what} has elements of type {type_name(tensor.data_type)}")
    if len(dims) > _MOST_DIMS:
        raise ModelFileError(f"{what} has more than {_MOST_DIMS} dimensions")
    if any(dim < 0 for dim in dims):
        raise ModelFileError(f"{what} has a negative dimension")
    if tensor.HasField("raw_data"):
        itemsize = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).itemsize
        count, rest = divmod(len(tensor.raw_data), itemsize)
        if rest:
            raise ModelFileError(
                f"{what} has {len(tensor.raw_data)} bytes, which is no multiple of {itemsize}"
            )
    else:
        count = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type)))
    if count != math.prod(dims):
        raise ModelFileError(
            f"{what} has {count} elements, its shape {dims} needs {math.prod(dims)}"
        )
    try:
        array = numpy_helper.to_array(tensor)
    except (OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(f"{what} cannot be read: {error}") from error
    array = array.astype(np.float32) if array.dtype == np.float16 else array
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ModelFileError(f"{what} has NaN or infinity")
    return array
