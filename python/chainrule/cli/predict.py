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
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.tables import SavedModel

# NumPy's text of a number takes 128 bytes.
_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True)
class _Told:
    """What a model predicts, and how it is written."""

    outputs: NDArray[Any]  # (rows, outputs)
    header: list[str]
    names: tuple[str, ...] | None  # of classes
    classifies: bool  # whether a row is of one class
    threshold: float = 0.5  # of a single output


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
    told = _of_network(net, options) if saved is None else _of_table(saved, options)
    lines = _lines(told, options)
    if path is None:
        sys.stdout.writelines(lines)
    else:
        write_atomically(path, "".join(lines).encode())
    return 0


def _features(options: argparse.Namespace, net: Network) -> Rows:
    path, given = options.input, TableOptions.of(options)
    known = Known.of(net, options.model)
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


def _of_network(net: Network, options: argparse.Namespace) -> _Told:
    rows = _features(options, net)
    link = "identity" if net.loss is None else str(net.loss._core.link)
    # Scores of hinge tell classes apart, whose labels may be 0 and 1 or -1 and 1: the names tell.
    hinge = net.loss is not None and net.loss.kind == "hinge" and net.class_names is not None
    classifies = link == "softmax" or hinge or (net.outputs == 1 and link == "sigmoid")
    names = net.class_names if classifies and not options.numbers else None
    header = _header(net.outputs, link, names)
    predict = net.predict if link == "identity" else net.predict_proba
    outputs = predict(rows.x, num_threads=options.threads)
    return _Told(outputs, header, names, classifies, 0.0 if hinge else 0.5)


def _of_table(saved: SavedModel, options: argparse.Namespace) -> _Told:
    table = tabular.read_unlabelled(options.input, TableOptions.of(options), saved, options.model)
    target, matrix = saved.target, tabular.matrix(saved, table)
    told = target.predictions(saved.model.predict(matrix, options.threads)).astype(np.float32)
    if target.labels is None:
        names = [f"output_{each:g}" for each in target.quantiles]
        return _Told(told, names or _header(told.shape[1], "identity", None), None, False)
    labels = None if options.numbers else tuple(map(str, target.labels))
    if labels is not None and target.has_outputs:
        labels = tuple(f"{i}_{name}" for i, each in enumerate(target.classes) for name in each)
    header = _header(told.shape[1], "softmax", labels)
    return _Told(told, header, labels, not target.several and not target.has_outputs)


def _lines(told: _Told, options: argparse.Namespace) -> Iterator[str]:
    outputs, header, names = told.outputs, told.header, told.names
    columns = outputs.shape[1]
    labels = np.array(names if names is not None else range(max(2, columns))).astype(str)
    # Names may hold commas and quotes.
    texts = [_csv_line([label])[:-1] for label in labels.tolist()]
    if options.labels_only and not told.classifies:
        raise ValueError(f"--labels-only is for classifiers; {options.model} predicts numbers")
    if told.classifies:
        header = ["label"] if options.labels_only else ["label", *header]
    yield _csv_line(header)
    for start in range(0, len(outputs), _ROWS_AT_A_TIME):
        part = outputs[start : start + _ROWS_AT_A_TIME]
        numbers = [] if options.labels_only else part.astype(str).tolist()
        if not told.classifies:
            for row in numbers:
                yield ",".join(row) + "\n"
            continue
        chosen = part.argmax(axis=1) if columns > 1 else (part[:, 0] >= told.threshold) * 1
        for i, label in enumerate(chosen.tolist()):
            yield ",".join([texts[label], *(numbers[i] if numbers else ())]) + "\n"


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
