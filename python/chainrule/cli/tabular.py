# SPDX-License-Identifier: Apache-2.0
"""Tables with text and missing values, and the models that were trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chainrule import metrics
from chainrule.cli import dataset
from chainrule.cli.dataset import Rows
from chainrule.cli.known import Known
from chainrule.cli.labels import Task, in_terms_of, interpreted, task_of
from chainrule.cli.tables import Columns, TableOptions, is_table
from chainrule.data.encoding import label_numbers
from chainrule.data.source import existing_file
from chainrule.errors import DataFileError
from chainrule.losses import Loss
from chainrule.network.network import Network
from chainrule.tables import SavedModel, TableDescription
from chainrule.tables.files import CsvFile, ParquetFile, TableFile
from chainrule.tables.frames import Table

_PARQUET = ".parquet"


def is_parquet(path: str) -> bool:
    """Return whether the name is that of a Parquet file."""
    return path.lower().endswith(_PARQUET)


@dataclass(frozen=True)
class TabularRows:
    """Rows of a table with their targets."""

    table: Table
    y: NDArray[Any]  # (rows,); int64 if the targets are classes
    class_names: tuple[str, ...] | None  # what `y` counts; None for numbers
    target: str | None  # name of the target's column
    are_classes: bool
    lines: tuple[str, ...] = ()  # what the rows were taken for
    stray: tuple[str, ...] = ()  # where text stands in columns that have numbers too

    def take(self, rows: NDArray[Any]) -> TabularRows:
        """Return some of the rows."""
        return replace(self, table=self.table.take(rows), y=self.y[rows])

    def split(self) -> tuple[TabularRows, TabularRows]:
        """Return the rows to train on and those to test on, always the same."""
        train, test = dataset.split(Rows(np.arange(len(self.y)), self.y, self.class_names))
        return self.take(train.x), self.take(test.x)

    def of_classes(self, known: NDArray[Any]) -> TabularRows:
        """Return the rows of these classes, counted from 0."""
        rows = self.take(np.flatnonzero(np.isin(self.y, known)))
        names = self.class_names or tuple(map(str, range(int(known.max()) + 1)))
        return replace(
            rows,
            y=np.searchsorted(known, rows.y),
            class_names=tuple(names[label] for label in known.tolist()),
        )

    def known(self, source: str) -> Known:
        """Return what a model will know that learns from these rows."""
        names, classes = self.class_names, 0
        if self.are_classes:
            names = names or tuple(map(str, range(int(self.y.max()) + 1)))
            classes = len(names)
        return Known(source, self.table.shape[1], self.table.names, names, self.target, classes)

    def labels(self) -> NDArray[Any]:
        """Return the targets as an estimator takes them: names of classes, or numbers."""
        return self.y if self.class_names is None else np.array(self.class_names)[self.y]


def known_of(saved: SavedModel, path: str) -> Known:
    """Return what new tables have to agree with."""
    target, columns = saved.target, saved.model.description.columns
    labels = target.labels
    names = None if labels is None else tuple(map(str, labels))
    return Known(
        path,
        len(columns),
        saved.model.description.names,
        names,
        target.name,
        0 if labels is None else len(labels),
    )


def read_labelled(
    path: str,
    options: TableOptions,
    *,
    option: str = "label",
    loss: Loss | None = None,
    task: str | None = None,
    keep_case: bool = False,
) -> TabularRows:
    """Return the rows of a file to learn from; those without a target are left out.

    Errors call the option that names the target `option`.
    """
    file = _opened(path, options)
    columns = Columns(path, file.names, file.columns, options, None)
    places, label = columns.places(labelled=True, option=option)
    if label is None:
        raise DataFileError(f"{path} has no column but those that --drop leaves out")
    table = file.table(places)
    y, class_names, rows, left_out = _targets(file, label)
    name = None if file.names is None else file.names[label]
    asked = None if class_names is not None else task_of(loss, y)
    if class_names is not None and loss is not None and not loss.takes_labels:
        raise ValueError(f"--loss {loss.kind} needs numbers; the target {name!r} is text")
    if task is not None and asked is not None and loss is not None and task != asked:
        raise ValueError(f"--task {task} does not go with --loss {loss.kind}")
    labels = interpreted(
        y, class_names, cast("Task | None", task) or asked, name=name, keep_case=keep_case
    )
    stray = tuple(filter(None, map(file.stray_text, places)))
    lines = [
        labels.sentence,
        left_out,
        *(f"{text}: the column is taken for text" for text in stray),
    ]
    return TabularRows(
        table.take(rows),
        labels.y,
        labels.class_names,
        name,
        labels.are_classes,
        tuple(filter(None, lines)),
        stray,
    )


def read_known(
    path: str, options: TableOptions, description: TableDescription, known: Known
) -> TabularRows:
    """Return the rows of a file whose targets a model is to predict."""
    file = _opened(path, options)
    places, label = Columns(path, file.names, file.columns, options, known).places(labelled=True)
    assert label is not None
    table = _known_table(file, places, description)
    y, class_names, rows, left_out = _targets(file, label)
    y = in_terms_of(known, y, class_names, path)
    lines = () if left_out is None else (left_out,)
    classes = bool(known.classes)
    return TabularRows(table.take(rows), y, known.class_names, known.target_name, classes, lines)


def read_unlabelled(path: str, options: TableOptions, saved: SavedModel, model: str) -> Table:
    """Return the rows of a file to predict."""
    file = _opened(path, options)
    columns = Columns(path, file.names, file.columns, options, known_of(saved, model))
    places, _ = columns.places(labelled=False)
    return _known_table(file, places, saved.model.description)


def measure(
    saved: SavedModel, rows: TabularRows, threads: int | None, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the metrics of a model's predictions."""
    target = saved.target
    if names is None:
        names = ["mse", "mae", "r2"]
        if target.labels is not None:
            names = ["accuracy", "confusion_matrix"]
        elif target.quantiles:
            names = ["pinball", "coverage"]
    told = target.predictions(saved.model.predict(matrix(saved, rows.table), threads))
    found = {}
    for name in names:
        metric = metrics.get(name)
        if target.quantiles:
            metric = metric.with_quantiles(target.quantiles)
        found[name] = metric(rows.y, told if told.shape[1] > 1 else told[:, 0])
    return found


