# SPDX-License-Identifier: Apache-2.0
"""Going on with a model's training, and the optimizer that does it."""

from __future__ import annotations

import argparse

from chainrule.cli.tabular import refuse_table
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.optimizers import Optimizer
from chainrule.schedules import Cosine

# With few rows an epoch has few steps.
_LEAST_EPOCHS, _MOST_EPOCHS, _ROWS_TO_SEE = 10, 50, 30_000
_OF_A_NEW_NETWORK = ("layers", "activation", "dropout", "seed")
_DEFAULT = "adam"


def check_resumable(options: argparse.Namespace) -> Network:
    """Return the network of ``--resume``."""
    for name in (*_OF_A_NEW_NETWORK, "task"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} is for a new network; --resume goes on with a trained one")
    net = load(options.resume)
    refuse_table(net, options.resume, "--resume")
    return net


def optimizer_and_epochs(
    options: argparse.Namespace, net: Network, rows: int
) -> tuple[Optimizer, int]:
    """Return the optimizer, and for how many epochs it will train."""
    before = net.optimizer if isinstance(net.optimizer, Optimizer) else None
    chosen = (options.optimizer, options.learning_rate, options.schedule)
    if before is not None and chosen == (None, None, None):
        steps = -(-rows // options.batch_size)
        left = _epochs_left(net, before, steps)
        if left is None:
            return before, options.epochs or _default_epochs(rows)
        if left > 0:
            return before, options.epochs or left
    epochs: int = options.epochs or _default_epochs(rows)
    kind = _DEFAULT if options.optimizer is None else Optimizer.get(options.optimizer).kind
    if before is not None and (options.optimizer is None or kind == before.kind):
        config = dict(before.config)
        rate = options.learning_rate or _first_rate(before)
    else:
        config = {"kind": kind}
        rate = options.learning_rate or Optimizer.get(kind).learning_rate
    if options.schedule != "constant":
        rate = {"kind": "cosine", "learning_rate": rate, "epochs": epochs}
    return Optimizer.get({**config, "learning_rate": rate}), epochs


def _epochs_left(net: Network, optimizer: Optimizer, steps: int) -> int | None:
    """Return how many epochs a cosine schedule has left; None for schedules without an end."""
    schedule = optimizer.schedule
    if not isinstance(schedule, Cosine):
        return None
    done = (net._built_core().total_steps - net._schedule_origin) / steps
    return max(0, round(schedule.epochs - done))


def _first_rate(optimizer: Optimizer) -> float:
    schedule = optimizer.schedule
    rate = optimizer.learning_rate if schedule is None else schedule.config.get("learning_rate")
    return float(rate) if rate else float(Optimizer.get(optimizer.kind).learning_rate)


def _default_epochs(rows: int) -> int:
    return min(_MOST_EPOCHS, max(_LEAST_EPOCHS, _ROWS_TO_SEE // rows))
