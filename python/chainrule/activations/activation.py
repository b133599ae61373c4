# SPDX-License-Identifier: Apache-2.0
"""The base class of activations, and what they say of their forms in other software."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.spec import Spec

__all__ = ["Activation", "Graph", "Linear", "Tensor", "at", "shortest"]


class Graph(Protocol):
    """A graph of ONNX operators in the making; `add` reads `current` unless inputs are given."""

    opset: int
    dtype: str
    current: str

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add an operator and return the name of its output, from then on `current`."""

    def scalar(self, value: float) -> str:
        """Add a constant of the graph's dtype and return its name."""


class Tensor:
    """A tensor of a graph in the making: what is computed with it becomes operators.

    `graph.formulas` has one whose operators are operations on numbers.
    """

    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name

    @property
    def has_erf(self) -> bool:
        """Whether ``Erf`` takes its type: that of onnxruntime takes float32 alone."""
        return self.graph.dtype == "float32"

    def op(self, operator: str, *operands: Tensor | float) -> Tensor:
        """Return what an operator makes of this tensor, then others and numbers."""
        names = [x.name if isinstance(x, Tensor) else self.graph.scalar(x) for x in operands]
        return Tensor(self.graph, self.graph.add(operator, self.name, *names))

    def __add__(self, other: Tensor | float) -> Tensor:
        """Add ``Add``."""
        return self.op("Add", other)

    def __sub__(self, other: Tensor | float) -> Tensor:
        """Add ``Sub``."""
        return self.op("Sub", other)

    def __mul__(self, other: Tensor | float) -> Tensor:
        """Add ``Mul``."""
        return self.op("Mul", other)

    def __truediv__(self, other: Tensor | float) -> Tensor:
        """Add ``Div``."""
        return self.op("Div", other)


class Activation(Spec):
    """Base class of activations, elementwise but for `Softmax`.

    Attributes
    ----------
    torch_module : str
        The class in ``torch.nn``.
    onnx_operator : str
        The operator in ONNX, if there is one; else, before the version `onnx_opset`, and of
        float64 unless `onnx_double`, because onnxruntime lacks it or its attributes would round
        options, its `formula` takes its place.
    onnx_options : tuple
        For each option its name, the operator's attribute, and what that is by default.
    never_negative : bool
        Whether no output is below 0.
    dies : bool
        Whether no gradient comes through where the output is 0.
    flat_outside : (float, float), optional
        Outputs beyond which less than a twenty-fifth of the gradient comes through.
    c_source : str
        Functions in C for `chainrule.export_c`, each with a comment before it and an empty line
        behind.

    Examples
    --------
    >>> from chainrule import activations
    >>> activations.get("leaky_relu").negative_slope
    0.01
    >>> activations.get("leaky_rel")
    Traceback (most recent call last):
        ...
    ValueError: unknown activation 'leaky_rel'; did you mean 'leaky_relu'? valid: elu, gelu, ...
    """

    _core_type = _core.Activation
    torch_module: ClassVar[str] = ""
    onnx_operator: ClassVar[str] = ""
    onnx_opset: ClassVar[int] = 1
    onnx_double: ClassVar[bool] = False
    onnx_options: ClassVar[tuple[tuple[str, str, float], ...]] = ()
    never_negative: ClassVar[bool] = False
    dies: ClassVar[bool] = False
    flat_outside: ClassVar[tuple[float, float] | None] = None
    c_source: ClassVar[str] = ""

    @property
    def options(self) -> dict[str, Any]:
        """The options by name."""
        options = self.config
        del options["kind"]
        return options

    @classmethod
    def of_kinds(cls) -> list[type[Activation]]:
        """Return the class of every kind, in the core's order."""
        owners = dict.fromkeys(cls._classes[kind] for kind in _core.Activation.kinds())
        return [owner for owner in owners if issubclass(owner, Activation)]

    @property
    def c_function(self) -> str:
        """The name of the function in `c_source`."""
        kind: str = self.config["kind"]
        return kind

    @property
    def c_arguments(self) -> list[float]:
        """The last arguments of `c_function`."""
        return list(self.options.values())

    @property
    def torch_arguments(self) -> dict[str, Any]:
        """The arguments of `torch_module`; ValueError if it has no form there."""
        return self.options

    @classmethod
    def torch_objection(cls, module: Any) -> str | None:
        """Return why a module of the class `torch_module` has no form here, or None."""
        return None

    @classmethod
    def from_torch(cls, module: Any) -> Activation:
        """Return what a module of the class `torch_module` is."""
        return cls(**{name: getattr(module, name) for name in cls.get(cls.kind).options})

    @property
    def onnx_attributes(self) -> dict[str, Any]:
        """The attributes of `onnx_operator`."""
        return {theirs: self.options[name] for name, theirs, _ in self.onnx_options}

    def add_to(self, graph: Graph) -> None:
        """Add the activation to a graph of ONNX operators."""
        single = self.onnx_double or graph.dtype == "float32"
        if self.onnx_operator and single and graph.opset >= self.onnx_opset:
            graph.add(self.onnx_operator, **self.onnx_attributes)
        else:
            self.formula(Tensor(graph, graph.current))

    def formula(self, z: Tensor) -> Tensor:
        """Return f(z) by operators of all versions and types; `graph` differentiates it twice."""
        return z.op(self.onnx_operator)

    @classmethod
    def from_onnx(cls, attributes: Mapping[str, Any]) -> Activation | None:
        """Return what an `onnx_operator` is; None or ValueError if its attributes do not fit."""
        options = {}
        for name, theirs, default in cls.onnx_options:
            value = attributes.get(theirs, default)
            if not isinstance(value, int | float):
                raise ValueError(f"attribute {theirs} must be a number")
            options[name] = shortest(float(value))
        return cls(**options)

    @classmethod
    def candidates(cls, x: NDArray[np.float64], y: NDArray[np.float64]) -> list[Activation]:
        """Return the activations of this class that y may be, up to a factor and an offset.

        Parameters
        ----------
        x, y : ndarray of shape (n,)
            Samples of an elementwise function, among them some x at -10, -1, 0, 1 and far out.
        """
        return [cls()]


class Linear(Activation):
    """f(x) = x: no activation.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(3), cr.Activation("linear")])
    >>> net.predict([[-2.0, 0.5, 2.0]]).round(4)
    array([[-2. ,  0.5,  2. ]], dtype=float32)
    """

    kind = "linear"

    def formula(self, z: Tensor) -> Tensor:
        """Return z."""
        return z


def at(x: NDArray[np.float64], y: NDArray[np.float64], *wanted: float) -> list[float]:
    """Return y at the samples nearest to wanted x."""
    return [float(y[np.abs(x - one).argmin()]) for one in wanted]


def shortest(value: float) -> float:
    """Return the decimal number that was meant by one of 32 bits; others are returned as they are.

    Examples
    --------
    >>> import numpy as np
    >>> shortest(float(np.float32(0.9))), shortest(1 / 3)
    (0.9, 0.3333333333333333)
    """
    single = np.float32(value)
    return float(str(single)) if abs(float(single) - value) <= 1e-12 * abs(value) else value
