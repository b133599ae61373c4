# SPDX-License-Identifier: Apache-2.0
r"""
The chain rule on z = (x + y) w
===============================

A network with a million weights is differentiated by one rule, and the rule fits on a napkin. Take
three numbers and compute

.. math:: z = (x + y) \, w.

How much does :math:`z` change when one of them changes a little?
"""

from pathlib import Path

from chainrule import graph

# %%
# Write it as a graph
# -------------------
# The sum is a step of its own; call it :math:`s = x + y`. Then :math:`z = s w`. Each step knows the
# derivatives of its result with respect to what went in, and nothing else:
#
# .. math::
#    \frac{\partial s}{\partial x} = 1, \quad \frac{\partial s}{\partial y} = 1, \quad
#    \frac{\partial z}{\partial s} = w, \quad \frac{\partial z}{\partial w} = s.
#
# ``chainrule.graph`` computes with numbers that remember how they were made.

x, y, w = graph.variables(x=1.0, y=2.0, w=3.0)
s = x + y
s.name = "s"
z = s * w
z.name = "z"
print("z =", z.value)

# %%
# Go back through it
# ------------------
# The chain rule multiplies along a path from the result to a variable, and adds over all paths:
#
# .. math::
#    \frac{\partial z}{\partial x} = \frac{\partial z}{\partial s} \, \frac{\partial s}{\partial x} = w \cdot 1 = 3.
#
# ``backward`` goes once through the graph, from the result to the variables. The gradient of a step is
# known before those of the steps which went into it, so nothing is computed twice.

z.backward()
print(z.table())

# %%
# In the drawing, values are blue and gradients are orange. The number on each edge is the local
# derivative: a gradient is the gradient on the right times the number on the edge.

Path("chain_rule.svg").write_text(z.to_svg())

# %%
# Check it with a small step
# --------------------------
# A derivative says what a small change does. Move each variable by :math:`h = 10^{-6}` and look.

h = 1e-6


def f(x, y, w):
    """Return z for numbers."""
    return (x + y) * w


for name, moved, found in [
    ("x", f(1 + h, 2, 3), x.gradient),
    ("y", f(1, 2 + h, 3), y.gradient),
    ("w", f(1, 2, 3 + h), w.gradient),
]:
    print(
        f"d z / d {name}: {(moved - f(1, 2, 3)) / h:.6f} by a small step, {found} by the chain rule"
    )

# %%
# A variable with two paths
# -------------------------
# Where a variable is used twice, both paths count. In :math:`q = (x + y) \, x` the variable :math:`x`
# acts through the sum and by itself: :math:`\partial q / \partial x = x \cdot 1 + (x + y) \cdot 1 = 4`.

x, y = graph.variables(x=1.0, y=2.0)
q = (x + y) * x
q.backward()
print("d q / d x =", x.gradient)

# %%
# Slopes of slopes
# ----------------
# ``graph.gradient`` gives the derivative as another node, so it can be differentiated again:
# :math:`\partial^2 q / \partial x^2 = 2` and :math:`\partial^2 q / \partial x \, \partial y = 1`.

slope = graph.gradient(q, x)
print("d2 q / d x2  =", graph.gradient(slope, x).value)
print("d2 q / d x dy =", graph.gradient(slope, y).value)
