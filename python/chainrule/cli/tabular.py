# SPDX-License-Identifier: Apache-2.0
"""Tables with text and missing values, and the models that were trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from chainrule import metrics
from chainrule.cli import dataset
from chainrule.cli.dataset import Rows
from chainrule.cli.known import Known, listed
from chainrule.cli.labels import Labels, Task, in_terms_of, interpreted, task_of
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
class TargetColumn:
    """A column of targets."""

    name: str | None
    class_names: tuple[str, ...] | None  # what its values count; None for numbers


@dataclass(frozen=True)
class TabularRows:
    """Rows of a table with their targets."""

    table: Table
    y: NDArray[Any]  # (rows,) or (rows, targets); int64 if the targets are classes
    targets: tuple[TargetColumn, ...]
    are_classes: bool  # of all targets or of none
    lines: tuple[str, ...] = ()  # what the rows were taken for
    stray: tuple[str, ...] = ()  # where text stands in columns that have numbers too

    def take(self, rows: NDArray[Any]) -> TabularRows:
        """Return some of the rows."""
        return replace(self, table=self.table.take(rows), y=self.y[rows])

    @property
    def columns(self) -> list[NDArray[Any]]:
        """The values of each target."""
        return [*self.y.reshape(len(self.y), -1).T]

    def split(self) -> tuple[TabularRows, TabularRows]:
        """Return the rows to train on and those to test on, always the same."""
        names = self.targets[0].class_names if len(self.targets) == 1 else None
        train, test = dataset.split(Rows(np.arange(len(self.y)), self.y, names))
        return self.take(train.x), self.take(test.x)

    def of_classes(self, known: Sequence[NDArray[Any]]) -> TabularRows:
        """Return the rows of these classes of each target, counted from 0."""
        inside = np.logical_and.reduce([*map(np.isin, self.columns, known)])
        rows = self.take(np.flatnonzero(inside))
        names = [
            tuple(target.class_names[k] if target.class_names else str(k) for k in classes.tolist())
            for target, classes in zip(self.targets, known, strict=True)
        ]
        return replace(
            rows,
            y=_side_by_side([*map(np.searchsorted, known, rows.columns)]),
            targets=tuple(
                replace(t, class_names=n) for t, n in zip(self.targets, names, strict=True)
            ),
        )

    def known(self, source: str) -> Known:
        """Return what a model will know that learns from these rows."""
        inputs, features = self.table.shape[1], self.table.names
        each = []
        for target, y in zip(self.targets, self.columns, strict=True):
            names = target.class_names
            if self.are_classes:
                names = names or tuple(map(str, range(int(y.max()) + 1)))
            classes = len(names or ())
            each.append(Known(source, inputs, features, names, target.name, classes))
        return _known_together(each)

    def labels(self) -> NDArray[Any]:
        """Return the targets as an estimator takes them: names of classes, or numbers."""
        named = zip(self.targets, self.columns, strict=True)
        each = [np.array(t.class_names)[y] if t.class_names else y for t, y in named]
        if len(each) > 1 and any(column.dtype.kind == "U" for column in each):
            each = [column.astype(object) for column in each]  # text, maybe beside numbers
        return _side_by_side(each)


def _side_by_side(columns: list[NDArray[Any]]) -> NDArray[Any]:
    return columns[0] if len(columns) == 1 else np.column_stack(columns)


def _known_together(each: Sequence[Known]) -> Known:
    """Return what is known of one target or of several."""
    if len(each) == 1:
        return each[0]
    first = each[0]
    return Known(first.model, first.inputs, first.feature_names, classes=0, targets=tuple(each))


def known_of(saved: SavedModel, path: str) -> Known:
    """Return what new tables have to agree with."""
    target, description = saved.target, saved.model.description
    inputs, count = len(description.columns), saved.target_columns
    labels = target.by_output or (((0, 1),) if target.several else (None,)) * count
    each = []
    for known, name in zip(labels, saved.target_names or (None,) * count, strict=True):
        names = None if known is None else tuple(map(str, known))
        each.append(Known(path, inputs, description.names, names, name, len(names or ())))
    return _known_together(each)


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
    places, labelled = columns.places(labelled=True, option=option)
    if not labelled:
        raise DataFileError(f"{path} has no column but those that --drop leaves out")
    table = file.table(places)
    found, rows, left_out = _targets(file, labelled)
    names = [None if file.names is None else file.names[place] for place in labelled]
    each = [
        _interpreted(*codes, name, loss, cast("Task | None", task), keep_case=keep_case)
        for codes, name in zip(found, names, strict=True)
    ]
    _check_alike(names, each, labelled)
    stray = tuple(filter(None, map(file.stray_text, places)))
    lines = [
        *(labels.sentence for labels in each),
        left_out,
        *(f"{text}: the column is taken for text" for text in stray),
    ]
    return TabularRows(
        table.take(rows),
        _side_by_side([labels.y for labels in each]),
        tuple(TargetColumn(n, labels.class_names) for n, labels in zip(names, each, strict=True)),
        each[0].are_classes,
        tuple(filter(None, lines)),
        stray,
    )


def _interpreted(
    y: NDArray[Any],
    class_names: tuple[str, ...] | None,
    name: str | None,
    loss: Loss | None,
    task: Task | None,
    *,
    keep_case: bool,
) -> Labels:
    """Return the targets of a column as classes or as numbers."""
    asked = None if class_names is not None else task_of(loss, y)
    if class_names is not None and loss is not None and not loss.takes_labels:
        raise ValueError(f"--loss {loss.kind} needs numbers; the target {name!r} is text")
    if task is not None and asked is not None and loss is not None and task != asked:
        raise ValueError(f"--task {task} does not go with --loss {loss.kind}")
    return interpreted(y, class_names, task or asked, name=name, keep_case=keep_case)


def _check_alike(
    names: Sequence[str | None], each: Sequence[Labels], places: Sequence[int]
) -> None:
    """Raise ValueError if some targets are classes and others numbers."""
    shown = [place if name is None else name for name, place in zip(names, places, strict=True)]
    classes = [repr(s) for s, labels in zip(shown, each, strict=True) if labels.are_classes]
    numbers = [repr(s) for s, labels in zip(shown, each, strict=True) if not labels.are_classes]
    if classes and numbers:
        raise ValueError(
            f"the targets of a model are all classes or all numbers, but {listed(classes)} would "
            f"be classes and {listed(numbers)} numbers; --task says what whole numbers are"
        )


def read_known(
    path: str, options: TableOptions, description: TableDescription, known: Known
) -> TabularRows:
    """Return the rows of a file whose targets a model is to predict."""
    file = _opened(path, options)
    places, labels = Columns(path, file.names, file.columns, options, known).places(labelled=True)
    table = _known_table(file, places, description)
    found, rows, left_out = _targets(file, labels)
    each = zip(known.targets or (known,), found, strict=True)
    columns = [in_terms_of(one, y, names, path) for one, (y, names) in each]
    lines = () if left_out is None else (left_out,)
    targets = known.targets or (known,)
    return TabularRows(
        table.take(rows),
        _side_by_side(columns),
        tuple(TargetColumn(target.target_name, target.class_names) for target in targets),
        all(target.classes for target in targets),
        lines,
    )


def read_unlabelled(path: str, options: TableOptions, saved: SavedModel, model: str) -> Table:
    """Return the rows of a file to predict."""
    file = _opened(path, options)
    columns = Columns(path, file.names, file.columns, options, known_of(saved, model))
    places, _ = columns.places(labelled=False)
    return _known_table(file, places, saved.model.description)


def measure(
    saved: SavedModel, rows: TabularRows, threads: int | None, names: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return the metrics of a model's predictions, of outputs with classes those of each."""
    target = saved.target
    if names is None:
        names = ["mse", "mae", "r2"]
        if target.labels is not None:
            names = ["accuracy"] if target.several else ["accuracy", "confusion_matrix"]
        elif target.quantiles:
            names = ["pinball", "coverage"]
    told = target.predictions(saved.model.predict(matrix(saved, rows.table), threads))
    parts, columns = [told if told.shape[1] > 1 else told[:, 0]], [rows.y]
    if target.has_outputs:
        parts, columns = target.split(told), [*rows.y.T]
    found = {}
    for prefix, part, y in zip(class_names(saved), parts, columns, strict=True):
        for name in names:
            metric = metrics.get(name)
            if target.quantiles:
                metric = metric.with_quantiles(target.quantiles)
            metric = metric.as_multilabel() if target.several else metric
            found[f"{prefix}{name}"] = metric(y, part)
    return found


