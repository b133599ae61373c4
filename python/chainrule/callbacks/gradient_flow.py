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
    gradients : dict of str to list of float
        By the names of the weights: root mean squares of their gradients at `x`.
    outputs : dict of int to list of float
        By the layers: root mean squares of their outputs at `x`.
    updates : dict of str to list of float
        By the names of the weights: the root mean square of what the epoch has added to them over
        their own. From the first epoch on, so it is one shorter.

    Examples
    --------
    >>> import chainrule as cr
    >>> x, y = cr.data.load_digits()
    >>> net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(16, "relu"), cr.Dense(10)], seed=0)
    >>> flow = cr.callbacks.GradientFlow(x[:100], y[:100])
    >>> history = net.fit(x, y, loss="cross_entropy", epochs=3, callbacks=[flow], verbose=0)
    >>> flow.epochs, list(flow.gradients), len(flow.updates["1.weight"])
    ([0, 1, 2, 3], ['1.weight', '2.weight'], 3)
    """

    def __init__(self, x: object = None, y: object = None) -> None:
        if (x is None) != (y is None):
            raise ValueError("give both x and y, or neither")
        self._x, self._y = x, y
        self._rows: tuple[NDArray[Any], NDArray[Any]] | None = None
        self._before: dict[str, NDArray[Any]] = {}
        self.epochs: list[int] = []
        self.gradients: dict[str, list[float]] = {}
        self.outputs: dict[int, list[float]] = {}
        self.updates: dict[str, list[float]] = {}

    def on_train_begin(self, net: Network) -> None:
        """Take the rows as the network reads them, and record its first state.

        Raises
        ------
        ValueError, TypeError
            If the rows do not fit the network or its loss.
        """
        from chainrule.network.training_data import make_dataset

        stack: Any = net
        if self._x is not None:
            data = make_dataset(stack, self._x, self._y, stack.loss)
            self._rows = np.asarray(data.x), np.asarray(data.y)
        self._before = self._weights(stack)
        if not self.epochs:
            self.epochs.append(0)
            self._measure(stack)

    def on_epoch_end(self, net: Network, epoch: int, logs: Logs) -> None:
        """Record the epoch."""
        from chainrule.diagnosis.layers import root_mean_square

        after = self._weights(net)
        for name, weight in after.items():
            moved = root_mean_square(weight - self._before[name])
            size = root_mean_square(weight)
            self.updates.setdefault(name, []).append(moved / size if size else 0.0)
        self._before = after
        self.epochs.append(self.epochs[-1] + 1)
        self._measure(net)

    def _weights(self, net: Any) -> dict[str, NDArray[Any]]:
        core = net._built_core()
        infos = (p for p in core.parameters if p.trainable and p.name.endswith(".weight"))
        return {p.name: core.get_parameter(p.name) for p in infos}

    def _measure(self, net: Any) -> None:
        from chainrule.diagnosis.layers import root_mean_square

        if self._rows is None:
            return
        core = net._built_core().copy()  # the network's own gradients and statistics stay
        core.forward(self._rows[0], True, 0)
        for index, output in enumerate(core.activations()):
            if output is not None:
                self.outputs.setdefault(index, []).append(root_mean_square(output))
        core.compute_gradients(*self._rows, net.loss._core, True, 0)
        for name in self._before:
            gradient = root_mean_square(core.get_gradient(name))
            self.gradients.setdefault(name, []).append(gradient)

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
        from chainrule.plots import PANEL_HEIGHT, PANEL_WIDTH, new_figure, saved

        panels = {
            "gradients, root mean square": (self.epochs, self.gradients),
            "updates over weights": (self.epochs[1:], self.updates),
        }
        drawn = {title: panel for title, panel in panels.items() if panel[1]}
        if not drawn:
            raise ValueError("nothing was recorded: give it to the callbacks of fit first")
        figure = new_figure(PANEL_WIDTH * len(drawn), PANEL_HEIGHT)
        for place, (title, (epochs, columns)) in enumerate(drawn.items(), start=1):
            axes = figure.add_subplot(1, len(drawn), place)
            for name, column in columns.items():
                positive = [value if value > 0.0 else np.nan for value in column]
                axes.plot(epochs, positive, label=name, marker=".")
            axes.set_yscale("log")
            axes.set_xlabel("epoch")
            axes.set_title(title)
            axes.locator_params(axis="x", integer=True)
            axes.grid(alpha=0.3)
            axes.legend()
        return saved(figure, path)
