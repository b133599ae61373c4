# SPDX-License-Identifier: Apache-2.0
"""One page of HTML that tells what a model of a table has learnt from, and how well."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.html import html_table
from chainrule.tables import charts
from chainrule.tables.description import TableDescription
from chainrule.tables.model import Examples

__all__ = ["Findings", "report_page"]

_MOST_POINTS = 1000
_MOST_CLASSES = 30
_BINS = 10
_STYLE = (
    "body{font-family:sans-serif;max-width:48rem;margin:2rem auto;color:#222}"
    "table{border-collapse:collapse}td,th{padding:.15rem .6rem;border-bottom:1px solid #ddd}"
)


@dataclass(frozen=True)
class Findings:
    """What a page tells of.

    Attributes
    ----------
    title : str
    description : TableDescription
    history : History
    examples : Examples
        The rows that it was measured by.
    outputs : ndarray, shape (rows, outputs)
        What the model predicts for them.
    importances : ndarray, shape (columns,)
    classes : sequence of sequences of str
        Of a classifier the names of the classes of each output, of which a row has one.
    held : bool
        Whether these rows were held back from training.
    quantiles : tuple of float
    """

    title: str
    description: TableDescription
    history: Any
    examples: Examples
    outputs: NDArray[np.float64]
    importances: NDArray[np.float64]
    classes: Sequence[Sequence[str]] = ()
    held: bool = True
    quantiles: tuple[float, ...] = ()


def report_page(found: Findings) -> str:
    """Return the page."""
    rows = "rows held back from training" if found.held else "rows of the training"
    what = f"{len(found.examples.x)} {rows}"
    sections = [
        ("Columns", _columns(found)),
        ("Training", _curves(found.history)),
        *_quality(found, what),
        (
            f"Importance: how much the error rises where a column is shuffled ({what})",
            charts.bars(dict(zip(_names(found), found.importances.tolist(), strict=True))),
        ),
    ]
    body = "".join(f"<h2>{html.escape(head)}</h2>{text}" for head, text in sections)
    title = html.escape(found.title)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="generator" content="chainrule">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>\n"
    )


def _names(found: Findings) -> list[str]:
    columns = found.description.columns
    return [f"column {i}" if c.name is None else c.name for i, c in enumerate(columns)]


def _columns(found: Findings) -> str:
    rows, x = [], found.examples.x
    named = zip(_names(found), found.description.columns, strict=True)
    for place, (name, column) in enumerate(named):
        values = x[:, place]
        present = values[~np.isnan(values)]
        missing = f"{np.isnan(values).mean():.1%}" if len(values) else ""
        if column.kind == "category":
            tells = f"{len(column.categories)}: {', '.join(column.categories[:5])}"
            tells += ", ..." if len(column.categories) > 5 else ""
        elif len(present) and column.kind != "boolean":
            tells = f"{present.min():.4g} to {present.max():.4g}, median {np.median(present):.4g}"
        else:
            tells = ""
        rows.append([name, column.kind, missing, tells])
    return html_table(["column", "kind", "missing", "values"], rows)


def _curves(history: Any) -> str:
    names = [name for name in ("loss", "val_loss") if name in history]
    pictures = [charts.lines({name: history[name] for name in names}, "epoch")]
    others = [n for n in history if n.startswith("val_") and n != "val_loss"]
    pictures += [charts.lines({name: history[name]}, "epoch") for name in others]
    return "".join(pictures)


def _quality(found: Findings, what: str) -> list[tuple[str, str]]:
    y, outputs, weights = found.examples.y, found.outputs, found.examples.weights
    parts = []
    if found.classes:
        columns, first = y.reshape(len(y), -1).T, 0
        for place, (classes, labels) in enumerate(zip(found.classes, columns, strict=True)):
            told = outputs[:, first : first + len(classes)]
            first += len(classes)
            chosen = told.argmax(axis=1)
            of = f" of output {place}" if len(columns) > 1 else ""
            table = _confusion(labels, chosen, classes, weights)
            parts.append((f"True and predicted classes{of} ({what})", table))
            picture = _calibration(told.max(axis=1), chosen == labels, weights)
            parts.append((f"Calibration{of} ({what})", picture))
        return parts
    if found.quantiles:
        return [(f"Shares below each quantile ({what})", _coverage(found))]
    some = slice(0, _MOST_POINTS)
    for column in range(outputs.shape[1]):
        target, told = y[some, column].astype(np.float64), outputs[some, column]
        names = ("prediction", "target")
        parts.append(
            (f"Targets {column} ({what})", charts.points(told, target, names, diagonal=True))
        )
        names = ("prediction", "residual")
        residuals = charts.points(told, target - told, names, diagonal=False)
        parts.append((f"Residuals {column} ({what})", residuals))
    return parts


def _confusion(
    y: NDArray[Any], told: NDArray[Any], classes: Sequence[str], weights: NDArray[Any] | None
) -> str:
    count = min(len(classes), _MOST_CLASSES)
    matrix = np.zeros((len(classes), len(classes)))
    np.add.at(matrix, (y, told), 1.0 if weights is None else weights)
    rows = [[classes[i], *(f"{cell:g}" for cell in matrix[i, :count])] for i in range(count)]
    return html_table(["true \\ predicted", *classes[:count]], rows)


def _calibration(
    sure: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[Any] | None
) -> str:
    """Return how often predictions are right, by how probable they were said to be."""
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    counts = np.ones(len(sure)) if weights is None else weights
    means = [
        (
            np.average(sure[bins == b], weights=counts[bins == b]),
            np.average(right[bins == b], weights=counts[bins == b]),
        )
        for b in np.unique(bins)
    ]
    x, y = np.array(means).T
    names = ("probability of the predicted class", "right")
    return charts.points(x, y, names, diagonal=True)


def _coverage(found: Findings) -> str:
    y = found.examples.y[:, :1]
    below = np.average(y <= found.outputs, axis=0, weights=found.examples.weights)
    levels = zip(found.quantiles, below.tolist(), strict=True)
    return html_table(["quantile", "share"], [[f"{q:g}", f"{share:.3f}"] for q, share in levels])
