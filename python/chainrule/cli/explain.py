# SPDX-License-Identifier: Apache-2.0
"""``chainrule explain``."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from chainrule.cli import dataset
from chainrule.cli.checks import check_rows
from chainrule.cli.file_kinds import PAGE
from chainrule.cli.known import Known
from chainrule.cli.output import output_path
from chainrule.cli.tables import TableOptions
from chainrule.cli.tabular import refuse_table
from chainrule.network.model_file import load


def run(options: argparse.Namespace) -> int:
    """Write a page on one row's way through a model and back."""
    name = options.out or f"{Path(options.model).name.split('.')[0]}.html"
    inputs = [options.model, dataset.source(options.data)]
    path = output_path(name, PAGE, inputs=inputs, overwrite=options.overwrite)
    net = load(options.model)
    refuse_table(net, options.model, "explain")
    known = Known.of(net, options.model)
    if net.loss is None:
        raise ValueError(f"{options.model}: the network has no loss; it was never trained")
    rows = dataset.read_part(options.data, options.part, TableOptions.of(options), known=known)
    if options.row >= len(rows.x):
        raise ValueError(f"--row {options.row}: there are rows 0 to {len(rows.x) - 1}")
    one = rows.part(np.array([options.row]))
    if rows.features == net.inputs:  # otherwise explain says what is wrong
        check_rows(one, net, net.loss, options.data)
    explanation = net.explain(one.x[0], one.y[0])
    explanation.save(path)
    loss = explanation.data["loss"]
    print(
        f"{name}: row {options.row} of {len(rows.x)}, {loss['kind']} {loss['value']:.4g} for the "
        f"target {loss['target']}"
    )
    return 0
