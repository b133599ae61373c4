# SPDX-License-Identifier: Apache-2.0
r"""
Quantile bands
==============

A network that predicts the mean says nothing about how far off it may be. The *quantile* or *pinball*
loss lets it predict that too:

.. math::
   L_q(o, t) = \begin{cases} q \, (t - o) & t > o \\ (1 - q) \, (o - t) & t \le o \end{cases}

For :math:`q = 0.9`, predicting too low costs nine times as much as predicting too high. The cheapest
prediction is then the number that 90 % of the targets stay below.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# Why that number? The derivative with respect to :math:`o` is :math:`-q` for each target above and
# :math:`1 - q` for each target below. Their sum is zero when a share :math:`q` of the targets is below:
# :math:`-q \cdot (1 - q) + (1 - q) \cdot q = 0`.

offsets = np.linspace(-2, 2, 201)
fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
for q, color in [(0.1, "#1f6fb2"), (0.5, "#444444"), (0.9, "#c8501e")]:
    loss = np.where(offsets < 0, -q * offsets, (1 - q) * offsets)
    ax.plot(offsets, loss, color=color, label=f"q = {q}")
ax.set(xlabel="prediction minus target", ylabel="loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Data whose noise grows
# ----------------------
# The spread of the targets depends on :math:`x`, and it is not symmetric.

rng = np.random.default_rng(0)


def draw(rows):
    """Return x and targets."""
    x = rng.uniform(0, 6, rows)
    return x[:, np.newaxis], np.sin(x) + (0.05 + 0.12 * x) * rng.gamma(2.0, 0.5, rows)


x_train, t_train = draw(4000)
x_test, t_test = draw(2000)

# %%
# One network has three outputs, one for each quantile. Its loss is the mean of the three.

quantiles = (0.05, 0.5, 0.95)
net = cr.Sequential(
    [
        cr.Normalization(),
        cr.Dense(64, activation="tanh"),
        cr.Dense(64, activation="tanh"),
        cr.Dense(3),
    ],
    seed=0,
)
history = net.fit(
    x_train,
    t_train,
    loss=cr.losses.Quantile(quantiles),
    optimizer=cr.Adam(cr.schedules.Cosine(5e-3, epochs=60)),
    epochs=60,
    batch_size=64,
    verbose=0,
)
found = net.predict(x_test)
for q, column in zip(quantiles, found.T, strict=True):
    print(f"below the quantile {q}: {np.mean(t_test < column):.1%} of new targets")
inside = np.mean((t_test >= found[:, 0]) & (t_test <= found[:, 2]))
print(f"between the outer two, where 90 % should be: {inside:.1%}")

# %%
fine = np.linspace(0, 6, 300)[:, np.newaxis]
low, middle, high = net.predict(fine).T
fig, ax = plt.subplots(figsize=(9, 4.4), layout="constrained")
ax.plot(x_test, t_test, ".", color="0.7", markersize=3, label="new data")
ax.fill_between(fine[:, 0], low, high, color="#1f6fb2", alpha=0.25, label="5 % to 95 %")
ax.plot(fine, middle, color="#1f6fb2", linewidth=2, label="median")
ax.plot(fine, np.sin(fine), "--", color="#c8501e", label="sin(x), below all noise")
ax.set(xlabel="x", ylabel="t")
ax.grid(alpha=0.3)
ax.legend(loc="lower left")
plt.show()

# %%
# These bands show how the *data* spread. What a network does not know because it has seen too little of
# them is another thing.
