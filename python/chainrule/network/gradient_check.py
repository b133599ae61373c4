# SPDX-License-Identifier: Apache-2.0
"""Backpropagation against central differences."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.arguments import positive_integer
from chainrule.inputs.arrays import as_features
from chainrule.inputs.compressed_rows import as_table
from chainrule.inputs.several import Several, core_rows
from chainrule.network.fitting import AnyLoss
from chainrule.network.network import Network
from chainrule.network.output_losses import loss_weights_of
from chainrule.network.training_data import make_dataset

__all__ = ["GradientReport", "gradient_check"]


@dataclass(frozen=True)
class Entry:
    """One derivative, worked out both ways."""

    name: str
    index: tuple[int, ...]
    backpropagation: float
    difference: float

    @property
    def error(self) -> float:
        """Absolute difference of the two."""
        return abs(self.backpropagation - self.difference)


@dataclass(frozen=True, repr=False)
class GradientReport:
    """What `gradient_check` found.

    Attributes
    ----------
    max_relative_error : float
        The largest over all arrays of ``max |a - b| / max(max |a|, max |b|)``, where a and b are
        an array's derivatives by backpropagation and by differences.
    relative_errors : dict of str to float
        The same for each array; ``"x"`` is the input.
    worst : list of Entry
        The entries that differ most, worst first.
    checked : int
        Number of derivatives compared.

    Examples
    --------
    >>> import chainrule as cr
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(1)], seed=0, dtype="float64")
    >>> report = cr.gradient_check(net, [[1.0, 2.0]], [[0.5]], "mse")
    >>> report.checked, report.max_relative_error < 1e-6
    (5, True)
    """

    max_relative_error: float
    relative_errors: dict[str, float]
    worst: list[Entry]
    checked: int

    def __str__(self) -> str:
        """Return a table of the arrays and the entries that differ most."""
        width = max(len(name) for name in self.relative_errors)
        lines = [
            f"{self.checked} derivatives, largest relative error {self.max_relative_error:.2e}"
        ]
        lines += [f"  {name:<{width}}  {e:.2e}" for name, e in self.relative_errors.items()]
        lines.append("worst entries (backpropagation, central difference):")
        lines += [
            f"  {e.name}{list(e.index)}  {e.backpropagation:+.12e}  {e.difference:+.12e}"
            for e in self.worst
        ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return the table too, so that the last expression of a notebook cell shows it."""
        return str(self)

    def _repr_html_(self) -> str:
        """Return the table for notebooks."""
        from chainrule.html import html_text

        return html_text(str(self))


