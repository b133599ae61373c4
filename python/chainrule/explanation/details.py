# SPDX-License-Identifier: Apache-2.0
"""What the page tells of single weights: differences, updates, and which of them it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from chainrule import optimizers
from chainrule.errors import DivergenceError
from chainrule.explanation.row import Row
from chainrule.explanation.trace import Arrays, Behind, Trace, by_node
from chainrule.network.core_network import make_core

if TYPE_CHECKING:
    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import Optimizer

__all__ = ["Differences", "Term", "Unit", "chosen_numbers", "chosen_units", "largest", "updates"]

_STEP = 1e-5
_WEIGHTS = 1500  # with all their numbers, on one page
_UNITS, _UNITS_OF_ALL = 160, 500  # of one layer, and of all together
_WIDE = 20_000_000  # weights of one layer's units, each of which is run again for each of its terms
_NUMBERS, _FEWEST_NUMBERS = 6_000, 16  # in all vectors together, and in one
_NUMBERS_BESIDE_MAPS = 64  # in one that is shown as pictures


@dataclass
class Term:
    """One input's share of a unit's weighted sum, and what becomes of its weight."""

    input: int
    difference: float
    """(L(w + h) - L(w - h)) / 2h."""
    update: float
    """What the optimizer adds to the weight."""


@dataclass
class Unit:
    """What the page shows of one unit of a dense layer."""

    index: int
    terms: list[Term]
    bias_difference: float | None
    bias_update: float | None


def chosen_units(trace: Trace) -> dict[int, dict[int, NDArray[np.int64]]]:
    """Return the inputs to show, by the indices of dense steps among all and by their units.

    All, if the page can hold them; else the units with the largest gradients and the inputs with
    the largest terms.
    """
    dense = {place: step for place, step in enumerate(trace.steps) if step.weight is not None}
    x = {place: trace.values[step.reads[0]] for place, step in dense.items()}
    most = max(1, min(_UNITS, _UNITS_OF_ALL // max(len(dense), 1)))
    units = {
        place: largest(trace.gradients[step.makes], max(1, min(most, _WIDE // x[place].size)))
        for place, step in dense.items()
    }
    count = sum(len(chosen) for chosen in units.values())
    every = sum(len(units[place]) * x[place].size for place in dense)
    terms = max((each.size for each in x.values()), default=0) if every <= _WEIGHTS else 0
    each = terms or max(4, _WEIGHTS // max(count, 1))
    return {
        place: {
            int(unit): largest(x[place] * step.weight[:, unit], each)  # type: ignore[index]
            for unit in units[place]
        }
        for place, step in dense.items()
    }


def chosen_numbers(
    trace: Trace, units: dict[int, dict[int, NDArray[np.int64]]]
) -> list[NDArray[np.int64] | None]:
    """Return which numbers of each vector are on the page; None for all.

    Those of the largest gradients, and those that are told of one by one.
    """
    if sum(values.size for values in trace.values) <= _NUMBERS:
        return [None] * len(trace.values)
    most = max(_FEWEST_NUMBERS, _NUMBERS // len(trace.values))
    told: list[list[NDArray[np.int64]]] = [[] for _ in trace.values]
    for place, of_step in units.items():
        told[trace.steps[place].reads[0]] += of_step.values()
        told[trace.steps[place].makes].append(np.array(list(of_step), dtype=np.int64))
    chosen: list[NDArray[np.int64] | None] = []
    for k, (values, gradient) in enumerate(zip(trace.values, trace.gradients, strict=True)):
        if values.size <= most:
            chosen.append(None)
            continue
        count = min(most, _NUMBERS_BESIDE_MAPS) if len(trace.shapes[k]) == 3 else most
        most_moved = largest(values if gradient is None else gradient, count)
        chosen.append(np.unique(np.concatenate([most_moved, *told[k]])))
    return chosen


def largest(values: NDArray[np.float64] | None, count: int) -> NDArray[np.int64]:
    """Return the indices of the values of largest magnitude, in order."""
    assert values is not None
    if values.size <= count:
        return np.arange(values.size)
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:count])


class Differences:
    """The finite differences of a dense step's weights: (L(w + h) - L(w - h)) / 2h.

    The unit with its weight moved is run again, and all that is behind it.
    """

    def __init__(self, trace: Trace, place: int) -> None:
        self._trace = trace
        self._place = place
        self._behind = Behind(trace, place)

    def of(self, unit: int, inputs: NDArray[np.int64]) -> tuple[list[float], float | None]:
        """Return those of a unit's weights for these inputs, and that of its bias."""
        core = self._trace.unit(self._place, unit)
        weights = [self._difference(core, _name(core, "weight"), (int(i), 0), unit) for i in inputs]
        has_bias = self._trace.steps[self._place].bias is not None
        return weights, self._difference(
            core, _name(core, "bias"), (0,), unit
        ) if has_bias else None

    def _difference(self, core: Any, name: str, index: tuple[int, ...], unit: int) -> float:
        step = self._trace.steps[self._place]
        x = self._trace.values[step.reads[0]][None]
        array = core.get_parameter(name)
        value = array[index]
        h = _STEP * max(1.0, abs(value))
        losses = []
        for moved in (value + h, value - h):
            array[index] = moved
            core.set_parameter(name, array)
            z = self._trace.values[step.makes].copy()
            z[unit] = core.forward(x, False, 1)[0, 0]
            losses.append(self._behind.loss(z))
        array[index] = value
        core.set_parameter(name, array)
        return float((losses[0] - losses[1]) / ((value + h) - (value - h)))


def _name(core: Any, short: str) -> str:
    """Return the name of a layer's only parameter of this kind."""
    return str(next(p.name for p in core.parameters if p.name.endswith(f".{short}")))


def updates(net: Compiled, row: Row, optimizer: Optimizer) -> dict[str, Arrays]:
    """Return what a first step of the optimizer, from this row alone, adds to each parameter.

    By node and by the names of parameters within it; NaN where the step would diverge.
    """
    if optimizer.lazy:
        optimizer = optimizers.Optimizer.from_config({**optimizer.config, "lazy": False})
    core = _core_copy(net)
    before = [core.get_parameter(info.name) for info in core.parameters]
    row.gradients(core)
    try:
        core.step(optimizer._core, float(optimizer.learning_rate))
    except DivergenceError:
        return by_node(net, [np.full_like(array, np.nan) for array in before])
    after = [core.get_parameter(info.name) for info in core.parameters]
    return by_node(net, [b - a for a, b in zip(before, after, strict=True)])


def _core_copy(net: Compiled) -> Any:
    """Return the network in float64, as a network of the core with the same layers frozen."""
    assert net._graph is not None
    core: Any = make_core(net._graph, 0, "float64")
    of_net = net._built_core()
    for info in core.parameters:
        values = np.ascontiguousarray(of_net.get_parameter(info.name), np.float64)
        core.set_parameter(info.name, values)
    for node in net._frozen:
        core.set_trainable(node, False)
    return core
