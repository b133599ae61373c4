# SPDX-License-Identifier: Apache-2.0
"""What looking at a network begins with: the loss, the optimizer, and a copy that has its data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from chainrule import optimizers
from chainrule.network.training_data import make_dataset

if TYPE_CHECKING:
    from chainrule.inputs.checked_data import CheckedData
    from chainrule.network.compiled import Compiled
    from chainrule.optimizers import Optimizer

__all__ = ["chosen_training", "prepare"]


def chosen_training(
    net: Compiled, loss: Any, optimizer: str | Optimizer | None
) -> tuple[Any, Optimizer]:
    """Return the loss and the optimizer that are given, or those last used."""
    chosen = net._chosen_loss(loss)
    by = optimizers.get_stepping(
        optimizer if optimizer is not None else net.optimizer or "adam", "diagnosis"
    )
    return chosen, by


def prepare(copied: Any, x: Any, y: Any, loss: Any, sample_weight: Any = None) -> CheckedData:
    """Return rows and targets as the core takes them; a copy is built, and adapted to the rows."""
    dataset = make_dataset(copied, x, y, loss, sample_weight)
    if copied._unadapted():
        copied.adapt(dataset.x)
    return dataset