def gradient_check(
    net: Network,
    x: object,
    y: object,
    loss: AnyLoss = None,
    *,
    step: float = 1e-5,
    max_entries: int | None = None,
    training: bool = True,
    seed: int = 0,
) -> GradientReport:
    """Compare every gradient with central differences, in float64.

    Each derivative is also taken as ``(L(w + h) - L(w - h)) / 2h``, whose error is of order h^2
    from the curvature and epsilon / h from rounding. The network itself is not changed: a float64
    copy is checked, whose dropout mask stays the same throughout.

    Parameters
    ----------
    net : Network
        Any network, built or not.
    x : array_like of shape (rows, inputs), or mapping or sequence of such
        A few rows are enough; every parameter costs two forward passes. Columns of categories, and
        lengths of sequences, have no derivative.
    y : array_like
        As in `Sequential.fit`.
    loss : str or Loss, optional
        Default: the network's own.
    step : float, default 1e-5
        h, times the larger of 1 and the value's magnitude.
    max_entries : int, optional
        Check at most this many entries of each array, chosen at random.
    training : bool, default True
        Differentiate the network as in training.
    seed : int, default 0
        Decides the choice of entries.

    Returns
    -------
    GradientReport

    Raises
    ------
    TypeError, ValueError
        If an argument does not fit.

    Examples
    --------
    >>> import numpy as np, chainrule as cr
    >>> rng = np.random.default_rng(0)
    >>> net = cr.Sequential([cr.Input(3), cr.Dense(4, activation="tanh"), cr.Dense(2)], seed=0)
    >>> report = cr.gradient_check(net, rng.normal(size=(5, 3)), rng.normal(size=(5, 2)), "mse")
    >>> report.max_relative_error < 1e-7
    True
    """
    if loss is None and net.loss is None:
        raise ValueError('give the loss to differentiate, such as loss="mse"')
    if not (math.isfinite(step) and step > 0.0):
        raise ValueError(f"step must be finite and > 0, got {step}")
    if max_entries is not None:
        max_entries = positive_integer("max_entries", max_entries)
    wide = _float64_copy(net, x)
    core: Any = wide._built_core()
    assert wide._graph is not None
    chosen = wide._chosen_loss(net.loss if loss is None else loss)
    wide._features(x)  # tables alone, where compressed rows would be written out
    data = make_dataset(wide, x, y, chosen)
    features = {
        name: np.array(rows, dtype=np.float64)
        for name, rows in zip(_input_names(wide), _parts(data.x), strict=True)
    }
    inputs = Several(list(features.values())) if len(features) > 1 else features["x"]
    weights = loss_weights_of(chosen)

    def run() -> tuple[float, NDArray[Any]]:
        value, dx = core.compute_gradients(
            core_rows(inputs), core_rows(data.y), chosen._core, training, 0, None, None, weights
        )
        return value, dx

    _, dx = run()
    gradients, movable, first = dict(wide.gradients), {}, 0
    for (name, rows), node in zip(features.items(), wide._graph.inputs, strict=True):
        own = slice(first, first + rows.shape[1])
        first = own.stop
        free = np.full(rows.shape[1], not wide._graph.readers_of_lengths(node.name, wide._shapes))
        for reader in wide._graph.nodes:
            if reader.layer is not None and node.name in reader.inputs:
                free &= np.array(reader.layer.categories(rows.shape[1]) or 0) == 0
        movable[name] = np.flatnonzero(np.broadcast_to(free, rows.shape))
        if movable[name].size:
            gradients[name] = dx[:, own]
    start = {name: core.get_parameter(name) for name in wide.gradients}
    # Running statistics drift with every forward pass; no derivative depends on them in training.
    rng = np.random.default_rng(seed)
    relative: dict[str, float] = {}
    entries: list[Entry] = []
    for name, gradient in gradients.items():
        array = features[name] if name in features else start[name]
        found = []
        for flat in _chosen(movable.get(name, np.arange(gradient.size)), max_entries, rng):
            index = np.unravel_index(flat, gradient.shape)
            value = array[index]
            h = step * max(1.0, abs(value))
            sides = []
            for moved in (value + h, value - h):
                array[index] = moved
                if name not in features:
                    core.set_parameter(name, array)
                sides.append(run()[0])
            array[index] = value
            if name not in features:
                core.set_parameter(name, array)
            difference = (sides[0] - sides[1]) / ((value + h) - (value - h))
            position = tuple(int(i) for i in index)
            found.append(Entry(name, position, float(gradient[index]), float(difference)))
        relative[name] = _relative_error(found)
        entries += found
    worst = sorted(entries, key=_badness, reverse=True)[:5]
    largest = float(np.max(list(relative.values())))
    return GradientReport(largest, relative, worst, len(entries))


def _float64_copy(net: Network, x: object = None) -> Network:
    """Return a copy, which is built for the columns of `x` if the network is not."""
    net = copy.deepcopy(net)
    if not net.built:
        net.build(as_features(x).shape[1])
    assert net._graph is not None
    wide = Network._made(net._graph, net.seed, "float64")
    wide._core.adapted = net._adapted  # type: ignore[union-attr]
    wide.feature_names, wide.class_names = net.feature_names, net.class_names
    weights: dict[str, Any] = net.parameters
    wide.set_weights(weights)
    return wide


def _input_names(net: Network) -> list[str]:
    """Return what reports call the inputs."""
    assert net._graph is not None
    names = [node.name for node in net._graph.inputs]
    return [f"x[{name!r}]" for name in names] if len(names) > 1 else ["x"]


def _parts(rows: Any) -> list[Any]:
    return rows.parts if isinstance(rows, Several) else [as_table(rows)]


def _chosen(
    entries: NDArray[np.int64], limit: int | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    if limit is None or entries.size <= limit:
        return entries
    return np.sort(rng.choice(entries, limit, replace=False))


def _relative_error(entries: list[Entry]) -> float:
    # NumPy's max gives NaN if there is one, Python's may pass it over.
    largest = np.max(np.abs([(e.backpropagation, e.difference) for e in entries]))
    error = np.max([e.error for e in entries])
    # Derivatives that are all tiny, such as behind saturated units, are compared absolutely.
    with np.errstate(invalid="ignore"):
        return float(error / max(largest, 1e-3))


def _badness(entry: Entry) -> float:
    return math.inf if math.isnan(entry.error) else entry.error
