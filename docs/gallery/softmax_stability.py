# SPDX-License-Identifier: Apache-2.0
r"""
Softmax, and why it is not computed as it is written
====================================================

.. math::
   p_j = \frac{e^{z_j}}{\sum_k e^{z_k}}, \quad L = - \log p_t

In mathematics these two formulas are right for all numbers. In 32-bit floating point :math:`e^{89}` is
infinite and :math:`e^{-104}` is 0, and the formulas give NaN for outputs that a network really has.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr


def as_written(z, t):
    """Return the loss and its gradient by the formulas."""
    e = np.exp(z)
    p = e / e.sum()
    loss = -np.log(p[t])
    p[t] -= 1
    return loss, p


with np.errstate(all="ignore"):
    for largest in (10, 80, 90, 200):
        z = np.array([0, largest, 1], np.float32)
        print(f"outputs 0, {largest}, 1: loss {as_written(z, 0)[0]}")

# %%
# Two changes that change nothing
# -------------------------------
# Softmax does not care where its numbers are, only how far apart: the same number may be subtracted from
# all. Subtract the largest. Then all exponents are 0 or less, and the sum is between 1 and the number of
# classes:
#
# .. math:: p_j = \frac{e^{z_j - m}}{\sum_k e^{z_k - m}}, \quad m = \max_k z_k
#
# That repairs the large numbers. The small ones need the second change: do not compute the probability
# and then its logarithm, compute the logarithm.
#
# .. math:: L = m + \log \sum_k e^{z_k - m} - z_t


def shifted(z, t):
    """Return the loss with the largest output subtracted."""
    e = np.exp(z - z.max())
    return -np.log(e[t] / e.sum())


def stable(z, t):
    """Return the loss without computing a probability."""
    m = z.max()
    return m + np.log(np.exp(z - m).sum()) - z[t]


distances = np.linspace(0, 250, 251).astype(np.float32)
curves = {"as written": [], "largest subtracted": [], "logarithm of the sum": [], "chainrule": []}
cross_entropy = cr.losses.CrossEntropy()
with np.errstate(all="ignore"):
    for d in distances:
        z = np.array([0, d, 1], np.float32)
        curves["as written"].append(as_written(z, 0)[0])
        curves["largest subtracted"].append(shifted(z, 0))
        curves["logarithm of the sum"].append(stable(z, 0))
        curves["chainrule"].append(cross_entropy(z[np.newaxis], [0]))

fig, ax = plt.subplots(figsize=(8.5, 4.2), layout="constrained")
styles = [("#c8501e", "-", 6), ("#b08a2e", "-", 3.5), ("#3b9c5a", "-", 2), ("#1f3f6f", ":", 2)]
for (name, losses), (color, style, width) in zip(curves.items(), styles, strict=True):
    losses = np.array(losses, np.float64)
    ax.plot(distances, losses, style, color=color, linewidth=width, label=name)
    last = distances[np.flatnonzero(np.isfinite(losses))[-1]]
    if last < 250:
        value = losses[np.flatnonzero(np.isfinite(losses))[-1]]
        ax.plot(last, value, "x", color=color, markersize=13, markeredgewidth=3)
        print(f"{name}: the last finite loss is at {last:g}")
ax.set(xlabel="output of a wrong class (the right one's is 0)", ylabel="loss in 32 bits")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The gradient is better still
# ----------------------------
# Of softmax and cross-entropy together, the chain rule leaves :math:`dz = p - t`: no logarithm and no
# division by a small number. That is why a classifier's last layer here has no activation: the loss takes
# outputs before the softmax, and works from them.

z = np.array([[0, 200, 1]], np.float32)
print("loss    ", cross_entropy(z, [0]))
print("gradient", cross_entropy.gradient(z, [0]))

# %%
# The same holds for two classes. ``BinaryCrossEntropy`` computes :math:`\log(1 + e^{-|z|})` and never
# :math:`\log \sigma(z)`:

print(cr.losses.BinaryCrossEntropy()(np.float32([[-200.0]]), [[1.0]]))
