# SPDX-License-Identifier: Apache-2.0
"""All optimizers: what the files beside this one export."""

from chainrule.optimizers import adam, adaptive, momentum
from chainrule.optimizers.adam import *
from chainrule.optimizers.adaptive import *
from chainrule.optimizers.momentum import *

__all__: list[str] = []
__all__ += adam.__all__
__all__ += adaptive.__all__
__all__ += momentum.__all__
