# SPDX-License-Identifier: Apache-2.0
"""RNN, GRU and LSTM of an ONNX graph, read as layers of a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.activations import Activation
from chainrule.activations.activation import shortest
from chainrule.interop.onnx_graph import Slice
from chainrule.interop.onnx_model import Array, Node, number_of, text_of
from chainrule.interop.onnx_recurrence import ACTIVATIONS, ORDERS
from chainrule.interop.onnx_shapes import ShapeReader
from chainrule.interop.recurrence import LAYERS, recurrent, step_of
from chainrule.interop.tensor import Tensor
from chainrule.interop.windows import cropped
from chainrule.layers import Concatenate, Position

__all__ = ["RECURRENT_OPERATORS", "lengths_of"]

# The places of operands: X, W, R, B, sequence_lens, initial_h, and of LSTM initial_c and P.
_LENGTHS, _STATES, _PEEPHOLES = 4, (5, 6), 7
_GATES = {"GRU": ["sigmoid", "tanh"], "LSTM": ["sigmoid", "tanh", "tanh"]}


def lengths_of(part: Slice) -> dict[int, list[Node]]:
    """Return what lies between inputs and the lengths of rows that recurrent operators read.

    By the ids of these operators; only of what does nothing but make integers of them.
    """
    makers = {node.made: node for node in part.nodes}
    entries = {value.name for value in part.inputs}
    found: dict[int, list[Node]] = {}
    for node in part.nodes:
        if node.op not in RECURRENT_OPERATORS or node.domain or len(node.inputs) <= _LENGTHS:
            continue
        path: list[Node] = []
        name = node.inputs[_LENGTHS]
        while name in makers and makers[name].op in ("Cast", "Identity", "Reshape", "Squeeze"):
            path.insert(0, makers[name])
            name = makers[name].inputs[0]
        if name in entries:
            found[id(node)] = path
    return found


def _recurrent(reader: ShapeReader, node: Node, x: Tensor) -> Tensor:
    """Add one or two layers, of which an operator may give the sequences and the final states."""
    time_first = number_of(node, "layout", 0) == 0
    if x.batch != int(time_first) or len(x.shape) != 2:
        raise NotImplementedError(f"it reads rows of shape {x.shape} along axis {x.batch}")
    x = replace(x, batch=0)
    lengths = _lengths(reader, node, x.shape[0])
    _refuse_others(reader, node)
    direction = text_of(node, "direction", "forward")
    backwards = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    if direction not in backwards:
        raise ValueError(f"its direction is {direction!r}")
    outputs = [*node.outputs, "", ""]
    is_read = [bool(reader.part.readers.get(name)) if name else False for name in outputs]
    first = _first_states(reader, node, len(backwards[direction]))
    if len(backwards[direction]) > 1:
        x = reader.assembly.share(x)
    both = is_read[0] and is_read[1]
    options = {
        "return_sequences": is_read[0],
        "return_state": is_read[2] or (both and lengths is not None),
    }
    made = [
        _layer(reader, node, x, i, lengths, first[i], {**options, "go_backwards": go_backwards})
        for i, go_backwards in enumerate(backwards[direction])
    ]
    final = {1: made} if is_read[1] else {}
    if options["return_state"]:
        made = [reader.assembly.share(each) for each in made]
        count = len(_states_of(node))
        final = {
            1 + i: [reader.assembly.layer(Position(i - count), {}, each) for each in made]
            for i in range(count)
            if is_read[1 + i]
        }
        if is_read[0]:
            made = [cropped(reader.assembly, each, [(0, count)], first=False) for each in made]
    elif both:
        made = [reader.assembly.share(each) for each in made]
        ends = [0 if each else -1 for each in backwards[direction]]
        final[1] = [step_of(reader.assembly, h, end) for h, end in zip(made, ends, strict=True)]
    for place, each in final.items():
        each = each if len(each) == 1 else [reader.assembly.share(state) for state in each]
        reader.states[outputs[place]] = each
        states = _beside(reader, each)
        states = reader.assembly.reshape(states, (len(each), states.columns // len(each)))
        reader.give(node, replace(states, batch=int(time_first)), place)
    if not is_read[0]:
        return reader.tensor(outputs[min(final)])
    sequences = _beside(reader, made)
    shape = (x.shape[0], len(made), sequences.columns // len(made))
    # (time, directions, rows, units), or rows first.
    return replace(reader.assembly.reshape(sequences, shape), batch=2 if time_first else 0)


def _beside(reader: ShapeReader, tensors: Sequence[Tensor]) -> Tensor:
    made: Tensor = tensors[0]
    return made if len(tensors) == 1 else reader.assembly.layer(Concatenate(), {}, *tensors)


def _layer(
    reader: ShapeReader,
    node: Node,
    x: Tensor,
    direction: int,
    lengths: Tensor | None,
    first: Sequence[Tensor],
    options: dict[str, Any],
) -> Tensor:
    """Add the layer of one direction, of which rows are (time, features)."""
    weight, recurrent_weight = (_of_direction(reader, node, i, direction, 2) for i in (1, 2))
    if weight is None or recurrent_weight is None:
        raise ValueError("it has no weights")
    order = ORDERS[node.op]
    units = recurrent_weight.shape[-1]
    expected = len(order) * units
    if len(weight) != expected or len(recurrent_weight) != expected or units < 1:
        shapes = f"{weight.shape} and {recurrent_weight.shape}"
        raise ValueError(f"its weights have shapes {shapes}")
    if number_of(node, "hidden_size", units) != units:
        raise ValueError(f"its hidden_size is {node.attributes['hidden_size']}, not {units}")
    bias = _of_direction(reader, node, 3, direction, 1)
    if bias is not None and bias.shape != (2 * expected,):
        raise ValueError(f"its biases have shape {bias.shape}")
    if node.op == "RNN":
        options["activation"] = _activations(node)[direction]
    for each in (weight, recurrent_weight):
        reader.spend(each)
    layer = LAYERS[node.op](units, use_bias=bias is not None, **options)
    biases = None if bias is None else (bias[:expected], bias[expected:])
    others = [*([] if lengths is None else [lengths]), *first]
    return recurrent(reader.assembly, x, layer, weight, recurrent_weight, biases, order, others)


def _of_direction(
    reader: ShapeReader, node: Node, place: int, direction: int, axes: int
) -> Array | None:
    """Return an operand of a direction, which has `axes` axes; None if it is not given."""
    array: Array | None = reader.constant(node, place)
    if array is None:
        return None
    directions = 2 if text_of(node, "direction", "") == "bidirectional" else 1
    if array.ndim != axes + 1 or len(array) != directions or array.dtype.kind != "f":
        raise ValueError(f"input {place} has shape {array.shape}")
    made: Array = array[direction]
    return made


def _lengths(reader: ShapeReader, node: Node, time: int) -> Tensor | None:
    """Return the lengths of rows, of shape (1,); None where all rows are as long as they can."""
    name = [*node.inputs, *[""] * _LENGTHS][_LENGTHS]
    if not name:
        return None
    if name in reader.constants:
        if (reader.constants[name] == time).all():
            return None
        raise NotImplementedError("its lengths are constants")
    made: Tensor | None = reader.lengths(node)
    if made is None or made.shape not in ((1,), ()):
        raise NotImplementedError("its lengths are no input of the network")
    return made


def _states_of(node: Node) -> tuple[int, ...]:
    """Return the places of the states that an operator begins with: of h, and of an LSTM's c."""
    return _STATES if node.op == "LSTM" else _STATES[:1]


