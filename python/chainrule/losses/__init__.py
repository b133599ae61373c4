# SPDX-License-Identifier: Apache-2.0
"""Losses: what training minimises.

Losses compare a network's raw outputs o (for the cross-entropies, the logits) with targets t. A
row's loss is the mean over its outputs, or for `CrossEntropy` the cross-entropy of the row; the
loss of a batch is the weighted mean over its rows, sum(w_i loss_i) / sum(w_i), which with all
weights 1 is PyTorch's ``reduction="mean"``. Every gradient below is that of one output's term; the
batch's is it times w_i / sum(w_i), and but for `CrossEntropy` divided by the number of outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.losses import classification, regression
from chainrule.losses.classification import *
from chainrule.losses.custom import Custom, get
from chainrule.losses.loss import Loss
from chainrule.losses.regression import *
from chainrule.names import module_attributes

__all__ = ["Custom", "Loss", "get"]
__all__ += classification.__all__
__all__ += regression.__all__

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)
