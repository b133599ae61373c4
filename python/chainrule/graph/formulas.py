# SPDX-License-Identifier: Apache-2.0
"""Activations and losses of networks as operations of the graph.

Their values and first derivatives are the core's own, to the bit. Further derivatives are those of
their `formula`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.activations.activation import Tensor
from chainrule.graph.nodes import (
    Node,
    Operation,
    exp,
    gradient,
    log,
    max,
    relu,
    sigmoid,
    softmax,
    sum,
    tanh,
)
from chainrule.layers import Activation, Input
from chainrule.network.network import Network

if TYPE_CHECKING:
    from chainrule.activations import Activation as Function
    from chainrule.losses import Loss

__all__ = ["activation_operation", "loss_operation"]

_erf = Operation(
    "erf", math.erf, lambda y, x: (2.0 / math.sqrt(math.pi) * exp(-x * x),)
)  # of the normal distribution


def _abs(x: Node) -> Node:
    return max.of(x, -x)


def _between(x: Node, low: float, high: float) -> Node:
    return -max.of(-max.of(x, low), -high)


_OPERATORS: dict[str, Callable[..., Node]] = {
    "Abs": _abs,
    "Add": operator.add,
    "Clip": _between,
    "Div": operator.truediv,
    "Erf": _erf.of,
    "Exp": exp.of,
    "Log": log.of,
    "Min": lambda x, y: -max.of(-x, -y),
    "Mul": operator.mul,
    "Neg": operator.neg,
    "Relu": relu.of,
    "Sigmoid": sigmoid.of,
    "Sub": operator.sub,
    "Tanh": tanh.of,
}


class _Number(Tensor):
    """A node for the formulas of activations and losses, whose operators become operations."""

    def __init__(self, node: Node) -> None:
        self.node = node

    @property
    def has_erf(self) -> bool:
        """Whether ``Erf`` takes its type."""
        return True

    def op(self, operator: str, *operands: Tensor | float) -> _Number:
        """Return what an operator makes of this number and others."""
        others = (x.node if isinstance(x, _Number) else x for x in operands)
        return _Number(_OPERATORS[operator](self.node, *others))


def _node(made: Tensor) -> Node:
    assert isinstance(made, _Number)
    return made.node


def activation_operation(function: Function) -> Operation:
    """Return an elementwise activation as an operation of one number.

    Parameters
    ----------
    function : chainrule.activations.Activation
        Any but softmax.

    Returns
    -------
    Operation
    """
    core = _core_network((1,), function)
    one = np.ones((1, 1))

    def value(x: float) -> float:
        return float(core.forward(np.array([[x]]), False, 1)[0, 0])

    def derivatives(y: Any, x: Any) -> Sequence[Any]:
        if not isinstance(x, Node):
            value(x)
            return (float(core.backward(one)[0, 0]),)
        return (gradient(_node(function.formula(_Number(x))), x),)

    return Operation(function.config["kind"], value, derivatives)


def loss_operation(
    loss: Loss, head: Function, target: NDArray[Any], shape: Sequence[int]
) -> Operation:
    """Return the loss of one row as an operation of a network's outputs.

    Parameters
    ----------
    loss : Loss
        The loss.
    head : chainrule.activations.Activation
        What is between the operation's inputs and the outputs that the loss compares, such as a
        softmax that the loss takes over.
    target : ndarray of shape (1,) or (1, columns)
        A label, or labels of positions, or a row, as the core takes it.
    shape : sequence of int
        That of the outputs: positions and columns.

    Returns
    -------
    Operation
    """
    core = _core_network(shape, head)

    def compute(outputs: Sequence[float]) -> tuple[float, NDArray[Any]]:
        row = np.array([outputs], dtype=np.float64)
        result: tuple[float, NDArray[Any]] = core.compute_gradients(
            row, target, loss._core, False, 1
        )
        return result

    def derivatives(y: Any, *outputs: Any) -> Sequence[Any]:
        if not isinstance(outputs[0], Node):
            return [float(d) for d in compute(outputs)[1][0]]
        rows: Any = np.array(outputs, dtype=object).reshape(-1, shape[-1])
        targets = target.reshape(len(rows), -1)
        each = [_loss_formula(loss, head, *both) for both in zip(rows, targets, strict=True)]
        value = sum.of(*each) / float(len(each))
        return [gradient(value, output) for output in outputs]

    return Operation(loss.kind, lambda *outputs: compute(outputs)[0], derivatives)


def _core_network(shape: Sequence[int], function: Function) -> Any:
    x = Input(tuple(shape))
    return Network(x, Activation(function)(x), dtype="float64")._built_core()


def _loss_formula(
    loss: Loss, head: Function, outputs: Sequence[Node], target: NDArray[Any]
) -> Node:
    """Return the loss of one position."""
    taken_over = head.kind == loss._core.link and not loss.from_logits
    if not taken_over and head.kind == "softmax":
        outputs = softmax(*outputs)
    elif not taken_over:
        outputs = [_node(head.formula(_Number(z))) for z in outputs]
    if loss.kind == "cross_entropy":
        return _cross_entropy(loss, outputs, target)
    columns = len(target)
    losses = [
        _node(loss.formula(_Number(z), float(target[j % columns]), j // columns))
        for j, z in enumerate(outputs)
    ]
    return sum.of(*losses) / float(len(losses))


def _cross_entropy(loss: Loss, logits: Sequence[Node], target: NDArray[Any]) -> Node:
    smoothing = loss.config["label_smoothing"]
    shares = np.eye(len(logits))[target[0]] if len(target) == 1 else target
    top = np.max([z.value for z in logits])
    log_total = top + log.of(sum.of(*(exp.of(z - top) for z in logits)))
    return sum.of(
        *(
            float((1.0 - smoothing) * share + smoothing / len(logits)) * (log_total - z)
            for share, z in zip(shares, logits, strict=True)
        )
    )
