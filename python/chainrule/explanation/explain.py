# SPDX-License-Identifier: Apache-2.0
"""`Network.explain`: one row's way through a network and back, as a page."""

from __future__ import annotations

import html
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import optimizers
from chainrule.arguments import positive_integer
from chainrule.atomic_file import write_atomically
from chainrule.explanation.details import (
    Differences,
    Term,
    Unit,
    chosen_numbers,
    chosen_units,
    updates,
)
from chainrule.explanation.images import kernel_data, map_data
from chainrule.explanation.page import (
    Places,
    history_data,
    history_numbers,
    html_page,
    number,
    step_data,
    vector_data,
)
from chainrule.explanation.row import Row, checked_row
from chainrule.explanation.trace import Arrays, Trace, by_node
from chainrule.network.weights import count_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chainrule.callbacks import Record
    from chainrule.network.compiled import Compiled
    from chainrule.network.fitting import AnyLoss
    from chainrule.optimizers import Optimizer

__all__ = ["Explanation", "explain"]

_PICTURE_CHARACTERS = 120_000
_HISTORY_CHARACTERS = 38_000


class Explanation:
    """A page about one row: every value forward, every gradient back.

    Attributes
    ----------
    data : dict
        What the page's script reads: ``rows``, ``vectors`` (those of the inputs and what each step
        makes, with gradients), ``steps`` with the vectors that they read, ``outputs``, ``loss``,
        ``notes``.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="tanh"), cr.Dense(1)], seed=0)
    >>> explanation = net.explain([0.5, -1.0], [0.25], loss="mse")
    >>> explanation
    <Explanation: mse = 0.0299, 4 units, ... kB>
    >>> explanation.save("page.html")  # doctest: +SKIP
    """

    def __init__(self, title: str, data: dict[str, Any]) -> None:
        self.data = data
        self._title = title

    def to_html(self) -> str:
        """Return the page: one HTML file that loads nothing from elsewhere."""
        return html_page(self._title, self.data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the page.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.html``.
        """
        write_atomically(path, self.to_html().encode())

    def _repr_html_(self) -> str:
        """Return the page within a frame, for notebooks."""
        page = html.escape(self.to_html())
        return f'<iframe srcdoc="{page}" width="100%" height="900" style="border:0"></iframe>'

    def __repr__(self) -> str:
        """Return a line of what is on the page."""
        units = sum(
            vector["count"]
            for vector, step in zip(
                self.data["vectors"][len(self.data["rows"]) :], self.data["steps"], strict=True
            )
            if step["kind"] == "dense"
        )
        size = len(self.to_html().encode()) / 1000
        kind, loss = self.data["loss"]["kind"], self.data["loss"]["value"]
        return f"<Explanation: {kind} = {loss:.3g}, {units} units, {size:.0f} kB>"


def explain(
    net: Compiled,
    row: object,
    target: object,
    loss: AnyLoss,
    optimizer: str | Optimizer | None,
    record: Record | None,
    image_shape: Sequence[int] | None,
) -> Explanation:
    """Return the page of one row; see `Network.explain`."""
    chosen = net._chosen_loss(loss)
    by = optimizers.get_stepping(
        optimizer if optimizer is not None else net.optimizer or "adam", "explain"
    )
    with net._rollback_build():
        return _explained(net, row, target, chosen, by, record, _image_shape(net, row, image_shape))


def _explained(
    net: Compiled,
    row: object,
    target: object,
    chosen: Any,
    by: Optimizer,
    record: Record | None,
    shape: list[int] | None,
) -> Explanation:
    checked = checked_row(net, row, target, chosen)
    columns = sum(x.shape[1] for x in checked.x)
    if shape is not None and shape[0] * shape[1] != columns:
        raise ValueError(
            f"image_shape is {shape[0]} x {shape[1]}, but the row has {columns} numbers"
        )
    trace = Trace(net, by_node(net), checked)
    notes: list[str] = []
    units = chosen_units(trace)
    chosen_indices = chosen_numbers(trace, units)
    maps = map_data(trace, chosen_indices, notes)
    kernels = kernel_data(trace, notes)
    room = _PICTURE_CHARACTERS - len(json.dumps([maps, kernels]))
    steps = _steps(net, trace, by, units, chosen_indices, kernels, room, notes)
    kind = " + ".join(each.kind for each in checked.losses)
    data = {
        "network": [repr(layer) for layer in net.layers],
        "inputs": columns,
        "parameters": count_params(net),
        "loss": {
            "kind": kind,
            "value": number(trace.loss),
            "target": _target_text(net, checked),
            "taken_over": " and ".join(trace.taken_over) or None,
        },
        "optimizer": repr(by),
        "rows": _rows(net, checked, shape),
        "outputs": _outputs(net, trace),
        "vectors": vector_data(trace, chosen_indices, maps),
        "steps": steps,
        "history": _history(net, trace, record, chosen_indices, notes),
        "notes": notes,
    }
    return Explanation(f"{kind} of one row, explained", data)


def _rows(net: Compiled, row: Row, shape: list[int] | None) -> list[dict[str, Any]]:
    """Return the name, the shape as an image and the names of the numbers of each input."""
    assert net._graph is not None
    several = net._several_inputs

    def names_of(kind: str, input: str) -> list[str]:
        return list(net._names_of(kind, input if several else None) or [])

    return [
        {
            "name": node.name,
            "shape": shape or _image(node.shape) or _square(x.shape[1]),
            "feature_names": list(
                net._names_of("feature_names", node.name if several else None) or []
            ),
        }
        for node, x in zip(net._graph.inputs, row.x, strict=True)
    ]


def _outputs(net: Compiled, trace: Trace) -> list[dict[str, Any]]:
    """Return the vector, the name and the names of the classes of each output."""
    assert net._graph is not None
    several = len(trace.outputs) > 1
    return [
        {
            "vector": vector,
            "name": name,
            "class_names": list(net._names_of("class_names", name if several else None) or []),
        }
        for name, vector in zip(net._graph.outputs, trace.outputs, strict=True)
    ]


def _steps(
    net: Compiled,
    trace: Trace,
    optimizer: Optimizer,
    chosen: dict[int, dict[int, NDArray[np.int64]]],
    numbers: Sequence[Places],
    kernels: Sequence[dict[str, Any] | None],
    room: int,
    notes: list[str],
) -> list[dict[str, Any]]:
    """Return what the page tells of each step, and add to the notes what it leaves out."""
    # All weights of dense layers are in a picture, a character each, if there is `room`.
    for place, at in enumerate(numbers):
        if at is not None:
            size, maker = trace.values[place].size, trace.maker(place)
            what = "The row has" if maker is None else f"{maker.name} gives"
            notes.append(
                f"{what} {size:,} numbers; the {len(at):,} with the largest gradients, or that "
                "are told of below, are shown one by one."
            )
    weights = sum(step.weight.size for step in trace.steps if step.weight is not None)
    steps_to = updates(net, trace.row, optimizer)
    data = []
    for place, step in enumerate(trace.steps):
        units = {}
        if step.weight is not None:
            units = _units(net, trace, place, chosen[place], steps_to)
            notes += _omitted(step.node, step.weight.shape, units)
        elif step.kind == "dense":
            notes.append(
                f"{step.name} of layer {step.node} works on several positions, as a whole."
            )
        data.append(
            step_data(
                place,
                trace,
                units,
                numbers,
                kernels[place],
                with_colors=weights <= room,
            )
        )
    if weights > room:
        notes.append(f"The network has {weights:,} weights, too many for pictures of them all.")
    return data


def _units(
    net: Compiled,
    trace: Trace,
    place: int,
    chosen: dict[int, NDArray[np.int64]],
    steps_to: dict[str, Arrays],
) -> dict[int, Unit]:
    """Return what the page tells of a dense step's units."""
    assert net._graph is not None
    differences = Differences(trace, place)
    name = trace.steps[place].node
    moved_by = steps_to[net._graph[name].shares or name]
    units = {}
    for index, inputs in chosen.items():
        of_weights, of_bias = differences.of(index, inputs)
        moved = moved_by["weight"][inputs, index]
        terms = [
            Term(int(i), number(d, 8), number(u, 8))
            for i, d, u in zip(inputs, of_weights, moved, strict=True)
        ]
        bias: tuple[float | None, float | None] = (None, None)
        if of_bias is not None:
            bias = (number(of_bias, 8), number(moved_by["bias"][index], 8))
        units[index] = Unit(index, terms, *bias)
    return units


def _omitted(layer: str, shape: tuple[int, ...], units: dict[int, Unit]) -> list[str]:
    terms = max((len(unit.terms) for unit in units.values()), default=0)
    notes = []
    if len(units) < shape[1]:
        notes.append(
            f"Layer {layer} has {shape[1]:,} units; the {len(units)} with the largest gradients "
            "can be looked into."
        )
    if terms < shape[0]:
        notes.append(
            f"Each unit of layer {layer} has {shape[0]:,} weights; the {terms} that add most to "
            "its sum are listed one by one, the others together."
        )
    return notes


def _history(
    net: Compiled,
    trace: Trace,
    record: Record | None,
    chosen: Sequence[Places],
    notes: list[str],
) -> list[Any]:
    """Return the same row's numbers at recorded steps, as many as the page can hold."""
    if record is None:
        return []
    snapshots = record.snapshots
    if not snapshots:
        raise ValueError("record holds no steps: give it to the callbacks of fit first")
    shapes = [array.shape for array in net.parameters.values()]
    if [array.shape for array in snapshots[0].weights] != shapes:
        raise ValueError("record is of another network: its weights have other shapes")
    most = max(2, _HISTORY_CHARACTERS // history_numbers(trace, chosen))
    count = min(len(snapshots), most)
    indices = np.unique(np.linspace(0, len(snapshots) - 1, count).round())
    if len(indices) < len(snapshots):
        notes.append(f"Of {len(snapshots)} recorded steps {len(indices)} are shown.")
    traces = []
    for place in indices.astype(int):
        weights = by_node(net, snapshots[place].weights)
        try:
            traces.append((snapshots[place].step, Trace(net, weights, trace.row)))
        except ValueError as error:
            notes.append(f"Step {snapshots[place].step} is left out: {error}.")
    return history_data(traces, chosen)


def _target_text(net: Compiled, row: Row) -> str:
    assert net._graph is not None
    names: list[Any] = [*net._graph.outputs] if len(row.y) > 1 else [None]
    texts = []
    for name, y in zip(names, row.y, strict=True):
        classes = net._names_of("class_names", name)
        if y.dtype.kind in "iu" and y.ndim == 1:
            text = str(classes[int(y[0])]) if classes else str(int(y[0]))
        else:
            flat = y.reshape(-1)
            text = ", ".join(f"{value:.6g}" for value in flat[:12]) + ", ..." * (flat.size > 12)
        texts.append(text if name is None else f"{name}: {text}")
    return "; ".join(texts)


def _image_shape(net: Compiled, row: object, given: Sequence[int] | None) -> list[int] | None:
    """Return height and width of an image, None if the row is none."""
    if net._several_inputs:
        if given is not None:
            raise ValueError("image_shape needs a network of one input")
        return None
    if given is not None:
        height, width = given
        return [positive_integer("image_shape", height), positive_integer("image_shape", width)]
    image: Any = net._only(row)
    shape = np.shape(image)
    return [int(shape[0]), int(shape[1])] if len(shape) == 2 else None


def _image(shape: tuple[int, ...]) -> list[int] | None:
    """Return height and width of an input that is an image of one channel."""
    flat = shape[:-1] if len(shape) == 3 and shape[-1] == 1 else shape
    return list(flat) if len(flat) == 2 else None


def _square(inputs: int) -> list[int] | None:
    side = round(inputs**0.5)
    return [side, side] if side >= 4 and side * side == inputs else None
