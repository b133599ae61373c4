# SPDX-License-Identifier: Apache-2.0
"""``chainrule predict``."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from chainrule import data
from chainrule.atomic_file import write_atomically
from chainrule.cli.checks import check_features
from chainrule.cli.dataset import Rows
from chainrule.cli.file_kinds import PREDICTIONS
from chainrule.cli.known import Known
from chainrule.cli.output import check_standard_output, output_path
from chainrule.cli.tables import TableOptions, is_table, read_table
from chainrule.data.source import existing_file
from chainrule.network.model_file import load
from chainrule.network.network import Network

# NumPy's text of a number takes 128 bytes.
_ROWS_AT_A_TIME = 4096


def run(options: argparse.Namespace) -> int:
    """Write a line of CSV for every row of a file."""
    inputs = [options.model, options.input]
    path = None
    if options.output in (None, "-"):
        check_standard_output(inputs)
    else:
        path = output_path(options.output, PREDICTIONS, inputs=inputs, overwrite=options.overwrite)
    net = load(options.model)
    rows = _features(options, net)
    lines = _lines(net, rows, options)
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


def _lines(net: Network, rows: Rows, options: argparse.Namespace) -> Iterator[str]:
    link = "identity" if net.loss is None else net.loss._core.link
    # Scores of hinge tell classes apart, whose labels may be 0 and 1 or -1 and 1: the names tell.
    hinge = net.loss is not None and net.loss.kind == "hinge" and net.class_names is not None
    classifies = link == "softmax" or hinge or (net.outputs == 1 and link == "sigmoid")
    names = net.class_names if classifies and not options.numbers else None
    header = _header(net, str(link), names)
    predict = net.predict if link == "identity" else net.predict_proba
    outputs = predict(rows.x, num_threads=options.threads)
    labels = np.array(names if names is not None else range(max(2, net.outputs))).astype(str)
    # Names may hold commas and quotes.
    texts = [_csv_line([label])[:-1] for label in labels.tolist()]
    threshold = 0.0 if hinge else 0.5
    if options.labels_only and not classifies:
        raise ValueError(f"--labels-only is for classifiers; {options.model} predicts numbers")
    if classifies:
        header = ["label"] if options.labels_only else ["label", *header]
    yield _csv_line(header)
    for start in range(0, len(outputs), _ROWS_AT_A_TIME):
        part = outputs[start : start + _ROWS_AT_A_TIME]
        numbers = [] if options.labels_only else part.astype(str).tolist()
        if not classifies:
            for row in numbers:
                yield ",".join(row) + "\n"
            continue
        chosen = part.argmax(axis=1) if net.outputs > 1 else (part[:, 0] >= threshold) * 1
        for i, label in enumerate(chosen.tolist()):
            yield ",".join([texts[label], *(numbers[i] if numbers else ())]) + "\n"


def _header(net: Network, link: str, names: Sequence[str] | None) -> list[str]:
    name = "probability" if link in ("softmax", "sigmoid") else "output"
    if net.outputs == 1:
        # The second class is the one whose probability the single output is.
        return [name] if names is None or name == "output" else [f"{name}_{names[1]}"]
    return [f"{name}_{label}" for label in (names or range(net.outputs))]


def _csv_line(fields: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()
