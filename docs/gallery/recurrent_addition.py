# SPDX-License-Identifier: Apache-2.0
r"""
Addition over time, and what becomes of gradients
=================================================

A recurrent network reads a sequence step by step and keeps a state :math:`h_t`. The same weights work at
each step,

.. math:: h_t = \tanh (W x_t + U h_{t-1} + b),

so the gradient that reaches step :math:`t` from the end has passed through all the steps between:

.. math::
   \frac{\partial L}{\partial h_t} =
   \left( \prod_{s=t+1}^{T} U^T \, D_s \right) \frac{\partial L}{\partial h_T},
   \quad D_s = \text{diag} (1 - h_s^2)

That is a product of :math:`T - t` matrices, all made of the same :math:`U`. If they make vectors a little
shorter, nothing arrives from far away, and what happened there is never learned; if longer, the gradient
explodes.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

STEPS, UNITS = 50, 32

# %%
# The task
# --------
# Each step has a random number and a mark. Two steps of the sequence are marked, and the sum of their
# numbers is wanted at the end. Who always says 1 has a mean squared error of 1/6.


def sequences(rows, seed):
    """Return sequences of (number, mark) and the sums of the marked numbers."""
    rng = np.random.default_rng(seed)
    numbers = rng.uniform(size=(rows, STEPS))
    marks = np.zeros((rows, STEPS))
    marks[np.arange(rows), rng.integers(0, STEPS // 2, rows)] = 1
    marks[np.arange(rows), rng.integers(STEPS // 2, STEPS, rows)] = 1
    x = np.stack([numbers, marks], axis=-1).astype(np.float32)
    return x, (numbers * marks).sum(axis=1, keepdims=True)


x, t = sequences(2000, 0)
x_test, t_test = sequences(500, 1)


def network(layer):
    """Return a network with one recurrent layer."""
    return cr.Sequential([cr.Input((STEPS, 2)), layer, cr.Dense(1)], seed=0)


# %%
# What arrives
# ------------
# ``backward`` returns :math:`\partial L / \partial x`, here for each step of each sequence. Its length
# says how far back the end can reach. First a simple network, before any training, whose matrix :math:`U`
# is a rotation times a gain:

loss = cr.losses.MSE()


def reach(net):
    """Return the length of the gradient at each step, averaged over sequences."""
    dx = net.backward(loss.gradient(net.forward(x_test), t_test))
    return np.linalg.norm(dx, axis=2).mean(axis=0)


steps = np.arange(1, STEPS + 1)
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
for gain, color in [(1.5, "#8a5bb0"), (1.0, "#1f6fb2"), (0.8, "#c8501e")]:
    rotation = cr.initializers.Orthogonal(gain)
    lengths = reach(network(cr.SimpleRNN(UNITS, recurrent_initializer=rotation)))
    ax.semilogy(steps, lengths, color=color, label=f"gain {gain}")
    print(f"gain {gain}: first step / last step {lengths[0] / lengths[-1]:.0e}")
ax.set(xlabel="step", ylabel="length of the gradient", title="a simple network, untrained")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Remedies
# --------
# Two are at hand. *Orthogonal* weights are the default here: a rotation changes no length, and what is
# lost is lost by the tanh. And ``clip_norm`` makes a gradient that is too long as long as 1, which helps
# against explosion alone.
#
# The third is another way to go from step to step, a *gate*. In the GRU the new state is
#
# .. math:: h_t = z_t \, h_{t-1} + (1 - z_t) \, n_t, \quad
#    \frac{\partial h_t}{\partial h_{t-1}} = \text{diag} (z_t) + \cdots
#
# where :math:`z_t` between 0 and 1 is worked out from :math:`x_t` and :math:`h_{t-1}`. Where it is 1 the
# state is kept and the gradient passes unchanged. So the network can *learn* where gradients pass. The
# LSTM has the same in its cell, :math:`c_t = f_t \, c_{t-1} + \cdots`.


def worth(net):
    """Return d sum / d number of each step of each test sequence."""
    outputs = net.forward(x_test)
    return net.backward(np.ones_like(outputs))[:, :, 0]


networks = {
    "simple": network(cr.SimpleRNN(UNITS)),
    "GRU": network(cr.GRU(UNITS)),
    "LSTM": network(cr.LSTM(UNITS)),
}
COLORS = ["#c8501e", "#1f6fb2", "#3b9c5a"]
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
for (name, net), color in zip(networks.items(), COLORS, strict=True):
    before = reach(net)
    found = [worth(net)]
    history = net.fit(
        x,
        t,
        loss="mse",
        optimizer=cr.Adam(5e-3, clip_norm=1.0),
        epochs=30,
        batch_size=50,
        metrics=[],
        callbacks=[lambda epoch, logs, net=net, found=found: found.append(worth(net))],
        verbose=0,
    )
    after = reach(net)
    error = net.evaluate(x_test, t_test, metrics=[])["loss"]
    print(
        f"{name:6} error {error:.4f}; first step / last step "
        f"{before[0] / before[-1]:.0e} before, {after[0] / after[-1]:.0e} after"
    )
    left.semilogy(steps, before / before[-1], color=color, label=name)
    middle.semilogy(history.epochs, history["loss"], color=color)
    right.semilogy(steps, after / after[-1], color=color)
    if name == "GRU":
        over_time = found
for ax, title in ((left, "before training"), (right, "after it")):
    ax.set(xlabel="step", ylabel="gradient / gradient of the last step", title=title)
middle.axhline(1 / 6, color="0.6", linestyle="--")
middle.annotate("always 1", (19, 0.115), color="0.4")
middle.set(xlabel="epoch", ylabel="mean squared error", title="training")
for ax in (left, middle, right):
    ax.grid(alpha=0.3)
left.legend()
plt.show()

# %%
# Before training the GRU is the worst of the three: its gates are half open, and each step halves what
# passes. The LSTM's begin more open, at :math:`\sigma(1) = 0.73`, since the bias of its :math:`f` begins
# at 1. But gates can be learned. In the end the first step is heard nearly as well as the last. The
# simple network has nothing to open, and does hardly better than to say 1 always.
#
# From the end to the beginning
# -----------------------------
# The sum grows by 1 where a marked number grows by 1, and not at all where another one does. Above is
# what the GRU makes of that, epoch by epoch, at the marked steps: the last ones are found first. To use
# them the gates behind must open, and then gradients arrive from further back. Below is the end, for one
# sequence.

marked = x_test[:, :, 1] == 1
learned = [[dy_dx[:, s][marked[:, s]].mean() for s in range(STEPS)] for dy_dx in over_time[:11]]
fig, (top, bottom) = plt.subplots(2, 1, figsize=(9, 4.8), layout="constrained", sharex=True)
shade = top.pcolormesh(steps, range(11), learned, cmap="Blues", vmin=0, vmax=1)
fig.colorbar(shade, ax=top, label="d sum / d number")
top.set(ylabel="epochs", title="a marked number")
bottom.bar(steps, over_time[-1][0], color=np.where(marked[0], "#c8501e", "#1f6fb2"))
bottom.set(xlabel="step", ylabel="d sum / d number", title="one sequence, its marked steps in red")
plt.show()
