# SPDX-License-Identifier: Apache-2.0
"""Networks as graphs of single numbers, beside the core."""

from __future__ import annotations

import numpy as np

import chainrule as cr
from chainrule import graph


def same_bits(a, b) -> bool:
    return np.asarray(a, np.float64).tobytes() == np.asarray(b, np.float64).tobytes()


def bits(values) -> bytes:
    """Return the bits, of zeros without a sign."""
    return (np.asarray(values, np.float64) + 0.0).tobytes()


def compared_with_the_core(
    net: cr.Network, x: list, targets: list, loss, rounded: tuple[str, ...] = ()
) -> None:
    """Compare all gradients of one row with the core's: in every bit, but for those `rounded`."""
    several = len(targets) > 1
    unrolled = graph.from_network(
        net, [*x] if len(x) > 1 else x[0], targets if several else targets[0], loss
    )
    unrolled.loss.backward()
    chosen = net._chosen_loss(loss)
    rows = [np.asarray(each, float).reshape(1, -1) for each in x]
    y = [_target(np.asarray(target)) for target in targets]
    weights = chosen.weights if several else None
    value, dx = net._built_core().compute_gradients(
        rows if len(rows) > 1 else rows[0],
        y if several else y[0],
        chosen._core,
        False,
        1,
        None,
        None,
        weights,
    )
    assert same_bits(unrolled.loss.value, value)
    assert list(unrolled.gradients) == list(net.gradients)
    for name, gradient in net.gradients.items():
        if name in rounded:
            np.testing.assert_allclose(unrolled.gradients[name], gradient, rtol=1e-12, atol=1e-15)
        else:
            assert bits(unrolled.gradients[name]) == bits(gradient), name
    assert bits(unrolled.input_gradient) == bits(dx[0])


def _target(target: np.ndarray) -> np.ndarray:
    """Return a label, labels of positions or numbers as the core takes them of one row."""
    if target.dtype.kind == "i":
        return target.reshape(1, -1, 1) if target.ndim else target.reshape(1)
    return target.reshape(1, -1)
