# SPDX-License-Identifier: Apache-2.0
"""Lists of sequences of different length, as rows and the lengths of rows that networks read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.inputs.arrays import as_weights
from chainrule.inputs.containers import as_array
from chainrule.inputs.sequences import Sequences, as_sequences, is_ragged, padded

if TYPE_CHECKING:
    from chainrule.network.graph import Graph

__all__ = ["marked_sequences", "padded_inputs", "padded_targets", "refuse_ragged"]

Shapes = Callable[[], Mapping[str, tuple[int, ...]]]


def padded_inputs(
    graph: Graph, shapes: Shapes, x: object, name: str = "x"
) -> tuple[Any, NDArray[np.bool_] | None]:
    """Return rows for each input, and the places of sequences of which `x` has a list.

    Parameters
    ----------
    graph : Graph
        Of several inputs.
    shapes : callable
        Returns the shape of a row of each node, by name.
    x : object
        A mapping that lacks an input of lengths and has a list for the input of their sequences; of
        a network with these two inputs alone also such a list itself.
    name : str, default "x"
        What errors call it.

    Returns
    -------
    x : object
        The rows by input; what is neither of these as it is.
    inside : ndarray of bool, shape (rows, time), or None
        Which steps of the rows are those of sequences, where one input has a list.
    """
    owners = _owners(graph, shapes, x)
    if not owners:
        return x, None
    given: dict[str, Any] = dict(x) if isinstance(x, Mapping) else {}
    made: dict[str, Any] = {}
    for length, steps in owners.items():
        if steps not in made:
            part, called = _part(x, steps, name)
            made[steps] = padded(part, graph[steps].shape[0], called, graph[steps].shape)
        given[steps], given[length] = made[steps]
    if len(made) > 1:
        return given, None
    rows, lengths = made[steps]
    return given, np.arange(rows.shape[1]) < lengths


def marked_sequences(graph: Graph, shapes: Shapes, x: Any) -> Any:
    """Return the same with the lists that are sequences as `Sequences`, for a `Dataset`."""
    found = {}
    for steps in _owners(graph, shapes, x).values():
        found[steps] = as_sequences(*_part(x, steps, "x"), graph[steps].shape)
    if not found:
        return x
    return {**x, **found} if isinstance(x, Mapping) else found[steps]


def _owners(graph: Graph, shapes: Shapes, x: Any) -> dict[str, str]:
    """Return the inputs of lengths that x lacks, with those that it has lists of sequences for."""
    if isinstance(x, Mapping):
        missing = {node.name for node in graph.inputs} - set(x)
        found = graph.sequence_inputs(shapes()) if missing else {}
        return {
            length: steps
            for length, steps in found.items()
            if length in missing and isinstance(x.get(steps), list | tuple)
        }
    if isinstance(x, list | tuple) and _may_be_sequences(x, graph):
        return graph.sequence_inputs(shapes())
    return {}


def _part(x: Any, steps: str, name: str) -> tuple[Any, str]:
    """Return what is given for an input, and what errors call it."""
    return (x[steps], f"{name}[{steps!r}]") if isinstance(x, Mapping) else (x, name)


def _may_be_sequences(x: Sequence[Any], graph: Graph) -> bool:
    """Whether a list can have sequences, and not rows for each of two inputs."""
    shapes = [node.shape for node in graph.inputs if len(node.shape) == 2]
    if len(graph.inputs) != 2 or len(shapes) != 1 or len(x) < 1:
        return False
    if isinstance(x, Sequences):
        return True
    # Rows would be flat, (rows, time * features), or (rows, time, features).
    time, features = shapes[0]
    return len(x) != 2 or (time > 1 and all(_shape(each)[1:] == (features,) for each in x))


def _shape(value: Any) -> tuple[int, ...]:
    try:
        return tuple(value.shape if hasattr(value, "shape") else np.shape(value))
    except ValueError:  # ragged
        return ()


def padded_targets(
    y: Any, sample_weight: Any, inside: NDArray[np.bool_], whose: str = ""
) -> tuple[Any, NDArray[np.float64]]:
    """Return targets of rows of one length, and weights that are 0 behind the ends of sequences.

    Parameters
    ----------
    y : array-like, or sequence of array-like of shapes (steps, ...)
        Targets for each step; in the latter case as many as the row of `x` has steps.
    sample_weight : array-like, shape (rows,) or (rows, time), optional
    inside : ndarray of bool, shape (rows, time)
        As `padded_inputs` returns them.
    whose : str, default ""
        Of the arguments in errors, such as "the generator's ".
    """
    rows, time = inside.shape
    weights = inside.astype(np.float64)
    if sample_weight is not None:
        name = f"{whose}sample_weight"
        given = as_weights(sample_weight, rows=rows, positions=(time,), name=name)
        weights *= given.reshape(rows, -1)
    if not isinstance(y, list | tuple) or len(y) != rows:
        return y, weights
    steps: list[NDArray[Any]] = []
    for i, (sequence, length) in enumerate(zip(y, inside.sum(axis=1), strict=True)):
        each = as_array(sequence, name=f"{whose}y[{i}]")
        if len(each) not in (length, time):
            raise ValueError(f"{whose}y[{i}] has {len(each)} steps and x[{i}] has {length}")
        if steps and each.shape[1:] != steps[0].shape[1:]:
            raise ValueError(
                f"{whose}y[{i}] has steps of shape {each.shape[1:]} and y[0] of "
                f"{steps[0].shape[1:]}"
            )
        # What stands behind the end is any target of the loss: the last one again.
        steps.append(each[np.minimum(np.arange(time), len(each) - 1)])
    return np.array(steps), weights


def refuse_ragged(graph: Graph, shapes: Shapes, x: object, name: str, part: str | None) -> None:
    """Raise ValueError for sequences of different length where a network wants rows of one."""
    node = graph.inputs[0] if part is None else graph[part]
    if len(node.shape) != 2 or not is_ragged(x):
        return
    steps = sorted({len(each) for each in x})
    owners = {} if part is None else graph.sequence_inputs(shapes())
    lengths = [length for length, owner in owners.items() if owner == part]
    do = (
        f"leave out x[{lengths[0]!r}], which then follows"
        if lengths
        else "the network reads no lengths of its rows; call its recurrent layers with a second "
        "input for these, such as GRU(8)([steps, length])"
    )
    raise ValueError(
        f"{name} has sequences of different length, {steps[0]} to {steps[-1]} steps: {do}"
    )
