# SPDX-License-Identifier: Apache-2.0
"""``chainrule evaluate``."""

from __future__ import annotations

import argparse

from chainrule.cli import dataset, report
from chainrule.cli.checks import check_rows
from chainrule.cli.known import Known
from chainrule.cli.tables import TableOptions
from chainrule.network.model_file import load


def run(options: argparse.Namespace) -> int:
    """Print the loss and the metrics of a model on data with known labels."""
    net = load(options.model)
    if net.loss is None:
        raise ValueError(f"{options.model}: the network has no loss; it was never trained")
    known = Known.of(net, options.model)
    rows = dataset.read_part(options.data, options.part, TableOptions.of(options), known=known)
    if rows.features == net.inputs:  # otherwise evaluate says what is wrong
        check_rows(rows, net, net.loss, options.data)
    results = report.measure(net, rows.x, rows.y, options.threads, options.metrics)
    print(report.result_line(f"{len(rows.x)} rows", results))
    if "confusion_matrix" in results:
        print(report.confusion_text(results["confusion_matrix"], rows.class_names))
    return 0
