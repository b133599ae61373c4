# SPDX-License-Identifier: Apache-2.0
r"""
Dropout and L2 on a small table
===============================

Few rows and many weights: a network learns the rows by heart, noise included, and is worse on new ones.
Two brakes are common. *L2* adds the squares of the weights to what training makes small,

.. math:: L + \lambda \sum_i w_i^2,

so that a weight must earn its size. *Dropout* sets each value of a layer to 0 with probability
:math:`r` in every training step and divides the others by :math:`1 - r`, so that no unit can rely on one
other.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The table: 80 rows of Friedman's function of five columns, with five more columns that mean nothing,
# and noise. A thousand other rows tell the truth.
#
# .. math:: t = 10 \sin(\pi x_1 x_2) + 20 (x_3 - 0.5)^2 + 10 x_4 + 5 x_5 + \text{noise}


def table(rows, seed):
    """Return columns and targets, scaled to be about 1."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(rows, 10))
    t = (
        10 * np.sin(np.pi * x[:, 0] * x[:, 1])
        + 20 * (x[:, 2] - 0.5) ** 2
        + 10 * x[:, 3]
        + 5 * x[:, 4]
    )
    return 2 * x - 1, (t + rng.normal(0, 2.0, rows) - 14.4) / 5


x_train, t_train = table(80, 0)
x_test, t_test = table(1000, 1)


def make(l2=0.0, rate=0.0, seed=0):
    """Return a network that is too large for 80 rows."""
    layers = []
    for _ in range(2):
        layers.append(cr.Dense(64, activation="relu", l2=l2))
        if rate:
            layers.append(cr.Dropout(rate))
    return cr.Sequential([cr.Input(10), *layers, cr.Dense(1, l2=l2)], seed=seed)


networks = {
    "nothing": make(),
    "L2, 0.01": make(l2=0.01),
    "dropout, 0.3": make(rate=0.3),
}
COLORS = {"nothing": "#c8501e", "L2, 0.01": "#1f6fb2", "dropout, 0.3": "#3b9c5a"}
fig, (left, right) = plt.subplots(1, 2, figsize=(10.5, 4.2), layout="constrained")
for name, net in networks.items():
    seen, unseen = [], []

    def measure(epoch, logs, net=net, seen=seen, unseen=unseen):
        """Note both losses without dropout."""
        seen.append(net.evaluate(x_train, t_train, metrics=[])["loss"])
        unseen.append(net.evaluate(x_test, t_test, metrics=[])["loss"])

    options = dict(loss="mse", optimizer=cr.Adam(3e-3), epochs=300, batch_size=16, verbose=0)
    net.fit(x_train, t_train, callbacks=[measure], **options)
    left.plot(unseen, color=COLORS[name], label=f"{name}, new rows")
    left.plot(seen, "--", color=COLORS[name], linewidth=1)
    weights = np.concatenate([w.ravel() for w in net.get_weights() if w.ndim == 2])
    right.hist(
        weights,
        np.linspace(-0.8, 0.8, 81),
        histtype="step",
        color=COLORS[name],
        label=name,
        linewidth=1.5,
    )
    print(
        f"{name:13} training rows {seen[-1]:.4f}, new rows {unseen[-1]:.3f} (best {min(unseen):.3f})"
    )
left.axhline(4 / 25, color="0.6", linewidth=1)
left.annotate("variance of the noise: the least error possible", (90, 4 / 25 + 0.01), color="0.4")
left.set(xlabel="epoch", ylabel="mean squared error", title="dashed: the 80 training rows")
left.set_ylim(0, 0.9)
left.grid(alpha=0.3)
left.legend(fontsize=8)
right.set(xlabel="weight", ylabel="how many", title="weights after training")
right.legend()
plt.show()

# %%
# Without a brake the error on the training rows falls below the noise, which can only mean that the
# noise has been learned. L2 draws most weights to nearly nothing. Dropout leaves them large and has many
# units say the same.
#
# How much of a brake?
# --------------------
# Too little does nothing and too much forbids learning. Each number is the mean of three networks:


def error(**options):
    """Return the error on new rows, averaged over seeds."""
    found = []
    for seed in range(3):
        net = make(seed=seed, **options)
        training = dict(loss="mse", optimizer=cr.Adam(3e-3), epochs=300, batch_size=16, verbose=0)
        net.fit(x_train, t_train, **training)
        found.append(net.evaluate(x_test, t_test, metrics=[])["loss"])
    return np.mean(found)


strengths = [0.0, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1]
rates = [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9]
by_l2 = [error(l2=strength) for strength in strengths]
by_dropout = [error(rate=rate) for rate in rates]
fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
places = range(len(strengths))
ax.plot(places, by_l2, "o-", color=COLORS["L2, 0.01"], label="L2")
ax.plot(places, by_dropout, "o-", color=COLORS["dropout, 0.3"], label="dropout")
ax.set_xticks(places, [f"{s:g}\n{r:g}" for s, r in zip(strengths, rates, strict=True)])
ax.set(xlabel="strength of L2 (above), rate of dropout (below)", ylabel="error on new rows")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
