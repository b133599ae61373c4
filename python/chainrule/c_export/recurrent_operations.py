# SPDX-License-Identifier: Apache-2.0
"""Operations in C that go through a sequence step by step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.c_export.operations import Activation, Array, Operation, call
from chainrule.interop.nodes import NetworkNode

__all__ = ["Recurrence", "recurrence"]


@dataclass(frozen=True, eq=False)
class Recurrence(Operation):
    """States of a sequence of `positions` steps, behind each of them or, if not `sequences`, all.

    With `gives_state` the final states follow, or are all.

    The weights, of shapes (inputs, gates * outputs) and (outputs, gates * outputs), and the bias
    have the gates side by side. What is read besides x is the length of each row, if there are
    `lengths`, and then perhaps the states to begin with.

    Attributes
    ----------
    backwards : bool
        Whether steps go from the last position to the first.
    states : int
        How many states of `outputs` numbers there are, of which the first is given.
    sums : int
        How many sums for each output a step works with.
    """

    weight: Array
    recurrent_weight: Array
    bias: Array
    backwards: bool
    sequences: bool
    gives_state: bool
    lengths: bool
    sizes = ("inputs", "outputs")
    in_place = False
    states: ClassVar[int] = 1
    sums: ClassVar[int]

    @abstractmethod
    def after(self, sums: Array, state: Array) -> Array:
        """Return the states behind a step, by the sums over x and the states before it."""

    @property
    def size(self) -> int:
        """The state behind each step, or behind the last one, and the final states."""
        steps = self.positions if self.sequences else 1 - self.gives_state
        return (steps + self.gives_state * self.states) * self.outputs

    @property
    def columns_read(self) -> list[int]:
        """The features, one number for the length, and the states."""
        states = len(self.read) - 1 - self.lengths
        return [self.inputs, *[1] * self.lengths, *[self.outputs] * states]

    @property
    def work(self) -> int:
        """The states, unless they are kept, and behind them the sums."""
        return (self.sums + (0 if self.streams else self.states)) * self.outputs

    @property
    def kept(self) -> dict[str, tuple[str, int]]:
        """The states."""
        size = self.states * self.outputs
        return {f"kept_{self.nodes[0]}": ("float", size)} if self.streams else {}

    def statements(self, places: Sequence[str], arguments: Sequence[str], memory: str) -> list[str]:
        """Return a loop over the positions behind what sets the first state, or a step."""
        x, *others, y = places
        length, first = others[: self.lengths], others[self.lengths :]
        if self.streams:
            (kept,) = self.kept
            return self.step(x, y, f"{memory}->{kept}", f"{memory}->work", arguments)
        size = self.states * self.outputs
        state, sums = f"{memory}->work", f"{memory}->work + {size}"
        at = f"{y} + i * {self.outputs}" if self.sequences else y
        step = self.step(f"{x} + i * {self.inputs}", at, state, sums, arguments)
        if length:
            step = [f"if ((float)i < {length[0]}[0]) {{", *(f"  {line}" for line in step)]
            if self.sequences:
                step += ["} else {", f"  {call('zeros', at, self.outputs)}"]
            step += ["}"]
        # The state of h is in y already, if there are no sequences.
        final = f"{y} + {self.positions * self.outputs}" if self.sequences else y
        forward = f"for (size_t i = 0; i < {self.positions}; ++i) {{"
        backwards = f"for (size_t i = {self.positions}; i-- > 0;) {{"
        begin = [call("zeros", state, size)]
        if first:
            at_unit = [f"{state} + {i * self.outputs}" for i in range(self.states)]
            pairs = zip(first, at_unit, strict=True)
            begin = [call("copy", given, place, self.outputs) for given, place in pairs]
        return [
            *begin,
            backwards if self.backwards else forward,
            *(f"  {line}" for line in step),
            "}",
            *([call("copy", state, final, size)] if self.gives_state else []),
        ]

    def step(self, x: str, y: str, state: str, sums: str, arguments: Sequence[str]) -> list[str]:
        """Return the statements of a step, of the places of all that it works with."""
        return [call(self.function, x, y, state, sums, *arguments)]

    def run(self, x: Array, *others: Array) -> Array:
        """Return the states."""
        x = x.reshape(-1, self.positions, self.inputs)
        every = x @ self.weight + self.bias
        state = np.zeros((len(x), self.states * self.outputs), x.dtype)
        if first := others[self.lengths :]:
            state = np.concatenate(first, axis=1)
        y = np.zeros((len(x), self.positions, self.outputs), x.dtype)
        times = range(self.positions)
        for t in reversed(times) if self.backwards else times:
            goes_on = t < others[0] if self.lengths else np.full((len(x), 1), True)
            state = np.where(goes_on, self.after(every[:, t], state), state)
            y[:, t] = np.where(goes_on, state[:, : self.outputs], 0)
        final = state.reshape(len(x), self.states, self.outputs)
        if not self.gives_state:
            final = final[:, : 1 - self.sequences]
        parts = [y, final] if self.sequences else [final]
        return np.concatenate(parts, axis=1).reshape(-1, self.outputs)


@dataclass(frozen=True, eq=False)
class SimpleRNN(Recurrence):
    """h = f(x W + b + h' U), with an activation f, None for a linear one."""

    activation: Activation | None
    name = "simple_rnn"
    sums = 0

    def step(self, x: str, y: str, state: str, sums: str, arguments: Sequence[str]) -> list[str]:
        """Return the statements: the sums, the activation of them, and what is kept."""
        f = self.activation
        return [
            call(self.function, x, y, state, *arguments),
            *([] if f is None else [call(f.function, y, y, *f.arguments)]),
            call("copy", y, state, self.outputs),
        ]

    def after(self, sums: Array, state: Array) -> Array:
        """Return h."""
        sums = sums + state @ self.recurrent_weight
        return sums if self.activation is None else self.activation.run(sums)


@dataclass(frozen=True, eq=False)
class GRU(Recurrence):
    """Gates z, r and n, and sums of the state with a bias of their own; see `layers.GRU`."""

    recurrent_bias: Array
    name = "gru"
    sums = 6

    def after(self, sums: Array, state: Array) -> Array:
        """Return n + z * (h' - n)."""
        a_z, a_r, a_n = np.split(sums, 3, axis=1)
        of_state = state @ self.recurrent_weight + self.recurrent_bias
        s_z, s_r, s_n = np.split(of_state, 3, axis=1)
        n = np.tanh(a_n + _sigmoid(a_r + s_r) * s_n)
        h: Array = n + _sigmoid(a_z + s_z) * (state - n)
        return h


@dataclass(frozen=True, eq=False)
class LSTM(Recurrence):
    """Gates i, f, g and o; the second state is that of the cell; see `layers.LSTM`."""

    name = "lstm"
    states = 2
    sums = 4

    def after(self, sums: Array, state: Array) -> Array:
        """Return o * tanh(c) and c = f * c' + i * g."""
        h, c = np.split(state, 2, axis=1)
        i, f, g, o = np.split(sums + h @ self.recurrent_weight, 4, axis=1)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        return np.concatenate([_sigmoid(o) * np.tanh(c), c], axis=1)


_KINDS: dict[str, type[Recurrence]] = {each.name: each for each in (SimpleRNN, GRU, LSTM)}


def recurrence(node: NetworkNode, **fields: Any) -> tuple[type[Recurrence], dict[str, Any]]:
    """Return the operation of a recurrent layer, with fields of its kind alone."""
    layer, (time, features) = node.layer, node.reads[0]
    columns = node.arrays["weight"].shape[1]
    fields |= {"bias": np.zeros(columns), **node.arrays}
    if layer.kind == "gru":
        fields.setdefault("recurrent_bias", np.zeros(columns))
    wiring = {"inputs": features, "outputs": node.columns, "positions": time}
    options = {"backwards": layer.go_backwards, "sequences": layer.return_sequences}
    options["gives_state"] = layer.return_state
    options["lengths"] = layer._core.reads_lengths(node.reads)
    return _KINDS[layer.kind], {**fields, **wiring, **options}


def _sigmoid(x: Array) -> Array:
    y: Array = 0.5 + 0.5 * np.tanh(0.5 * x)
    return y
