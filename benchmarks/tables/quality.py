# SPDX-License-Identifier: Apache-2.0
"""Errors on tables: chainrule's TabularClassifier and TabularRegressor beside others' defaults.

    python benchmarks/tables/quality.py FILE:TARGET ... [--splits 5] [--rows 5000]

Each FILE is a CSV with a header, which may be compressed. Every split draws its rows anew, trains
on 80 % of them and measures 1 - accuracy, or the root mean square error of targets with more than
50 values, on the rest. The table has the medians over the splits, and the geometric mean of the
ratios to each other library. Libraries that are not installed are left out. Times are not measured.
"""

from __future__ import annotations

import argparse
import importlib.util
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from chainrule.sklearn import TabularClassifier, TabularRegressor

Model = Callable[[pd.DataFrame, bool, int], Any]


def main() -> None:
    """Measure the tables that the command line names, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="FILE:TARGET")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--rows", type=int, default=5000, help="most rows of a split")
    parser.add_argument("--models", nargs="+", help="of these alone")
    options = parser.parse_args()
    models = {n: m for n, m in _models().items() if not options.models or n in options.models}
    errors: dict[str, dict[str, float]] = {}
    losses: dict[str, dict[str, float]] = {}
    for given in options.tables:
        path, _, target = given.rpartition(":")
        table = _read(path)
        found = [_measured(table, target, models, options.rows, s) for s in range(options.splits)]
        name = Path(path).name.partition(".")[0]
        errors[name] = {m: float(np.median([f[m][0] for f in found])) for m in models}
        losses[name] = {m: float(np.median([f[m][1] for f in found])) for m in models}
        print(name, {m: round(e, 4) for m, e in errors[name].items()}, flush=True)
    _print("error", errors)
    _print(
        "log loss",
        {name: row for name, row in losses.items() if np.isfinite(list(row.values())).all()},
    )


def _print(what: str, rows: dict[str, dict[str, float]]) -> None:
    if not rows:
        return
    models = list(next(iter(rows.values())))
    print(f"\n| {what} | {' | '.join(models)} |\n|---|{'--:|' * len(models)}")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[m]:.4f}' for m in models)} |")
    ratios = []
    for model in models:
        logs = [np.log(row["chainrule"] / row[model]) for row in rows.values()]
        ratios.append(f"{np.exp(np.mean(logs)):.3f}")
    print(f"| geometric mean of chainrule's over it | {' | '.join(ratios)} |")


def _read(path: str) -> pd.DataFrame:
    separator = "\t" if ".tsv" in path else ","
    return pd.read_csv(path, sep=separator, skipinitialspace=True, na_values=["?"])


def _measured(
    table: pd.DataFrame, target: str, models: dict[str, Model], rows: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return the error and the log loss of each model for one split."""
    table = table[table[target].notna()]
    table = table.sample(min(rows, len(table)), random_state=seed)
    y = table[target]
    x = table.drop(columns=target)
    classifies = y.nunique() <= 50
    if classifies:
        y = pd.Series(np.unique(y.astype(str), return_inverse=True)[1], index=y.index)
    train_x, test_x, train_y, test_y = train_test_split(
        x, y, test_size=0.2, random_state=seed, stratify=y if classifies else None
    )
    found = {}
    for name, make in models.items():
        model = make(train_x, classifies, seed).fit(train_x, train_y.to_numpy())
        told = np.ravel(model.predict(test_x))
        if classifies:
            loss = log_loss(test_y, model.predict_proba(test_x), labels=np.unique(y))
            found[name] = (float(np.mean(told != test_y)), float(loss))
        else:
            found[name] = (float(np.sqrt(np.mean((told - test_y) ** 2))), float("nan"))
    return found


def _text(x: pd.DataFrame) -> list[str]:
    return [name for name in x if not pd.api.types.is_numeric_dtype(x[name])]


def _with_codes(x: pd.DataFrame, model: Any) -> Any:
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    return make_pipeline(make_column_transformer((codes, _text(x)), remainder="passthrough"), model)


def _models() -> dict[str, Model]:
    def chainrule(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
        return (TabularClassifier if classifies else TabularRegressor)(random_state=seed)

    def fast(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
        kind = TabularClassifier if classifies else TabularRegressor
        return kind(budget="fast", random_state=seed)

    def mlp(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
        numbers = make_pipeline(SimpleImputer(), StandardScaler())
        encoder = OneHotEncoder(handle_unknown="ignore", min_frequency=5)
        others = [name for name in x if name not in _text(x)]
        columns = make_column_transformer((encoder, _text(x)), (numbers, others))
        options = {"early_stopping": True, "random_state": seed}
        if classifies:
            return make_pipeline(columns, MLPClassifier(**options))
        # It does not scale targets by itself, without which prices in full are out of its reach.
        scaled = TransformedTargetRegressor(MLPRegressor(**options), transformer=StandardScaler())
        return make_pipeline(columns, scaled)

    def histogram(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
        kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
        return _with_codes(x, kind(random_state=seed))

    models: dict[str, Model] = {
        "chainrule": chainrule,
        "fast": fast,
        "sklearn-mlp": mlp,
        "hgb": histogram,
    }
    for name, prefix, silent in (
        ("lightgbm", "LGBM", {"verbosity": -1}),
        ("xgboost", "XGB", {}),
        ("catboost", "CatBoost", {"verbose": 0, "allow_writing_files": False}),
    ):
        if importlib.util.find_spec(name) is not None:
            models[name] = _boosting(name, prefix, silent)
    if importlib.util.find_spec("pytabkit") is not None:
        models["realmlp"] = _realmlp
    return models


def _realmlp(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
    """Return RealMLP-TD, which takes text as it is and no missing numbers."""
    pytabkit = importlib.import_module("pytabkit")
    kind = pytabkit.RealMLP_TD_Classifier if classifies else pytabkit.RealMLP_TD_Regressor
    others = [name for name in x if name not in _text(x)]
    filled = make_column_transformer(
        (SimpleImputer(strategy="median"), others),
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    return make_pipeline(filled.set_output(transform="pandas"), kind(random_state=seed))


def _boosting(name: str, prefix: str, silent: dict[str, Any]) -> Model:
    def make(x: pd.DataFrame, classifies: bool, seed: int) -> Any:
        module = importlib.import_module(name)
        kind = getattr(module, f"{prefix}{'Classifier' if classifies else 'Regressor'}")
        return _with_codes(x, kind(random_state=seed, **silent))

    return make


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