def _first_states(reader: ShapeReader, node: Node, directions: int) -> list[list[Tensor]]:
    """Return the states that each direction begins with, none where they are zeros."""
    names = [*node.inputs, *[""] * max(_STATES)]
    given = [names[place] for place in _states_of(node)]
    if not any(given) or all(name in reader.constants for name in given if name):
        return [[] for _ in range(directions)]
    if any(name in reader.constants for name in given) or not all(given):
        raise NotImplementedError("another node gives one of the states that it begins with")
    found = [reader.states.get(name) or _state(reader, node, name, directions) for name in given]
    return [[state[direction] for state in found] for direction in range(directions)]


def _state(reader: ShapeReader, node: Node, name: str, directions: int) -> list[Tensor]:
    """Return a state of one direction, of (rows, units) with an axis for the directions."""
    state = reader.read(name, [node])
    if directions > 1 or len(state.shape) != 2 or state.shape[0] != 1:
        raise NotImplementedError(f"it begins with states of shape {state.shape}")
    return [reader.assembly.reshape(replace(state, batch=0), state.shape[1:])]


def _refuse_others(reader: ShapeReader, node: Node) -> None:
    """Raise NotImplementedError for options that layers do not have."""
    for name in node.inputs[min(_STATES) : max(_STATES) + 1]:
        if name in reader.constants and reader.constants[name].any():
            raise NotImplementedError("it begins with states of its own")
    peepholes = reader.constant(node, _PEEPHOLES)
    if peepholes is not None and peepholes.any():
        raise NotImplementedError("it has peepholes")
    if number_of(node, "clip", 0.0):
        raise NotImplementedError("it clips its sums")
    if node.op == "LSTM" and number_of(node, "input_forget", 0):
        raise NotImplementedError("its input and forget gates are one")
    if node.op == "GRU" and not number_of(node, "linear_before_reset", 0):
        raise NotImplementedError("its reset gate acts before the product (linear_before_reset=0)")
    if node.op in _GATES:
        names = [name.lower() for name in _names(node)]
        expected = _GATES[node.op]
        if names and names != expected * (len(names) // len(expected)):
            raise NotImplementedError(f"its activations are {names}")


def _names(node: Node) -> list[str]:
    names: Any = node.attributes.get("activations")
    return [] if names is None else [*names]


def _activations(node: Node) -> list[Activation]:
    """Return what follows the sums of an RNN, for each direction."""
    names = _names(node) or ["Tanh"] * 2
    numbers = {key: node.attributes.get(f"activation_{key}") for key in ("alpha", "beta")}
    # Where names have no such number, it stands for the next one that has.
    left = {k: [float(n) for n in np.atleast_1d(v)] for k, v in numbers.items() if v is not None}
    known = {name.lower(): owner for name, owner in ACTIVATIONS.items()}
    found = []
    for given in names:
        owner = known.get(given.lower())
        taken: Sequence[str] = ("alpha", "beta") if given.lower() == "affine" else ()
        if owner is not None:
            taken = [theirs for _, theirs, _ in owner.onnx_options]
        options = {key: left[key].pop(0) for key in taken if left.get(key)}
        if given.lower() == "affine" and options == {"alpha": 1.0, "beta": 0.0}:
            found.append(Activation.get("linear"))
            continue
        activation = None
        if owner is not None:
            activation = owner.from_onnx({k: shortest(v) for k, v in options.items()})
        if activation is None:
            raise NotImplementedError(f"its activation is {given}")
        found.append(activation)
    return found


RECURRENT_OPERATORS: Mapping[str, Callable[[ShapeReader, Node, Tensor], Tensor]] = dict.fromkeys(
    LAYERS, _recurrent
)
"""What adds an operator to the assembly of a reader."""
