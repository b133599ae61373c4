# SPDX-License-Identifier: Apache-2.0
"""What recurrent layers make of a row's numbers, step by step.

The formulas, and the order in which gradients are summed, are those of
`cpp/src/kernels/recurrence.hpp` and `cpp/src/engine/stages/recurrent_training.hpp`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.activations import Sigmoid, Tanh
from chainrule.graph.arrays import Nodes, dots, elementwise, for_one_reader, label, shaped
from chainrule.graph.fma import fma
from chainrule.graph.formulas import activation_operation
from chainrule.graph.nodes import Node, Operation, add, multiply
from chainrule.layers import GRU, LSTM, Layer, SimpleRNN

__all__ = ["RECURRENT"]

_CANDIDATE = Operation("candidate", lambda a, r, s: fma(r, s, a), lambda y, a, r, s: (1.0, s, r))
_BLEND = Operation(
    "blend", lambda n, z, h: fma(z, h - n, n), lambda y, n, z, h: (1.0 - z, h - n, z)
)
_CELL = Operation("cell", lambda i, g, f, c: fma(i, g, f * c), lambda y, i, g, f, c: (g, i, c, f))
_CUT = Operation("cut", lambda x: x, lambda y, x: (0.0,))  # no gradient passes


class _Step(NamedTuple):
    """A step: the layer's name, the position, what x adds to the sums, and the weights."""

    name: str
    position: int
    of_x: Nodes
    starts: Any  # of the sums over the state, where they are apart
    weight: Nodes

    def sums(self, starts: Any, h: Nodes) -> Nodes:
        """Return the sums over the state."""
        nodes = dots(f"{self.name}.s", (self.position,), starts, h, self.weight)
        return shaped(nodes, (len(nodes),))

    def at_each(self, operation: Operation, name: str, *inputs: Nodes) -> Nodes:
        """Return an operation of numbers of the step."""
        nodes = elementwise(operation, "", inputs)
        for j, node in enumerate(nodes):
            node.name = label(f"{self.name}.{name}", (self.position, j))
        return nodes


def _recurrent(name: str, layer: Any, read: Sequence[Nodes], own: dict[str, Nodes]) -> Nodes:
    """Return the states of all positions, or that behind the last step, and final states."""
    # x: (time, features), others: the length, of shape (1,), and first states, each (units,).
    x, *others = read
    has_length = layer._core.reads_lengths([nodes.shape for nodes in read])
    length = int(others.pop(0)[0].value) if has_length else len(x)
    constants = [shaped([Node(0.0) for _ in range(layer.units)], (layer.units,))]
    states = others or constants * layer._states
    columns = own["weight"].shape[1]
    # As in the core the sums over x are made first, those of all positions in their order.
    biases = own.get("bias", [0.0] * columns)
    of_x = [dots("", (), biases, x[t], own["weight"]) for t in range(length)]
    beside = own.get("recurrent_bias")
    starts = [[0.0] * columns if beside is None else for_one_reader(beside) for _ in range(length)]
    step_of = _STEPS[type(layer)](layer)
    outputs = {}
    order = range(length)[:: -1 if layer.go_backwards else 1]
    cut = layer.truncate_gradient
    for before, t in zip([None, *order], order, strict=False):
        if cut and before is not None and max(t, before) % cut == 0:
            states = [elementwise(_CUT, "", [state]) for state in states]
        sums = shaped(of_x[t], (columns,))
        step = _Step(name, t, sums, starts[t], own["recurrent_weight"])
        outputs[t], states = step_of(step, states)
    final = [for_one_reader(state) for state in states]
    if not layer.return_sequences:
        return np.stack(final) if layer.return_state else final[0]
    nothing = [[Node(0.0) for _ in range(layer.units)] for _ in range(len(x) - length)]
    rows: list[Any] = [*(for_one_reader(outputs[t]) for t in range(length)), *nothing]
    return np.stack([*rows, *(final if layer.return_state else [])])


def _simple_rnn(layer: Any) -> Callable[[_Step, Sequence[Nodes]], tuple[Nodes, list[Nodes]]]:
    function = activation_operation(layer.activation)

    def step(at: _Step, states: Sequence[Nodes]) -> tuple[Nodes, list[Nodes]]:
        h = at.at_each(function, "h", at.sums(at.of_x, states[0]))
        return h, [h]

    return step


def _gru(layer: Any) -> Callable[[_Step, Sequence[Nodes]], tuple[Nodes, list[Nodes]]]:
    sigmoid, tanh = activation_operation(Sigmoid()), _tanh()

    def step(at: _Step, states: Sequence[Nodes]) -> tuple[Nodes, list[Nodes]]:
        (h,) = states
        a, s = (np.split(nodes, 3) for nodes in (at.of_x, at.sums(at.starts, h)))
        z, r = (
            at.at_each(sigmoid, gate, elementwise(add, "", [a[i], s[i]]))
            for i, gate in enumerate("zr")
        )
        n = at.at_each(tanh, "n", elementwise(_CANDIDATE, "", [a[2], r, s[2]]))
        # What goes on directly is added behind what goes through the sums.
        h = at.at_each(_BLEND, "h", n, z, for_one_reader(h))
        return h, [h]

    return step


def _lstm(layer: Any) -> Callable[[_Step, Sequence[Nodes]], tuple[Nodes, list[Nodes]]]:
    sigmoid, tanh = activation_operation(Sigmoid()), _tanh()

    def step(at: _Step, states: Sequence[Nodes]) -> tuple[Nodes, list[Nodes]]:
        sums = np.split(at.sums(at.of_x, states[0]), 4)
        functions = (sigmoid, sigmoid, tanh, sigmoid)
        i, f, g, o = (
            at.at_each(function, gate, z)
            for function, gate, z in zip(functions, "ifgo", sums, strict=True)
        )
        c = at.at_each(_CELL, "c", i, g, f, states[1])
        # The gradient from the next step comes before that through h.
        next_c = for_one_reader(c)
        h = at.at_each(multiply, "h", o, elementwise(tanh, "", [c]))
        return h, [h, next_c]

    return step


def _tanh() -> Operation:
    """Return the tanh, whose derivative recurrent layers round once."""

    def derivatives(y: Any, x: Any) -> Sequence[Any]:
        return (1.0 - y * y if isinstance(y, Node) else fma(-y, y, 1.0),)

    return activation_operation(Tanh())._replace(derivatives=derivatives)


_STEPS: dict[type[Layer], Callable[[Any], Any]] = {SimpleRNN: _simple_rnn, GRU: _gru, LSTM: _lstm}

RECURRENT: dict[type[Layer], Callable[..., Nodes]] = dict.fromkeys(_STEPS, _recurrent)
"""The recurrent layers, and what makes their nodes."""
