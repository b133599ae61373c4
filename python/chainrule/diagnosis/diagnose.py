# SPDX-License-Identifier: Apache-2.0
"""`Network.diagnose`: what a teacher would see at a glance."""

from __future__ import annotations

import copy
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.arguments import positive_integer
from chainrule.diagnosis.curvature import Curvature, measure_curvature
from chainrule.diagnosis.data import DataMeasures, measure_data, sample
from chainrule.diagnosis.findings import (
    Finding,
    data_findings,
    layer_findings,
    rate_findings,
)
from chainrule.diagnosis.layers import LayerMeasures, measure_layers, root_mean_square
from chainrule.diagnosis.preparation import chosen_training, prepare
from chainrule.diagnosis.trial import RateTrial, Steps, try_rate
from chainrule.html import html_table, html_text
from chainrule.inputs.several import core_rows
from chainrule.layers import CategoryEncoding, Embedding
from chainrule.network.output_losses import OutputLosses

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import Optimizer

__all__ = ["Diagnosis", "diagnose"]

_SCALING = ("rescaling", "normalization", "piecewise_linear_embedding")
_HEAD = ("layer", "units", "output", "dead", "saturated", "gradient", "update", "update/weight")


class Diagnosis:
    """What `Network.diagnose` found; prints as a report.

    Attributes
    ----------
    findings : list of Finding
        The problems, empty if there are none.
    layers : list of LayerMeasures
        Of each layer: root mean squares of outputs, gradients and updates, shares of dead units and
        saturated outputs.
    data : DataMeasures
        What was measured of the rows and targets.
    trial : RateTrial or None
        What steps at the learning rate do to the loss; None where they cannot be made.
    curvature : Curvature or None
        The largest eigenvalue of the Hessian and the learning rates that it allows; None where it
        is not positive, and with `BatchNormalization`, whose batches make another loss.
    loss : float
        The loss of the rows that were looked at.
    """

    def __init__(
        self,
        findings: list[Finding],
        layers: list[LayerMeasures],
        data: DataMeasures,
        trial: RateTrial | None,
        curvature: Curvature | None,
        loss: float,
    ) -> None:
        self.findings = findings
        self.layers = layers
        self.data = data
        self.trial = trial
        self.curvature = curvature
        self.loss = loss

    def __str__(self) -> str:
        """Return the report as text."""
        rows = [_HEAD, *self._rows()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"{self._about()}", ""]
        for row in rows:
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*lines, "", *self._said()])

    def __repr__(self) -> str:
        """Return the report too, so that the last expression of a notebook cell shows it."""
        return str(self)

    def to_html(self) -> str:
        """Return the report as HTML, a part of a page."""
        table = html_table(list(_HEAD), [list(row) for row in self._rows()], caption=self._about())
        return table + html_text("\n".join(self._said()))

    def _repr_html_(self) -> str:
        """Return the report for notebooks."""
        return self.to_html()

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw outputs, gradients and updates over the layers.

        Parameters
        ----------
        path : str or path-like, optional
            File to write; the suffix decides the format, such as ``.png`` or ``.svg``.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        from chainrule.plots import PANEL_HEIGHT, PANEL_WIDTH, log_panel, new_figure, saved

        figure = new_figure(PANEL_WIDTH * 3, PANEL_HEIGHT)
        panels = {
            "outputs, root mean square": [layer.output for layer in self.layers],
            "gradients, root mean square": [layer.gradient for layer in self.layers],
            "updates over weights": [layer.ratio for layer in self.layers],
        }
        for place, (title, values) in enumerate(panels.items(), start=1):
            axes = log_panel(figure, (len(panels), place), title, "layer")
            there = {i: v for i, v in enumerate(values) if v and np.isfinite(v)}
            axes.plot(list(there), list(there.values()), marker="o")
        return saved(figure, path)

    def _about(self) -> str:
        shares = self.data.class_shares
        classes = "" if shares is None else f", {len(shares)} classes"
        shapes = self.data.shapes
        of = f"{self.data.columns} columns"
        if any(len(shape) > 1 for shape in shapes):
            of = f"shape {', '.join(map(str, shapes))}"
        return f"{self.data.rows} rows of {of}{classes}; loss {self.loss:.4g}"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                f"{layer.node} {layer.name}",
                str(layer.units or ""),
                _number(layer.output),
                _share(layer.dead),
                _share(layer.saturated),
                _number(layer.gradient),
                _number(layer.update),
                _number(layer.ratio),
            )
            for layer in self.layers
        ]

    @property
    def gradient_ratio(self) -> float | None:
        """The gradient of the first layer with weights over that of the last; None without two."""
        gradients = [layer.gradient for layer in self.layers if layer.gradient is not None]
        if len(gradients) < 2 or not gradients[-1]:
            return None
        return gradients[0] / gradients[-1]

    def _said(self) -> list[str]:
        notes = []
        if self.gradient_ratio is not None:
            notes.append(
                f"The first layer's gradient is {self.gradient_ratio:.2g} of the last layer's."
            )
        if self.curvature is not None:
            notes.append(
                f"The largest curvature is {self.curvature.largest:.3g}: plain gradient descent "
                f"needs learning rates below 2 / {self.curvature.largest:.3g} = "
                f"{self.curvature.highest_rate:.2g}."
            )
        if self.data.constant:
            notes.append(f"{len(self.data.constant)} columns never vary.")
        found = [f"- {finding}" for finding in self.findings]
        return [*notes, "Findings:" if found else "Nothing was found.", *found]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def diagnose(
    net: Compiled,
    x: object,
    y: object,
    loss: Any,
    optimizer: str | Optimizer | None,
    batch_size: int,
    max_rows: int,
) -> Diagnosis:
    """Return the report; see `Network.diagnose`."""
    chosen, by = chosen_training(net, loss, optimizer)
    batch_size = positive_integer("batch_size", batch_size)
    patient: Any = copy.deepcopy(net)  # which is built, adapted and trained without harm
    max_rows = positive_integer("max_rows", max_rows)
    parts, targets, weights, not_finite = sample(patient, x, y, chosen, max_rows)
    rows: Any = parts[0] if len(parts) == 1 else parts
    given: Any = targets[0] if len(targets) == 1 else targets
    dataset = prepare(patient, rows, given, chosen, weights)
    values, y_values = core_rows(dataset.x), core_rows(dataset.y)
    weights = dataset.sample_weight
    core = patient._built_core()
    tables = values if isinstance(values, list) else [np.ascontiguousarray(values)]
    values = tables if isinstance(values, list) else tables[0]
    steps = dict(zip((node.name for node in patient._graph.inputs), tables, strict=True))
    lengths = {
        of: steps[name] for name, of in patient._graph.sequence_inputs(patient._shapes).items()
    }
    inputs = [_Input(patient, node, lengths.get(node.name)) for node in patient._graph.inputs]
    scaled = [each.reaching_weights(table) for each, table in zip(inputs, tables, strict=True)]
    of_outputs = _by_output(patient, dataset, chosen)
    data = measure_data(
        len(tables[0]),
        [each.shape for each in inputs],
        [each.by_position(table) for each, table in zip(inputs, tables, strict=True)],
        scaled,
        of_outputs,
        _columns_of(inputs, not_finite),
    )
    measures, value = measure_layers(
        core.copy(), patient._graph, values, y_values, chosen, by, weights
    )
    findings = data_findings(data, _column_names(net, inputs))
    reaching = np.concatenate([each.reshape(-1) for each in scaled])
    findings += layer_findings(measures, root_mean_square(reaching), value)
    trial, curvature = None, None
    if np.isfinite(value):
        steps_of = (core, values, y_values, chosen, by, batch_size, weights)
        trial = try_rate(Steps(*steps_of), of_outputs)
        curvature = measure_curvature(core, patient.layers, values, y_values, chosen, by, weights)
        findings += rate_findings(trial, curvature)
    return Diagnosis(findings, measures, data, trial, curvature, value)


