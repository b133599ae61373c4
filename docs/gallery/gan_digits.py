# SPDX-License-Identifier: Apache-2.0
r"""
A GAN that draws digits
=======================

The game of the last lesson, :math:`L_D = - \log \sigma(D(x)) - \log (1 - \sigma(D(G(n))))` against
:math:`L_G = - \log \sigma(D(G(n)))`, now with images. The generator makes a picture of 32 random numbers:
a dense layer gives a few coarse maps, and *transposed convolutions* double their height and width until
it has the size of a digit. The discriminator goes the other way with convolutions of stride 2.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The build of this page uses MNIST where it has the files, and else the 1797 digits that come with the
# package.

try:
    (x, y), _ = cr.data.load_mnist()
    x, y, largest = x[:20000], y[:20000], 255
except (ImportError, OSError):
    x, y = cr.data.load_digits()
    largest = 16
side = int(np.sqrt(np.prod(x.shape[1:])))
x = x.reshape(-1, side, side, 1).astype(np.float32) / largest
print(f"{len(x)} digits of {side} x {side} pixels")

NOISE, BATCH, STEPS = 32, 64, 500
coarse = side // 4
generator = cr.Sequential(
    [
        cr.Input(NOISE),
        cr.Dense(coarse * coarse * 32, use_bias=False),
        cr.BatchNormalization(),
        cr.Activation("relu"),
        cr.Reshape((coarse, coarse, 32)),
        cr.Conv2DTranspose(16, 4, strides=2, padding="same", use_bias=False),
        cr.BatchNormalization(),
        cr.Activation("relu"),
        cr.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
    ],
    seed=0,
)
discriminator = cr.Sequential(
    [
        cr.Input((side, side, 1)),
        cr.Conv2D(16, 4, strides=2, padding="same", activation="leaky_relu"),
        cr.Conv2D(32, 4, strides=2, padding="same", activation="leaky_relu"),
        cr.Flatten(),
        cr.Dropout(0.3),
        cr.Dense(1),
    ],
    seed=1,
)
print(
    f"{generator.count_params()} parameters draw, {discriminator.count_params()} judge what is drawn"
)

# %%
# One step for each
# -----------------
# ``forward`` and ``backward`` go through one network at a time, and the gradient that the discriminator
# gives back by its input is what the generator's backward pass begins with.

rng = np.random.default_rng(0)
loss = cr.losses.BinaryCrossEntropy()
g_optimizer, d_optimizer = cr.Adam(2e-3, beta1=0.5), cr.Adam(1e-3, beta1=0.5)
ones, zeros = np.ones((BATCH, 1), np.float32), np.zeros((BATCH, 1), np.float32)


def noise(rows):
    """Return what the generator draws from."""
    return rng.normal(size=(rows, NOISE)).astype(np.float32)


def judge(images, labels):
    """Return the loss by labels, and have the discriminator's gradients and d loss / d images."""
    said = discriminator.forward(images)
    return loss(said, labels), discriminator.backward(loss.gradient(said, labels))


fixed = noise(500)
drawn, losses = {}, []
for step in range(STEPS + 1):
    if step in (0, 50, 150, 300, STEPS):
        drawn[step] = generator.predict(fixed)
    made = generator.forward(noise(BATCH))
    both = np.concatenate([x[rng.integers(0, len(x), BATCH)], made])
    d_loss, _ = judge(both, np.concatenate([ones, zeros]))
    d_optimizer.step(discriminator)
    g_loss, d_made = judge(made, ones)  # the discriminator's own gradients are left unused
    generator.backward(d_made)
    g_optimizer.step(generator)
    losses.append((d_loss, g_loss))

# %%
# A row of the same ten random inputs at each time:

fig, axes = plt.subplots(len(drawn), 10, figsize=(9, 4.8), layout="constrained")
for row, (step, images) in zip(axes, drawn.items(), strict=True):
    for ax, image in zip(row, images, strict=False):
        ax.imshow(image.reshape(side, side), cmap="Greys", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"step {step}", rotation=0, ha="right", va="center")
plt.show()

# %%
# The two losses
# --------------
# Neither falls as a loss does that has a fixed target. When one network gets better the other's loss
# rises, so a curve that stays level is a good sign: at :math:`\log 2` a coin could judge as well. Whether
# the pictures get better cannot be read from it.

means = np.array([np.convolve(one, np.ones(25) / 25, "valid") for one in np.array(losses).T])
fig, ax = plt.subplots(figsize=(9, 3.6), layout="constrained")
ax.plot(means[0], color="#1f6fb2", label="discriminator")
ax.plot(means[1], color="#c8501e", label="generator")
ax.axhline(np.log(2), color="0.6", linestyle="--")
ax.annotate("a coin: log 2", (5, np.log(2) + 0.03), color="0.4")
ax.set(xlabel="step", ylabel="loss, mean of 25 steps", ylim=(0, None))
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Another judge
# -------------
# A network that was trained on the real digits says what it sees: how often it is sure of one digit, and
# how many different digits there are. A generator that has found one picture that passes, and draws it
# always, would have few. The grey of the beginning is unlike anything that the reader was trained on, and
# it may be sure of that as well: look at both numbers.

reader = cr.Sequential([cr.Flatten(), cr.Dense(64, activation="relu"), cr.Dense(10)], seed=0)
reader.fit(x, y, loss="cross_entropy", optimizer=cr.Adam(2e-3), epochs=3, verbose=0)
print(f"real digits: sure of {(reader.predict_proba(x[:2000]).max(axis=1) > 0.9).mean():.0%}")
for step, images in drawn.items():
    belief = reader.predict_proba(images)
    digits = np.bincount(belief.argmax(axis=1)[belief.max(axis=1) > 0.9], minlength=10)
    print(
        f"step {step:4}: sure of {digits.sum() / len(images):.0%}, {(digits >= 5).sum()} of 10 digits"
    )
