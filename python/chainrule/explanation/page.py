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
from chainrule.explanation.trace import Trace

__all__ = ["colors", "history_data", "history_numbers", "html_page", "step_data", "vector_data"]

Places = NDArray[np.int64] | None
"""Which of some numbers are on the page; None for all."""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"  # 63 levels
_SCRIPTS = (
    *("numbers.js", "elements.js", "images.js", "summary.js"),
    *("drawing.js", "detail.js", "main.js"),
)
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


def vector_data(
    trace: Trace, chosen: Sequence[Places], maps: Sequence[dict[str, Any] | None]
) -> list[dict[str, Any]]:
    """Return the values and gradients of the rows and of what each step makes, and its maps."""
    pairs = zip(trace.values, trace.gradients, strict=True)
    return [
        {
            "count": values.size,
            "at": None if at is None else at.tolist(),
            "values": numbers(_at(values, at)),
            "gradient": numbers(_at(gradient, at)),
            "maps": of_channels,
        }
        for (values, gradient), at, of_channels in zip(pairs, chosen, maps, strict=True)
    ]


def _at(values: NDArray[np.float64] | None, at: Places) -> NDArray[np.float64] | None:
    return values if values is None or at is None else values[at]


def step_data(
    place: int,
    trace: Trace,
    units: dict[int, Unit],
    chosen: Sequence[Places],
    kernels: dict[str, Any] | None,
    *,
    with_colors: bool,
) -> dict[str, Any]:
    """Return what the page tells of one step; `units` of a dense one are by their index.

    `chosen` are the numbers of each vector that are on the page.
    """
    step = trace.steps[place]
    data: dict[str, Any] = {
        "name": step.name,
        "kind": step.kind,
        "layer": step.layer,
        "node": step.node,
        "reads": step.reads,
        "slope": None,
        "kernels": kernels,
    }
    slopes = [_slope(slope, chosen[step.makes]) for slope in step.slopes]
    if len(step.reads) == 1 and slopes:
        (data["slope"],) = slopes
    elif slopes:
        data["slopes"] = slopes
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
    data["next"] = _strongest_uses(place, trace, chosen)
    if with_colors:
        data["colors"] = colors(step.weight)
    return data


def _slope(slope: NDArray[np.float64], at: Places) -> list[float] | None:
    """Return the local derivatives; one of them if all are the same."""
    return numbers(slope[:1] if (slope == slope[0]).all() else _at(slope, at))


def _strongest_uses(place: int, trace: Trace, chosen: Sequence[Places]) -> list[Any] | None:
    """Return for each unit which unit of the next dense step most of its gradient comes from."""
    # The weight between the two comes along. None if there is no such step, several steps read it,
    # or something between them lets every input have a part in every output.
    vector = trace.steps[place].makes
    while len(readers := trace.readers(vector)) == 1 and vector not in trace.outputs:
        (step,) = readers
        if step.weight is not None:
            own, to = chosen[trace.steps[place].makes], chosen[step.makes]
            weight = step.weight if own is None else step.weight[own]
            gradient = trace.gradients[step.makes]
            assert gradient is not None
            shares = np.abs(weight * gradient)
            best = shares.argmax(axis=1) if to is None else to[shares[:, to].argmax(axis=1)]
            return [best.tolist(), numbers(weight[np.arange(len(best)), best])]
        if len(step.slopes) != 1:
            return None
        vector = step.makes
    return None


def _fixed(trace: Trace) -> set[int]:
    """Return the vectors that no parameter changes: those before the first weights."""
    fixed = {*range(trace.inputs)}
    for step in trace.steps:
        if fixed.issuperset(step.reads) and not step.own:
            fixed.add(step.makes)
    return fixed


def history_data(
    traces: Sequence[tuple[int, Trace]], chosen: Sequence[Places]
) -> list[dict[str, Any]]:
    """Return the same row's numbers at recorded steps: as characters where there are many."""
    if not traces:
        return []
    fixed = _fixed(traces[0][1])
    exact = history_numbers(traces[0][1], chosen) * len(traces) <= _HISTORY_NUMBERS

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
                None if step.makes in fixed else packed(step.makes, trace.values[step.makes])
                for step in trace.steps
            ],
            "gradients": [packed(k, gradient) for k, gradient in enumerate(trace.gradients)],
        }
        for number_of_step, trace in traces
    ]


def history_numbers(trace: Trace, chosen: Sequence[Places]) -> int:
    """Return how many numbers `history_data` gives for each recorded step."""
    fixed = _fixed(trace)
    sizes = [
        values.size if at is None else len(at)
        for values, at in zip(trace.values, chosen, strict=True)
    ]
    return sum(sizes) + sum(size for k, size in enumerate(sizes) if k not in fixed)


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
