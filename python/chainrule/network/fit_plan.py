# SPDX-License-Identifier: Apache-2.0
"""What the loop of ``fit`` and its observers are told."""

from __future__ import annotations

from typing import NamedTuple

from chainrule import _core
from chainrule.callbacks import CallbackList

__all__ = ["FitPlan"]


class FitPlan(NamedTuple):
    """The checked numbers of one call of ``fit``."""

    epochs: int
    batch_size: int
    shuffle: bool
    verbose: int
    num_threads: int
    input_sparsity: str
    augment: list[_core.Augmentation]
    callbacks: CallbackList
