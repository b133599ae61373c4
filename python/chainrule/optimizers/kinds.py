# SPDX-License-Identifier: Apache-2.0
"""All optimizers: what the files beside this one export."""

from chainrule.optimizers import adadelta, adagrad, adam, lion, rmsprop, sgd
from chainrule.optimizers.adadelta import *
from chainrule.optimizers.adagrad import *
from chainrule.optimizers.adam import *
from chainrule.optimizers.lion import *
from chainrule.optimizers.rmsprop import *
from chainrule.optimizers.sgd import *

__all__: list[str] = []
__all__ += adadelta.__all__
__all__ += adagrad.__all__
__all__ += adam.__all__
__all__ += lion.__all__
__all__ += rmsprop.__all__
__all__ += sgd.__all__
