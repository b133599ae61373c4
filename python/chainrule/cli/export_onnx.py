# SPDX-License-Identifier: Apache-2.0
"""``chainrule export-onnx``."""

from __future__ import annotations

import argparse

from chainrule.cli.file_kinds import ONNX
from chainrule.cli.output import output_path
from chainrule.interop.onnx_export import to_onnx
from chainrule.network.model_file import load


def run(options: argparse.Namespace) -> int:
    """Write an ONNX file of a model."""
    path = output_path(options.onnx, ONNX, inputs=[options.model], overwrite=options.overwrite)
    report = to_onnx(
        load(options.model),
        path,
        opset=options.opset,
        output=options.output,
        input_dtype=options.input_dtype,
        check=not options.no_check,
    )
    difference = report.max_relative_difference
    checked = (
        "not compared with onnxruntime"
        if difference is None
        else f"onnxruntime differs by at most {difference:.1e} of the largest output"
    )
    print(f"{options.onnx}: {report.size:,} bytes; {checked}")
    return 0
