# SPDX-License-Identifier: Apache-2.0
r"""
L-BFGS and Levenberg-Marquardt against Adam
===========================================

A gradient says which way is down. It does not say how far, and so first-order optimizers take thousands
of small steps. The curvature says how far. *L-BFGS* estimates it from how the gradient changed over the
last steps. *Levenberg-Marquardt* has it from the squares in the loss: with the errors :math:`e` and their
Jacobian :math:`J`, whose row :math:`i` is :math:`\partial e_i / \partial w`, it solves

.. math:: (J^T J + \mu I) \, d = - J^T e, \quad w \leftarrow w + d.

With a small :math:`\mu` that is Newton's step for errors that are nearly linear in :math:`w`, with a large
one a short step against the gradient. :math:`\mu` falls after each success and rises after each failure.
"""

# sphinx_gallery_parallel = False
import time

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x = np.linspace(-4, 4, 400)[:, np.newaxis]
t = np.sinc(x)
mse = cr.losses.MSE()


def make():
    """Return the same untrained network each time: 46 numbers to train."""
    layers = [cr.Input(1), cr.Dense(15, activation="tanh"), cr.Dense(1)]
    return cr.Sequential(layers, seed=1, dtype="float64")


# %%
# The same network, begun in the same place, by three optimizers. Adam gets a schedule that falls to nearly
# nothing, which suits it best, and by far the most passes over the data.

runs = {
    "Adam": (dict(optimizer=cr.Adam(cr.schedules.Cosine(0.02, epochs=3000)), batch_size=400), 3000),
    "L-BFGS": (dict(optimizer=cr.LBFGS(tolerance=1e-9)), 600),
    "Levenberg-Marquardt": (dict(optimizer=cr.LevenbergMarquardt()), 200),
}
COLORS = {"Adam": "#c8501e", "L-BFGS": "#1f6fb2", "Levenberg-Marquardt": "#3b9c5a"}
results = {}
for name, (options, epochs) in runs.items():
    net = make()
    begun = time.perf_counter()
    history = net.fit(x, t, loss="mse", epochs=epochs, verbose=0, **options)
    took = time.perf_counter() - begun
    results[name] = net, history, took
    loss = mse(net.predict(x), t)
    print(
        f"{name:20} {len(history.epochs):5} iterations, {took:.2f} s, mean squared error {loss:.1e}"
    )

# %%
# Both axes are logarithmic: the errors differ by orders of magnitude. The price is the system of
# equations, whose solution takes time as the cube of the number of parameters, so Levenberg-Marquardt is
# for hundreds or a few thousand of them. L-BFGS keeps ten pairs of vectors and has no such limit, but it
# needs all rows for each step.

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for name, (_, history, took) in results.items():
    losses = np.array(history["loss"])
    left.loglog(np.arange(1, len(losses) + 1), losses, color=COLORS[name], label=name)
    seconds = took * np.arange(1, len(losses) + 1) / len(losses)
    right.loglog(seconds, losses, color=COLORS[name], label=name)
left.set(xlabel="iteration", ylabel="mean squared error")
right.set(xlabel="seconds", ylabel="mean squared error")
for ax in (left, right):
    ax.grid(alpha=0.3)
left.legend()
plt.show()

# %%
# What that means for the curve: the errors, not the predictions, since those cannot be distinguished by eye.

fig, axes = plt.subplots(1, 3, figsize=(11, 2.8), layout="constrained")
for ax, (name, (net, _, _)) in zip(axes, results.items(), strict=True):
    ax.plot(x, net.predict(x) - t, color=COLORS[name])
    ax.set(title=name, xlabel="x")
    ax.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
axes[0].set_ylabel("prediction minus sinc(x)")
plt.show()

# %%
# For classification
# ------------------
# L-BFGS takes every loss. Here is logistic regression with a penalty, which has one best solution, and
# scikit-learn finds the same one:

from sklearn.linear_model import LogisticRegression

digits, labels = cr.data.load_digits()
digits, labels = digits[:500] / 16, labels[:500]
net = cr.Sequential([cr.Input(64), cr.Dense(10, l2=1e-3)], seed=0, dtype="float64")
history = net.fit(
    digits, labels, loss="cross_entropy", optimizer=cr.LBFGS(tolerance=1e-7), epochs=500, verbose=0
)
peer = LogisticRegression(C=1 / (2e-3 * len(digits)), tol=1e-6, max_iter=2000).fit(digits, labels)
difference = abs(net.predict_proba(digits) - peer.predict_proba(digits)).max()
print(f"{len(history.epochs)} iterations: {history.end}")
print(f"largest difference of a probability: {difference:.1e}")
