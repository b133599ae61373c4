# SPDX-License-Identifier: Apache-2.0
"""Small charts as SVG, for pages that need nothing else."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["bars", "lines", "points"]

_WIDTH, _HEIGHT = 560.0, 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 12.0, 12.0, 40.0
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")


class _Axes:
    """From numbers to places on the picture, and the frame with its ends written down."""

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64], names: tuple[str, str]):
        self._x, self._y, self._names = _ends(x), _ends(y), names

    def place(self, x: float, y: float) -> str:
        (left, right), (low, high) = self._x, self._y
        across = _LEFT + (x - left) / (right - left) * (_WIDTH - _LEFT - _RIGHT)
        down = _HEIGHT - _BOTTOM - (y - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)
        return f"{across:.1f},{down:.1f}"

    def picture(self, drawn: Sequence[str]) -> str:
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        frame = (
            f'<rect x="{_LEFT}" y="{_TOP}" width="{right - _LEFT}" height="{bottom - _TOP}" '
            'fill="none" stroke="#999"/>'
        )
        texts = [
            _text(_LEFT, bottom + 16, f"{self._x[0]:.4g}", "start"),
            _text(right, bottom + 16, f"{self._x[1]:.4g}", "end"),
            _text(_LEFT - 6, bottom, f"{self._y[0]:.4g}", "end"),
            _text(_LEFT - 6, _TOP + 12, f"{self._y[1]:.4g}", "end"),
            _text((_LEFT + right) / 2, bottom + 32, self._names[0], "middle"),
            _text(_LEFT - 6, (_TOP + bottom) / 2, self._names[1], "end"),
        ]
        return _svg(_HEIGHT, [frame, *drawn, *texts])


def lines(series: Mapping[str, Sequence[float]], x_name: str) -> str:
    """Return a picture of series over 1, 2, 3 and so on."""
    longest = max(map(len, series.values()))
    values = np.concatenate([np.asarray(s, np.float64) for s in series.values()])
    axes = _Axes(np.array([1.0, max(2.0, longest)]), values, (x_name, ""))
    drawn = []
    for place, (name, numbers) in enumerate(series.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        path = " ".join(axes.place(i, v) for i, v in enumerate(numbers, 1) if np.isfinite(v))
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        drawn.append(_text(_WIDTH - 20, _TOP + 18 * (place + 1), name, "end", colour))
    return axes.picture(drawn)


def points(
    x: NDArray[np.float64], y: NDArray[np.float64], names: tuple[str, str], *, diagonal: bool
) -> str:
    """Return a picture of points, with the line x = y if asked for."""
    both = np.concatenate([x, y]) if diagonal else None
    axes = _Axes(x if both is None else both, y if both is None else both, names)
    drawn = []
    if both is not None:
        low, high = _ends(both)
        path = f"{axes.place(low, low)} {axes.place(high, high)}"
        drawn.append(f'<polyline points="{path}" stroke="#999" fill="none"/>')
    for place in (axes.place(float(a), float(b)) for a, b in zip(x, y, strict=True)):
        across, down = place.split(",")
        drawn.append(f'<circle cx="{across}" cy="{down}" r="2.5" fill="{_COLOURS[0]}"/>')
    return axes.picture(drawn)


def bars(values: Mapping[str, float]) -> str:
    """Return a picture of a bar for each value, the longest first."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    most = max([v for _, v in ordered if v > 0.0], default=1.0)
    drawn = []
    for place, (name, value) in enumerate(ordered):
        top, length = 22.0 * place, max(0.0, value) / most * 280.0
        drawn.append(_text(190, top + 15, name[:28], "end"))
        drawn.append(
            f'<rect x="196" y="{top + 4}" width="{length:.1f}" height="14" fill="{_COLOURS[0]}"/>'
        )
        drawn.append(_text(200 + length, top + 15, f"{value:.3g}", "start"))
    return _svg(22.0 * max(1, len(ordered)) + 4, drawn)


def _svg(height: float, drawn: Sequence[str]) -> str:
    inside = "".join(drawn)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" font-family="sans-serif" font-size="12">{inside}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#333") -> str:
    written = html.escape(text)
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{colour}">{written}</text>'


def _ends(values: NDArray[np.float64]) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (low, high) if low < high else (low - 0.5, high + 0.5)