def _by_output(net: Any, dataset: Any, loss: Any) -> list[tuple[Any, Any, int]]:
    """Return for each output its data, a row for each position, what compares them, its columns."""
    if not isinstance(loss, OutputLosses):
        shape = math.prod(net._output_shape())
        return [(dataset.by_position(), loss, shape // dataset.positions)]
    each = [dataset.output(place) for place in range(len(loss.losses))]
    columns = (
        math.prod(net._output_shape(name)) // data.positions
        for name, data in zip(loss.names, each, strict=True)
    )
    return [*zip((data.by_position() for data in each), loss.losses, columns, strict=True)]


class _Input:
    """An input, with the columns that are measured: of rows of several axes the last one's."""

    # Where `lengths` of sequences are given, (rows, 1), what stands behind them is left out.

    def __init__(self, net: Any, node: Any, lengths: Any) -> None:
        self.name = node.name
        self._lengths = lengths if len(node.shape) == 2 else None
        self._net = net
        self._end = node.name  # of the scaling that it begins with
        readers = [each for each in net._graph.nodes if node.name in each.inputs]
        self._codes = any(isinstance(each.layer, CategoryEncoding | Embedding) for each in readers)
        while len(readers) == 1 and readers[0].layer.kind in _SCALING:
            self._end = readers[0].name
            readers = [each for each in net._graph.nodes if self._end in each.inputs]
        flat = self._codes or all(each.layer.kind in ("flatten", "reshape") for each in readers)
        self.numbers = math.prod(node.shape)
        self.shape = (self.numbers,) if flat else node.shape

    @property
    def columns(self) -> int:
        return int(self.shape[-1])

    def by_position(self, table: Any) -> Any:
        """Return rows (rows, inputs) as (rows * positions, columns)."""
        return self._inside(table.reshape(-1, self.columns))

    def reaching_weights(self, table: Any) -> Any:
        """Return the same behind the scaling; categories as ones."""
        if self._codes:
            return np.ones((len(table), 1))
        if self._end == self.name:
            return self.by_position(table)
        scaled = self._net.subnetwork(self._end).predict(table)
        flat = len(self.shape) == 1
        if flat:
            return scaled.reshape(len(table), -1)
        return self._inside(scaled.reshape(-1, scaled.shape[-1]))

    def _inside(self, positions: Any) -> Any:
        if self._lengths is None or len(self.shape) == 1:
            return positions
        inside = np.arange(self.shape[0]) < self._lengths
        return positions[inside.reshape(-1)]


def _columns_of(inputs: list[_Input], flat: list[int]) -> list[int]:
    """Return which columns are meant by those of all inputs' flat rows, side by side."""
    found, first, begin = set(), 0, 0
    for each in inputs:
        end = begin + each.numbers
        found |= {first + (place - begin) % each.columns for place in flat if begin <= place < end}
        first, begin = first + each.columns, end
    return sorted(found)


def _column_names(net: Any, inputs: list[_Input]) -> list[str]:
    """Return names of the columns of all inputs side by side; nothing where there are none."""
    names = net.feature_names or []
    if not isinstance(names, dict):
        return list(names) if len(names) == inputs[0].columns else []
    told: list[str] = []
    for each in inputs:
        known = names.get(each.name, [])
        places = [f"{each.name}[{column}]" for column in range(each.columns)]
        told += known if len(known) == each.columns else places
    return told
