# SPDX-License-Identifier: Apache-2.0
"""``chainrule evaluate``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from chainrule.cli import dataset, report, several, tabular
from chainrule.cli.checks import check_rows
from chainrule.cli.known import Known
from chainrule.cli.tables import TableOptions
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.tables import SavedModel


def run(options: argparse.Namespace) -> int:
    """Print the loss and the metrics of a model on data with known labels."""
    net = load(options.model)
    saved = tabular.model_of(net, options.model)
    if saved is not None:
        return _of_table(options, saved)
    named = several.takes(net, options.data)
    known = None if named else Known.of(net, options.model)
    if net.loss is None:
        raise ValueError(f"{options.model}: the network has no loss; it was never trained")
    if known is None:
        return _of_several(options, net)
    rows = dataset.read_part(options.data, options.part, TableOptions.of(options), known=known)
    if rows.features == net.inputs:  # otherwise evaluate says what is wrong
        check_rows(rows, net, net.loss, options.data)
    results = report.measure(net, rows.x, rows.y, options.threads, options.metrics)
    _tell(len(rows.x), results, {"": rows.class_names})
    return 0


def _of_several(options: argparse.Namespace, net: Network) -> int:
    rows = several.read(net, options.data, TableOptions.of(options), labelled=True)
    if options.part in ("train", "test"):
        train, test = rows.split()
        rows = train if options.part == "train" else test
    results = several.measure(net, rows, options.threads, options.metrics)
    prefixes = [f"{name}_" for name in rows.y] if len(rows.y) > 1 else [""]
    outputs = zip(prefixes, net._built_core().output_names, strict=True)
    _tell(len(rows), results, {p: net._names_of("class_names", name) for p, name in outputs})
    return 0


def _of_table(options: argparse.Namespace, saved: SavedModel) -> int:
    known = tabular.known_of(saved, options.model)
    table = TableOptions.of(options)
    rows = tabular.read_known(options.data, table, saved.model.description, known)
    if options.part in ("train", "test"):
        train, test = rows.split()
        rows = train if options.part == "train" else test
    print("".join(f"{line}\n" for line in rows.lines), end="")
    results = tabular.measure(saved, rows, options.threads, options.metrics)
    _tell(len(rows.y), results, tabular.class_names(saved))
    return 0


def _tell(
    rows: int, results: dict[str, Any], class_names: Mapping[str, Sequence[str] | None]
) -> None:
    """Print metrics, of outputs with classes those of each."""
    print(report.result_line(f"{rows} rows", results))
    print("".join(f"{text}\n" for text in report.confusions(results, class_names)), end="")
