# SPDX-License-Identifier: Apache-2.0
"""Reverse-mode differentiation of numbers, in one file to be read in one sitting.

A number that was computed is a *node*: it remembers the operation that made it and the nodes that
went in, so every result holds the graph of its computation. The chain rule goes through that graph
once, from the result back:

    d z / d node = sum over the uses of the node of (d use / d node) * (d z / d use)
"""

from __future__ import annotations

import builtins
import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chainrule.graph.drawing import DRAWN_NODES, draw, table
from chainrule.graph.fma import fma

__all__ = [
    "Node",
    "Operation",
    "cos",
    "exp",
    "gradient",
    "log",
    "max",
    "relu",
    "sigmoid",
    "sin",
    "softmax",
    "sum",
    "tanh",
    "variables",
]

_numbers = itertools.count()


class Operation(NamedTuple):
    """A function of numbers with its derivatives; called with nodes, it makes a node.

    Parameters
    ----------
    name : str
        A sign such as ``+``, or the name of a function.
    value : callable
        Takes floats and returns a float.
    derivatives : callable
        Takes the result and the inputs, all of them floats or all of them nodes, and returns
        d result / d input for each input, as floats or nodes.

    Examples
    --------
    >>> cube = Operation("cube", lambda x: x * x * x, lambda y, x: (3.0 * x * x,))
    >>> (x,) = variables(x=2.0)
    >>> y = cube(x)
    >>> y.backward()
    >>> y.value, x.gradient
    (8.0, 12.0)
    """

    name: str
    value: Callable[..., float]
    derivatives: Callable[..., Sequence[Any]]

    def __call__(self, *inputs: Node | float) -> Any:
        """Return a node if any of the inputs is one, else a float."""
        if any(isinstance(given, Node) for given in inputs):
            return self.of(*inputs)
        return self.value(*inputs)

    def of(self, *inputs: Node | float, name: str = "") -> Node:
        """Return a node, whose inputs become nodes too."""
        nodes = tuple(as_node(given) for given in inputs)
        try:
            value = self.value(*(node.value for node in nodes))
        except (ArithmeticError, ValueError):  # such as for the logarithm of -1
            value = math.nan
        return Node(value, name, self, nodes)

    def text(self, inputs: Sequence[str]) -> str:
        """Return how it is written with these inputs."""
        if self.name.isidentifier():
            return f"{self.name}({', '.join(inputs)})"
        inner = [f"({given})" if " " in given else given for given in inputs]
        return f" {self.name} ".join(inner) if len(inner) > 1 else f"{inner[0]} {self.name}"


class InSteps(float):
    """A derivative whose product with a gradient takes several roundings, as in the core.

    Parameters
    ----------
    value : float
        The derivative.
    times : callable
        Return its product with a gradient.
    """

    times: Callable[[float], float]

    def __new__(cls, value: float, times: Callable[[float], float]) -> InSteps:
        made = super().__new__(cls, value)
        made.times = times
        return made


