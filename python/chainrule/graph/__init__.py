# SPDX-License-Identifier: Apache-2.0
"""Reverse-mode differentiation of numbers, to see the chain rule at work.

`nodes.py` has all of it, in one file to be read in one sitting; the other files draw graphs and
unroll networks into them.

Examples
--------
>>> from chainrule import graph
>>> x, y, w = graph.variables(x=1.0, y=2.0, w=3.0)
>>> z = (x + y) * w
>>> z.backward()
>>> x.gradient, y.gradient, w.gradient
(3.0, 3.0, 3.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.graph.nodes import (
    Node,
    Operation,
    cos,
    exp,
    gradient,
    log,
    max,
    relu,
    sigmoid,
    sin,
    softmax,
    sum,
    tanh,
    variables,
)
from chainrule.names import module_attributes

if TYPE_CHECKING:
    from chainrule.graph.unrolled import Unrolled, from_network

__all__ = [
    "Node",
    "Operation",
    "Unrolled",
    "cos",
    "exp",
    "from_network",
    "gradient",
    "log",
    "max",
    "relu",
    "sigmoid",
    "sin",
    "softmax",
    "sum",
    "tanh",
    "variables",
]

# Graphs of numbers need no arrays and no networks.
_LAZY = {
    "Unrolled": "chainrule.graph.unrolled",
    "from_network": "chainrule.graph.unrolled",
}

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__, _LAZY)
