# SPDX-License-Identifier: Apache-2.0
"""Networks that are trained on the rows of a table, and what they predict together."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.callbacks import Callback, EarlyStopping
from chainrule.layers import CategoryEncoding, Embedding
from chainrule.losses import CrossEntropy, Loss
from chainrule.network.ensembles import ensemble
from chainrule.network.output_losses import OutputLosses
from chainrule.network.train_many import train_many
from chainrule.tables.calibration import temperature
from chainrule.tables.description import TableDescription
from chainrule.tables.network import (
    BATCH_ROWS,
    Budget,
    Outputs,
    TargetScaling,
    network_of_rows,
    optimizer,
    tabular_network,
)
from chainrule.tables.preparation import Preparation

__all__ = ["Examples", "TableModel", "names_of"]


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
        outputs: Outputs,
        budget: Budget,
        seeds: list[int],
        monitor: str = "val_loss",
        class_weight: Mapping[str, NDArray[np.float64]] | None = None,
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
            Of several outputs that of each, whose sum is minimised.
        outputs : int or mapping of str to int
            As of `tabular_network`.
        budget : Budget
        seeds : list of int
        monitor : str
            What tells the best epoch: "val_" and the name of a metric, or "val_loss". Of several
            outputs it is the mean of theirs, or the sum of their losses.
        class_weight : mapping of str to ndarray, optional
            Of several outputs the weights of each one's classes.
        num_threads, verbose, callbacks
            As of ``fit`` of `Sequential`; callbacks see one network after another.
        """
        classifies = str(loss._core.link) != "identity"
        preparation = Preparation.of(self.description, train.x, train.weights)
        scaling = None
        if not classifies and isinstance(outputs, int):
            scaling = _scaling_of(train, outputs)
        inputs, held_inputs = preparation.inputs(train.x), None
        y = _targets(train.y, scaling, outputs)
        validation: tuple[Any, ...] | None = None
        if held is not None:
            held_inputs = preparation.inputs(held.x)
            weights = () if held.weights is None else (held.weights,)
            validation = (held_inputs, _targets(held.y, scaling, outputs), *weights)
        activation = "selu" if classifies else "mish"
        options: dict[str, Any] = {
            "units": budget.units,
            "activation": activation,
            "epochs": budget.epochs,
        }
        metric = monitor.removeprefix("val_")
        nets = [tabular_network(preparation, outputs, seed=seed, **options) for seed in seeds]
        watched: Any = monitor
        if metric != "loss" and not isinstance(outputs, int):
            watched = [f"val_{name}_{metric}" for name in outputs]
        kept = [] if held is None else [EarlyStopping(watched, patience=budget.epochs)]
        fit: dict[str, Any] = {
            "loss": loss,
            "optimizer": optimizer(activation, budget.epochs),
            "epochs": budget.epochs,
            "batch_size": BATCH_ROWS,
            "validation_data": validation,
            "sample_weight": train.weights,
            "class_weight": class_weight,
            "callbacks": [*kept, *callbacks],
            "metrics": [] if metric == "loss" or held is None else [metric],
            "num_threads": num_threads,
        }
        link = str(loss._core.link) if len(nets) > 1 else "identity"

        def model_of(trained: Sequence[Any]) -> TableModel:
            """Return the model of trained networks, which are calibrated."""
            model = TableModel(self.description)
            for net in trained:
                if held is not None and isinstance(loss, CrossEntropy):
                    logits = net.predict(held_inputs, num_threads=num_threads)
                    _multiply_last(net, _factors(logits, held, class_weight))
                told = network_of_rows(
                    preparation, net, outputs, scaling, link=link, seed=net.seed, **options
                )
                told.loss = net.loss
                model.networks.append(told)
                model.histories.append(net.history)
            if len(model.networks) > 1:
                model.networks = [_ensemble(model.networks)]
            _name_columns(model.networks[0], model.description)
            return model

        def at_epoch(now: Any) -> TableModel:
            place = next(place for place, net in enumerate(nets) if net is now)
            copies = copy.deepcopy(nets[: place + 1])
            for stopping in kept:
                stopping._put_best_into(copies[-1])
            return model_of(copies)

        self._at_epoch = at_epoch
        if verbose or callbacks or len(nets) == 1:
            for net in nets:
                net.fit(inputs, y, **fit, verbose=verbose)
                if net.history.interrupted:
                    break
        else:  # to the same bits
            train_many(nets, inputs, y, **fit)
        del self._at_epoch
        vars(self).update(vars(model_of(_worth_averaging(nets))))

    def at_epoch(self, net: Any) -> TableModel:
        """Return the model as if `train`, which is under way, ended at this epoch of a network."""
        return self._at_epoch(net)

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
            The columns of several outputs stand side by side.
        """
        (net,) = self.networks
        several = isinstance(net.loss, OutputLosses)
        identity = not several and str(net.loss._core.link) == "identity"
        predict = net.predict if identity else net.predict_proba
        told = predict(x, num_threads=num_threads)
        return np.asarray(np.hstack([*told.values()]) if several else told, dtype=np.float64)


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


def _targets(y: NDArray[Any], scaling: TargetScaling | None, outputs: Outputs) -> Any:
    """Return targets as a network takes them: scaled, or of several outputs a list of columns."""
    if not isinstance(outputs, int):
        return [np.ascontiguousarray(column) for column in y.T]
    if scaling is None:
        return y
    y = y.reshape(len(y), -1)
    columns = y.shape[1]
    return (y - scaling.mean[:columns]) / scaling.scale[:columns]


def _factors(
    logits: Any, held: Examples, class_weight: Mapping[str, NDArray[np.float64]] | None
) -> NDArray[np.float64]:
    """Return for each column of logits, of several outputs by name, what calibrates it."""
    several = isinstance(logits, dict)
    factors = []
    for name, y in zip(logits, held.y.T, strict=True) if several else [("", held.y)]:
        weights = held.weights
        if class_weight is not None:
            own = class_weight[name][y]
            weights = own if weights is None else own * weights
        part = logits[name] if several else logits
        known = weights is None or weights.any()
        factor = 1.0 / temperature(part, y, weights) if known else 1.0
        factors.append(np.full(part.shape[1], factor))
    return np.concatenate(factors)


def _multiply_last(net: Any, factors: NDArray[np.float64]) -> None:
    *before, weight, bias = net.get_weights()
    factors = factors.astype(weight.dtype)
    net.set_weights([*before, weight * factors, bias * factors])


def _name_columns(net: Any, description: TableDescription) -> None:
    """Tell a network what its columns are called, and the categories that it reads from them."""
    net.feature_names = names_of(description.names)
    read = {
        place
        for layer in net.layers
        if isinstance(layer, CategoryEncoding | Embedding)
        for place in layer.columns or ()
    }
    known = {place: names_of(description.columns[place].categories) for place in sorted(read)}
    net.category_names = {place: names for place, names in known.items() if names}


def names_of(texts: Sequence[str] | None) -> Sequence[str] | None:
    """Return texts as names of a network's; None where one cannot be, in C as in Python."""
    try:
        return None if any(b"\0" in text.encode() for text in texts or ()) else texts
    except UnicodeEncodeError:
        return None


def _worth_averaging(nets: list[Any]) -> list[Any]:
    """Return the networks but for those that Ctrl-C stopped when others had come twice as far."""
    furthest = max(len(net.history.epochs) for net in nets)
    return [
        net
        for net in nets
        if not net.history.interrupted or 0 < furthest <= 2 * len(net.history.epochs)
    ] or nets[:1]


def _ensemble(members: list[Any]) -> Any:
    """Return one network that gives the mean of trained ones."""
    net = ensemble(members[0], len(members))
    names = {parameter.name for parameter in net._built_core().parameters}
    net.set_weights(
        {
            name if name in names else f"member_{m}/{name}": values
            for m, member in enumerate(members, 1)
            for name, values in member.parameters.items()
        }
    )
    net._built_core().adapted = True
    net.loss = members[0].loss
    return net
