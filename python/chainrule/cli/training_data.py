# SPDX-License-Identifier: Apache-2.0
"""The rows that ``chainrule train`` trains and tests on, and what their labels are taken for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from chainrule.cli import dataset
from chainrule.cli.dataset import Rows
from chainrule.cli.known import Known, listed
from chainrule.cli.labels import Task, interpreted, task_of
from chainrule.cli.tables import TableOptions
from chainrule.losses import Loss

_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class TrainingData:
    """Rows to train on and rows to test on."""

    train: Rows  # of the same columns and classes
    test: Rows  # of the same columns and classes
    are_classes: bool  # whether the labels are classes
    lines: list[str]  # what was read, and what numbers were taken for


def read_training_data(
    options: argparse.Namespace, loss: Loss | None, known: Known | None
) -> TrainingData:
    """Return the rows that the options name."""
    table = TableOptions.of(options)
    if options.data in ("mnist", "fashion-mnist"):
        if options.test_data is not None:
            raise ValueError(f"--test-data is for a FILE; {options.data} has rows to test on")
        train, test = dataset.read_both(options.data, table, known=known)
        are_classes, sentence = True, None
    else:
        rows = dataset.read_all(options.data, table, known=known)
        if known is None:
            rows, are_classes, sentence = _interpreted(options, loss, rows)
        else:
            are_classes, sentence = bool(known.classes), None
        if options.test_data is None:
            train, test = dataset.split(rows)
        else:
            train = rows.part(np.random.default_rng(_SHUFFLE_SEED).permutation(len(rows.x)))
            known = known or _known(options.data, rows, are_classes=are_classes)
            # A file to test on has the labels where the other one has them, if it has no names.
            test = dataset.read_all(options.test_data, table, known=known)
            if test.features != train.features:
                raise ValueError(
                    f"{options.test_data} has {test.features} features, {options.data} has "
                    f"{train.features}"
                )
    return TrainingData(train, test, are_classes, _lines(options, train, test, sentence))


def _interpreted(
    options: argparse.Namespace, loss: Loss | None, rows: Rows
) -> tuple[Rows, bool, str | None]:
    """Return the rows with their labels as classes or as numbers."""
    if options.data in dataset.PUBLISHED:
        return rows, True, None
    task = cast("Task | None", options.task)
    asked = None if rows.class_names is not None else task_of(loss, rows.y)
    if task is not None and asked is not None and task != asked and loss is not None:
        raise ValueError(f"--task {task} does not go with --loss {loss.kind}")
    labels = interpreted(
        rows.y,
        rows.class_names,
        task or asked,
        name=rows.target_name,
        keep_case=options.keep_case,
    )
    rows = replace(rows, y=labels.y, class_names=labels.class_names)
    return rows, labels.are_classes, labels.sentence


def _known(source: str, rows: Rows, *, are_classes: bool) -> Known:
    """Return what a model will know that learns from these rows."""
    names, classes = rows.class_names, 0
    if are_classes:
        names = names or tuple(map(str, range(int(rows.y.max()) + 1)))
        classes = len(names)
    features = rows.feature_names if rows.has_names else None
    return Known(source, rows.features, features, names, rows.target_name, classes)


def _lines(options: argparse.Namespace, train: Rows, test: Rows, sentence: str | None) -> list[str]:
    rows = f"{len(train.x)} rows to train on, {len(test.x)} to test on"
    line = f"{options.data}: {rows}, {train.features} features"
    if train.class_names is not None:
        line += f", {len(train.class_names)} classes: {listed(train.class_names)}"
    lines = [line] if sentence is None else [line, sentence]
    if train.feature_names is not None and not train.has_names:
        lines.append("columns go by their places, not by name: some have no name or the same one")
    return lines
