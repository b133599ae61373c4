# SPDX-License-Identifier: Apache-2.0
"""``chainrule train``."""

from __future__ import annotations

import argparse
import shlex
import sys
import warnings
from pathlib import Path
from typing import Any

from chainrule import losses, optimizers
from chainrule.callbacks import EarlyStopping
from chainrule.cli import dataset, report
from chainrule.cli.checks import check_rows
from chainrule.cli.dataset import Rows
from chainrule.cli.file_kinds import FIGURE, MODEL
from chainrule.cli.known import Known
from chainrule.cli.network import network
from chainrule.cli.output import output_path
from chainrule.cli.resuming import check_resumable, optimizer_and_epochs
from chainrule.cli.signals import terminable
from chainrule.cli.tables import TableOptions
from chainrule.cli.training_data import read_training_data
from chainrule.network.network import Network

_INTERRUPTED = 130
_SIGNALLED = 128
_SHARE_TO_STOP_BY = 0.1


def run(options: argparse.Namespace) -> int:
    """Train a network, show what it has learnt and write it to a file."""
    loss = None if options.loss is None else losses.get(options.loss)
    if options.optimizer is not None:
        optimizers.get_stepping(options.optimizer, "the command line")
    validation = _validation(options)
    output = _outputs(options)
    net = None if options.resume is None else check_resumable(options)
    known = None if net is None else Known.of(net, options.resume)
    if net is not None:
        loss = loss or net.loss
        if loss is None:
            raise ValueError(f"{options.resume} was never trained; --loss says for what to train")
    data = read_training_data(options, loss, known)
    train, test = data.train, data.test
    loss = loss or losses.get("cross_entropy" if data.are_classes else "mse")
    if net is None:
        net = network(options, loss, train, test)
        net.build(train.features)
    if train.features == net.inputs:  # otherwise fit says what is wrong
        check_rows(train, net, loss, options.data)
        check_rows(test, net, loss, options.test_data or options.data)
        _name(net, train)
    weights = _class_weight(options, train, Known.of(net, output.name, loss).classes)
    optimizer, epochs = optimizer_and_epochs(options, net, len(train.x))
    if not options.quiet:
        print("\n".join(data.lines))
    if options.verbose:
        net.summary()
        print(f"loss {loss!r}, optimizer {optimizer!r}, seed {net.seed}")
    before = len(net.history.epochs)
    with terminable() as came, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training was interrupted")
        try:
            history = net.fit(
                train.x,
                train.y,
                loss=loss,
                optimizer=optimizer,
                epochs=epochs,
                batch_size=options.batch_size,
                metrics=options.metrics,
                verbose=0 if options.quiet else 1,
                num_threads=options.threads,
                class_weight=weights,
                **validation,
            )
        except OSError:
            # The reader has closed the pipe, or the disk is full; what was learnt is kept.
            if len(net.history.epochs) > before:
                net.save(output)
            raise
        net.save(output)
    if history.interrupted:
        done = f"after {len(history.epochs) - before} of {epochs} epochs"
        how = "terminated" if came else "interrupted"
        print(f"chainrule: {how} {done}; wrote {output}", file=sys.stderr)
        return _SIGNALLED + came[0] if came else _INTERRUPTED
    results = report.measure(net, test.x, test.y, options.threads, options.metrics)
    print(report.result_line("test", results))
    if "confusion_matrix" in results and not options.quiet:
        print(report.confusion_text(results["confusion_matrix"], train.class_names))
    if options.plot:
        from chainrule.plots import plot_history

        plot_history(history, options.plot)
        print(f"curves drawn to {options.plot}")
    print(f"model written to {output}")
    if not options.quiet and not options.piped:
        print(f"next: {_next_command(options, output)}")
    return 0


def _outputs(options: argparse.Namespace) -> Path:
    """Return the model file to write, having found out that it and the plot can be written."""
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
    return output


def _check_plot(path: str) -> None:
    """Find out before the training what would fail after it."""
    from chainrule.plots import plot_history

    canvas = plot_history({"loss": [0.0]}).canvas
    known = sorted(canvas.get_supported_filetypes())
    if Path(path).suffix.lower().lstrip(".") not in known:
        raise ValueError(f"--plot {path}: expected a name that ends in one of .{', .'.join(known)}")


def _name(net: Network, rows: Rows) -> None:
    """Give a built network the names of the data unless it has some."""
    if rows.has_names and net.feature_names is None:
        net.feature_names = rows.feature_names
    net.class_names = net.class_names or rows.class_names
    net.target_name = net.target_name or rows.target_name


def _class_weight(options: argparse.Namespace, rows: Rows, classes: int | None) -> Any:
    given = options.class_weight
    if given is None:
        return None
    if not classes:
        raise ValueError("--class-weight is for classes; the labels are numbers")
    if given == "balanced":
        return given
    if rows.class_names is not None:
        return given
    try:
        return {int(name): weight for name, weight in given.items()}
    except ValueError:
        raise ValueError(f"--class-weight names classes, which are numbers here: {given}") from None


def _validation(options: argparse.Namespace) -> dict[str, Any]:
    share, patience = options.validation_split, options.early_stopping
    if patience is None:
        return {"validation_split": share or 0.0}
    if share == 0.0:
        raise ValueError("--early-stopping needs rows to measure: a --validation-split above 0")
    return {
        "validation_split": _SHARE_TO_STOP_BY if share is None else share,
        "callbacks": [EarlyStopping(patience=patience)],
    }


def _next_command(options: argparse.Namespace, output: Path) -> str:
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
