# SPDX-License-Identifier: Apache-2.0
"""``chainrule evaluate``."""

from __future__ import annotations

import argparse

from chainrule.cli import dataset, report
from chainrule.losses import Loss
from chainrule.model_file import load


def run(options: argparse.Namespace) -> int:
    """Print the loss and the metrics of a model on data with known labels."""
    net = load(options.model)
    if net.loss is None:
        raise ValueError(f"{options.model}: the network has no loss; it was never trained")
    rows = dataset.read_part(options.data, options.part, label=options.label, header=options.header)
    names = rows.class_names
    known = _classes(net.loss, net.outputs)
    # Names are numbered in their order in the file, so a missing one shifts the others.
    if names is not None and len(names) != known:
        raise ValueError(
            f"{options.data} has {len(names)} classes, but {options.model} "
            f"{f'knows {known}' if known else 'predicts numbers'}"
        )
    results = report.measure(net, rows.x, rows.y, options.threads)
    print(report.result_line(f"{len(rows.x)} rows", results))
    if "confusion_matrix" in results:
        print(report.confusion_text(results["confusion_matrix"], names))
    return 0


def _classes(loss: Loss, outputs: int) -> int:
    if loss.takes_labels:
        return outputs
    return 2 if outputs == 1 and loss.kind in ("binary_cross_entropy", "hinge") else 0