class Node:
    """A number with the graph that it was computed by.

    Parameters
    ----------
    value : float
        The number.
    name : str, optional
        What tables and drawings call it.
    operation : Operation, optional
        What made it; None for variables and constants.
    inputs : tuple of Node, optional
        What it was made of.

    Attributes
    ----------
    value : float
    gradient : float or None
        d z / d node, after `backward` of a z.

    Raises
    ------
    ValueError
        If the number is NaN or infinite; the text names the node.

    Examples
    --------
    >>> x, y, w = variables(x=1.0, y=2.0, w=3.0)
    >>> z = (x + y) * w
    >>> z.backward()
    >>> print(z.table())
    node  is      value  d node / d inputs  gradient
    x                 1                            3
    y                 2                            3
    w                 3                            3
    v1    x + y       3               1, 1         3
    v2    v1 * w      9               3, 3         1
    """

    def __init__(
        self,
        value: float,
        name: str = "",
        operation: Operation | None = None,
        inputs: tuple[Node, ...] = (),
    ) -> None:
        self.value = float(value)
        self.name = name
        self.operation = operation
        self.inputs = inputs
        self.gradient: float | None = None
        self.number = next(_numbers)  # what goes in was made before, and has a smaller one
        text = operation.text([str(node) for node in inputs]) if operation else f"{self.value:g}"
        self._text = text if len(text) <= 60 else f"{text[:57]}..."
        if not math.isfinite(self.value):
            given = "; ".join(
                f"{node} is {node.value:g}" for node in inputs if str(node) != f"{node.value:g}"
            )
            raise ValueError(
                f"node {self} is {self.value:g}" + (f", where {given}" if given else "")
            )

    def __str__(self) -> str:
        """Return the name, or how it was computed."""
        return self.name or self._text

    def __repr__(self) -> str:
        return f"<Node {self} = {self.value:g}>"

    def backward(self) -> None:
        """Set the `gradient` of every node that went into this one, however indirectly."""
        for node, total in _gradients(self, _before(self), lambda node: node.value).items():
            node.gradient = total

    def table(self) -> str:
        """Return the graph as a table: a line per node, with its derivatives and its gradient."""
        return table(_before(self))

    def to_svg(self) -> str:
        """Return the graph as a drawing, for a file ending in ``.svg`` or for a page.

        Raises
        ------
        ValueError
            If the graph has too many nodes to be drawn.
        """
        return draw(_before(self))

    def _repr_svg_(self) -> str | None:
        """Return the drawing for notebooks; None if the graph is too large."""
        order = _before(self)
        return draw(order) if len(order) <= DRAWN_NODES else None

    def __add__(self, other: Node | float) -> Node:
        return add.of(self, other)

    def __radd__(self, other: float) -> Node:
        return add.of(other, self)

    def __sub__(self, other: Node | float) -> Node:
        return subtract.of(self, other)

    def __rsub__(self, other: float) -> Node:
        return subtract.of(other, self)

    def __mul__(self, other: Node | float) -> Node:
        return multiply.of(self, other)

    def __rmul__(self, other: float) -> Node:
        return multiply.of(other, self)

    def __truediv__(self, other: Node | float) -> Node:
        return divide.of(self, other)

    def __rtruediv__(self, other: float) -> Node:
        return divide.of(other, self)

    def __neg__(self) -> Node:
        return multiply.of(-1.0, self)

    def __pow__(self, exponent: Node | float) -> Node:
        if isinstance(exponent, Node):
            return power.of(self, exponent)
        return self if exponent == 1 else _power_of(exponent).of(self)

    def __rpow__(self, base: float) -> Node:
        return power.of(base, self)


def variables(**values: float) -> tuple[Node, ...]:
    """Return a node for each number, called by its keyword.

    Examples
    --------
    >>> x, y = variables(x=3.0, y=4.0)
    >>> (x**2 + y**2) ** 0.5
    <Node ((x ** 2) + (y ** 2)) ** 0.5 = 5>
    """
    return tuple(Node(value, name) for name, value in values.items())


def as_node(given: Node | float) -> Node:
    """Return nodes as they are and numbers as constants."""
    return given if isinstance(given, Node) else Node(given)


def gradient(z: Node, x: Node) -> Node:
    """Return d z / d x as a node, which can be differentiated again.

    Examples
    --------
    >>> (x,) = variables(x=2.0)
    >>> slope = gradient(x**3, x)
    >>> slope.value, gradient(slope, x).value
    (12.0, 12.0)
    """
    depending = {x}
    order = [x]
    for node in _before(z):
        if any(given in depending for given in node.inputs):
            depending.add(node)
            order.append(node)
    return as_node(_gradients(z, order, lambda node: node).get(x, 0.0) if z in depending else 0.0)


def _before(z: Node) -> list[Node]:
    """Return z and all that went into it, in the order of the computation."""
    found, waiting = {z}, [z]
    while waiting:
        new = set(waiting.pop().inputs) - found
        found |= new
        waiting += new
    return sorted(found, key=lambda node: node.number)


def _gradients(z: Node, order: list[Node], form: Callable[[Node], Any]) -> dict[Node, Any]:
    """Return d z / d node of the nodes in `order`, in terms of their `form`: numbers or nodes."""
    uses: dict[Node, list[tuple[Node, int]]] = {node: [] for node in order}
    for node in order:
        for place, given in enumerate(node.inputs):
            if given in uses:
                uses[given].append((node, place))
    gradients: dict[Node, Any] = {}
    derivatives: dict[Node, Sequence[Any]] = {}
    for node in reversed(order):
        total: Any = 1.0 if node is z else 0.0
        try:
            for use, place in uses[node]:
                total = _multiply_add(derivatives[use][place], gradients[use], total)
            if node.operation:
                derivatives[node] = node.operation.derivatives(form(node), *map(form, node.inputs))
        except (ArithmeticError, ValueError) as error:
            raise ValueError(f"node {node} has no finite derivative: {error}") from error
        if not math.isfinite(_value(total)):
            raise ValueError(f"the gradient of node {node} is {_value(total):g}")
        gradients[node] = total
    return gradients


