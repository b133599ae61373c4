# SPDX-License-Identifier: Apache-2.0
"""Models of tables in model files: one network, and what it must know of the table beside it.

The record of the table is JSON, which the network carries as its attribute `table`.
"""

from __future__ import annotations

import copy
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.tables.description import TableDescription
from chainrule.tables.model import TableModel, names_of
from chainrule.tables.target import Target

__all__ = ["SavedModel"]


@dataclass(frozen=True)
class SavedModel:
    """A model of a table as a file holds it.

    Attributes
    ----------
    model : TableModel
    target : Target
    estimator : str
        The class that has trained it.
    parameters : dict
        The arguments of the estimator that JSON can hold.
    importances : list of float
        Of the columns.
    """

    model: TableModel
    target: Target
    estimator: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    importances: list[float] = field(default_factory=list)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file.

        Parameters
        ----------
        path : path-like
            Replaced at once and only when all is written.

        Raises
        ------
        ValueError
            If a label is neither text nor a number.
        """
        record = {
            "columns": self.model.description.to_config(),
            "target": self.target.to_config(),
            "estimator": self.estimator,
            "parameters": self.parameters,
            "importances": self.importances,
        }
        net = copy.deepcopy(self.model.networks[0])
        net.optimizer = None  # without its memory
        net.history = self.model.histories[0]
        net.target_name = self.target.name if isinstance(self.target.name, str) else None
        net.class_names = self._class_names(net)
        net.table = record
        net.save(path)

    @property
    def target_columns(self) -> int:
        """How many columns of a table the targets are."""
        target = self.target
        if target.several or target.has_outputs:
            return len(target.labels or ())
        one = target.labels is not None or target.quantiles
        return 1 if one else int(self.model.networks[0].outputs)

    @property
    def target_names(self) -> tuple[str, ...]:
        """What the columns of targets are called; nothing where not each has a name."""
        names = self.target.names
        return names if len(names) == self.target_columns else ()

    def _class_names(self, net: Any) -> Any:
        """Return the labels as a network has them: text, of several outputs by name."""
        target = self.target
        if target.has_outputs:
            parts = zip(net._output_shapes, map(names_of, target.classes), strict=True)
            return {output: names for output, names in parts if names}
        return None if target.labels is None else names_of([*map(str, target.labels)])

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SavedModel:
        """Read a model file.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        SavedModel

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ModelFileError
            If it is damaged or no model file, or holds a network that knows of no table.
        """
        name = os.fspath(path)
        net = cr.load(path)
        if net.table is None:
            raise ModelFileError(f"{name} holds a network without a table; chainrule.load reads it")
        return cls.of(net, name)

    @classmethod
    def of(cls, net: Any, name: str) -> SavedModel:
        """Return what a network that was read knows of its table; errors call the file `name`."""
        record = net.table
        try:
            description = TableDescription.from_config(record["columns"])
            model = TableModel(description, [net], [net.history])
            target = Target.from_config(record["target"])
            # Of a row without values all that a prediction asks of the record is used.
            outputs = model.predict(np.full((1, len(description.columns)), np.nan))
            found = [int(np.prod(shape)) for shape in net._output_shapes.values()]
            wanted = [len(labels) for labels in target.by_output]
            wanted = wanted or [len(target.labels or target.quantiles) or outputs.shape[1]]
            if found != wanted:
                raise ValueError(f"{found} outputs for {wanted} labels or quantiles")
            importances = [float(each) for each in record["importances"]]
            told = str(record["estimator"]), dict(record["parameters"])
            saved = cls(model, target, *told, importances)
            if isinstance(target.name, tuple) and len(target.name) != saved.target_columns:
                raise ValueError(f"{saved.target_columns} targets with the names {target.name}")
            return saved
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{name}: what it says of the table does not fit: {error}"
            ) from error
