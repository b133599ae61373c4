# SPDX-License-Identifier: Apache-2.0
"""Networks that are trained on the rows of a table, and what they predict together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.callbacks import EarlyStopping
from chainrule.losses import CrossEntropy, Loss
from chainrule.network.ensembles import ensemble
from chainrule.network.train_many import train_many
from chainrule.tables.calibration import temperature
from chainrule.tables.description import TableDescription
from chainrule.tables.network import BATCH_ROWS, Budget, optimizer, tabular_network
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
    preparation : Preparation
    networks : list of Network
        The network, if there is one yet; of several members it is an ensemble.
    histories : list of History
        Of each member.
    """

    description: TableDescription
    preparation: Preparation
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
        num_threads, verbose
            As of ``fit`` of `Sequential`.
        """
        classifies = str(loss._core.link) != "identity"
        scaling = None if classifies else _Scaling.of(train)
        inputs, held_inputs = self.preparation.inputs(train.x), None
        y = train.y if scaling is None else scaling.to(train.y)
        validation: tuple[Any, ...] | None = None
        if held is not None:
            held_inputs = self.preparation.inputs(held.x)
            held_y = held.y if scaling is None else scaling.to(held.y)
            weights = () if held.weights is None else (held.weights,)
            validation = (held_inputs, held_y, *weights)
        activation = "selu" if classifies else "mish"
        options = {"units": budget.units, "activation": activation, "epochs": budget.epochs}
        metric = monitor.removeprefix("val_")
        nets = [tabular_network(self.preparation, outputs, seed=seed, **options) for seed in seeds]  # type: ignore[arg-type]
        fit: dict[str, Any] = {
            "loss": loss,
            "optimizer": optimizer(activation, budget.epochs),
            "epochs": budget.epochs,
            "batch_size": BATCH_ROWS,
            "validation_data": validation,
            "sample_weight": train.weights,
            "callbacks": [] if held is None else [EarlyStopping(monitor, patience=budget.epochs)],
            "metrics": [] if metric == "loss" or held is None else [metric],
            "num_threads": num_threads,
        }
        if verbose or len(nets) == 1:
            for net in nets:
                net.fit(inputs, y, **fit, verbose=verbose)
                if net.history.interrupted:
                    break
        else:  # to the same bits
            train_many(nets, inputs, y, **fit)
        for net, seed in zip(nets, seeds, strict=True):
            history = net.history
            if scaling is not None:
                net = scaling.undone_by(net, self.preparation, options, loss, seed)
            elif held is not None and isinstance(loss, CrossEntropy):
                logits = net.predict(held_inputs, num_threads=num_threads)
                _multiply_last(net, 1.0 / temperature(logits, held.y, held.weights))
            self.networks.append(net)
            self.histories.append(history)
            if history.interrupted:
                break
        if len(self.networks) > 1:
            limits = None if scaling is None else scaling.range
            link = str(loss._core.link)
            one = tabular_network(self.preparation, outputs, limits=limits, link=link, **options)  # type: ignore[arg-type]
            self.networks = [_ensemble(one, self.networks)]

    def inputs(self, x: NDArray[np.float64]) -> Any:
        """Return what the networks read of rows, as `TableDescription.matrix` gives them."""
        return self.preparation.inputs(x)

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
        return np.asarray(predict(self.inputs(x), num_threads=num_threads), dtype=np.float64)


@dataclass(frozen=True)
class _Scaling:
    """Targets as a network sees them: of mean 0 and variance 1."""

    mean: NDArray[np.float64]  # (outputs,)
    scale: NDArray[np.float64]  # (outputs,)
    limits: tuple[float, float] | None  # of a single output

    @classmethod
    def of(cls, train: Examples) -> _Scaling:
        y = train.y.reshape(len(train.y), -1)
        mean = np.average(y, axis=0, weights=train.weights)
        scale = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=train.weights))
        scale[~(scale > 1e-12 * np.abs(mean))] = 1.0
        limits = (float(y.min()), float(y.max())) if y.shape[1] == 1 else None
        return cls(mean, scale, limits)

    def to(self, y: NDArray[Any]) -> NDArray[np.float64]:
        scaled: NDArray[np.float64] = (y.reshape(len(y), -1) - self.mean) / self.scale
        return scaled

    @property
    def range(self) -> tuple[float, float] | None:
        """The limits of predictions, where there are two."""
        return self.limits if self.limits and self.limits[0] < self.limits[1] else None

    def undone_by(
        self, net: Any, preparation: Preparation, options: dict[str, Any], loss: Loss, seed: int
    ) -> Any:
        """Return the network with outputs in the units of the targets, within their range."""
        outputs = net.outputs
        several = outputs if len(self.mean) == 1 else 1  # the quantiles of one target
        scale, mean = np.tile(self.scale, several), np.tile(self.mean, several)
        told = tabular_network(preparation, outputs, limits=self.range, seed=seed, **options)
        *before, weight, bias = net.get_weights()
        told.set_weights([*before, weight * scale, bias * scale + mean])
        told.loss = loss
        return told


def _multiply_last(net: Any, factor: float) -> None:
    *before, weight, bias = net.get_weights()
    net.set_weights([*before, weight * factor, bias * factor])


def _ensemble(description: Any, members: list[Any]) -> Any:
    """Return one network that gives the mean of trained ones."""
    net = ensemble(description, len(members))
    net.set_weights(
        {
            f"member_{m}/{name}": values
            for m, member in enumerate(members, 1)
            for name, values in member.parameters.items()
        }
    )
    net.loss = members[0].loss
    return net
