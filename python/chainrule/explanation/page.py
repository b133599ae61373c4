# SPDX-License-Identifier: Apache-2.0
"""The page: what its script reads, and the one HTML file that everything is in."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.explanation.details import Unit
from chainrule.explanation.trace import Step, Trace

__all__ = ["colors", "history_data", "history_numbers", "html_page", "step_data", "vector_data"]

Places = NDArray[np.int64] | None
"""Which of some numbers are on the page; None for all."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"  # 63 levels
_SCRIPTS = ("numbers.js", "elements.js", "summary.js", "drawing.js", "detail.js", "main.js")
_HISTORY_NUMBERS = 6_000


def numbers(values: NDArray[np.float64] | None, digits: int = 11) -> list[float] | None:
    """Return numbers rounded to some digits, which the page shows fewer of; None as None."""
    if values is None:
        return None
    return [float(f"{value:.{digits}g}") for value in values]


def number(value: float, digits: int = 11) -> float:
    """Return one number rounded likewise."""
    return float(f"{value:.{digits}g}")


def colors(values: NDArray[np.float64]) -> list[Any]:
    """Return the largest magnitude, and a character a number for its share of it.

    Examples
    --------
    >>> colors(np.array([-2.0, 0.0, 1.0]))
    [2.0, 'Afv']
    """
    largest = float(np.abs(values).max(initial=0.0))
    levels = np.rint(values / (largest or 1.0) * 31).astype(int) + 31
    return [float(f"{largest:.6g}"), "".join(_ALPHABET[level] for level in levels.ravel())]


def vector_data(trace: Trace, chosen: Sequence[Places]) -> list[dict[str, Any]]:
    """Return the values and gradients of the row and of what each step makes of it."""
    first = trace.steps[0]
    pairs = [(first.x, first.dx), *((step.y, step.dy) for step in trace.steps)]
    return [
        {
            "count": values.size,
            "at": None if at is None else at.tolist(),
            "values": numbers(_at(values, at)),
            "gradient": numbers(_at(gradient, at)),
        }
        for (values, gradient), at in zip(pairs, chosen, strict=True)
    ]


def _at(values: NDArray[np.float64] | None, at: Places) -> NDArray[np.float64] | None:
    return values if values is None or at is None else values[at]


def step_data(
    place: int,
    steps: list[Step],
    units: dict[int, Unit],
    chosen: Sequence[Places],
    *,
    with_colors: bool,
) -> dict[str, Any]:
    """Return what the page tells of one step; `units` of a dense one are by their index.

    `chosen` are the numbers of each vector that are on the page; the step makes the one after its
    own place.
    """
    step = steps[place]
    data: dict[str, Any] = {
        "name": step.name,
        "kind": step.kind,
        "layer": step.layer,
        "slope": _slope(step, chosen[place + 1]),
    }
    if step.weight is None:
        return data
    data["units"] = {
        str(index): {
            "bias": None
            if step.bias is None
            else [number(step.bias[index]), unit.bias_difference, unit.bias_update],
            "terms": [
                [t.input, number(step.weight[t.input, index]), t.difference, t.update]
                for t in unit.terms
            ],
        }
        for index, unit in units.items()
    }
    data["next"] = _strongest_uses(place, steps, chosen)
    if with_colors:
        data["colors"] = colors(step.weight)
    return data


def _slope(step: Step, at: Places) -> list[float] | None:
    """Return the local derivatives; one of them if all are the same."""
    if step.slope is not None and (step.slope == step.slope[0]).all():
        return numbers(step.slope[:1])
    return numbers(_at(step.slope, at))


def _strongest_uses(place: int, steps: list[Step], chosen: Sequence[Places]) -> list[Any] | None:
    """Return for each unit which unit of the next dense step most of its gradient comes from.

    And the weight between the two. None if there is no such step, or something between them lets
    every input have a part in every output.
    """
    for later in range(place + 1, len(steps)):
        step = steps[later]
        if step.weight is not None:
            assert step.dy is not None
            own, to = chosen[place + 1], chosen[later + 1]
            weight = step.weight if own is None else step.weight[own]
            shares = np.abs(weight * step.dy)
            best = shares.argmax(axis=1) if to is None else to[shares[:, to].argmax(axis=1)]
            return [best.tolist(), numbers(weight[np.arange(len(best)), best])]
        if step.slope is None:
            return None
    return None


def history_data(
    traces: Sequence[tuple[int, Trace]], chosen: Sequence[Places]
) -> list[dict[str, Any]]:
    """Return the same row's numbers at recorded steps: as characters where there are many."""
    if not traces:
        return []
    steps = traces[0][1].steps
    # What is before the first weights does not change.
    fixed = next((place for place, step in enumerate(steps) if step.weight is not None), 0)
    exact = history_numbers(steps, chosen) * len(traces) <= _HISTORY_NUMBERS

    def packed(place: int, values: NDArray[np.float64] | None) -> Any:
        shown = _at(values, chosen[place])
        if shown is None:
            return None
        return numbers(shown, 5) if exact else colors(shown)

    return [
        {
            "step": number_of_step,
            "loss": number(trace.loss),
            "values": [
                None if place <= fixed else packed(place, step.y)
                for place, step in enumerate(trace.steps, start=1)
            ],
            "gradients": [
                packed(place, gradient)
                for place, gradient in enumerate(
                    [trace.steps[0].dx, *(step.dy for step in trace.steps)]
                )
            ],
        }
        for number_of_step, trace in traces
    ]


def history_numbers(steps: list[Step], chosen: Sequence[Places]) -> int:
    """Return how many numbers `history_data` gives for each recorded step."""
    fixed = next((place for place, step in enumerate(steps) if step.weight is not None), 0)
    sizes = [
        size if at is None else len(at)
        for size, at in zip([steps[0].x.size, *(s.y.size for s in steps)], chosen, strict=True)
    ]
    return sum(sizes) + sum(sizes[fixed + 1 :])


def html_page(title: str, data: dict[str, Any]) -> str:
    """Return one HTML file with the script, the style and the data in it."""
    files = resources.files("chainrule.explanation").joinpath("page")
    text = json.dumps(_finite(data), separators=(",", ":"), ensure_ascii=False)
    parts = {
        "TITLE": html.escape(title),
        "STYLE": files.joinpath("page.css").read_text("utf-8"),
        # Nothing in the data may end the element that it is in.
        "DATA": text.replace("<", "\\u003c"),
        "SCRIPT": "\n".join(files.joinpath(name).read_text("utf-8") for name in _SCRIPTS),
    }
    page = files.joinpath("page.html").read_text("utf-8")
    return re.sub("@(TITLE|STYLE|DATA|SCRIPT)@", lambda mark: parts[mark[1]], page)


def _finite(data: Any) -> Any:
    """Return data without NaN and infinities, which JSON does not have."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
