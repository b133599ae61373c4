# SPDX-License-Identifier: Apache-2.0
"""What ``chainrule train`` writes, and what it says at the end."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from chainrule.cli import dataset
from chainrule.cli.file_kinds import FIGURE, MODEL, PAGE
from chainrule.cli.output import output_path
from chainrule.cli.tables import TableOptions

_INTERRUPTED = 130
_SIGNALLED = 128


def output_files(options: argparse.Namespace) -> Path:
    """Return the model file to write, having found out that it and the others can be written."""
    inputs = [dataset.source(options.data), options.test_data]
    name = options.output or options.resume or f"{dataset.stem(options.data)}.safetensors"
    output = output_path(name, MODEL, inputs=inputs, overwrite=options.overwrite)
    if options.plot:
        output_path(
            options.plot,
            FIGURE,
            inputs=[*inputs, options.resume],
            outputs=[name],
            overwrite=options.overwrite,
        )
        _check_plot(options.plot)
    if options.report:
        output_path(
            options.report,
            PAGE,
            inputs=[*inputs, options.resume],
            outputs=[name, options.plot],
            overwrite=options.overwrite,
        )
    return output


def _check_plot(path: str) -> None:
    """Find out before the training what would fail after it."""
    from chainrule.plots import plot_history

    canvas = plot_history({"loss": [0.0]}).canvas
    known = sorted(canvas.get_supported_filetypes())
    if Path(path).suffix.lower().lstrip(".") not in known:
        raise ValueError(f"--plot {path}: expected a name that ends in one of .{', .'.join(known)}")


def stopped(came: Sequence[int], done: str, output: Path) -> int:
    """Say that a signal has ended the training, and return the exit status."""
    how = "terminated" if came else "interrupted"
    print(f"chainrule: {how} {done}; wrote {output}", file=sys.stderr)
    return _SIGNALLED + came[0] if came else _INTERRUPTED


def next_command(options: argparse.Namespace, output: Path) -> str:
    """Return the command that measures the model on the rows that were kept back."""
    words = ["chainrule", "evaluate", str(output), "--data", options.test_data or options.data]
    default = TableOptions()
    for name in ("label", "header", "delimiter", "decimal", "thousands"):
        value = getattr(options, name)
        if value != getattr(default, name):
            words += [f"--{name}", str(value)]
    if options.drop:
        words += ["--drop", ",".join(map(str, options.drop))]
    if options.data not in dataset.PUBLISHED and options.test_data is None:
        words += ["--part", "test"]
    return shlex.join(words)
