# SPDX-License-Identifier: Apache-2.0
"""A graph of ONNX operators that grows at its end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.interop.onnx_model import Attribute, Graph, Node, Value

__all__ = ["GraphWriter"]

_ELEMENT_TYPES = {"float32": 1, "uint8": 2, "int64": 7, "float64": 11}
_CAST_INPUT = "input"


class GraphWriter:
    """A graph in the making.

    Parameters
    ----------
    opset : int
        Version of the operators.
    input_dtype : str
        Type of the input, which is converted to `dtype` at once.
    dtype : {"float32", "float64"}
        Type of the parameters and of the arithmetic.
    inputs : int
        Columns of the input.

    Attributes
    ----------
    current : str
        Name of the tensor made last, which `add` reads by default.
    columns : int
        Columns of that tensor; whoever changes them sets it.
    constants : dict of str to ndarray
        The initializers.
    """

    def __init__(self, opset: int, input_dtype: str, dtype: str, inputs: int) -> None:
        self.opset = opset
        self.dtype = dtype
        self.columns = inputs
        self.current = "x"
        self.constants: dict[str, NDArray[Any]] = {}
        self._input = Value("x", _ELEMENT_TYPES[input_dtype], [None, inputs])
        self._nodes: list[Node] = []
        self._tensors: set[str] = {"x", "y"}
        self._layer = _CAST_INPUT
        if input_dtype != dtype:
            self.cast(dtype)

    def begin(self, layer: str) -> None:
        """Let the names of what is added from here on begin with `layer`."""
        self._layer = layer

    def constant(self, name: str, values: ArrayLike, dtype: str | None = None) -> str:
        """Add an initializer, by default of the graph's dtype; return its name."""
        name = self._unused(name)
        self.constants[name] = np.ascontiguousarray(values, dtype=dtype or self.dtype)
        return name

    def scalar(self, value: float) -> str:
        """Add an initializer without axes; return its name."""
        name = self._unused("constant")
        self.constants[name] = np.array(value, dtype=self.dtype)
        return name

    def add(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """Add an operator, which by default reads what was made last; return its output's name."""
        output = self._unused(op)
        self._nodes.append(
            Node(op, list(inputs or (self.current,)), [output], output, attributes=attributes)
        )
        self.current = output
        return output

    def mean_of_rows(self, tensor: str) -> str:
        """Add the mean of every row, as one column; return its name."""
        axes = np.array([-1])
        if self.opset < 18:
            return self.add("ReduceMean", tensor, axes=axes, keepdims=1)
        return self.add("ReduceMean", tensor, self.constant("axes", axes, "int64"), keepdims=1)

    def cast(self, dtype: str, tensor: str | None = None) -> str:
        """Add a conversion to another type; return its output's name."""
        return self.add("Cast", tensor or self.current, to=_ELEMENT_TYPES[dtype])

    def finish(self) -> Graph:
        """Return the graph, with what was made last as its output."""
        if not self._nodes:
            self.add("Identity")
        self._nodes[-1].outputs = ["y"]
        output = Value("y", _ELEMENT_TYPES[self.dtype], [None, self.columns])
        return Graph(self.opset, self._nodes, {}, [self._input], [output])

    def _unused(self, name: str) -> str:
        wanted = name = f"{self._layer}.{name}"
        count = 1
        while name in self._tensors:
            count += 1
            name = f"{wanted}_{count}"
        self._tensors.add(name)
        return name
