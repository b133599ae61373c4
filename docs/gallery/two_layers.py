# SPDX-License-Identifier: Apache-2.0
r"""
Two layers by hand, then by the library
=======================================

Two inputs, two hidden neurons, one output: nine numbers to train. This lesson works out all nine
gradients on paper, then in four lines of NumPy, and then has the library do it, to the same digits.

.. math::
   z = x W + b, \quad h = \sigma(z), \quad o = h V + c, \quad L = (o - t)^2
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# Forward
# -------
# One row of data ``x`` with its target ``t``, and round weights, so that paper is enough. The sigmoid
# is :math:`\sigma(z) = 1 / (1 + e^{-z})`.

x = np.array([[1.0, 2.0]])
t = np.array([[1.0]])
W = np.array([[0.5, -1.0], [0.25, 0.5]])  # (inputs, hidden)
b = np.array([0.0, 0.5])
V = np.array([[2.0], [-1.0]])  # (hidden, outputs)
c = np.array([0.25])

z = x @ W + b
h = 1 / (1 + np.exp(-z))
o = h @ V + c
L = float(((o - t) ** 2).item())
print(f"z = {z}, h = {h.round(4)}, o = {o.round(4)}, L = {L:.4f}")

# %%
# Backward
# --------
# Begin at the loss and go from right to left. Each line uses the one before it:
#
# .. math::
#    do = 2 (o - t), \quad
#    dV = h^T do, \quad dc = do, \quad
#    dh = do \, V^T, \quad
#    dz = dh \odot h \odot (1 - h), \quad
#    dW = x^T dz, \quad db = dz
#
# where :math:`dv` is short for :math:`\partial L / \partial v` and has the shape of :math:`v`. A weight
# reaches the loss through its own neuron only, so its gradient is what came in, times what came back.

do = 2 * (o - t)
dV, dc = h.T @ do, do[0]
dz = (do @ V.T) * h * (1 - h)
dW, db = x.T @ dz, dz[0]
print("dW =", dW.round(4).tolist())
print("db =", db.round(4).tolist())
print("dV =", dV.round(4).tolist())
print("dc =", dc.round(4).tolist())

# %%
# The same by the library
# -----------------------
# ``forward`` keeps what ``backward`` needs; ``gradients`` has what it left.

net = cr.Sequential([cr.Input(2), cr.Dense(2, activation="sigmoid"), cr.Dense(1)], dtype="float64")
net.set_weights([W, b, V, c])
outputs = net.forward(x)
dx = net.backward(cr.losses.MSE().gradient(outputs, t))
for (name, found), by_hand in zip(net.gradients.items(), [dW, db, dV, dc], strict=True):
    print(f"{name}: largest difference {abs(found - by_hand).max():.1e}")

# %%
# The picture
# -----------
# Values in blue go from left to right. Gradients in orange come back. The thickness of a line is the
# size of its weight's gradient: the thickest lines are where this row wants the most change.

# sphinx_gallery_start_ignore
BLUE, ORANGE = "#1f6fb2", "#c8501e"
fig, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
columns = [
    [(0, 1, "$x_1$", x[0, 0], dx[0, 0]), (0, -1, "$x_2$", x[0, 1], dx[0, 1])],
    [(1, 1, "$h_1$", h[0, 0], (do @ V.T)[0, 0]), (1, -1, "$h_2$", h[0, 1], (do @ V.T)[0, 1])],
    [(2, 0, "$o$", o[0, 0], do[0, 0])],
    [(3, 0, "$L$", L, 1.0)],
]
for left, right, weights, gradients in [
    (columns[0], columns[1], W, dW),
    (columns[1], columns[2], V, dV),
]:
    for i, (x1, y1, *_) in enumerate(left):
        for j, (x2, y2, *_) in enumerate(right):
            width = 0.8 + 4 * abs(gradients[i, j]) / abs(dV).max()
            ax.plot([x1, x2], [y1, y2], color="0.65", linewidth=width, zorder=0)
            for value, color, up in [(weights, BLUE, 0.09), (gradients, ORANGE, -0.11)]:
                ax.text(
                    x1 + 0.32 * (x2 - x1),
                    y1 + 0.32 * (y2 - y1) + up,
                    f"{value[i, j]:.3g}",
                    color=color,
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
                )
ax.plot([2, 3], [0, 0], color="0.65", zorder=0)
for column in columns:
    for px, py, label, value, gradient in column:
        ax.scatter(px, py, s=4400, color="white", edgecolor="0.3", zorder=1)
        ax.text(px, py + 0.23, label, ha="center", va="center", fontsize=12)
        ax.text(px, py + 0.01, f"{value:.3g}", ha="center", va="center", color=BLUE)
        ax.text(px, py - 0.21, f"{gradient:.3f}", ha="center", va="center", color=ORANGE)
ax.text(0.5, 1.75, "values go forward", color=BLUE, ha="center", fontsize=12)
ax.text(2.5, 1.75, "gradients come back", color=ORANGE, ha="center", fontsize=12)
ax.annotate("", (1.3, 1.78), (0.95, 1.78), arrowprops={"arrowstyle": "->", "color": BLUE})
ax.annotate("", (1.65, 1.78), (2.0, 1.78), arrowprops={"arrowstyle": "->", "color": ORANGE})
ax.set(xlim=(-0.4, 3.4), ylim=(-1.5, 2.0))
ax.axis("off")
# sphinx_gallery_end_ignore
plt.show()

# %%
# A step against the gradient makes the loss smaller, and a hundred make it nearly nothing:

optimizer = cr.SGD(0.1)
for _ in range(100):
    net.backward(cr.losses.MSE().gradient(net.forward(x), t))
    optimizer.step(net)
print(f"loss after 100 steps: {cr.losses.MSE()(net.predict(x), t):.2e}")
