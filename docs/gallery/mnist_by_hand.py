# SPDX-License-Identifier: Apache-2.0
r"""
Digits by hand in NumPy, against the library
============================================

This comparison is where the project began: a network for handwritten digits, written by hand with
nothing but NumPy, took a minute where a library took seconds. Here are both, with the same network, the
same first weights and the same order of rows.

.. math::
   h = \max(0, x W + b), \quad z = h V + c, \quad
   L = - \text{mean} \; \log \text{softmax}(z)_t
"""

# sphinx_gallery_parallel = False
import time

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The build of this page uses the first 10,000 digits of MNIST where it has the files, and else the 1797 digits that come with the
# package.

try:
    (x_train, y_train), (x_test, y_test) = cr.data.load_mnist()
    x_train, y_train = x_train[:10000], y_train[:10000]
    name, scale, epochs = "10,000 digits of MNIST", 1 / 255, 2
except (ImportError, OSError):
    x, y = cr.data.load_digits()
    x_train, x_test, y_train, y_test = cr.data.train_test_split(x, y, test_size=0.2, stratify=True)
    name, scale, epochs = "the shipped digits", 1 / 16, 10
x_train, x_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
inputs, batch, rate = x_train.shape[1], 64, 0.1
print(f"{name}: {len(x_train)} digits to train on, {len(x_test)} to test on")

net = cr.Sequential(
    [cr.Input(inputs), cr.Rescaling(scale), cr.Dense(128, activation="relu"), cr.Dense(10)], seed=0
)
W, b, V, c = net.get_weights()  # both begin here

# %%
# By hand
# -------
# Fifteen lines are all of it. The backward pass has two matrix products for each one of the forward
# pass.

by_hand = []
begun = time.perf_counter()
for epoch in range(epochs):
    order = np.random.default_rng(epoch).permutation(len(x_train))
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        x = x_train[rows] * np.float32(scale)
        h = np.maximum(0, x @ W + b)
        z = h @ V + c
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), y_train[rows]] -= 1
        dz = p / np.float32(len(rows))
        dh = (dz @ V.T) * (h > 0)
        V -= np.float32(rate) * (h.T @ dz)
        c -= np.float32(rate) * dz.sum(axis=0)
        W -= np.float32(rate) * (x.T @ dh)
        b -= np.float32(rate) * dh.sum(axis=0)
    seconds = time.perf_counter() - begun
    outputs = np.maximum(0, x_test * np.float32(scale) @ W + b) @ V + c
    by_hand.append((seconds, (outputs.argmax(axis=1) == y_test).mean()))

# %%
# By the library
# --------------
# It trains one epoch, in an order of rows of its own, and the clock stops meanwhile for the test.

by_library, seconds = [], 0.0
for _ in range(epochs):
    begun = time.perf_counter()
    net.fit(
        x_train, y_train, loss="cross_entropy", optimizer=cr.SGD(rate), batch_size=batch, verbose=0
    )
    seconds += time.perf_counter() - begun
    by_library.append((seconds, net.evaluate(x_test, y_test)["accuracy"]))

print(f"by hand:     {by_hand[-1][0]:6.2f} s, test accuracy {by_hand[-1][1]:.2%}")
print(f"the library: {by_library[-1][0]:6.2f} s, test accuracy {by_library[-1][1]:.2%}")

# %%
# The accuracies agree, as they must: it is the same mathematics. The times do not. Each line of NumPy
# reads all of an array from memory and writes another one; the library keeps a piece of a layer in
# registers while bias, activation and update are done with it, skips the pixels that are zero, and
# shares the work between the processor's cores.

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
names = ["NumPy by hand", "chainrule"]
colors = ["#c8501e", "#1f6fb2"]
times = [by_hand[-1][0], by_library[-1][0]]
bars = left.barh(names, times, color=colors)
left.bar_label(bars, [f" {t:.2f} s" for t in times])
left.set(xlabel="seconds", title=f"{epochs} epochs of {name}", xlim=(0, 1.25 * max(times)))
left.invert_yaxis()
for (label, run), color in zip(zip(names, [by_hand, by_library], strict=True), colors, strict=True):
    right.plot(*np.array(run).T, "o-", color=color, label=label)
right.set(xlabel="seconds", ylabel="test accuracy", title="accuracy after each epoch")
right.grid(alpha=0.3)
right.legend()
plt.show()

# %%
# What it gets wrong, at the end, a person would often have to think about as well:

wrong = np.flatnonzero(net.predict(x_test).argmax(axis=1) != y_test)[:8]
side = int(np.sqrt(inputs))
fig, axes = plt.subplots(1, 8, figsize=(10, 1.7), layout="constrained")
for ax, row, said in zip(axes, wrong, net.predict(x_test[wrong]).argmax(axis=1), strict=False):
    ax.imshow(x_test[row].reshape(side, side), cmap="Greys")
    ax.set_title(f"{y_test[row]}, not {said}", fontsize=9)
for ax in axes:
    ax.axis("off")
plt.show()
