# SPDX-License-Identifier: Apache-2.0
r"""
What batch normalisation does to the loss surface
=================================================

Batch normalisation subtracts from each feature its mean over the batch and divides by its deviation,

.. math::
   \hat z = \frac{z - \text{mean}(z)}{\sqrt{\text{var}(z) + \varepsilon}}, \quad
   y = \gamma \hat z + \beta.

Why does it help? One answer can be seen: the loss becomes a smoother landscape, on which a gradient is
still right some distance away. [1]_

.. [1] S. Santurkar, D. Tsipras, A. Ilyas, A. Madry, "How does batch normalization help optimization?",
   NeurIPS 2018.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

x, y = cr.data.load_digits()
rows = np.random.default_rng(0).permutation(len(x))[:256]
x_batch, y_batch = x[rows], y[rows]
loss = cr.losses.CrossEntropy()


def make(normalised):
    """Return eight hidden layers, with or without normalisation."""
    layers = []
    for _ in range(8):
        layers.append(cr.Dense(32))
        if normalised:
            layers.append(cr.BatchNormalization())
        layers.append(cr.Activation("tanh"))
    return cr.Sequential([cr.Input(64), cr.Rescaling(1 / 16), *layers, cr.Dense(10)], seed=0)


networks = {"without": make(False), "with batch normalisation": make(True)}


def loss_at(net, weights):
    """Return the loss of the batch, normalised by its own means."""
    net.set_weights(weights)
    return loss(net.forward(x_batch, training=True), y_batch)


def train(net, steps):
    """Take steps of SGD on random rows."""
    order, optimizer = np.random.default_rng(0), cr.SGD(0.1)
    for _ in range(steps):
        chosen = order.integers(0, len(x), 64)
        net.backward(loss.gradient(net.forward(x[chosen], training=True), y[chosen]))
        optimizer.step(net)


# %%
# A look around
# -------------
# Train both for a hundred steps and stand there. To the right go against the gradient, as a step of that
# size would; upwards in a random direction, three times as long in each layer as its gradient.

fig, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
along, across = np.linspace(-0.2, 2, 34), np.linspace(-1, 1, 31)
levels = np.linspace(0, 6, 25)
for ax, (name, net) in zip(axes, networks.items(), strict=True):
    untrained = net.get_weights()
    train(net, 100)
    start = dict(net.parameters)
    net.backward(loss.gradient(net.forward(x_batch, training=True), y_batch))
    gradient = {key: g.copy() for key, g in net.gradients.items()}
    rng = np.random.default_rng(1)
    other = {}
    for key, g in gradient.items():
        d = rng.normal(size=g.shape)
        other[key] = 3 * d * np.linalg.norm(g) / np.linalg.norm(d)

    def at(u, v, net=net, start=start, gradient=gradient, other=other):
        """Return the loss at a place of the plane."""
        moved = dict(start)
        for key, g in gradient.items():
            moved[key] = start[key] - u * g + v * other[key]
        return loss_at(net, [moved[key] for key in net.parameters])

    surface = np.array([[at(u, v) for u in along] for v in across])
    net.set_weights(untrained)
    drawn = ax.contourf(along, across, surface, levels, cmap="Blues", extend="max")
    ax.plot(0, 0, "+", color="#c8501e", markersize=14, markeredgewidth=2)
    ax.set(title=name, xlabel="step against the gradient", ylabel="random direction")
    print(f"{name}: loss {at(0, 0):.2f} here, up to {surface[15].max():.2f} along the gradient")
fig.colorbar(drawn, ax=axes, label="loss")
plt.show()

# %%
# A look ahead
# ------------
# At every tenth step of training, go along the gradient by several step sizes and note the losses. Where
# their band is narrow and low, a step of any of these sizes would have been a good one.

sizes = [0.1, 0.2, 0.4, 0.8]
fig, ax = plt.subplots(figsize=(9, 4), layout="constrained")
for (name, net), color in zip(networks.items(), ["#c8501e", "#1f6fb2"], strict=True):
    optimizer = cr.SGD(0.1)
    order = np.random.default_rng(0)
    lows, highs, shown = [], [], range(0, 200, 10)
    for step in range(200):
        if step in shown:
            kept = net.get_weights()
            net.backward(loss.gradient(net.forward(x_batch, training=True), y_batch))
            gradients = {key: g.copy() for key, g in net.gradients.items()}
            ahead = []
            for size in sizes:
                moved = dict(net.parameters)
                for key, g in gradients.items():
                    moved[key] = moved[key] - np.float32(size) * g
                ahead.append(loss_at(net, [moved[key] for key in net.parameters]))
            net.set_weights(kept)
            lows.append(min(ahead))
            highs.append(max(ahead))
        chosen = order.integers(0, len(x), 64)
        net.backward(loss.gradient(net.forward(x[chosen], training=True), y[chosen]))
        optimizer.step(net)
    ax.fill_between(shown, lows, highs, color=color, alpha=0.35, label=name)
    widest = max(high - low for low, high in zip(lows, highs, strict=True))
    print(f"{name}: at most {widest:.2f} between the best and the worst step size")
ax.set(xlabel="step of training", ylabel="loss after a step of size 0.1 to 0.8")
ax.set_ylim(bottom=0)
ax.grid(alpha=0.3)
ax.legend()
plt.show()
