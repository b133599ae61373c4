# SPDX-License-Identifier: Apache-2.0
"""``chainrule predict``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import data
from chainrule.atomic_file import write_atomically
from chainrule.cli import dataset
from chainrule.cli.file_kinds import PREDICTIONS
from chainrule.cli.output import check_standard_output, output_path
from chainrule.data.source import existing_file
from chainrule.model_file import load
from chainrule.sequential import Sequential

# NumPy's text of a number takes 128 bytes.
_ROWS_AT_A_TIME = 4096


def run(options: argparse.Namespace) -> int:
    """Write a line of CSV for every row of a file."""
    inputs = [options.model, options.input]
    path = None
    if options.output is None:
        check_standard_output(inputs)
    else:
        path = output_path(options.output, PREDICTIONS, inputs=inputs, overwrite=options.overwrite)
    net = load(options.model)
    x = _features(options, net)
    lines = _lines(net, x, options.threads)
    if path is None:
        sys.stdout.writelines(lines)
    else:
        write_atomically(path, "".join(lines).encode())
    return 0


def _features(options: argparse.Namespace, net: Sequential) -> NDArray[Any]:
    path = options.input
    if dataset.is_table(path):
        x: NDArray[Any] = dataset.read_table(
            path, label=None, header=options.header, dtype=net.dtype
        ).x
    elif path.lower().endswith(".npy"):
        if options.header != "auto":
            raise ValueError(f"--header is for CSV files; the input is {path}")
        x = data.load_npy(path)
    else:
        raise ValueError(f"{existing_file(path)}: rows to predict must be .csv, .csv.gz or .npy")
    columns = int(np.prod(x.shape[1:]))
    if x.ndim > 1 and columns != net.inputs:
        hint = "; rows to predict have no label column" if columns - 1 == net.inputs else ""
        raise ValueError(f"{path} has {columns} columns, {options.model} takes {net.inputs}{hint}")
    return x


def _lines(net: Sequential, x: NDArray[Any], threads: int | None) -> Iterator[str]:
    link = "identity" if net.loss is None else net.loss._core.link
    classifies = link == "softmax" or (link == "sigmoid" and net.outputs == 1)
    name = "probability" if link in ("softmax", "sigmoid") else "output"
    header = [name] if net.outputs == 1 else [f"{name}_{j}" for j in range(net.outputs)]
    predict = net.predict if link == "identity" else net.predict_proba
    outputs = predict(x, num_threads=threads)
    yield ",".join(["label", *header] if classifies else header) + "\n"
    for start in range(0, len(outputs), _ROWS_AT_A_TIME):
        part = outputs[start : start + _ROWS_AT_A_TIME]
        columns = part.astype(str)
        if classifies:
            labels = part.argmax(axis=1) if net.outputs > 1 else (part[:, 0] >= 0.5) * 1
            columns = np.column_stack([labels.astype(str), columns])
        for row in columns:
            yield ",".join(row) + "\n"
