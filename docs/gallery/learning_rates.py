# SPDX-License-Identifier: Apache-2.0
r"""
Learning rates on a valley
==========================

Gradient descent has one number that you must choose, and on it hangs everything: the learning rate
:math:`\eta` in

.. math:: p \leftarrow p - \eta \, \nabla L(p).

Watch four rates on the simplest landscape that is steeper in one direction than in the other:

.. math:: L(a, b) = \frac{1}{2} \left( a^2 + 20 \, b^2 \right)
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter

STEEPNESS = np.array([1.0, 20.0])
RATES = {0.005: "too small", 0.08: "good", 0.099: "too large", 0.102: "diverges"}


def descend(rate, steps):
    """Return the way of gradient descent: (steps + 1, 2)."""
    way = [np.array([-9.0, 1.2])]
    for _ in range(steps):
        gradient = STEEPNESS * way[-1]
        way.append(way[-1] - rate * gradient)
    return np.array(way)


ways = {rate: descend(rate, 40) for rate in RATES}
for rate, way in ways.items():
    loss = 0.5 * (STEEPNESS * way[-1] ** 2).sum()
    print(f"rate {rate}: loss {loss:.3g} after 40 steps: {RATES[rate]}")

# %%
# Each step multiplies :math:`b` by :math:`1 - 20 \eta`. With :math:`\eta` above :math:`2 / 20 = 0.1`
# that is below -1: each step jumps over the valley and lands higher than before. This bound,
# 2 / curvature, holds for every network. Just below it the jumps hardly shrink. A good rate leaves some
# room, and no more: the steepest direction sets the bound, but the flattest one needs the rate. Along
# :math:`a` a step at 0.08 covers only 8 % of the way that is left.

a, b = np.meshgrid(np.linspace(-10.5, 3, 200), np.linspace(-2.2, 2.2, 200))
landscape = 0.5 * (a**2 + 20 * b**2)
fig, axes = plt.subplots(2, 2, figsize=(9, 5.6), layout="constrained", sharex=True, sharey=True)
artists = []
for ax, (rate, name) in zip(axes.flat, RATES.items(), strict=True):
    ax.contour(a, b, landscape, np.geomspace(0.3, 60, 12), cmap="Blues_r", linewidths=0.8)
    ax.plot(0, 0, "+", color="0.3", markersize=12)
    ax.set(title=f"rate {rate}: {name}", xlim=(-10.5, 3), ylim=(-2.2, 2.2))
    (trail,) = ax.plot([], [], "o-", color="#c8501e", markersize=3, linewidth=1)
    (point,) = ax.plot([], [], "o", color="#c8501e", markersize=9)
    artists.append((ways[rate], trail, point))


def draw(frame):
    """Show the first steps."""
    for way, trail, point in artists:
        trail.set_data(*way[: frame + 1].T)
        point.set_data(*way[frame : frame + 1].T)
    return []


fig.canvas.draw()
fig.set_layout_engine("none")  # every frame has the same layout
animation = FuncAnimation(fig, draw, frames=range(0, 41, 2))
animation.save("learning_rates.gif", writer=PillowWriter(fps=4), dpi=72)
plt.close(fig)

# %%
# The same as curves:

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for (rate, name), color in zip(
    RATES.items(), ["0.6", "#1f6fb2", "#3b9c5a", "#c8501e"], strict=True
):
    losses = 0.5 * (STEEPNESS * ways[rate] ** 2).sum(axis=1)
    ax.semilogy(losses, color=color, label=f"{rate}: {name}")
ax.set(xlabel="step", ylabel="loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The curvature of a network is not known beforehand. ``find_learning_rate`` trains a copy at a rate that
# grows from step to step, and takes one from where the loss falls fastest:

import chainrule as cr

x, y = cr.data.load_digits()
net = cr.Sequential([cr.Rescaling(1 / 16), cr.Dense(32, activation="relu"), cr.Dense(10)], seed=0)
found = cr.find_learning_rate(net, x, y, loss="cross_entropy", optimizer=cr.SGD())
print(f"suggested for this network: {found.suggestion:.2g}")
