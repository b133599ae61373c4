# SPDX-License-Identifier: Apache-2.0
r"""
Vanishing gradients and five remedies
=====================================

The gradient of the first layer is a product of what every later layer lets through:

.. math::
   \frac{\partial L}{\partial z_1} =
   \sigma'(z_1) \, W_2^T \, \sigma'(z_2) \, W_3^T \cdots \frac{\partial L}{\partial z_n}

The sigmoid's derivative is :math:`y (1 - y)`, which is 1/4 at most. Twenty layers multiply twenty such
numbers. What arrives at the first layer is no gradient any more.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

DEPTH, WIDTH = 20, 32
x, y = cr.data.load_digits()


def chain(*block):
    """Return a network that repeats the same layers."""
    layers = [layer for _ in range(DEPTH) for layer in (cr.Dense(WIDTH), *block)]
    return cr.Sequential([cr.Input(64), cr.Rescaling(1 / 16), *layers, cr.Dense(10)], seed=0)


def activated(activation, **options):
    """Return a network whose dense layers have an activation."""
    layers = [cr.Dense(WIDTH, activation=activation, **options) for _ in range(DEPTH)]
    return cr.Sequential([cr.Input(64), cr.Rescaling(1 / 16), *layers, cr.Dense(10)], seed=0)


def residual():
    """Return a network in which each layer adds something to what it reads."""
    h = image = cr.Input(64)
    h = cr.Dense(WIDTH)(cr.Rescaling(1 / 16)(h))
    for _ in range(DEPTH - 1):
        h = h + cr.Dense(WIDTH, activation="sigmoid")(h)
    return cr.Network(inputs=image, outputs=cr.Dense(10)(h), seed=0)


# %%
# The sickness and the remedies
# -----------------------------
# 1. Another activation: relu's derivative is 1 where it is not 0, and the initialisation after He keeps
#    the sizes of values and gradients from layer to layer.
# 2. An activation that is steep at 0, tanh, with the initialisation after Glorot.
# 3. Batch normalisation before the sigmoid, which puts values where it is steep.
# 4. Selu, a relu whose negative side and scale keep mean 0 and variance 1, with LeCun's initialisation.
# 5. Residual connections, :math:`h + f(h)`: the sum lets the gradient pass unchanged.
#
# Layer normalisation is drawn as well, as a warning. It does for each row by itself what batch
# normalisation does for each feature over the rows. But sigmoids make all rows nearly alike, and within a
# row there is nothing that could distinguish them again.

networks = {
    "sigmoid": activated("sigmoid"),
    "1 relu, He": activated("relu", weight_initializer="he_normal"),
    "2 tanh, Glorot": activated("tanh", weight_initializer="glorot_uniform"),
    "3 batch normalisation": chain(cr.BatchNormalization(), cr.Activation("sigmoid")),
    "4 selu, LeCun": activated("selu", weight_initializer="lecun_normal"),
    "5 residual": residual(),
    "layer normalisation": chain(cr.LayerNormalization(), cr.Activation("sigmoid")),
}
COLORS = ["#c8501e", "#1f6fb2", "#3b9c5a", "#8a5bb0", "#b08a2e", "#444444", "#d88fa0"]

# %%
# The root mean square of each dense layer's gradient, before any training:

loss = cr.losses.CrossEntropy()
flows = {}
for name, net in networks.items():
    net.backward(loss.gradient(net.forward(x[:256], training=True), y[:256]))
    weights = [g for array, g in net.gradients.items() if g.ndim == 2]
    flows[name] = [float(np.sqrt(np.mean(g**2))) for g in weights]
    print(f"{name:22} first / last: {flows[name][0] / flows[name][-1]:.1e}")

# %%
# And what it is worth: the same twenty epochs of Adam for each.

fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
for (name, net), color in zip(networks.items(), COLORS, strict=True):
    left.semilogy(range(1, len(flows[name]) + 1), flows[name], ".-", color=color, label=name)
    options = dict(loss="cross_entropy", optimizer=cr.Adam(1e-3), epochs=20, verbose=0)
    history = net.fit(x, y, batch_size=64, **options)
    right.plot(history.epochs, history["accuracy"], color=color)
    print(f"{name:22} accuracy after 20 epochs: {history['accuracy'][-1]:.1%}")
left.set(xlabel="dense layer", ylabel="rms of its gradient", title="before training")
left.locator_params(axis="x", integer=True)
left.grid(alpha=0.3)
left.legend(fontsize=8)
right.set(xlabel="epoch", ylabel="training accuracy", title="training")
right.grid(alpha=0.3)
plt.show()

# %%
# Ask the library
# ---------------
# ``diagnose`` looks at a network before it is trained, and says what it sees:

for finding in activated("sigmoid").diagnose(x, y, loss="cross_entropy").findings:
    print(finding.text)
