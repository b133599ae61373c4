# SPDX-License-Identifier: Apache-2.0
r"""
A GAN on a ring of Gaussians
============================

Two networks play against each other. The generator :math:`G` makes points of noise :math:`n`; the
discriminator :math:`D` says how likely a point is real. Each is the other's teacher:

.. math::
   L_D &= - \log \sigma(D(x)) - \log (1 - \sigma(D(G(n)))) \\
   L_G &= - \log \sigma(D(G(n)))

There is no target for :math:`G`. It learns from :math:`\partial L_G / \partial G(n)`, the gradient with
respect to the *input* of :math:`D`: which way to move a point to make it look more real. ``backward``
returns exactly that.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

rng = np.random.default_rng(0)
CENTRES = np.array([(np.cos(a), np.sin(a)) for a in np.arange(8) * np.pi / 4])


def real(rows):
    """Return points near eight places on a circle."""
    return (CENTRES[rng.integers(0, 8, rows)] + rng.normal(0, 0.05, (rows, 2))).astype(np.float32)


def noise(rows):
    """Return what the generator makes points of."""
    return rng.normal(size=(rows, 8)).astype(np.float32)


def layers(inputs, activation, outputs):
    """Return three layers."""
    hidden = [cr.Dense(96, activation=activation) for _ in range(2)]
    return [cr.Input(inputs), *hidden, cr.Dense(outputs)]


generator = cr.Sequential(layers(8, "relu", 2), seed=0)
discriminator = cr.Sequential(layers(2, "leaky_relu", 1), seed=1)
loss = cr.losses.BinaryCrossEntropy()
g_optimizer, d_optimizer = cr.Adam(1e-3, beta1=0.5), cr.Adam(1e-3, beta1=0.5)

# %%
# The chain through both
# ----------------------
# In the generator's step the gradient goes back through the discriminator, whose own gradients are left
# unused, and on into the generator: one chain rule over two networks.

BATCH, STEPS = 128, 4000
ones, zeros = np.ones((BATCH, 1), np.float32), np.zeros((BATCH, 1), np.float32)
labels = np.concatenate([ones, zeros])
fixed = noise(1000)
snapshots, losses = {}, []


def blurred(points, step):
    """Return points with noise that fades: see below."""
    width = 0.6 * max(0.0, 1 - step / (0.8 * STEPS))
    return points + rng.normal(0, width, points.shape).astype(np.float32)


for step in range(STEPS + 1):
    if step in (0, 500, 1500, 2500, STEPS):
        snapshots[step] = generator.predict(fixed)
    # The discriminator: real points are 1, made ones 0.
    both = np.concatenate([real(BATCH), generator.predict(noise(BATCH))])
    said = discriminator.forward(blurred(both, step))
    discriminator.backward(loss.gradient(said, labels))
    d_optimizer.step(discriminator)
    # The generator: its points shall be taken for real.
    made = generator.forward(noise(BATCH))
    verdict = discriminator.forward(blurred(made, step))
    d_made = discriminator.backward(loss.gradient(verdict, ones))  # d loss / d points
    generator.backward(d_made)
    g_optimizer.step(generator)
    if step % 50 == 0:
        losses.append((step, loss(said, labels), loss(verdict, ones)))

# %%
# The discriminator sees all points, real and made, with noise added, much at first and none at the end.
# Without it this game often ends with a generator that knows one or two of the eight places: a
# discriminator that classifies all points easily is flat where the made ones are, and no gradient says
# that there are other places. The noise does not change :math:`\partial L / \partial G(n)`, since the
# derivative of a sum is 1.
#
# How good is it? A point counts as good within four deviations of a place on the circle.


def quality(points):
    """Return the share of good points and how many of the eight places have some."""
    distances = np.linalg.norm(points[:, np.newaxis] - CENTRES, axis=2)
    good = distances.min(axis=1) < 0.2
    places = np.bincount(distances.argmin(axis=1)[good], minlength=8)
    return good.mean(), int((places > len(points) / 100).sum())


for step, points in snapshots.items():
    share, places = quality(points)
    print(f"step {step:5}: {share:.0%} of the points are good, {places} of 8 places")

fig, axes = plt.subplots(1, 5, figsize=(12, 2.8), layout="constrained", sharex=True, sharey=True)
true = real(1000)
for ax, (step, points) in zip(axes, snapshots.items(), strict=True):
    ax.plot(*true.T, ".", color="0.8", markersize=2)
    ax.plot(*points.T, ".", color="#c8501e", markersize=2)
    ax.set(title=f"step {step}", xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal")
plt.show()

# %%
# The field of arrows is what the generator follows: the gradient of its loss with respect to a point, with
# the opposite sign. The shade is what the discriminator believes.

grid = np.stack(np.meshgrid(np.linspace(-1.6, 1.6, 25), np.linspace(-1.6, 1.6, 25)), axis=-1)
points = grid.reshape(-1, 2).astype(np.float32)
outputs = discriminator.forward(points)
arrows = -discriminator.backward(loss.gradient(outputs, np.ones((len(points), 1))))
arrows /= np.linalg.norm(arrows, axis=1, keepdims=True) + 1e-12
belief = 1 / (1 + np.exp(-outputs.reshape(25, 25)))
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
shade = left.pcolormesh(grid[..., 0], grid[..., 1], belief, cmap="Blues", shading="gouraud")
left.quiver(*points.T, *arrows.T, color="#c8501e", scale=32, width=0.003)
fig.colorbar(shade, ax=left, label="believed to be real")
left.set(title="which way a point has to go", aspect="equal")
steps, d_losses, g_losses = np.array(losses).T
right.plot(steps, d_losses, color="#1f6fb2", label="discriminator")
right.plot(steps, g_losses, color="#c8501e", label="generator")
right.axhline(np.log(2), color="0.6", linestyle="--")
right.annotate("no knowledge: log 2", (100, np.log(2) - 0.14), color="0.4")
right.set(xlabel="step", ylabel="loss", title="the game")
right.grid(alpha=0.3)
right.legend()
plt.show()
