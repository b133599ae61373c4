# SPDX-License-Identifier: Apache-2.0
r"""
Uncertainty bands
=================

Where there are no data, a network still gives a number. How sure may one be of it? Around the trained
weights :math:`w^*` the loss is nearly a bowl, and a flat bowl means that other weights explain the data
as well. The *Laplace approximation* reads that as a normal distribution of weights,

.. math::
   w \sim \mathcal{N}(w^*, H^{-1}), \quad
   H = \frac{1}{s^2} J^T J + \alpha I,

with the noise :math:`s` of the targets and a prior precision :math:`\alpha`, both found from the data. Its
spread in a prediction with the gradient :math:`g = \partial y / \partial w` is then

.. math:: \text{var}(y) = g^T H^{-1} g + s^2.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(3)


def truth(x):
    """Return what is to be found."""
    return np.sin(2 * x) + 0.3 * x


x = np.concatenate([rng.uniform(-3, -0.5, 40), rng.uniform(1.2, 2.6, 40)])[:, np.newaxis]
t = truth(x) + rng.normal(0, 0.15, x.shape)

net = cr.Sequential(
    [cr.Input(1), cr.Dense(12, activation="tanh"), cr.Dense(1)], seed=0, dtype="float64"
)
history = net.fit(
    x, t, loss="mse", optimizer=cr.LevenbergMarquardt(bayesian=True), epochs=200, verbose=0
)
laplace = net.laplace(x, t)
print(laplace)
print(f"the noise was 0.15; {laplace.noise:.3f} was found")

# %%
# The band is narrow where there are data and opens where there are none: in the gap between the two clouds,
# and beyond them.

fine = np.linspace(-4.5, 4.5, 400)[:, np.newaxis]
mean, deviation = laplace.predict(fine, return_std=True)
mean, deviation = mean[:, 0], deviation[:, 0]
fig, ax = plt.subplots(figsize=(9.5, 4.6), layout="constrained")
for width, label in [(1.645, "90 %"), (1.0, "68 %")]:
    low, high = mean - width * deviation, mean + width * deviation
    ax.fill_between(fine[:, 0], low, high, color="#1f6fb2", alpha=0.2, label=label)
ax.plot(fine, mean, color="#1f6fb2", linewidth=2, label="network")
ax.plot(fine, truth(fine), "--", color="#c8501e", label="truth")
ax.plot(x, t, ".", color="0.2", label="data")
ax.set(xlabel="x", ylabel="y", ylim=(-4, 4))
ax.grid(alpha=0.3)
ax.legend(loc="upper left", ncols=3)
plt.show()

# %%
# Are they true?
# --------------
# A 90 % interval is right if it holds 90 % of new targets. Count, over many data sets of the same kind:

inside = []
for seed in range(12):
    rng = np.random.default_rng(seed)
    x_some = rng.uniform(-3, 3, (80, 1))
    t_some = truth(x_some) + rng.normal(0, 0.15, x_some.shape)
    net = cr.Sequential(
        [cr.Input(1), cr.Dense(12, activation="tanh"), cr.Dense(1)], seed=seed, dtype="float64"
    )
    net.fit(
        x_some,
        t_some,
        loss="mse",
        optimizer=cr.LevenbergMarquardt(bayesian=True),
        epochs=200,
        verbose=0,
    )
    x_new = rng.uniform(-3, 3, (500, 1))
    t_new = truth(x_new) + rng.normal(0, 0.15, x_new.shape)
    mean, deviation = net.laplace(x_some, t_some).predict(x_new, return_std=True)
    inside.append(np.mean(abs(t_new - mean) < 1.645 * deviation))
print(f"{np.mean(inside):.1%} of new targets within their 90 % intervals")

# %%
# Quantile bands show how the data spread. These bands also show what the network has not seen. Far from all
# data, they rest on the prior alone: take them as a warning there, not as a number.
