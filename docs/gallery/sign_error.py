# SPDX-License-Identifier: Apache-2.0
r"""
A straight line, and the sign error that everybody makes once
=============================================================

Four points lie on :math:`t = 2 x`. A model with one weight, :math:`y = w x`, has to find the 2. This is
the smallest training there is, and it goes wrong in the most instructive way.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x = np.array([1.0, 2.0, 3.0, 4.0])
t = 2 * x

# %%
# The loss is :math:`L = \text{mean} \; (t - w x)^2`. Its derivative has two links: the square gives
# :math:`2 (t - w x)`, and the bracket gives :math:`-x`, because :math:`w` is *subtracted* in it:
#
# .. math:: \frac{\partial L}{\partial w} = \text{mean} \; \left( 2 (t - w x) \cdot (-x) \right)
#
# The minus is easily lost. Then the step :math:`w \leftarrow w - \eta \, dw` goes uphill, and the
# further it gets, the steeper it is.


def train(derivative, steps):
    """Return the weights and losses on the way."""
    w, weights, losses = 0.0, [], []
    for _ in range(steps):
        weights.append(w)
        losses.append(np.mean((t - w * x) ** 2))
        w = w - 0.02 * derivative(w)
    return weights, losses


def right_sign(w):
    """Return d loss / d w."""
    return np.mean(2 * (t - w * x) * -x)


def wrong_sign(w):
    """Return what comes of forgetting the derivative of the bracket."""
    return np.mean(2 * (t - w * x) * x)


good, good_losses = train(right_sign, 15)
bad, bad_losses = train(wrong_sign, 15)
print(f"right: w = {good[-1]:.4f}, loss {good_losses[-1]:.1e}")
print(f"wrong: w = {bad[-1]:.4g}, loss {bad_losses[-1]:.1e}")

# %%
# The picture shows at a glance which of the two it is. A loss that *grows smoothly and ever faster*
# from the first step on is a wrong sign or much too large a learning rate. If it still grows with a
# tenth of the rate, it is the sign.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.semilogy(good_losses, "o-", color="#1f6fb2", label="right sign")
left.semilogy(bad_losses, "o-", color="#c8501e", label="wrong sign")
left.set(xlabel="step", ylabel="loss", title="loss")
left.grid(alpha=0.3)
left.legend()
ws = np.linspace(-3, 7, 200)
right.plot(ws, [np.mean((t - w * x) ** 2) for w in ws], color="0.6")
right.plot(good, good_losses, "o-", color="#1f6fb2")
shown = [i for i, w in enumerate(bad) if w > -3]
right.plot([bad[i] for i in shown], [bad_losses[i] for i in shown], "o-", color="#c8501e")
right.annotate("right sign: down", (2.3, 2), color="#1f6fb2")
right.annotate("wrong sign: up", (-1.2, 100), color="#c8501e")
right.set(xlabel="w", ylabel="loss", title="the loss over the weight")
plt.show()

# %%
# How to notice before training
# -----------------------------
# Compare the derivative with a small step. The sign shows at once:

h = 1e-6
difference = (np.mean((t - h * x) ** 2) - np.mean((t + h * x) ** 2)) / (2 * h)
print(f"by a small step {difference:.4f}, right {right_sign(0.0):.4f}, wrong {wrong_sign(0.0):.4f}")

# %%
# The library's own step, for comparison:

line = cr.Sequential([cr.Input(1), cr.Dense(1, use_bias=False)], dtype="float64")
line.set_weights([[[0.0]]])
options = dict(loss="mse", optimizer=cr.SGD(0.02), epochs=14, batch_size=4, verbose=0)
line.fit(x[:, np.newaxis], t, **options)
print(f"the library after 14 steps: w = {line.parameters['0.weight'].item():.4f}")
