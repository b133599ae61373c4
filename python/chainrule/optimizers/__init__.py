# SPDX-License-Identifier: Apache-2.0
"""Optimizers: rules that turn gradients into updates of the parameters.

The formulas are those of torch.optim, so a step can be compared with PyTorch's. Some options have
other names: beta1 and beta2 are its `betas`, rho is RMSprop's `alpha`, initial_accumulator its
`initial_accumulator_value` and epsilon its `eps`.
"""

from __future__ import annotations

from chainrule.optimizers.adadelta import Adadelta
from chainrule.optimizers.adagrad import AdaGrad
from chainrule.optimizers.adam import Adam, AdamW
from chainrule.optimizers.lion import Lion
from chainrule.optimizers.optimizer import LearningRate, Optimizer
from chainrule.optimizers.rmsprop import RMSprop
from chainrule.optimizers.sgd import SGD

__all__ = [
    "SGD",
    "AdaGrad",
    "Adadelta",
    "Adam",
    "AdamW",
    "LearningRate",
    "Lion",
    "Optimizer",
    "RMSprop",
    "get",
]

get = Optimizer.get
