# SPDX-License-Identifier: Apache-2.0
r"""
Numerical differences against backpropagation
=============================================

A derivative can be had without any chain rule: move one weight a little and see what the loss does,

.. math::
   \frac{\partial L}{\partial w_i} \approx \frac{L(w_i + h) - L(w_i - h)}{2 h}.

It is simple and nearly right. Then why are networks not trained like that?
"""

# sphinx_gallery_parallel = False
import time

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The cost
# --------
# Differences run the network forward twice for each parameter. Backpropagation runs it forward once and
# backward once, and has them all. A forward pass takes longer in a larger network too, so the time of
# differences grows with the *square* of the number of parameters.

rng = np.random.default_rng(0)
x, t = rng.normal(size=(32, 16)), rng.normal(size=(32, 1))
mse = cr.losses.MSE()


def make(width):
    """Return a network of two layers."""
    layers = [cr.Input(16), cr.Dense(width, activation="tanh"), cr.Dense(1)]
    return cr.Sequential(layers, seed=0, dtype="float64")


def backpropagation(net):
    """Return all gradients in one pass forward and one backward."""
    net.backward(mse.gradient(net.forward(x), t))
    return np.concatenate([g.ravel() for g in net.gradients.values()])


def differences(net, h=1e-6):
    """Return all gradients by two passes forward for each parameter."""
    weights = net.get_weights()
    found = []
    for array in weights:
        for i in range(array.size):
            kept = array.flat[i]
            losses = []
            for moved in (kept + h, kept - h):
                array.flat[i] = moved
                net.set_weights(weights)
                losses.append(mse(net.predict(x), t))
            array.flat[i] = kept
            found.append((losses[0] - losses[1]) / (2 * h))
    net.set_weights(weights)
    return np.array(found)


def seconds(work, net, repeats):
    """Return the least time of some calls."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work(net)
        times.append(time.perf_counter() - begun)
    return min(times)


widths = [1, 2, 4, 8, 16, 32, 64, 128]
parameters, slow, fast = [], [], []
for width in widths:
    net = make(width)
    net.predict(x)
    parameters.append(net.count_params())
    fast.append(seconds(backpropagation, net, 20))
    slow.append(seconds(differences, net, 1))
    print(f"{parameters[-1]:5} parameters: {slow[-1] * 1e3:9.2f} ms and {fast[-1] * 1e3:.3f} ms")

# %%
# The error
# ---------
# A large :math:`h` misses the curve of the loss: the error is proportional to :math:`h^2`. A small one
# subtracts two numbers that agree in nearly all digits, and what is left of them is rounding: the error
# is proportional to :math:`1 / h`. The best that differences can do in 64 bits is about ten digits, and
# half the digits are gone at :math:`h = 10^{-13}`.

net = make(4)
exact = backpropagation(net)
steps = 10.0 ** -np.arange(1, 14)
errors = [abs(differences(net, h) - exact).max() / abs(exact).max() for h in steps]

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
left.loglog(parameters, slow, "o-", color="#c8501e", label="numerical differences")
left.loglog(parameters, fast, "o-", color="#1f6fb2", label="backpropagation")
left.set(xlabel="parameters", ylabel="seconds for all gradients", title="cost")
left.grid(alpha=0.3)
left.legend()
right.loglog(steps, errors, "o-", color="#c8501e")
right.set(xlabel="step h", ylabel="largest relative error", title="error of differences")
right.grid(alpha=0.3)
plt.show()

# %%
# What differences are good for
# -----------------------------
# They need no derivation, so they find the mistakes in one. ``gradient_check`` compares a network's
# gradients with differences, and names the worst parameter:

report = cr.gradient_check(make(8), x, t, "mse")
print(f"{report.checked} gradients, largest relative error {report.max_relative_error:.1e}")