def matrix(saved: SavedModel, table: Table) -> NDArray[np.float64]:
    """Return rows as the numbers that the model knows."""
    return saved.model.description.matrix(table)


def model_of(net: Network, path: str) -> SavedModel | None:
    """Return the model of a table that a network which was read belongs to; None of others."""
    return None if net.table is None else SavedModel.of(net, path)


def refuse_table(net: Network, path: str, what: str) -> None:
    """Raise ValueError if a network reads a table with text and missing values."""
    if net.table is not None:
        raise ValueError(f"{path} reads tables with text and missing values, which {what} does not")


def refuse_several(saved: SavedModel) -> None:
    """Raise ValueError if a model has several targets."""
    target, outputs = saved.target, int(saved.model.networks[0].outputs)
    numbers = target.labels is None and not target.quantiles and outputs > 1
    if target.several or target.has_outputs or numbers:
        raise ValueError("the model has several targets, of which a file has a column each")


def _opened(path: str, options: TableOptions) -> TableFile:
    if is_parquet(path):
        replace(options, label=None, drop=()).refuse(f"{path} is a Parquet file")
        return ParquetFile(path)
    if not is_table(path):
        raise ValueError(f"{existing_file(path)}: a table must be .csv, .tsv, .csv.gz or .parquet")
    return CsvFile(path, **options.spelling())


def _known_table(file: TableFile, places: list[int], description: TableDescription) -> Table:
    """Return the features of a file, as text where the model knows categories."""
    columns = description.columns
    if file.names is not None and description.names is not None:
        text_of = {column.name: column.kind == "category" for column in columns}
        return file.table(places, [text_of[file.names[place]] for place in places])
    return Table(None, file.table(places, [c.kind == "category" for c in columns]).columns)


def _targets(
    file: TableFile, place: int
) -> tuple[NDArray[Any], tuple[str, ...] | None, NDArray[np.int64], str | None]:
    """Return targets, names of classes, the rows that have one, and what is said of the others."""
    shown = str(place) if file.names is None else repr(file.names[place])
    values = file.values(place)
    missing = np.array([value is None or value != value for value in values.data.tolist()])
    rows = np.flatnonzero(~missing)
    if not len(rows):
        raise DataFileError(f"{file.path}: the target {shown} is missing in all rows")
    if values.kind == "date":
        raise DataFileError(f"{file.path}: the target {shown} holds dates, not numbers or classes")
    left_out = f"{missing.sum()} rows without a target are left out" if missing.any() else None
    if values.kind == "number":
        return label_numbers(values.data[rows], "float64"), None, rows, left_out
    text = file.values(place, text=True).data[rows]
    names, codes = np.unique(text.astype(str), return_inverse=True)
    return codes.astype(np.int64), tuple(map(str, names)), rows, left_out
