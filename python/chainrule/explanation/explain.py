# SPDX-License-Identifier: Apache-2.0
"""`Sequential.explain`: one row's way through a network and back, as a page."""

from __future__ import annotations

import html
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import losses, optimizers
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
from chainrule.explanation.page import (
    Places,
    history_data,
    history_numbers,
    html_page,
    number,
    step_data,
    vector_data,
)
from chainrule.explanation.trace import Row, Trace, by_layer, checked_row
from chainrule.network.weights import count_params

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from chainrule.callbacks import Record
    from chainrule.losses import Loss
    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import Optimizer

__all__ = ["Explanation", "explain"]

_COLORED_WEIGHTS = 120_000
_HISTORY_CHARACTERS = 38_000


class Explanation:
    """A page about one row: every value forward, every gradient back.

    Attributes
    ----------
    data : dict
        What the page's script reads: ``vectors`` (the row and what each step makes of it, with
        gradients), ``steps``, ``loss``, ``notes``.

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
            for vector, step in zip(self.data["vectors"][1:], self.data["steps"], strict=True)
            if step["kind"] == "dense"
        )
        size = len(self.to_html().encode()) / 1000
        kind, loss = self.data["loss"]["kind"], self.data["loss"]["value"]
        return f"<Explanation: {kind} = {loss:.3g}, {units} units, {size:.0f} kB>"


def explain(
    net: Compiled,
    row: object,
    target: object,
    *,
    loss: str | Loss | None = None,
    optimizer: str | Optimizer | None = None,
    record: Record | None = None,
    image_shape: Sequence[int] | None = None,
) -> Explanation:
    """Return the page of one row; see `Sequential.explain`."""
    chosen = losses.get(loss) if loss is not None else net._chosen_loss(None)
    by = optimizers.get_stepping(
        optimizer if optimizer is not None else net.optimizer or "adam", "explain"
    )
    with net._rollback_build():
        return _explained(net, row, target, chosen, by, record, _image_shape(row, image_shape))


def _explained(
    net: Compiled,
    row: object,
    target: object,
    chosen: Loss,
    by: Optimizer,
    record: Record | None,
    shape: list[int] | None,
) -> Explanation:
    checked = checked_row(net, row, target, chosen)
    if shape is not None and shape[0] * shape[1] != checked.x.shape[1]:
        raise ValueError(
            f"image_shape is {shape[0]} x {shape[1]}, but the row has {checked.x.shape[1]} numbers"
        )
    trace = Trace(net.layers, by_layer(net), checked)
    notes: list[str] = []
    units = chosen_units(trace.steps)
    chosen_indices = chosen_numbers(trace.steps, units)
    steps = _steps(net, trace, checked, by, units, chosen_indices, notes)
    data = {
        "network": [repr(layer) for layer in net.layers],
        "inputs": int(checked.x.shape[1]),
        "parameters": count_params(net),
        "loss": {
            "kind": chosen.kind,
            "value": number(trace.loss),
            "target": _target_text(net, checked),
            "taken_over": trace.taken_over,
        },
        "optimizer": repr(by),
        "shape": shape or _square(checked.x.shape[1]),
        "feature_names": list(net.feature_names or []),
        "class_names": list(net.class_names or []),
        "vectors": vector_data(trace, chosen_indices),
        "steps": steps,
        "history": _history(net, checked, trace, record, chosen_indices, notes),
        "notes": notes,
    }
    return Explanation(f"{chosen.kind} of one row, explained", data)


def _steps(
    net: Compiled,
    trace: Trace,
    row: Row,
    optimizer: Optimizer,
    chosen: dict[int, dict[int, NDArray[np.int64]]],
    numbers: Sequence[Places],
    notes: list[str],
) -> list[dict[str, Any]]:
    """Return what the page tells of each step, and add to the notes what it leaves out."""
    for place, at in enumerate(numbers):
        if at is not None:
            size = trace.steps[0].x.size if place == 0 else trace.steps[place - 1].y.size
            what = "The row has" if place == 0 else f"{trace.steps[place - 1].name} gives"
            notes.append(
                f"{what} {size:,} numbers; the {len(at):,} with the largest gradients, or that "
                "are told of below, are shown."
            )
    weights = sum(step.weight.size for step in trace.steps if step.weight is not None)
    steps_to = updates(net, row, optimizer)
    data = []
    for place, step in enumerate(trace.steps):
        units = {}
        if step.weight is not None:
            units = _units(trace, place, row, chosen[place], steps_to)
            notes += _omitted(step.layer, step.weight.shape, units)
        data.append(
            step_data(place, trace.steps, units, numbers, with_colors=weights <= _COLORED_WEIGHTS)
        )
    if weights > _COLORED_WEIGHTS:
        notes.append(f"The network has {weights:,} weights, too many for pictures of them all.")
    return data


def _units(
    trace: Trace,
    place: int,
    row: Row,
    chosen: dict[int, NDArray[np.int64]],
    steps_to: list[dict[str, NDArray[np.float64]]],
) -> dict[int, Unit]:
    """Return what the page tells of a dense step's units."""
    differences = Differences(trace, place, row)
    layer = trace.steps[place].layer
    units = {}
    for index, inputs in chosen.items():
        of_weights, of_bias = differences.of(index, inputs)
        moved = steps_to[layer]["weight"][inputs, index]
        terms = [
            Term(int(i), number(d, 8), number(u, 8))
            for i, d, u in zip(inputs, of_weights, moved, strict=True)
        ]
        bias: tuple[float | None, float | None] = (None, None)
        if of_bias is not None:
            bias = (number(of_bias, 8), number(steps_to[layer]["bias"][index], 8))
        units[index] = Unit(index, terms, *bias)
    return units


def _omitted(layer: int, shape: tuple[int, ...], units: dict[int, Unit]) -> list[str]:
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
    row: Row,
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
    most = max(2, _HISTORY_CHARACTERS // history_numbers(trace.steps, chosen))
    count = min(len(snapshots), most)
    indices = np.unique(np.linspace(0, len(snapshots) - 1, count).round())
    if len(indices) < len(snapshots):
        notes.append(f"Of {len(snapshots)} recorded steps {len(indices)} are shown.")
    traces = []
    for place in indices.astype(int):
        weights = by_layer(net, snapshots[place].weights)
        try:
            traces.append((snapshots[place].step, Trace(net.layers, weights, row)))
        except ValueError as error:
            notes.append(f"Step {snapshots[place].step} is left out: {error}.")
    return history_data(traces, chosen)


def _target_text(net: Compiled, row: Row) -> str:
    if row.y.ndim == 1:
        label = int(row.y[0])
        return str(net.class_names[label]) if net.class_names else str(label)
    return ", ".join(f"{value:.6g}" for value in row.y[0][:12]) + (
        ", ..." if row.y.shape[1] > 12 else ""
    )


def _image_shape(row: object, given: Sequence[int] | None) -> list[int] | None:
    """Return height and width of an image, None if the row is none."""
    if given is not None:
        height, width = given
        return [positive_integer("image_shape", height), positive_integer("image_shape", width)]
    shape = np.asarray(row).shape
    return [int(shape[0]), int(shape[1])] if len(shape) == 2 else None


def _square(inputs: int) -> list[int] | None:
    side = round(inputs**0.5)
    return [side, side] if side >= 4 and side * side == inputs else None
