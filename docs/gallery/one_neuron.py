# SPDX-License-Identifier: Apache-2.0
r"""
One neuron by hand
==================

Eight students learned for some hours and passed the examination or did not. One neuron with one
weight and one bias gives the probability of passing:

.. math::
   z = w x + b, \quad y = \sigma(z) = \frac{1}{1 + e^{-z}}, \quad L = \text{mean} \; (y - t)^2

Everything that happens in training a network happens here, with two numbers to train, so that all of
it can be drawn.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

hours = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0])
passed = np.array([0, 0, 0, 1, 0, 1, 1, 1])

# %%
# The chain rule, link by link
# ----------------------------
# For one student, the loss depends on :math:`y`, that on :math:`z`, and that on :math:`w` and
# :math:`b`:
#
# .. math::
#    \frac{\partial L}{\partial y} = 2 (y - t), \quad
#    \frac{\partial y}{\partial z} = y (1 - y), \quad
#    \frac{\partial z}{\partial w} = x, \quad
#    \frac{\partial z}{\partial b} = 1
#
# The product of the links is the gradient. Of several students it is the mean of theirs.


def gradients(w, b):
    """Return d loss / d w and d loss / d b."""
    y = 1 / (1 + np.exp(-(w * hours + b)))
    dz = 2 * (y - passed) * y * (1 - y)
    return np.mean(dz * hours), np.mean(dz)


# %%
# Walk downhill
# -------------
# Subtract a part of the gradient, again and again. The part is called the learning rate.

w, b = -1.0, 1.5
path = [(w, b)]
for _ in range(2000):
    dw, db = gradients(w, b)
    w, b = w - 1.0 * dw, b - 1.0 * db
    path.append((w, b))
path = np.array(path)
print(f"w = {w:.3f}, b = {b:.3f}: even odds at {-b / w:.2f} hours")

# %%
# The library's neuron takes the same steps. It computes in 64 bits here, so that the numbers can be
# compared.

neuron = cr.Sequential([cr.Input(1), cr.Dense(1, activation="sigmoid")], dtype="float64")
neuron.set_weights([[[-1.0]], [1.5]])
neuron.fit(
    hours[:, np.newaxis],
    passed,
    loss="mse",
    optimizer=cr.SGD(1.0),
    epochs=2000,
    batch_size=8,
    verbose=0,
)
found = [array.item() for array in neuron.parameters.values()]
print(f"the library: w = {found[0]:.3f}, b = {found[1]:.3f}")

# %%
# The loss is a landscape over the two numbers, and training is a path down into its valley. The first
# steps are small: the neuron is sure of the wrong answers, where :math:`y (1 - y)` is nearly nothing.

ws, bs = np.meshgrid(np.linspace(-2, 4, 121), np.linspace(-9, 3, 121))
ys = 1 / (1 + np.exp(-(ws[..., np.newaxis] * hours + bs[..., np.newaxis])))
losses = ((ys - passed) ** 2).mean(axis=-1)

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
levels = left.contourf(ws, bs, losses, 20, cmap="Blues")
fig.colorbar(levels, ax=left, label="loss")
left.plot(*path.T, color="#c8501e", linewidth=2)
left.plot(*path[[0, 10, 100, 2000]].T, "o", color="#c8501e")
for steps in (0, 10, 100, 2000):
    left.annotate(f"{steps} steps", path[steps], (6, 4), textcoords="offset points")
left.set(xlabel="w", ylabel="b", title="the way down")

fine = np.linspace(0, 4.5, 100)
for steps, alpha in [(0, 0.25), (10, 0.45), (100, 0.7), (2000, 1.0)]:
    w, b = path[steps]
    curve = 1 / (1 + np.exp(-(w * fine + b)))
    right.plot(fine, curve, color="#1f6fb2", alpha=alpha, label=f"{steps} steps")
right.plot(hours, passed, "o", color="#c8501e", label="students")
right.set(xlabel="hours", ylabel="probability of passing", title="what the neuron says")
right.legend()
plt.show()
