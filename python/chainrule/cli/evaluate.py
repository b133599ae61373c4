# SPDX-License-Identifier: Apache-2.0
"""``chainrule evaluate``."""

from __future__ import annotations

import argparse

from chainrule.cli import dataset, report
from chainrule.sequential import load


def run(options: argparse.Namespace) -> int:
    """Print the loss and the metrics of a model on data with known labels."""
    net = load(options.model)
    if net.loss is None:
        raise ValueError(f"{options.model}: the network has no loss; it was never trained")
    rows = dataset.read_part(
        options.data, options.part, label=options.label, header=options.header
    )
    names = rows.class_names
    if names is not None and len(names) != max(net.outputs, 2):
        # Text is numbered in the order of the names found, so a missing one shifts the others.
        raise ValueError(
            f"{options.data} has {len(names)} classes ({', '.join(names[:5])}), but "
            f"{options.model} {max(net.outputs, 2)}"
        )
    results = report.measure(net, rows.x, rows.y, options.threads)
    print(report.result_line(f"{len(rows.x)} rows", results))
    if "confusion_matrix" in results:
        print(report.confusion_text(results["confusion_matrix"], names))
    return 0
