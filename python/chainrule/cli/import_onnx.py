# SPDX-License-Identifier: Apache-2.0
"""``chainrule import-onnx``."""

from __future__ import annotations

import argparse

from chainrule.cli.file_kinds import MODEL
from chainrule.cli.output import output_path
from chainrule.interop.onnx_import import from_onnx


def run(options: argparse.Namespace) -> int:
    """Write a model file of an ONNX file."""
    path = output_path(options.model, MODEL, inputs=[options.onnx], overwrite=options.overwrite)
    net = from_onnx(options.onnx, output=options.output)
    net.save(path)
    net.summary()
    return 0
