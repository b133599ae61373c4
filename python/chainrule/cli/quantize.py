# SPDX-License-Identifier: Apache-2.0
"""``chainrule quantize``."""

from __future__ import annotations

import argparse
from pathlib import Path

from chainrule.cli import dataset
from chainrule.cli.export_c import calibration_data
from chainrule.cli.file_kinds import MODEL
from chainrule.cli.output import output_path
from chainrule.network.model_file import load
from chainrule.network.predictor import Predictor, compare


def run(options: argparse.Namespace) -> int:
    """Write a model with small weights and print what they do to the metrics."""
    if options.weights == "int8" and options.data is None:
        raise ValueError("--weights int8 needs --data, rows to choose its scales from")
    inputs = [options.model, dataset.source(options.data)]
    path = output_path(options.out, MODEL, inputs=inputs, overwrite=options.overwrite)
    net = load(options.model)
    known = calibration_data(options, net)
    calibration = known.get("calibration")
    small = Predictor(
        net, options.weights, calibration=calibration if options.weights == "int8" else None
    )
    if calibration is not None:
        x, y = known.get("validation_data") or (calibration, None)
        compare(net, small, x, y)
    small.save(path)
    sizes = [Path(name).stat().st_size for name in (options.model, path)]
    print(f"{path}: {sizes[1]:,} bytes, of {sizes[0]:,}")
    return 0
