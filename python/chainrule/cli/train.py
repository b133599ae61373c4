# SPDX-License-Identifier: Apache-2.0
"""``chainrule train``."""

from __future__ import annotations

import argparse
import warnings
from typing import Any

from chainrule import losses, optimizers
from chainrule.callbacks import EarlyStopping
from chainrule.cli import report, train_tabular
from chainrule.cli.checks import check_rows
from chainrule.cli.dataset import Rows
from chainrule.cli.known import Known
from chainrule.cli.labels import class_weight_of
from chainrule.cli.network import network
from chainrule.cli.resuming import check_resumable, optimizer_and_epochs
from chainrule.cli.signals import terminable
from chainrule.cli.train_outputs import next_command, output_files, stopped
from chainrule.cli.training_data import read_training_data
from chainrule.errors import DataFileError
from chainrule.network.network import Network

_SHARE_TO_STOP_BY = 0.1


def run(options: argparse.Namespace) -> int:
    """Train a network, show what it has learnt and write it to a file."""
    if train_tabular.asked_for(options):
        return train_tabular.run(options)
    loss = None if options.loss is None else losses.get(options.loss)
    if options.optimizer is not None:
        optimizers.get_stepping(options.optimizer, "the command line")
    validation = _validation(options)
    output = output_files(options)
    net = None if options.resume is None else check_resumable(options)
    known = None if net is None else Known.of(net, options.resume)
    if net is not None:
        loss = loss or net.loss
        if loss is None:
            raise ValueError(f"{options.resume} was never trained; --loss says for what to train")
    try:
        data = read_training_data(options, loss, known)
    except DataFileError as error:
        if hint := train_tabular.refusal(options):
            raise DataFileError(f"{error}{hint}") from None
        return train_tabular.run(options)
    train, test = data.train, data.test
    loss = loss or losses.get("cross_entropy" if data.are_classes else "mse")
    if net is None:
        net = network(options, loss, train, test)
        net.build(train.features)
    if train.features == net.inputs:  # otherwise fit says what is wrong
        check_rows(train, net, loss, options.data)
        check_rows(test, net, loss, options.test_data or options.data)
        _name(net, train)
    classes = Known.of(net, output.name, loss).classes
    weights = class_weight_of(options.class_weight, train.class_names, classes)
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
        return stopped(came, f"after {len(history.epochs) - before} of {epochs} epochs", output)
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
        print(f"next: {next_command(options, output)}")
    return 0


def _name(net: Network, rows: Rows) -> None:
    """Give a built network the names of the data unless it has some."""
    if rows.has_names and net.feature_names is None:
        net.feature_names = rows.feature_names
    net.class_names = net.class_names or rows.class_names
    net.target_name = net.target_name or rows.target_name


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
