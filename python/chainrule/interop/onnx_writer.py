# SPDX-License-Identifier: Apache-2.0
"""A graph of ONNX operators that grows at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule import _core

if TYPE_CHECKING:
    from onnx import NodeProto, ValueInfoProto

__all__ = ["GraphWriter"]

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int32": 6, "int64": 7, "float64": 11}
# The first version of the format with all that is written.
_IR_VERSION = 8
# Of a file, as protocol buffers have it; what is not weights needs much less than is left here.
_LARGEST_WEIGHTS = 2**31 - 2**24


class GraphWriter:
    """A graph in the making, with arithmetic in `dtype`.

    `operands` are the tensors that the node in the making reads, and `shape` that of the rows of
    the first; `current` is the name of the tensor made last, which `add` reads by default.
    """

    def __init__(self, opset: int, dtype: str) -> None:
        self.opset = opset
        self.dtype = dtype
        self.begin("input", [""], (0,))
        self._constants: dict[str, NDArray[Any]] = {}
        self._given: dict[tuple[int, str | None], tuple[ArrayLike, str]] = {}
        self._inputs: list[ValueInfoProto] = []
        self._outputs: dict[str, str] = {}
        self._described_outputs: list[ValueInfoProto] = []
        self._nodes: list[NodeProto] = []
        self._tensors: set[str] = set()

    @property
    def operators(self) -> Sequence[NodeProto]:
        """What has been added so far."""
        return self._nodes

    @property
    def constants(self) -> Mapping[str, NDArray[Any]]:
        """The initializers by name."""
        return self._constants

    @property
    def columns(self) -> int:
        """The last extent of the rows."""
        return self.shape[-1]

    def input(self, name: str, dtype: str, shape: tuple[int, ...]) -> str:
        """Add an input of any number of rows, converted to the graph's dtype; return its name."""
        self._inputs.append(_described(name, dtype, shape))
        self._tensors.add(name)
        return name if dtype == self.dtype else self.cast(self.dtype, name)

    def begin(self, node: str, operands: Sequence[str], shape: tuple[int, ...]) -> None:
        """Let the names of what is added from here on begin with `node`."""
        self._node, self.operands, self.shape = node, list(operands), shape
        self.current = operands[0]

    def output(self, name: str) -> None:
        """Make what was made last an output, which gets the name."""
        given = {*self._outputs, *(value.name for value in self._inputs)}
        tensor = self.add("Identity") if self.current in given else self.current
        while name in self._tensors:
            name += "_"
        self._tensors.add(name)
        self._outputs[tensor] = name
        self._described_outputs.append(_described(name, self.dtype, self.shape))

    def constant(self, name: str, values: ArrayLike, dtype: str | None = None) -> str:
        """Add an initializer, by default of the graph's dtype; return its name.

        What is given again, as by layers that share parameters, is added once.
        """
        known = self._given.get((id(values), dtype))
        if known is not None:
            return known[1]
        name = self._unused(name)
        self._constants[name] = np.ascontiguousarray(values, dtype=dtype or self.dtype)
        self._given[id(values), dtype] = values, name
        return name

    def scalar(self, value: float, dtype: str | None = None) -> str:
        """Add an initializer without axes; return its name."""
        name = self._unused("constant")
        self._constants[name] = np.array(value, dtype=dtype or self.dtype)
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator, which by default reads what was made last; return its output's name."""
        return self.add_output(0, op, *inputs, **attributes)

    def add_output(self, place: int, op: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator of which this one of its outputs is read; return its name."""
        from onnx import helper

        output = self._unused(op)
        self._nodes.append(
            helper.make_node(
                op, inputs or (self.current,), [*[""] * place, output], output, **attributes
            )
        )
        self.current = output
        return output

    def add_outputs(self, count: int, op: str, *inputs: str, **attributes: Any) -> list[str]:
        """Add an operator of which several outputs are read; return their names."""
        from onnx import helper

        outputs = [self._unused(op) for _ in range(count)]
        self._nodes.append(helper.make_node(op, inputs, outputs, outputs[0], **attributes))
        return outputs

    def transpose(self, perm: Sequence[int]) -> str:
        """Add a transposition of what was made last, together with one that made it."""
        before = next((n for n in self._nodes if self.current in n.output), None)
        if before is not None and before.op_type == "Transpose":
            perm = [before.attribute[0].ints[axis] for axis in perm]
            self.current = before.input[0]
        if [*perm] == sorted(perm):
            return self.current
        return self.add("Transpose", perm=[*perm])

    def mean(self, tensor: str, axes: Sequence[int], keepdims: int) -> str:
        """Add the mean over some axes; return its name."""
        return self.reduce("ReduceMean", tensor, axes, keepdims)

    def reduce(self, op: str, tensor: str, axes: Sequence[int], keepdims: int) -> str:
        """Add a reduction over some axes; return its name."""
        if self.opset < 18:
            return self.add(op, tensor, axes=axes, keepdims=keepdims)
        return self.add(op, tensor, self.constant("axes", axes, "int64"), keepdims=keepdims)

    def cast(self, dtype: str, tensor: str | None = None) -> str:
        """Add a conversion to another type; return its output's name."""
        return self.add("Cast", tensor or self.current, to=_ELEMENT_TYPES[dtype])

    def finish(self, metadata: Mapping[str, str]) -> bytes:
        """Return the content of a file."""
        from onnx import helper, numpy_helper

        size = sum(array.nbytes for array in self._constants.values())
        if size > _LARGEST_WEIGHTS:
            raise ValueError(f"ONNX files hold up to 2 GiB, the weights take {size:,} bytes")
        read = {*self._outputs, *(name for node in self._nodes for name in node.input)}
        # A transposition may have become part of another one.
        left = [n for n in self._nodes if n.op_type != "Transpose" or n.output[0] in read]
        for node in left:
            for names in (node.input, node.output):
                names[:] = [self._outputs.get(name, name) for name in names]
        graph = helper.make_graph(
            left,
            "chainrule",
            self._inputs,
            self._described_outputs,
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        model = helper.make_model(
            graph,
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", self.opset)],
            producer_name="chainrule",
            producer_version=_core.__version__,
        )
        beside = type(model)()
        helper.set_model_props(beside, dict(metadata))
        # First the metadata, so that a file that was cut off lacks what it cannot do without.
        content: bytes = beside.SerializeToString() + model.SerializeToString()
        return content

    def _unused(self, name: str) -> str:
        wanted = name = f"{self._node}.{name}"
        count = 1
        while name in self._tensors:
            count += 1
            name = f"{wanted}_{count}"
        self._tensors.add(name)
        return name


def _described(name: str, dtype: str, shape: tuple[int, ...]) -> ValueInfoProto:
    """Return an input or output of any number of rows."""
    from onnx import helper

    return helper.make_tensor_value_info(name, _ELEMENT_TYPES[dtype], ["rows", *shape])
