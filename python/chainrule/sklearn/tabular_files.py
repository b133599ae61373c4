# SPDX-License-Identifier: Apache-2.0
"""Estimators of tables to model files and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from chainrule.errors import ModelFileError
from chainrule.tables.network import BUDGETS
from chainrule.tables.saved import SavedModel

__all__ = ["SavedEstimator"]

T = TypeVar("T", bound="SavedEstimator")


class SavedEstimator(BaseEstimator):
    """The part of `TabularEstimator` that model files keep."""

    _target_names: tuple[str, ...] = ()

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        target_name: str | Sequence[str] | None = None,
    ) -> None:
        """Write a model file that has all that new tables need: networks, columns and categories.

        Parameters
        ----------
        path : str or path
            Customarily ending in ``.safetensors``. ``chainrule predict`` and its other commands
            read it, and `chainrule.load` the network alone, whose attribute `table` has the rest.
        target_name : str or sequence of str, optional
            What the target is called, such as the column that it was, or each of several targets
            in their order, by which ``chainrule evaluate`` finds their columns. Default: the names
            that `y` had as a column or table of pandas, polars or pyarrow.

        Raises
        ------
        ValueError
            If a label is neither text nor a number, or the names are not one for each target.

        Notes
        -----
        What was measured on the training rows is not kept, but for the
        importances: `report` needs the estimator that was fitted.
        """
        check_is_fitted(self)
        given = self.get_params(deep=False)
        saved = SavedModel(
            self.model_,
            self._target(),
            type(self).__name__,
            {name: given[name] for name in given if _is_plain(given[name])},
            self.feature_importances_.tolist(),
        )
        name: Any = self._target_names if target_name is None else target_name
        if not isinstance(name, str):
            name = tuple(name)
            if name and len(name) != saved.target_columns:
                raise ValueError(
                    f"target_name has {len(name)} names, {name}, for {saved.target_columns} targets"
                )
            name = name if len(name) > 1 else next(iter(name), None)
        replace(saved, target=replace(saved.target, name=name)).save(path)

    @classmethod
    def load(cls: type[T], path: str | os.PathLike[str]) -> T:
        """Read what `save` has written.

        Parameters
        ----------
        path : str or path

        Returns
        -------
        TabularClassifier or TabularRegressor

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        chainrule.ModelFileError
            If it is damaged, no model file or not of this kind of estimator.
        """
        saved = SavedModel.load(path)
        if saved.estimator != cls.__name__:
            raise ModelFileError(f"{path} is of a {saved.estimator}, not of a {cls.__name__}")
        try:
            estimator = cls(**saved.parameters)
            estimator._validate_params()
            estimator._has_learnt(saved.model, estimator._restored(saved.target))
        except (TypeError, ValueError) as error:
            raise ModelFileError(f"{path} does not fit a {cls.__name__}: {error}") from error
        names = saved.model.description.names
        if names is not None:
            estimator.feature_names_in_ = np.array(names, dtype=object)
        estimator.n_iter_ = BUDGETS[estimator.get_params()["budget"]].epochs
        estimator.feature_importances_ = np.array(saved.importances, dtype=np.float64)
        estimator._measured = None
        estimator._target_names = saved.target.names
        return estimator


def _is_plain(value: Any) -> bool:
    """Whether JSON gives an estimator's parameter back."""
    if isinstance(value, tuple | list):
        return all(isinstance(each, int | float) for each in value)
    return value is None or isinstance(value, str | bool | int | float)
