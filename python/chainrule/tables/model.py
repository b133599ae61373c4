# SPDX-License-Identifier: Apache-2.0
"""Networks that are trained on the rows of a table, and what they predict together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.callbacks import Callback, EarlyStopping
from chainrule.losses import CrossEntropy, Loss
from chainrule.network.ensembles import ensemble
from chainrule.network.train_many import train_many
from chainrule.tables.calibration import temperature
from chainrule.tables.description import TableDescription
from chainrule.tables.network import (
    BATCH_ROWS,
    Budget,
    TargetScaling,
    network_of_rows,
    optimizer,
    tabular_network,
)
from chainrule.tables.preparation import Preparation

__all__ = ["Examples", "TableModel"]


@dataclass(frozen=True)
class Examples:
    """Rows to learn from or to measure by.

    Attributes
    ----------
    x : ndarray of float64, shape (rows, columns)
        As `TableDescription.matrix` gives them.
    y : ndarray, shape (rows,) or (rows, outputs)
        Places of classes, 0 and 1, or numbers.
    weights : ndarray, shape (rows,), optional
    """

    x: NDArray[np.float64]
    y: NDArray[Any]
    weights: NDArray[np.float64] | None = None


@dataclass
class TableModel:
    """A table's description and the network that predicts from its rows.

    Attributes
    ----------
    description : TableDescription
    networks : list of Network
        The network, if there is one yet, which reads the rows of `TableDescription.matrix`; of
        several members it is an ensemble.
    histories : list of History
        Of each member.
    """

    description: TableDescription
    networks: list[Any] = field(default_factory=list)
    histories: list[Any] = field(default_factory=list)

    def train(
        self,
        train: Examples,
        held: Examples | None,
        *,
        loss: Loss,
        outputs: int,
        budget: Budget,
        seeds: list[int],
        monitor: str = "val_loss",
        num_threads: int | None = None,
        verbose: int = 0,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        """Train a network for each seed; several become one ensemble.

        Each member keeps its own best epoch, which is why they are trained one by one.

        Parameters
        ----------
        train, held : Examples
            The rows to learn from, and those that tell which epoch was the best; without them it
            is the last.
        loss : Loss
        outputs : int
        budget : Budget
        seeds : list of int
        monitor : str
            What tells the best epoch: "val_" and the name of a metric, or "val_loss".
        num_threads, verbose, callbacks
            As of ``fit`` of `Sequential`; callbacks see one network after another.
        """
        classifies = str(loss._core.link) != "identity"
        preparation = Preparation.of(self.description, train.x, train.weights)
        scaling = None if classifies else _scaling_of(train, outputs)
        inputs, held_inputs = preparation.inputs(train.x), None
        y = train.y if scaling is None else _scaled(train.y, scaling)
        validation: tuple[Any, ...] | None = None
        if held is not None:
            held_inputs = preparation.inputs(held.x)
            held_y = held.y if scaling is None else _scaled(held.y, scaling)
            weights = () if held.weights is None else (held.weights,)
            validation = (held_inputs, held_y, *weights)
        activation = "selu" if classifies else "mish"
        options: dict[str, Any] = {
            "units": budget.units,
            "activation": activation,
            "epochs": budget.epochs,
        }
        metric = monitor.removeprefix("val_")
        nets = [tabular_network(preparation, outputs, seed=seed, **options) for seed in seeds]
        kept = [] if held is None else [EarlyStopping(monitor, patience=budget.epochs)]
        fit: dict[str, Any] = {
            "loss": loss,
            "optimizer": optimizer(activation, budget.epochs),
            "epochs": budget.epochs,
            "batch_size": BATCH_ROWS,
            "validation_data": validation,
            "sample_weight": train.weights,
            "callbacks": [*kept, *callbacks],
            "metrics": [] if metric == "loss" or held is None else [metric],
            "num_threads": num_threads,
        }
        if verbose or callbacks or len(nets) == 1:
            for net in nets:
                net.fit(inputs, y, **fit, verbose=verbose)
                if net.history.interrupted:
                    break
        else:  # to the same bits
            train_many(nets, inputs, y, **fit)
        link = str(loss._core.link) if len(nets) > 1 else "identity"
        for net, seed in zip(nets, seeds, strict=True):
            if held is not None and isinstance(loss, CrossEntropy):
                logits = net.predict(held_inputs, num_threads=num_threads)
                _multiply_last(net, 1.0 / temperature(logits, held.y, held.weights))
            told = network_of_rows(preparation, net, scaling, link=link, seed=seed, **options)
            told.loss = loss
            self.networks.append(told)
            self.histories.append(net.history)
            if net.history.interrupted:
                break
        if len(self.networks) > 1:
            self.networks = [_ensemble(self.networks)]

    def predict(
        self, x: NDArray[np.float64], num_threads: int | None = None
    ) -> NDArray[np.float64]:
        """Return probabilities or numbers.

        Parameters
        ----------
        x : ndarray of float64, shape (rows, columns)
            As `TableDescription.matrix` gives them.
        num_threads : int, optional

        Returns
        -------
        ndarray of float64, shape (rows, outputs)
        """
        (net,) = self.networks
        identity = str(net.loss._core.link) == "identity"
        predict = net.predict if identity else net.predict_proba
        return np.asarray(predict(x, num_threads=num_threads), dtype=np.float64)


def _scaling_of(train: Examples, outputs: int) -> TargetScaling:
    """Return the scaling of targets, of which one may have several outputs: its quantiles."""
    y = train.y.reshape(len(train.y), -1)
    mean = np.average(y, axis=0, weights=train.weights)
    scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=train.weights))
    scale[~(scale > 1e-12 * np.abs(mean))] = 1.0
    mean, scale = np.broadcast_to(mean, outputs), np.broadcast_to(scale, outputs)
    return TargetScaling(mean, scale, _limits(y) if y.shape[1] == 1 else None)


def _limits(y: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the least and the largest number of float32 within the range of targets."""
    with np.errstate(over="ignore"):
        low, high = np.float32(y.min()), np.float32(y.max())
    low = np.nextafter(low, np.float32(np.inf)) if low < y.min() else low
    high = np.nextafter(high, np.float32(-np.inf)) if high > y.max() else high
    return (float(low), float(high)) if low < high else None


def _scaled(y: NDArray[Any], scaling: TargetScaling) -> NDArray[np.float64]:
    y = y.reshape(len(y), -1)
    columns = y.shape[1]
    scaled: NDArray[np.float64] = (y - scaling.mean[:columns]) / scaling.scale[:columns]
    return scaled


def _multiply_last(net: Any, factor: float) -> None:
    *before, weight, bias = net.get_weights()
    net.set_weights([*before, weight * factor, bias * factor])


def _ensemble(members: list[Any]) -> Any:
    """Return one network that gives the mean of trained ones."""
    net = ensemble(members[0], len(members))
    net.set_weights(
        {
            name if name in net.parameters else f"member_{m}/{name}": values
            for m, member in enumerate(members, 1)
            for name, values in member.parameters.items()
        }
    )
    net._built_core().adapted = True
    net.loss = members[0].loss
    return net
