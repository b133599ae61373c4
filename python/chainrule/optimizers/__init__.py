# SPDX-License-Identifier: Apache-2.0
"""Optimizers: rules that turn gradients into updates of the parameters.

The formulas are those of torch.optim, so a step can be compared with PyTorch's. Some options have
other names: beta1 and beta2 are its `betas`, rho is RMSprop's `alpha`, initial_accumulator its
`initial_accumulator_value` and epsilon its `eps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.names import module_attributes
from chainrule.optimizers import adam, adaptive, momentum
from chainrule.optimizers.adam import *
from chainrule.optimizers.adaptive import *
from chainrule.optimizers.momentum import *
from chainrule.optimizers.optimizer import LearningRate, Optimizer

__all__ = ["LearningRate", "Optimizer", "get"]
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += momentum.__all__

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

get = Optimizer.get
