# SPDX-License-Identifier: Apache-2.0
"""Optimizers: rules that turn gradients into updates of the parameters.

The formulas are those of torch.optim, so a step can be compared with PyTorch's. Some options have
other names: beta1 and beta2 are its `betas`, rho is RMSprop's `alpha`, initial_accumulator its
`initial_accumulator_value` and epsilon its `eps`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from chainrule.names import module_attributes
from chainrule.optimizers import adam, adaptive, full_batch, momentum
from chainrule.optimizers.adam import *
from chainrule.optimizers.adaptive import *
from chainrule.optimizers.full_batch import *
from chainrule.optimizers.full_batch import FullBatchOptimizer
from chainrule.optimizers.momentum import *
from chainrule.optimizers.optimizer import LearningRate, Optimizer

__all__ = ["FullBatchOptimizer", "LearningRate", "Optimizer", "get"]
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += full_batch.__all__
__all__ += momentum.__all__

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)

AnyOptimizer: TypeAlias = Optimizer | FullBatchOptimizer


def get(value: str | Mapping[str, Any] | AnyOptimizer) -> AnyOptimizer:
    """Return the optimizer that a name, a config or an optimizer stands for.

    Parameters
    ----------
    value : str, mapping, Optimizer or FullBatchOptimizer
        An optimizer is returned as it is.

    Returns
    -------
    Optimizer or FullBatchOptimizer

    Raises
    ------
    TypeError, ValueError
        If it is none, or an option is out of range.

    Examples
    --------
    >>> from chainrule import optimizers
    >>> optimizers.get("lbfgs")
    LBFGS()
    """
    if isinstance(value, FullBatchOptimizer):
        return value
    kind = value.get("kind") if isinstance(value, Mapping) else value
    known = isinstance(kind, str) and kind.lower() in FullBatchOptimizer._classes
    if known and not isinstance(value, Optimizer):
        return FullBatchOptimizer.from_config(value)
    return Optimizer.get(value)


def get_stepping(value: str | Mapping[str, Any] | AnyOptimizer, where: str) -> Optimizer:
    """Return the same; ValueError for one that takes all rows at once, which `where` cannot."""
    optimizer = get(value)
    if isinstance(optimizer, FullBatchOptimizer):
        raise ValueError(
            f"{optimizer.kind} takes all rows at once, which {where} cannot: give it to fit, or "
            "take an optimizer that steps batch by batch, such as adam"
        )
    return optimizer
