# SPDX-License-Identifier: Apache-2.0
"""``chainrule predict``."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import data
from chainrule.atomic_file import write_atomically
from chainrule.cli import tabular
from chainrule.cli.checks import check_features
from chainrule.cli.dataset import Rows
from chainrule.cli.file_kinds import PREDICTIONS
from chainrule.cli.known import Known
from chainrule.cli.output import check_standard_output, output_path
from chainrule.cli.tables import TableOptions, is_table, read_table
from chainrule.data.source import existing_file
from chainrule.losses import Loss
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.network.output_losses import OutputLosses
from chainrule.tables import SavedModel

# NumPy's text of a number takes 128 bytes.
_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True)
class _Output:
    """What an output of a model predicts, and how it is written."""

    numbers: NDArray[Any]  # (rows, columns)
    header: list[str]
    names: tuple[str, ...] | None  # of classes
    classifies: bool  # whether a row is of one class
    threshold: float = 0.5  # of a single column
    name: str = ""  # of one of several outputs

    @property
    def columns(self) -> list[str]:
        """What columns of labels and of numbers are called."""
        prefix = f"{self.name}_" if self.name else ""
        return [f"{prefix}{each}" for each in (["label"] * self.classifies + self.header)]

    def labels(self, numbers: NDArray[Any]) -> list[str]:
        """Return the classes of some rows as fields of CSV, since names may hold commas."""
        columns = numbers.shape[1]
        names: Sequence[Any] = range(max(2, columns)) if self.names is None else self.names
        texts = [_csv_line([name])[:-1] for name in names]
        chosen = numbers.argmax(axis=1) if columns > 1 else (numbers[:, 0] >= self.threshold) * 1
        return [texts[label] for label in chosen.tolist()]


def run(options: argparse.Namespace) -> int:
    """Write a line of CSV for every row of a file."""
    inputs = [options.model, options.input]
    path = None
    if options.output in (None, "-"):
        check_standard_output(inputs)
    else:
        path = output_path(options.output, PREDICTIONS, inputs=inputs, overwrite=options.overwrite)
    net = load(options.model)
    saved = tabular.model_of(net, options.model)
    told = _of_network(net, options) if saved is None else [_of_table(saved, options)]
    lines = _lines(told, options)
    if path is None:
        sys.stdout.writelines(lines)
    else:
        write_atomically(path, "".join(lines).encode())
    return 0


def _features(options: argparse.Namespace, net: Network) -> Rows:
    path, given = options.input, TableOptions.of(options)
    known = Known.of(net, options.model, labelled=False)
    if is_table(path):
        table = read_table(path, given, labelled=False, known=known, dtype=net.dtype)
        rows = Rows(table.x, table.x[:, 0], place=table.place)
        check_features(rows, net.dtype, path)
        return rows
    if not path.lower().endswith(".npy"):
        raise ValueError(
            f"{existing_file(path)}: rows to predict must be .csv, .csv.gz or .npy; .tsv is CSV too"
        )
    given.refuse(f"the input is {path}")
    x = data.load_npy(path)
    columns = int(np.prod(x.shape[1:]))
    if x.ndim > 1 and columns != net.inputs:
        hint = "; rows to predict have no label column" if columns - 1 == net.inputs else ""
        raise ValueError(f"{path} has {columns} columns, {options.model} takes {net.inputs}{hint}")
    return Rows(x, np.empty(0))


def _of_network(net: Network, options: argparse.Namespace) -> list[_Output]:
    rows = _features(options, net)
    outputs = net._built_core().output_names
    losses = net.loss.losses if isinstance(net.loss, OutputLosses) else [net.loss] * len(outputs)
    links = ["identity" if loss is None else str(loss._core.link) for loss in losses]
    predict = net.predict if {*links} == {"identity"} else net.predict_proba
    told = predict(rows.x, num_threads=options.threads)
    parts = [*told.values()] if isinstance(told, dict) else [told]
    named = outputs if len(outputs) > 1 else [""]
    return [
        _output(net, name, part, loss, link, options)
        for name, part, loss, link in zip(named, parts, losses, links, strict=True)
    ]


def _output(
    net: Network,
    name: str,
    told: NDArray[Any],
    loss: Loss | None,
    link: str,
    options: argparse.Namespace,
) -> _Output:
    """Return an output; its positions, where it has some, are numbers side by side."""
    rows, *positions, columns = told.shape
    known = net._names_of("class_names", name or None)
    # Scores of hinge tell classes apart, whose labels may be 0 and 1 or -1 and 1: the names tell.
    hinge = loss is not None and loss.kind == "hinge" and known is not None
    of_classes = link == "softmax" or hinge or (columns == 1 and link == "sigmoid")
    names = known if of_classes and not options.numbers else None
    header = _header(columns, link, names)
    if positions:
        places = ["_".join(map(str, place)) for place in np.ndindex(*positions)]
        header = [f"{place}_{each}" for place in places for each in header]
    classifies = of_classes and not positions
    numbers = told.reshape(rows, -1)
    return _Output(numbers, header, names, classifies, 0.0 if hinge else 0.5, name)


def _of_table(saved: SavedModel, options: argparse.Namespace) -> _Output:
    table = tabular.read_unlabelled(options.input, TableOptions.of(options), saved, options.model)
    target, matrix = saved.target, tabular.matrix(saved, table)
    told = target.predictions(saved.model.predict(matrix, options.threads)).astype(np.float32)
    if target.labels is None:
        names = [f"output_{each:g}" for each in target.quantiles]
        return _Output(told, names or _header(told.shape[1], "identity", None), None, False)
    labels = None if options.numbers else tuple(map(str, target.labels))
    if labels is not None and target.has_outputs:
        labels = tuple(f"{i}_{name}" for i, each in enumerate(target.classes) for name in each)
    header = _header(told.shape[1], "softmax", labels)
    return _Output(told, header, labels, not target.several and not target.has_outputs)


def _lines(told: Sequence[_Output], options: argparse.Namespace) -> Iterator[str]:
    for output in told:
        if options.labels_only and not output.classifies:
            what = f"output {output.name!r} of {options.model}" if output.name else options.model
            raise ValueError(f"--labels-only is for classifiers; {what} predicts numbers")
    kept = 1 if options.labels_only else None
    yield _csv_line([column for output in told for column in output.columns[:kept]])
    for start in range(0, len(told[0].numbers), _ROWS_AT_A_TIME):
        fields: list[Any] = []  # (columns, rows)
        for output in told:
            part = output.numbers[start : start + _ROWS_AT_A_TIME]
            if output.classifies:
                fields.append(output.labels(part))
            if not options.labels_only:
                fields += part.T.astype(str).tolist()
        for row in zip(*fields, strict=True):
            yield ",".join(row) + "\n"


def _header(outputs: int, link: str, names: Sequence[str] | None) -> list[str]:
    name = "probability" if link in ("softmax", "sigmoid") else "output"
    if outputs == 1:
        # The second class is the one whose probability the single output is.
        return [name] if names is None or name == "output" else [f"{name}_{names[1]}"]
    return [f"{name}_{label}" for label in (names or range(outputs))]


def _csv_line(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()