def _multiply_add(derivative: Any, gradient: Any, total: Any) -> Any:
    """Return derivative * gradient + total: floats in one rounding, as in every sum of the core."""
    given = derivative, gradient, total
    if isinstance(derivative, InSteps) and not isinstance(gradient, Node):
        return total + derivative.times(gradient)
    if not any(isinstance(one, Node) for one in given):
        return fma(*given)
    # Factors of 1 and terms of 0 would clutter the graph of a gradient.
    derivative, gradient, total = (one if isinstance(one, Node) else float(one) for one in given)
    if derivative == 0.0 or gradient == 0.0:
        return total
    product = (
        gradient if derivative == 1.0 else derivative if gradient == 1.0 else derivative * gradient
    )
    return product if total == 0.0 else product + total


def _value(given: Node | float) -> float:
    return given.value if isinstance(given, Node) else given


# The operations. Their derivatives are written once, for floats and for nodes.


def _power_of(exponent: float) -> Operation:
    """Return the power for any base; with a node as exponent, there is a logarithm."""

    def raised(base: Any, exponent: float) -> Any:
        return base**exponent if isinstance(base, Node) else math.pow(base, exponent)

    square = exponent == 2
    return Operation(
        f"** {exponent:g}",
        lambda a: a * a if square else math.pow(a, exponent),
        lambda y, a: (exponent and exponent * (a if square else raised(a, exponent - 1.0)),),
    )


def _sigmoid(x: float) -> float:
    e = math.exp(-abs(x))  # cannot overflow
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


def _first_largest(values: list[float]) -> list[float]:
    place = values.index(builtins.max(values))
    return [float(i == place) for i in range(len(values))]


add = Operation("+", lambda a, b: a + b, lambda y, a, b: (1.0, 1.0))
subtract = Operation("-", lambda a, b: a - b, lambda y, a, b: (1.0, -1.0))
multiply = Operation("*", lambda a, b: a * b, lambda y, a, b: (b, a))
divide = Operation("/", lambda a, b: a / b, lambda y, a, b: (1.0 / b, -y / b))
power: Operation = Operation("**", math.pow, lambda y, a, b: (b * power(a, b - 1.0), y * log(a)))
exp = Operation("exp", math.exp, lambda y, x: (y,))
log: Operation = Operation("log", math.log, lambda y, x: (1.0 / x,))
tanh = Operation("tanh", math.tanh, lambda y, x: (1.0 - y * y,))
sigmoid = Operation("sigmoid", _sigmoid, lambda y, x: (y * (1.0 - y),))
sin = Operation("sin", math.sin, lambda y, x: (cos(x),))
cos: Operation = Operation("cos", math.cos, lambda y, x: (-sin(x),))
relu = Operation("relu", lambda x: builtins.max(x, 0.0), lambda y, x: (float(_value(x) > 0.0),))
max = Operation("max", builtins.max, lambda y, *xs: _first_largest([_value(x) for x in xs]))
sum = Operation(
    "sum", lambda *xs: functools.reduce(operator.add, xs, 0.0), lambda y, *xs: [1.0] * len(xs)
)


def softmax(*logits: Node | float) -> list[Node]:
    """Return exp(z_j) / (sum over k of exp(z_k)) for each logit z_j.

    Examples
    --------
    >>> a, b = variables(a=0.0, b=math.log(3.0))
    >>> p, q = softmax(a, b)
    >>> p.backward()
    >>> p.value, q.value, a.gradient, b.gradient
    (0.25, 0.75, 0.1875, -0.1875)
    """
    nodes = [as_node(z) for z in logits]
    top = builtins.max(node.value for node in nodes)  # exp of what is left cannot overflow
    powers = [exp.of(node - top) for node in nodes]
    total = sum.of(*powers)
    return [power / total for power in powers]
