# SPDX-License-Identifier: Apache-2.0
r"""
A convolutional autoencoder that takes noise away
=================================================

An autoencoder has to give what it was given, through a bottleneck. If it is given an image with noise
:math:`n` and is measured at the image without,

.. math:: L = \text{mean} \; (g(f(x + n)) - x)^2

it has to know what digits look like, since nothing else tells the noise from the ink. This one is made of
convolutions. The encoder's pools make the image smaller and leave *what* is seen; the decoder's
``UpSampling`` makes it large again and repeats each number four times, and convolutions draw the strokes.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y = cr.data.load_digits()
x_train, x_test, y_train, y_test = cr.data.train_test_split(
    (x / 16).reshape(-1, 8, 8, 1).astype(np.float32), y, test_size=0.2, stratify=True
)


def convolution(filters, activation="relu"):
    """Return a convolution that leaves height and width as they are."""
    return cr.Conv2D(filters, 3, padding="same", activation=activation)


encoder = cr.Sequential(
    [
        cr.Input((8, 8, 1)),
        convolution(16),
        cr.MaxPooling(2),  # 4 x 4
        convolution(16),
        cr.MaxPooling(2),  # 2 x 2
        convolution(8, "linear"),
    ],
    seed=0,
    name="encoder",
)
decoder = cr.Sequential(
    [
        cr.Input((2, 2, 8)),
        convolution(32),
        cr.UpSampling(2),
        convolution(16),
        cr.UpSampling(2),
        convolution(16),
        convolution(1, "sigmoid"),
    ],
    seed=1,
    name="decoder",
)
image = cr.Input((8, 8, 1))
whole = cr.Network(inputs=image, outputs=decoder(encoder(image)), seed=0)
whole.summary()

# %%
# Noise that is new in each epoch
# -------------------------------
# Augmentations change what the network reads and not its targets, so ``PixelNoise`` makes the task:
# images are both. The noise is drawn anew for each image and each epoch, and cannot be learned by heart.

STRENGTH = 0.3
noise = [cr.augment.PixelNoise(STRENGTH)]
history = whole.fit(
    x_train,
    x_train,
    loss="mse",
    optimizer=cr.Adam(cr.schedules.OneCycle(1e-2, epochs=60)),
    epochs=60,
    batch_size=32,
    augment=noise,
    metrics=[],
    verbose=0,
)

# %%
# The test images get noise once. For comparison there is the best linear method: an image is made of the
# directions in which the training images differ most, as many of them as are best for it here.

noisy = cr.augment.apply(x_test, noise, seed=1)
cleaned = whole.predict(noisy)
flat = x_train.reshape(len(x_train), -1)
centre = flat.mean(axis=0)
directions = np.linalg.svd(flat - centre, full_matrices=False)[2]


def linear(images, count):
    """Return images made of so many directions."""
    part = directions[:count]
    rows = (images.reshape(len(images), -1) - centre) @ part.T @ part + centre
    return rows.reshape(images.shape)


def error(images):
    """Return the mean squared error against the test images."""
    return np.mean((images - x_test) ** 2)


best = min(range(1, 64), key=lambda count: error(linear(noisy, count)))
print(f"with noise {error(noisy):.4f}")
print(f"by {best} directions {error(linear(noisy, best)):.4f}")
print(f"by the autoencoder {error(cleaned):.4f}")

fig, axes = plt.subplots(4, 10, figsize=(10, 4.4), layout="constrained")
rows = [int(np.flatnonzero(y_test == digit)[0]) for digit in range(10)]
shown = {
    "image": x_test,
    "with noise": noisy,
    "linear": linear(noisy, best),
    "autoencoder": cleaned,
}
for line, (name, images) in zip(axes, shown.items(), strict=True):
    for ax, row in zip(line, rows, strict=True):
        ax.imshow(images[row, :, :, 0], cmap="Greys", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, fontsize=9)
plt.show()

# %%
# How far does it carry?
# ----------------------
# It was trained on one strength of noise. Here it meets others. Where there is hardly any, the bottleneck
# itself is the error; where there is more than it knows, it still makes strokes of what it sees.

strengths = np.linspace(0, 0.8, 17)
curves = {"with noise": [], "linear": [], "autoencoder": []}
for strength in strengths:
    given = cr.augment.apply(x_test, [cr.augment.PixelNoise(float(strength))], seed=2)
    curves["with noise"].append(error(given))
    curves["linear"].append(error(linear(given, best)))
    curves["autoencoder"].append(error(whole.predict(given)))
fig, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
for (name, values), color in zip(curves.items(), ["0.6", "#c8501e", "#1f6fb2"], strict=True):
    ax.plot(strengths, values, color=color, label=name)
ax.axvline(STRENGTH, color="0.8", linewidth=1)
ax.annotate("trained", (STRENGTH + 0.01, 0.12), color="0.4")
ax.set(xlabel="deviation of the noise", ylabel="mean squared error", ylim=(0, 0.15))
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The code
# --------
# The encoder alone gives 2 x 2 places with 8 numbers each. It is a picture still, a very small one: a
# place of the code is made from one quarter of the image and its surroundings, and the decoder draws that
# quarter. Here one place at a time is replaced by that of another digit.

codes = encoder.predict(x_test[[rows[8], rows[1]]])
fig, axes = plt.subplots(1, 6, figsize=(9, 1.9), layout="constrained")
mixed = [codes[0]]
for i, j in np.ndindex(2, 2):
    mixed.append(codes[0].copy())
    mixed[-1][i, j] = codes[1][i, j]
mixed.append(codes[1])
titles = ["8", "upper left", "upper right", "lower left", "lower right", "1"]
for ax, drawn, title in zip(axes, decoder.predict(np.array(mixed)), titles, strict=True):
    ax.imshow(drawn[:, :, 0], cmap="Greys", vmin=0, vmax=1)
    ax.set_title(title, fontsize=9)
    ax.axis("off")
plt.show()
