# SPDX-License-Identifier: Apache-2.0
"""``chainrule train``."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from chainrule import losses, optimizers
from chainrule.cli import dataset, report
from chainrule.cli.dataset import Rows, listed
from chainrule.cli.file_kinds import FIGURE, MODEL
from chainrule.cli.network import network
from chainrule.cli.output import output_path
from chainrule.cli.signals import terminable

_INTERRUPTED = 130
_SIGNALLED = 128
# With few rows an epoch has few steps.
_LEAST_EPOCHS, _MOST_EPOCHS, _ROWS_TO_SEE = 10, 50, 30_000


def run(options: argparse.Namespace) -> int:
    """Train a network, show what it has learnt and write it to a file."""
    loss = None if options.loss is None else losses.get(options.loss)
    optimizers.get(options.optimizer)
    name = options.output or f"{dataset.stem(options.data)}.safetensors"
    inputs = [dataset.source(options.data)]
    output = output_path(name, MODEL, inputs=inputs, overwrite=options.overwrite)
    if options.plot:
        output_path(
            options.plot, FIGURE, inputs=inputs, outputs=[name], overwrite=options.overwrite
        )
        _check_plot(options.plot)
    train, test = dataset.read_both(options.data, label=options.label, header=options.header)
    loss = loss or losses.get("cross_entropy" if train.has_classes else "mse")
    net = network(options, loss, train, test)
    epochs = options.epochs or _default_epochs(len(train.x))
    optimizer = _optimizer(options, epochs)
    if not options.quiet:
        print(_data_line(options.data, train, test))
    if options.verbose:
        net.build(train.features)
        net.summary()
        print(f"loss {loss!r}, optimizer {optimizer!r}, seed {net.seed}")
    with terminable() as came, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "training was interrupted")
        history = net.fit(
            train.x,
            train.y,
            loss=loss,
            optimizer=optimizer,
            epochs=epochs,
            batch_size=options.batch_size,
            validation_split=options.validation_split,
            verbose=0 if options.quiet else 1,
            num_threads=options.threads,
        )
        net.save(output)
    if history.interrupted:
        done = f"after {len(history.epochs)} of {epochs} epochs"
        how = "terminated" if came else "interrupted"
        print(f"chainrule: {how} {done}; wrote {output}", file=sys.stderr)
        return _SIGNALLED + came[0] if came else _INTERRUPTED
    results = report.measure(net, test.x, test.y, options.threads)
    print(report.result_line("test", results))
    if "confusion_matrix" in results and not options.quiet:
        print(report.confusion_text(results["confusion_matrix"], train.class_names))
    if options.plot:
        from chainrule.plots import plot_history

        plot_history(history, options.plot)
        print(f"curves drawn to {options.plot}")
    print(f"model written to {output}")
    if not options.quiet:
        print(f"next: {_next_command(options, output)}")
    return 0


def _default_epochs(rows: int) -> int:
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, _ROWS_TO_SEE // rows))


def _optimizer(options: argparse.Namespace, epochs: int) -> optimizers.Optimizer:
    rate = options.learning_rate or optimizers.get(options.optimizer).learning_rate
    if options.schedule == "cosine":
        rate = {"kind": "cosine", "learning_rate": rate, "epochs": epochs}
    return optimizers.get({"kind": options.optimizer, "learning_rate": rate})


def _check_plot(path: str) -> None:
    """Find out before the training what would fail after it."""
    from chainrule.plots import plot_history

    canvas = plot_history({"loss": [0.0]}).canvas
    known = sorted(canvas.get_supported_filetypes())
    if Path(path).suffix.lower().lstrip(".") not in known:
        raise ValueError(f"--plot {path}: expected a name that ends in one of .{', .'.join(known)}")


def _data_line(name: str, train: Rows, test: Rows) -> str:
    rows = f"{len(train.x)} rows to train on, {len(test.x)} to test on"
    line = f"{name}: {rows}, {train.features} features"
    if train.class_names is not None:
        line += f", {len(train.class_names)} classes: {listed(train.class_names)}"
    return line


def _next_command(options: argparse.Namespace, output: Path) -> str:
    import shlex

    words = ["chainrule", "evaluate", str(output), "--data", options.data]
    if options.label is not None:
        words += ["--label", str(options.label)]
    if options.header != "auto":
        words += ["--header", options.header]
    if options.data not in dataset.PUBLISHED:
        words += ["--part", "test"]
    return shlex.join(words)
