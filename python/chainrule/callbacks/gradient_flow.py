# SPDX-License-Identifier: Apache-2.0
"""Following gradients and updates of each layer over a training."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.callbacks.callback import Callback, Logs, Network

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["GradientFlow"]


class GradientFlow(Callback):
    """Record after each epoch how large the gradients and the updates of each layer are.

    Parameters
    ----------
    x, y : array_like, optional
        Some rows and their targets, at which to take gradients and outputs. Without them only the
        updates are recorded, since a training step uses its gradients up.

    Attributes
    ----------
    epochs : list of int
        0, before the first, and the epochs since.
    gradients : dict of int to list of float
        By the layers with weights: root mean squares of the weights' gradients at `x`.
    outputs : dict of int to list of float
        Root mean squares of the outputs at `x`, by the layers.
    dead, saturated : dict of int to list of float
        By the layers whose activation can be so: the share of units that are 0 for all rows of `x`,
        and of outputs where the activation is flat.
    updates : dict of int to list of float
        By the layers with weights: the root mean square of what the epoch has added to them over
        their own. From the first epoch on, so it is one shorter.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(16, "relu"), cr.Dense(10)], seed=0)
    >>> flow = cr.callbacks.GradientFlow(x[:100], y[:100])
    >>> history = net.fit(x, y, loss="cross_entropy", epochs=3, callbacks=[flow], verbose=0)
    >>> flow.epochs, list(flow.gradients), list(flow.dead), len(flow.updates[1])
    ([0, 1, 2, 3], [1, 2], [1], 3)
    """

    def __init__(self, x: object = None, y: object = None) -> None:
        if (x is None) != (y is None):
            raise ValueError("give both x and y, or neither")
        self._x, self._y = x, y
        self._rows: tuple[Any, Any] | None = None
        self._before: dict[int, NDArray[Any]] = {}
        self.epochs: list[int] = []
        self.gradients: dict[int, list[float]] = {}
        self.outputs: dict[int, list[float]] = {}
        self.dead: dict[int, list[float]] = {}
        self.saturated: dict[int, list[float]] = {}
        self.updates: dict[int, list[float]] = {}

    def on_train_begin(self, net: Network) -> None:
        """Take the rows as the network reads them, and record its first state.

        Raises
        ------
        ValueError, TypeError
            If the rows do not fit the network or its loss.
        """
        from chainrule.inputs.several import core_rows
        from chainrule.network.training_data import make_dataset

        trained: Any = net
        if self._x is not None:
            data = make_dataset(trained, self._x, self._y, trained.loss)
            self._rows = core_rows(data.x), core_rows(data.y)
        self._before = self._weights(trained)
        if not self.epochs:
            self.epochs.append(0)
            self._measure(trained)

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Record the epoch."""
        from chainrule.diagnosis.layers import root_mean_square

        after = self._weights(net)
        for layer, weight in after.items():
            moved = root_mean_square(weight - self._before[layer])
            size = root_mean_square(weight)
            self.updates.setdefault(layer, []).append(moved / size if size else 0.0)
        self._before = after
        self.epochs.append(self.epochs[-1] + 1)
        self._measure(net)

    def _weights(self, net: Any) -> dict[int, NDArray[Any]]:
        core = net._built_core()
        infos = (p for p in core.parameters if p.trainable and p.name.endswith(".weight"))
        return {p.layer: core.get_parameter(p.name) for p in infos}

    def _measure(self, net: Any) -> None:
        from chainrule.diagnosis.layers import measure_layers
        from chainrule.optimizers import Adam, Optimizer

        if self._rows is None:
            return
        # A copy of the core, since the network's own gradients and statistics are to stay.
        by = net.optimizer if isinstance(net.optimizer, Optimizer) else Adam()
        measures, _ = measure_layers(
            net._built_core().copy(), net._graph, *self._rows, net.loss, by
        )
        for measured in measures:
            for column, value in (
                (self.outputs, measured.output),
                (self.gradients, measured.gradient),
                (self.dead, measured.dead),
                (self.saturated, measured.saturated),
            ):
                if value is not None:
                    column.setdefault(measured.index, []).append(value)

    def plot(self, path: str | os.PathLike[str] | None = None) -> Figure:
        """Draw gradients and updates of each layer over the epochs.

        Parameters
        ----------
        path : str or path-like, optional
            File to write; the suffix decides the format, such as ``.png`` or ``.svg``.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If nothing was recorded.
        ImportError
            If matplotlib is not installed.
        """
        from chainrule.plots import PANEL_HEIGHT, PANEL_WIDTH, log_panel, new_figure, saved

        panels = {
            "gradients, root mean square": (self.epochs, self.gradients),
            "updates over weights": (self.epochs[1:], self.updates),
        }
        drawn = {title: panel for title, panel in panels.items() if panel[1]}
        if not drawn:
            raise ValueError("nothing was recorded: give it to the callbacks of fit first")
        figure = new_figure(PANEL_WIDTH * len(drawn), PANEL_HEIGHT)
        for place, (title, (epochs, columns)) in enumerate(drawn.items(), start=1):
            axes = log_panel(figure, (len(drawn), place), title, "epoch")
            for layer, column in columns.items():
                positive = [value if value > 0.0 else np.nan for value in column]
                axes.plot(epochs, positive, label=f"layer {layer}", marker=".")
            axes.legend()
        return saved(figure, path)
