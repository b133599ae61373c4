# SPDX-License-Identifier: Apache-2.0
"""Plots of a run, a confusion matrix and images; they need the extra ``chainrule[plot]``."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from chainrule.arguments import positive_integer
from chainrule.names import module_attributes, unknown_name
from chainrule.network.history import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_confusion_matrix", "plot_history", "plot_images"]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

PANEL_WIDTH = 4.8
PANEL_HEIGHT = 3.6


def plot_history(
    history: History | Mapping[str, Sequence[Any]],
    path: str | os.PathLike[str] | None = None,
    *,
    metrics: Sequence[str] | None = None,
) -> Figure:
    """Draw the loss and the other metrics over the epochs, a panel each.

    Parameters
    ----------
    history : History or mapping of str to sequence of float
        What ``fit`` returned; a metric and its ``val_`` twin share a panel.
    path : str or path-like, optional
        File to write; the suffix decides the format, such as ``.png`` or ``.svg``.
    metrics : sequence of str, optional
        Names to draw, without ``val_``; by default all that are single numbers.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that pyplot does not know of.

    Raises
    ------
    ValueError
        If a name is unknown, or there is nothing to draw.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from chainrule.plots import plot_history
    >>> figure = plot_history({"loss": [0.5, 0.3], "val_loss": [0.6, 0.4], "accuracy": [0.7, 0.9]})
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss', 'accuracy']
    """
    curves = {name: column for name, column in history.items() if _is_curve(column)}
    panels = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
    for name in metrics or ():
        if name not in panels:
            raise ValueError(unknown_name("metric", name, panels))
    panels = panels if metrics is None else list(metrics)
    if not panels:
        raise ValueError("history holds nothing to draw")
    figure = new_figure(PANEL_WIDTH * len(panels), PANEL_HEIGHT)
    for index, name in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), index)
        for key, label in ((name, "training"), (f"val_{name}", "validation")):
            if key in curves:
                column = curves[key]
                epochs = (
                    history.epochs if isinstance(history, History) else range(1, len(column) + 1)
                )
                axes.plot(epochs, column, label=label, marker="." if len(column) < 30 else "")
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        axes.locator_params(axis="x", integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return saved(figure, path)


def plot_confusion_matrix(
    matrix: ArrayLike,
    path: str | os.PathLike[str] | None = None,
    classes: Sequence[object] | None = None,
) -> Figure:
    """Draw a confusion matrix: counts as numbers, shares of the true class as shades.

    Parameters
    ----------
    matrix : array_like of shape (C, C)
        Row: true class, column: predicted class, as `chainrule.metrics.confusion_matrix` gives it.
    path : str or path-like, optional
        File to write; the suffix decides the format, such as ``.png`` or ``.svg``.
    classes : sequence of length C, optional
        Names of the classes; by default their numbers.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that pyplot does not know of.

    Raises
    ------
    ValueError
        If `matrix` is not square, or `classes` has another length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> from chainrule.plots import plot_confusion_matrix
    >>> figure = plot_confusion_matrix([[9, 1], [2, 8]], classes=["cat", "dog"])
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"matrix must have shape (C, C), got {counts.shape}")
    size = len(counts)
    names = [str(name) for name in (range(size) if classes is None else classes)]
    if len(names) != size:
        raise ValueError(f"classes must have one name for each of {size} classes, got {len(names)}")
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    side = 2.0 + 0.5 * size
    figure = new_figure(side + 0.8, side)
    axes = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class")
    axes.set_xticks(range(size), names, rotation=45 if max(map(len, names)) > 3 else 0)
    axes.set_yticks(range(size), names)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    for (row, column), share in np.ndenumerate(shares):
        color = "white" if share > 0.5 else "black"
        text = f"{counts[row, column]:.6g}"
        axes.text(column, row, text, ha="center", va="center", color=color)
    return saved(figure, path)


def plot_images(
    images: ArrayLike,
    path: str | os.PathLike[str] | None = None,
    *,
    titles: Sequence[object] | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw a grid of images, all by one scale from their least number to their greatest.

    Parameters
    ----------
    images : array_like of shape (n, height, width) or (n, height, width, channels)
        Of 1 channel, drawn in grey, or of 3 for red, green and blue. Such as
        `chainrule.augment.apply` gives.
    path : str or path-like, optional
        File to write; the suffix decides the format, such as ``.png`` or ``.svg``.
    titles : sequence of length n, optional
        What stands above each image, such as its class.
    columns : int, optional
        Images side by side; by default as many as make the grid about square.

    Returns
    -------
    matplotlib.figure.Figure
        A figure that pyplot does not know of.

    Raises
    ------
    ValueError
        If `images` has another shape, or `titles` another length.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> figure = cr.plots.plot_images(x[:6].reshape(-1, 8, 8), titles=y[:6])
    >>> len(figure.axes)
    6
    """
    pixels = np.asarray(images)
    channels = pixels.shape[-1] if pixels.ndim == 4 else 1
    if pixels.ndim not in (3, 4) or channels not in (1, 3) or pixels.size == 0:
        raise ValueError(
            f"images must have shape (n, height, width), or (n, height, width, channels) with 1 "
            f"channel or 3, got {pixels.shape}"
        )
    count, height, width = pixels.shape[:3]
    if titles is not None and len(titles) != count:
        raise ValueError(f"titles must have one for each of {count} images, got {len(titles)}")
    if columns is None:
        columns = math.isqrt(count - 1) + 1
    side = min(positive_integer("columns", columns), count)
    lines = -(-count // side)
    low, high = float(pixels.min()), float(pixels.max())
    shades = (pixels - low) / (high - low if high > low else 1.0)
    if channels == 1:
        shades = shades.reshape(count, height, width)
    figure = new_figure(side, lines * (height / width + (0.0 if titles is None else 0.25)))
    for index, image in enumerate(shades):
        axes = figure.add_subplot(lines, side, index + 1)
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.set_axis_off()
        if titles is not None:
            axes.set_title(str(titles[index]), fontsize=8)
    return saved(figure, path)


def _is_curve(column: Sequence[Any]) -> bool:
    return len(column) > 0 and all(np.ndim(value) == 0 for value in column)


def log_panel(figure: Figure, place: tuple[int, int], title: str, xlabel: str) -> Axes:
    """Return the logarithmic axes of a panel; `place` is the number of panels and its own."""
    axes = figure.add_subplot(1, *place)
    axes.set_yscale("log")
    axes.set_xlabel(xlabel)
    axes.set_title(title)
    axes.locator_params(axis="x", integer=True)
    axes.grid(alpha=0.3)
    return axes


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of `width` by `height` inches; ImportError without matplotlib."""
    # The Agg canvas keeps clear of pyplot's global state and of any display.
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        from chainrule.network.notebook_figure import NotebookFigure
    except ImportError as error:
        raise ImportError('plots need matplotlib: pip install "chainrule[plot]"') from error
    figure = NotebookFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def saved(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Return a figure after writing it where there is a path."""
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
