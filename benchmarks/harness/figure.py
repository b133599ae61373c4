# SPDX-License-Identifier: Apache-2.0
"""A report as bars; needs the extra ``chainrule[plot]``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from chainrule.plots import new_figure, saved
from harness.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_ratios"]

_WIDTH = 9.0
_ROW_HEIGHT = 0.9
_GROUP = 0.8


def plot_ratios(report: Report, path: str | os.PathLike[str] | None = None) -> Figure:
    """Draw how many times as fast chainrule is as each library, by workload.

    Parameters
    ----------
    report : Report
        What `measure` found.
    path : str or path-like, optional
        File to write; the suffix decides the format, such as ``.png`` or ``.svg``.

    Returns
    -------
    matplotlib.figure.Figure
        Bars to the right of the line at 1 are work at which chainrule is ahead.

    Raises
    ------
    ValueError
        If no library was measured beside chainrule.
    ImportError
        If matplotlib is not installed.
    """
    if not report.peers:
        raise ValueError("the report holds no library beside chainrule to draw")
    works = report.workloads
    figure = new_figure(_WIDTH, 1.5 + _ROW_HEIGHT * len(works))
    axes = figure.add_subplot()
    height = _GROUP / len(report.peers)
    for column, peer in enumerate(report.peers):
        found = [(row, r) for row, work in enumerate(works) if (r := report.ratio(work, peer))]
        rows = [row + (column + 0.5) * height - _GROUP / 2 for row, _ in found]
        bars = axes.barh(rows, [r - 1.0 for _, r in found], height, left=1.0, label=peer)
        axes.bar_label(bars, [f"{r:.2f}" for _, r in found], padding=2, fontsize=7)
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.margins(x=0.1)
    axes.set_xlabel("chainrule is so many times as fast")
    axes.set_yticks(range(len(works)), [work.name for work in works])
    axes.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(report.peers))
    return saved(figure, path)
