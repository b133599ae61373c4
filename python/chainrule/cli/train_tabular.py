# SPDX-License-Identifier: Apache-2.0
"""``chainrule train`` of a table with text and missing values, by the recipe for tables."""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import losses
from chainrule.cli import dataset, report, tabular
from chainrule.cli.known import listed
from chainrule.cli.labels import class_weight_of
from chainrule.cli.options import given_of_network
from chainrule.cli.signals import terminable
from chainrule.cli.tables import TableOptions, is_table
from chainrule.cli.tabular import TabularRows
from chainrule.cli.train_outputs import next_command, output_files, stopped
from chainrule.tables import SavedModel, TableDescription
from chainrule.tables.network import BUDGETS

_LOSSES = ("mse", "mae", "huber", "quantile")
_KINDS = {
    "number": "numbers", "boolean": "booleans", "date": "dates", "category": "text",
    "empty": "empty",
}  # fmt: skip


def asked_for(options: argparse.Namespace) -> bool:
    """Return whether an option names the recipe, or the data a file that it alone reads."""
    named = options.target is not None or options.budget is not None or options.report is not None
    return named or tabular.is_parquet(options.data)


def refusal(options: argparse.Namespace) -> str | None:
    """Return why a file that is no table of numbers is not trained on by the recipe.

    The text, which may say nothing, goes behind what is wrong with its numbers. None: it is.
    """
    if not is_table(options.data):
        return " "
    try:
        rows = _read(options, options.data)
    except (OSError, ValueError):
        return " "
    if given := given_of_network(options):
        return f"; without {given[0]} tables may have text and missing values"
    return "; --target COLUMN takes such columns for text" if rows.stray else None


def run(options: argparse.Namespace) -> int:
    """Train an estimator, show what it has learnt and write it to a file."""
    if given := given_of_network(options):
        raise ValueError(
            f"{given[0]} is for networks of numbers; tables have a recipe of their own"
        )
    if options.target is not None and options.label is not None:
        raise ValueError("--target and --label both name the column to learn")
    options.label = options.label if options.target is None else options.target
    output = output_files(options)
    train, test, lines = _parts(options)
    estimator = _estimator(options, train)
    if not options.quiet:
        print("\n".join(lines))
    with terminable() as came, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training was interrupted")
        estimator.fit(train.table, train.labels())
        names = [target.name for target in train.targets if target.name is not None]
        estimator.save(output, target_name=names or None)
    if any(history.interrupted for history in estimator.model_.histories):
        passed = sum(len(history.epochs) for history in estimator.model_.histories)
        planned = estimator.n_iter_ * BUDGETS[estimator.budget].members
        done = f"after {passed} of {planned} epochs"
        return stopped(came, done, output)
    if options.verbose:
        estimator.networks_[0].summary()
    _tell(options, estimator, train, test, output)
    return 0


def _tell(
    options: argparse.Namespace, estimator: Any, train: TabularRows, test: TabularRows, output: Path
) -> None:
    saved = SavedModel.load(output)
    results = tabular.measure(saved, test, options.threads, options.metrics)
    print(report.result_line("test", results))
    if not options.quiet:
        for text in report.confusions(results, tabular.class_names(saved)):
            print(text)
    if options.plot:
        estimator.plot_training(options.plot)
        print(f"curves drawn to {options.plot}")
    if options.report:
        estimator.report(options.report)
        print(f"report written to {options.report}")
    print(f"model written to {output}")
    if not options.quiet and not options.piped:
        print(f"next: {next_command(options, output)}")


def _read(options: argparse.Namespace, path: str) -> TabularRows:
    given = options.label if options.target is None else options.target
    return tabular.read_labelled(
        path,
        replace(TableOptions.of(options), label=given),
        option="label" if options.target is None else "target",
        loss=_loss(options),
        task=options.task,
        keep_case=options.keep_case,
    )


def _loss(options: argparse.Namespace) -> losses.Loss | None:
    if options.loss is None:
        return None
    loss = losses.get(options.loss)
    if loss.kind not in (*_LOSSES, "cross_entropy"):
        raise ValueError(
            f"--loss {loss.kind} is not for tables with text or missing values; "
            f"cross_entropy, {', '.join(_LOSSES)} are"
        )
    return loss


def _parts(options: argparse.Namespace) -> tuple[TabularRows, TabularRows, list[str]]:
    """Return the rows to train on and to test on, and what was read."""
    if options.data in dataset.PUBLISHED:
        raise ValueError(
            f"--target, --budget and --report are for tables; --data is {options.data}"
        )
    rows, lines = _read(options, options.data), []
    if options.test_data is None:
        train, test = rows.split()
        known = [np.unique(y) for y in train.columns]
        if rows.are_classes and not all(map(np.all, map(np.isin, test.columns, known))):
            count = len(test.y)
            train, test = train.of_classes(known), test.of_classes(known)
            lines = [f"{count - len(test.y)} test rows of classes without other rows are left out"]
    else:
        description = TableDescription.of_table(rows.table)
        table = TableOptions.of(options)
        test = tabular.read_known(options.test_data, table, description, rows.known(options.data))
        train = rows
    size = f"{len(train.y)} rows to train on, {len(test.y)} to test on"
    line = f"{options.data}: {size}, {rows.table.shape[1]} columns"
    for place, target in enumerate(train.targets):
        if target.class_names is not None:
            shown = f"{len(target.class_names)} classes: {listed(target.class_names)}"
            several = len(train.targets) > 1
            line += f", {target.name or place}: {shown}" if several else f", {shown}"
    kinds = Counter(_KINDS[column.kind] for column in rows.table.columns)
    counts = ", ".join(f"{count} of {kind}" for kind, count in kinds.items())
    told = f"a table by columns: {counts}; {_missing(rows):.1%} of the values are missing"
    return train, test, [line, told, *rows.lines, *lines]


def _missing(rows: TabularRows) -> float:
    """Return the share of the values that are missing."""
    shares = []
    for column in rows.table.columns:
        if column.kind == "category":
            shares.append(np.mean([value is None for value in column.data]))
        else:
            shares.append(np.isnan(column.data).mean())
    return float(np.mean(shares))


def _estimator(options: argparse.Namespace, train: TabularRows) -> Any:
    from chainrule.sklearn import TabularClassifier, TabularRegressor

    chosen = {
        "budget": options.budget or "default",
        "random_state": options.seed or 0,
        "n_jobs": options.threads,
        "verbose": 0 if options.quiet else 1,
    }
    weights = _class_weight(options, train)
    if train.are_classes:
        return TabularClassifier(class_weight=weights, **chosen)
    return TabularRegressor(loss=options.loss or "mse", **chosen)


def _class_weight(options: argparse.Namespace, train: TabularRows) -> Any:
    given, names = options.class_weight, train.targets[0].class_names
    if len(train.targets) > 1 and train.are_classes:
        if given not in (None, "balanced"):
            raise ValueError(f"--class-weight of several targets is balanced or none, got {given}")
        return given
    classes = len(names or np.unique(train.y)) if train.are_classes else 0
    return class_weight_of(given, names, classes)
