# SPDX-License-Identifier: Apache-2.0
r"""
Mini-batch or full batch?
=========================

The gradient of the loss is a mean over all rows. A *full batch* computes all of it for one step. A
*mini-batch* takes a few random rows, computes

.. math:: g = \frac{1}{n} \sum_{i \in \text{batch}} \nabla L_i

and steps at once. Its gradient is noisy: the error of a mean of :math:`n` rows shrinks as
:math:`1 / \sqrt n`. Ten times the rows cost ten times the work and give only three times the precision.
"""

# sphinx_gallery_parallel = False
import time

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y = cr.data.load_digits()
x_train, x_test, y_train, y_test = cr.data.train_test_split(x, y, test_size=0.2, stratify=True)
rows = len(x_train)
loss = cr.losses.CrossEntropy()


def make():
    """Return the same untrained network each time."""
    layers = [cr.Rescaling(1 / 16), cr.Dense(64, activation="relu"), cr.Dense(10)]
    net = cr.Sequential([cr.Input(64), *layers], seed=0)
    return net


def gradient(net, chosen):
    """Return the gradient of the mean over some rows as one vector."""
    net.backward(loss.gradient(net.forward(x_train[chosen]), y_train[chosen]))
    return np.concatenate([g.ravel() for g in net.gradients.values()])


# %%
# How wrong is a mini-batch?
# --------------------------
# The angle between its gradient and that of all rows, for random batches of each size:

rng = np.random.default_rng(0)
net = make()
whole = gradient(net, np.arange(rows))
sizes = [1, 4, 16, 64, 256]
errors = []
for size in sizes:
    found = [gradient(net, rng.choice(rows, size, replace=False)) for _ in range(40)]
    errors.append(np.mean([np.linalg.norm(g - whole) / np.linalg.norm(whole) for g in found]))
    print(f"{size:4} rows: off by {errors[-1]:.2f} of the gradient's length")

# %%
# What is it worth?
# -----------------
# Every size gets the same number of passes over the data, and of three learning rates the one with the
# lowest loss at the end.

runs = {}
for size in (1, 32, 256, rows):
    best = None
    for rate in (0.02, 0.1, 0.5):
        net = make()
        begun = time.perf_counter()
        try:
            history = net.fit(
                x_train,
                y_train,
                loss="cross_entropy",
                optimizer=cr.SGD(rate),
                epochs=15,
                batch_size=size,
                verbose=0,
            )
        except cr.DivergenceError:
            continue
        took = time.perf_counter() - begun
        if best is None or history["loss"][-1] < best[0]["loss"][-1]:
            best = history, rate, took, net.evaluate(x_test, y_test)["accuracy"]
    runs[size] = best
    history, rate, took, accuracy = best
    steps = 15 * -(-rows // size)
    print(
        f"batches of {size:4}: rate {rate}, {steps:6} steps in {took:.2f} s, test accuracy {accuracy:.1%}"
    )

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.loglog(sizes, errors, "o-", color="#c8501e", label="measured")
left.loglog(sizes, errors[0] / np.sqrt(sizes), "--", color="0.6", label="1 / square root of rows")
left.set(xlabel="rows in the batch", ylabel="relative error of the gradient", title="noise")
left.legend()
left.grid(alpha=0.3)
for (size, (history, *_)), color in zip(
    runs.items(), ["#8a5bb0", "#1f6fb2", "#3b9c5a", "#c8501e"], strict=True
):
    label = "all rows at once" if size == rows else f"batches of {size}"
    right.semilogy(history.epochs, history["loss"], color=color, label=label)
right.set(xlabel="passes over the data", ylabel="training loss", title="the same work")
right.legend()
right.grid(alpha=0.3)
plt.show()

# %%
# The full batch makes 15 steps while batches of 32 make 675. Its steps are better, but not 45 times
# better. Single rows take the most steps of all and get furthest for each pass over the data. But a row
# is a small piece of work for a processor that multiplies sixteen numbers at once and has several cores,
# so they need the most time. On large data and large networks, sizes from 16 to 256 are where both meet.
