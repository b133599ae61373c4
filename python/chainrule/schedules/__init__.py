# SPDX-License-Identifier: Apache-2.0
"""Schedules: the learning rate as a function of the step.

Steps are counted from 0 over all epochs. Lengths are in epochs and may be fractional; t below is
the number of epochs done, fractional within an epoch. Where torch.optim.lr_scheduler has the same
schedule, the rates are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.names import module_attributes
from chainrule.schedules.closed_form import (
    Constant,
    Cosine,
    CosLog,
    Exponential,
    FlatCosine,
    InverseTime,
    OneCycle,
    Piecewise,
    Step,
)
from chainrule.schedules.function import FunctionSchedule, PerEpoch, PerStep
from chainrule.schedules.reduce_on_plateau import ReduceOnPlateau
from chainrule.schedules.schedule import Schedule

__all__ = [
    "Constant",
    "CosLog",
    "Cosine",
    "Exponential",
    "FlatCosine",
    "FunctionSchedule",
    "InverseTime",
    "OneCycle",
    "PerEpoch",
    "PerStep",
    "Piecewise",
    "ReduceOnPlateau",
    "Schedule",
    "Step",
    "get",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

get = Schedule.get
