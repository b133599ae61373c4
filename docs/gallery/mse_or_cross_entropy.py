# SPDX-License-Identifier: Apache-2.0
r"""
MSE or cross-entropy?
=====================

A classifier ends in a softmax, which makes probabilities :math:`p` of its outputs :math:`z`. Two losses
offer themselves for the target :math:`t`, which is 1 at the right class and 0 elsewhere:

.. math::
   \text{MSE} = \frac{1}{K} \sum_k (p_k - t_k)^2, \quad
   \text{cross-entropy} = - \sum_k t_k \log p_k

Both are smallest where :math:`p = t`. What differs is the way there.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The gradients
# -------------
# With respect to the outputs before the softmax, the chain rule gives
#
# .. math::
#    \frac{\partial \, \text{cross-entropy}}{\partial z_k} = p_k - t_k, \quad
#    \frac{\partial \, \text{MSE}}{\partial z_k} =
#    \frac{2}{K} \, p_k \left( (p_k - t_k) - \sum_j p_j (p_j - t_j) \right).
#
# The factor :math:`p_k` is the trouble. A network that is quite sure of a wrong class has
# :math:`p \approx 0` at the right one, and then MSE has next to no gradient: it learns least from its
# worst mistakes. In cross-entropy the logarithm's derivative :math:`1 / p` cancels the factor.

sure = np.linspace(-8, 8, 161)  # the right class's output, against 0 of one wrong class
p = 1 / (1 + np.exp(-sure))
fig, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
ax.plot(sure, 1 - p, color="#1f6fb2", label="cross-entropy")
ax.plot(sure, 2 * p * (1 - p) ** 2, color="#c8501e", label="MSE")
ax.annotate(
    "sure and wrong:\nno gradient of MSE",
    (-6.5, 0.03),
    (-7.5, 0.4),
    arrowprops={"arrowstyle": "->"},
)
ax.set(
    xlabel="output of the right class minus that of the wrong one", ylabel="size of the gradient"
)
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# On handwritten digits
# ---------------------
# The build of this page uses MNIST where it has the files, and else the 1797 digits that come with the
# package.

try:
    (x_train, y_train), (x_test, y_test) = cr.data.load_mnist()
    name, scale, epochs = "MNIST", 1 / 255, 4
except (ImportError, OSError):
    x, y = cr.data.load_digits()
    x_train, x_test, y_train, y_test = cr.data.train_test_split(x, y, test_size=0.2, stratify=True)
    name, scale, epochs = "the shipped digits", 1 / 16, 30
x_train, x_test = x_train.reshape(len(x_train), -1), x_test.reshape(len(x_test), -1)
print(f"{name}: {len(x_train)} digits to train on, {len(x_test)} to test on")

# %%
# The same network, the same first weights, the same order of rows. MSE gets the rate that suited it
# best of those tried, which is larger: its gradients are smaller.

targets = np.eye(10, dtype=np.float32)
runs = {
    "cross-entropy": ("cross_entropy", cr.Dense(10), y_train, [0.1]),
    "MSE": (
        "mse",
        cr.Dense(10, activation="softmax"),
        targets[y_train],
        [0.1, 1.0],
    ),
}
fig, ax = plt.subplots(figsize=(7.5, 3.8), layout="constrained")
for label, (loss, last, t_train, rates) in runs.items():
    for rate in rates:
        layers = [cr.Rescaling(scale), cr.Dense(32, activation="sigmoid"), last]
        net = cr.Sequential(layers, seed=0)
        accuracies = []

        def measure(epoch, logs, net=net, accuracies=accuracies):
            """Note the accuracy after an epoch."""
            accuracies.append((net.predict(x_test).argmax(axis=1) == y_test).mean())

        options = dict(optimizer=cr.SGD(rate), epochs=epochs, batch_size=32, verbose=0)
        net.fit(x_train, t_train, loss=loss, callbacks=[measure], **options)
        color = "#1f6fb2" if loss == "cross_entropy" else "#c8501e"
        style = "-" if rate < 1 else "--"
        ax.plot(
            range(1, epochs + 1),
            accuracies,
            style,
            marker=".",
            color=color,
            label=f"{label}, rate {rate}",
        )
        print(
            f"{label}, rate {rate}: {accuracies[0]:.1%} after one epoch, {accuracies[-1]:.1%} at the end"
        )
ax.set(xlabel="epoch", ylabel="test accuracy", title=name)
ax.locator_params(axis="x", integer=True)
ax.grid(alpha=0.3)
ax.legend()
plt.show()
