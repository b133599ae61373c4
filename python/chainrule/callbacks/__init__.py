# SPDX-License-Identifier: Apache-2.0
"""Code that ``fit`` calls while it trains: early stopping, checkpoints, logs, plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.callbacks.callback import (
    Callback,
    CallbackList,
    LambdaCallback,
    StopTraining,
    as_callback,
)
from chainrule.names import module_attributes

if TYPE_CHECKING:
    from chainrule.callbacks.csv_logger import CSVLogger
    from chainrule.callbacks.early_stopping import EarlyStopping
    from chainrule.callbacks.gradient_flow import GradientFlow
    from chainrule.callbacks.model_checkpoint import ModelCheckpoint
    from chainrule.callbacks.record import Record

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "GradientFlow",
    "LambdaCallback",
    "ModelCheckpoint",
    "Record",
    "StopTraining",
    "as_callback",
]

# Most trainings have none or one of them.
_LAZY = {
    "CSVLogger": "chainrule.callbacks.csv_logger",
    "EarlyStopping": "chainrule.callbacks.early_stopping",
    "GradientFlow": "chainrule.callbacks.gradient_flow",
    "ModelCheckpoint": "chainrule.callbacks.model_checkpoint",
    "Record": "chainrule.callbacks.record",
}

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__, _LAZY)