def class_names(saved: SavedModel) -> dict[str, Sequence[str] | None]:
    """Return what classes are called, by what the metrics of their output begin with."""
    target = saved.target
    if not target.has_outputs:
        return {"": target.classes[0] if target.classes else None}
    outputs = saved.target_names or [f"y{place}" for place in range(len(target.classes))]
    return {f"{name}_": known for name, known in zip(outputs, target.classes, strict=True)}


def targets(saved: SavedModel, y: NDArray[Any]) -> Any:
    """Return targets as the network takes them: of several outputs a list."""
    return [*y.T] if saved.target.has_outputs else y


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


_Codes: TypeAlias = "tuple[NDArray[Any], tuple[str, ...] | None]"


def _targets(
    file: TableFile, places: Sequence[int]
) -> tuple[list[_Codes], NDArray[np.int64], str | None]:
    """Return targets with names of classes, the rows that have all, and what others are told."""
    lacking = np.zeros(file.rows, dtype=bool)
    for place in places:
        shown = str(place) if file.names is None else repr(file.names[place])
        values = file.values(place)
        missing = np.array([value is None or value != value for value in values.data.tolist()])
        if missing.all():
            raise DataFileError(f"{file.path}: the target {shown} is missing in all rows")
        if values.kind == "date":
            raise DataFileError(
                f"{file.path}: the target {shown} holds dates, not numbers or classes"
            )
        lacking |= missing
    rows = np.flatnonzero(~lacking)
    if not len(rows):
        raise DataFileError(f"{file.path}: each row lacks a target")
    left_out = f"{lacking.sum()} rows without a target are left out" if lacking.any() else None
    return [_codes(file, place, rows) for place in places], rows, left_out


def _codes(file: TableFile, place: int, rows: NDArray[np.int64]) -> _Codes:
    """Return the targets of some rows, and what classes are called that they count."""
    values = file.values(place)
    if values.kind == "number":
        return label_numbers(values.data[rows], "float64"), None
    text = file.values(place, text=True).data[rows]
    names, codes = np.unique(text.astype(str), return_inverse=True)
    return codes.astype(np.int64), tuple(map(str, names))
