# SPDX-License-Identifier: Apache-2.0
r"""
An autoencoder
==============

An encoder :math:`f` turns an image of 64 pixels into two numbers, a decoder :math:`g` turns the two
numbers into an image again. Both are trained together on

.. math:: L = \text{mean} \; (g(f(x)) - x)^2,

with no labels at all. What cannot pass through two numbers has to be stored in the weights, so the two
numbers come to describe how digits differ.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y = cr.data.load_digits()
x = (x / 16).astype(np.float32)

# %%
# The halves are networks, and the whole is a network of them. It has no weights of its own, so each half
# can be used alone afterwards.

encoder = cr.Sequential(
    [
        cr.Input(64),
        cr.Dense(128, activation="gelu"),
        cr.Dense(64, activation="gelu"),
        cr.Dense(2, name="code"),
    ],
    seed=0,
    name="encoder",
)
decoder = cr.Sequential(
    [
        cr.Input(2),
        cr.Dense(64, activation="gelu"),
        cr.Dense(128, activation="gelu"),
        cr.Dense(64, activation="sigmoid"),
    ],
    seed=1,
    name="decoder",
)
image = cr.Input(64)
whole = cr.Network(inputs=image, outputs=decoder(encoder(image)), seed=0)
history = whole.fit(
    x,
    x,
    loss="mse",
    optimizer=cr.Adam(cr.schedules.OneCycle(5e-3, epochs=120)),
    epochs=120,
    batch_size=64,
    verbose=0,
)
mean = np.mean((x - x.mean(axis=0)) ** 2)
u, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
linear = np.mean((x - x.mean(axis=0) - (u[:, :2] * s[:2]) @ vt[:2]) ** 2)
print(f"error of the mean image {mean:.4f}, of the best two linear numbers {linear:.4f}")
print(f"error of the autoencoder {whole.evaluate(x, x, metrics=[])['loss']:.4f}")

# %%
# The map of the digits
# ---------------------
# The encoder alone puts each image in its place. The colours are the labels, which it has never seen.

codes = encoder.predict(x)
fig, ax = plt.subplots(figsize=(8, 6), layout="constrained")
points = ax.scatter(*codes.T, c=y, cmap="tab10", s=9)
for digit in range(10):
    middle = np.median(codes[y == digit], axis=0)
    ax.text(*middle, str(digit), fontsize=17, weight="bold", ha="center", va="center")
ax.set(xlabel="first number", ylabel="second number")
fig.colorbar(points, ax=ax, ticks=range(10), label="digit")
plt.show()

# %%
# There and back: an image of each digit, and what comes of their two numbers.

rows = [int(np.flatnonzero(y == digit)[3]) for digit in range(10)]
again = decoder.predict(codes[rows])
fig, axes = plt.subplots(2, 10, figsize=(10, 2.2), layout="constrained")
for column, row in enumerate(rows):
    axes[0, column].imshow(x[row].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
    axes[1, column].imshow(again[column].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
for ax in axes.flat:
    ax.axis("off")
plt.show()

# %%
# From one digit to another
# -------------------------
# The decoder alone draws what lies between two places of the map. No one has drawn these images.

begin, end = codes[rows[1]], codes[rows[0]]
between = decoder.predict(np.array([begin + (end - begin) * s for s in np.linspace(0, 1, 10)]))
fig, axes = plt.subplots(1, 10, figsize=(10, 1.2), layout="constrained")
for ax, drawn in zip(axes, between, strict=True):
    ax.imshow(drawn.reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
    ax.axis("off")
plt.show()
