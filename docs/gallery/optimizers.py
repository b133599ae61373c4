# SPDX-License-Identifier: Apache-2.0
r"""
SGD, momentum, AdaGrad, RMSprop and Adam side by side
=====================================================

All optimizers see the same thing, the gradient :math:`g`, and turn it into a step. With
:math:`\eta` for the learning rate:

.. math::
   \text{SGD:} \quad & p \leftarrow p - \eta \, g \\
   \text{momentum:} \quad & v \leftarrow 0.9 \, v + g, & p \leftarrow p - \eta \, v \\
   \text{AdaGrad:} \quad & s \leftarrow s + g^2, & p \leftarrow p - \eta \, g / \sqrt{s} \\
   \text{RMSprop:} \quad & s \leftarrow 0.99 \, s + 0.01 \, g^2, & p \leftarrow p - \eta \, g / \sqrt{s} \\
   \text{Adam:} \quad & m \leftarrow 0.9 \, m + 0.1 \, g, \; s \leftarrow 0.999 \, s + 0.001 \, g^2,
   & p \leftarrow p - \eta \, \hat m / \sqrt{\hat s}
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

OPTIMIZERS = {
    "SGD": (cr.SGD(0.02), "#777777"),
    "momentum": (cr.SGD(0.01, momentum=0.9), "#1f6fb2"),
    "AdaGrad": (cr.AdaGrad(0.5), "#3b9c5a"),
    "RMSprop": (cr.RMSprop(0.05), "#8a5bb0"),
    "Adam": (cr.Adam(0.2), "#c8501e"),
}

# %%
# On a curved valley
# ------------------
# The landscape has a narrow floor along :math:`b = a^2 / 4` that falls slowly to its lowest point at
# (2, 1):
#
# .. math:: L(a, b) = (a - 2)^2 / 4 + 5 \, (b - a^2 / 4)^2
#
# A layer with one weight and one bias holds the two numbers, and gradients that were worked out here
# are handed to the library's own steps.


def loss(a, b):
    """Return the height."""
    return (a - 2) ** 2 / 4 + 5 * (b - a**2 / 4) ** 2


def gradient(a, b):
    """Return d loss / d a and d loss / d b."""
    off = b - a**2 / 4
    return (a - 2) / 2 - 5 * off * a, 10 * off


def walk(optimizer, steps):
    """Return the places on the way: (steps + 1, 2)."""
    place = cr.Sequential([cr.Input(1), cr.Dense(1)], dtype="float64")
    place.set_weights([[[-2.5]], [2.5]])
    place.forward([[0.0]])
    way = []
    for _ in range(steps + 1):
        a, b = (array.item() for array in place.parameters.values())
        way.append((a, b))
        da, db = gradient(a, b)
        optimizer.step(place, gradients={"0.weight": [[da]], "0.bias": [db]})
    return np.array(way)


ways = {name: walk(optimizer, 200) for name, (optimizer, _) in OPTIMIZERS.items()}

fig, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained", sharex=True, sharey=True)
a, b = np.meshgrid(np.linspace(-3, 3, 200), np.linspace(-1.2, 3.2, 200))
for ax, (name, way) in zip(axes.flat, ways.items(), strict=False):
    ax.contour(a, b, loss(a, b), np.geomspace(0.05, 60, 14), cmap="Greys_r", linewidths=0.7)
    ax.plot(*way.T, ".-", color=OPTIMIZERS[name][1], markersize=4, linewidth=1)
    ax.plot(2, 1, "k*", markersize=12)
    ax.set(title=f"{name}: loss {loss(*way[-1]):.1e}", xlim=(-3, 3), ylim=(-1.2, 3.2))
last = axes.flat[-1]
last.remove()
last = fig.add_subplot(2, 3, 6)
for name, way in ways.items():
    last.semilogy(loss(*way.T), color=OPTIMIZERS[name][1], label=name)
last.set(xlabel="step", title="loss")
last.grid(alpha=0.3)
last.legend(fontsize=8)
plt.show()

# %%
# Plain SGD creeps along the floor. Momentum gathers speed and overshoots the bend. AdaGrad divides by
# all the gradients that there were, so its steps only ever get smaller. RMSprop forgets the old ones.
# Adam is RMSprop with momentum, and with averages that are right from the first step. Whoever wins
# here need not win elsewhere: look at the digits below.
#
# On the digits
# -------------
# The same five on a network, all at common rates:

x, y = cr.data.load_digits()
x_train, x_test, y_train, y_test = cr.data.train_test_split(x, y, test_size=0.2, stratify=True)
on_digits = {
    "SGD": cr.SGD(0.1),
    "momentum": cr.SGD(0.1, momentum=0.9),
    "AdaGrad": cr.AdaGrad(0.05),
    "RMSprop": cr.RMSprop(1e-3),
    "Adam": cr.Adam(3e-3),
}
fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for name, optimizer in on_digits.items():
    net = cr.Sequential(
        [cr.Rescaling(1 / 16), cr.Dense(64, activation="relu"), cr.Dense(10)], seed=0
    )
    options = dict(loss="cross_entropy", optimizer=optimizer, epochs=20, batch_size=32, verbose=0)
    history = net.fit(x_train, y_train, **options)
    accuracy = net.evaluate(x_test, y_test)["accuracy"]
    print(f"{name:9} {accuracy:.1%} of the test digits")
    ax.semilogy(history.epochs, history["loss"], color=OPTIMIZERS[name][1], label=name)
ax.set(xlabel="epoch", ylabel="training loss")
ax.grid(alpha=0.3)
ax.legend()
plt.show()
