# SPDX-License-Identifier: Apache-2.0
"""What train and evaluate say about a network on data with known labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule.network.progress import format_value

if TYPE_CHECKING:
    from chainrule.losses import Loss
    from chainrule.network.network import Network

_LONGEST_NAME = 12
_LARGEST_TABLE = 20
_MOST_CONFUSIONS = 10


def measure(
    net: Network,
    x: object,
    y: object,
    threads: int | None,
    metrics: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the loss and metrics."""
    assert net.loss is not None
    names = usual_metrics(net.loss, net.outputs) if metrics is None else list(metrics)
    return net.evaluate(x, y, metrics=names, num_threads=threads)


def result_line(what: str, results: dict[str, Any]) -> str:
    """Return the single numbers of `results` in one line."""
    fields = [what]
    for name, value in results.items():
        if np.ndim(value) == 0:
            fields.append(f"{name} {format_value(float(value))}")
    return "  ".join(fields)


def confusions(
    results: Mapping[str, Any], class_names: Mapping[str, Sequence[str] | None]
) -> list[str]:
    """Return the confusion matrices among `results`.

    Classes are called by what the names of their output's metrics begin with.
    """
    found = []
    for prefix, names in class_names.items():
        if f"{prefix}confusion_matrix" in results:
            text = confusion_text(results[f"{prefix}confusion_matrix"], names)
            found.append(f"{prefix[:-1]}:\n{text}" if prefix else text)
    return found


def confusion_text(matrix: NDArray[Any], class_names: Sequence[str] | None = None) -> str:
    """Return a confusion matrix as a table, or of many classes the most frequent confusions."""
    names = [str(name) for name in (class_names or range(len(matrix)))]
    if len(names) > _LARGEST_TABLE:
        return _confusions(matrix, names)
    short = [name[:_LONGEST_NAME] for name in names]
    cells = [[str(count) if count else "." for count in row] for row in matrix]
    first = "true \\ predicted"
    margin = max(len(first), *map(len, short))
    widths = [max(len(short[j]), *(len(row[j]) for row in cells)) for j in range(len(short))]
    lines = [_row(first, margin, short, widths)]
    lines += [_row(name, margin, row, widths) for name, row in zip(short, cells, strict=True)]
    return "\n".join(lines)


def usual_metrics(loss: Loss, outputs: int) -> list[str]:
    """Return what is measured of a network unless metrics are chosen."""
    link = loss._core.link
    if link == "softmax" or (link == "sigmoid" and outputs == 1):
        return ["accuracy", "confusion_matrix"]
    if link == "sigmoid":
        return ["accuracy"]
    # Outputs of these are scores or quantiles, not estimates of the mean.
    if loss.kind in ("hinge", "quantile"):
        return []
    return ["mse", "mae", "r2"]


def _row(name: str, margin: int, cells: Sequence[str], widths: Sequence[int]) -> str:
    aligned = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{name:>{margin}}  {'  '.join(aligned)}"


def _confusions(matrix: NDArray[Any], names: Sequence[str]) -> str:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:_MOST_CONFUSIONS]
    lines = [f"most frequent confusions of {len(names)} classes:"]
    for index in order:
        true, predicted = np.unravel_index(index, wrong.shape)
        if wrong[true, predicted]:
            lines.append(f"  {wrong[true, predicted]} x {names[true]} taken for {names[predicted]}")
    return "\n".join(lines) if len(lines) > 1 else f"no confusions of {len(names)} classes"
