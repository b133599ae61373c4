# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks, of which a step goes through a batch block by block.

An image of these networks takes more than 600 kB of tensors, so that no cache holds a batch.
"""

from __future__ import annotations

import functools

import numpy as np
import pytest
from subprocesses import printed_by_each_instruction_set

import chainrule as cr

ROWS = 23


def chain(dtype: str = "float64") -> cr.Sequential:
    """Return a network whose convolution, activation and pools are neighbours."""
    return cr.Sequential(
        [
            cr.Input((20, 20, 3)),
            cr.Conv2D(40, 3, padding="same", activation="gelu"),
            cr.MaxPooling(3, strides=2),
            cr.DepthwiseConv2D(3, activation="relu"),
            cr.UpSampling(2),
            cr.Conv2DTranspose(24, 3, activation="tanh"),
            cr.AveragePooling(2),
            cr.Flatten(),
            cr.Dense(4),
        ],
        seed=1,
        dtype=dtype,
    )


def residual(dtype: str = "float64") -> cr.Network:
    """Return one with sums of tensors that have several readers, and a convolution used twice."""
    image = cr.Input((20, 20, 3))
    first = cr.Conv2D(24, 3, padding="same", activation="relu")(image)
    shared = cr.Conv2D(24, 3, padding="same")
    once = cr.Add()([cr.Activation("relu")(shared(first)), first])
    twice = cr.Add()([shared(once), once, first])
    gated = cr.Multiply()([cr.Activation("sigmoid")(twice), twice])
    y = cr.Dense(4)(cr.GlobalAveragePooling()(cr.Maximum()([gated, first])))
    return cr.Network(inputs=image, outputs=y, seed=2, dtype=dtype)


NETWORKS = {"chain": chain, "residual": residual}


def rows(dtype: str = "float64") -> tuple[np.ndarray, np.ndarray]:
    """Return images and labels."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(ROWS, 20, 20, 3)).astype(dtype), rng.integers(0, 4, ROWS)


@functools.cache
def single_rows(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return what the rows give by themselves: the sum of their gradients, and d loss / d x."""
    x, y = rows()
    net = NETWORKS[name]()
    sums = {key: np.zeros_like(value) for key, value in net.parameters.items()}
    dx = np.empty_like(x)
    for i in range(ROWS):
        logits = net.forward(x[i : i + 1])
        odds = np.exp(logits - logits.max())
        dx[i] = net.backward(odds / odds.sum() - np.eye(4)[y[i : i + 1]])[0]
        for key, gradient in net.gradients.items():
            sums[key] += gradient
    return sums, dx


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_takes_the_mean_of_the_gradients_of_single_rows(name: str) -> None:
    sums, _ = single_rows(name)
    x, y = rows()
    options = {"batch_size": ROWS, "shuffle": False, "verbose": 0}
    for threads in (1, 2, 3):
        net = NETWORKS[name]()
        before = {key: value.copy() for key, value in net.parameters.items()}
        net.fit(x, y, loss="cross_entropy", optimizer=cr.SGD(0.5), num_threads=threads, **options)
        for key, value in net.parameters.items():
            step = (before[key] - value) / 0.5
            expected = sums[key] / ROWS
            np.testing.assert_allclose(step, expected, rtol=0, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_of_inputs_are_those_of_single_rows(name: str) -> None:
    """To the bit: no number of a row depends on another row."""
    _, expected = single_rows(name)
    x, y = rows()
    net = NETWORKS[name]()
    dy = []
    for logits in net.forward(x)[:, None]:
        odds = np.exp(logits - logits.max())
        dy.append(odds / odds.sum() - np.eye(4)[y[len(dy) : len(dy) + 1]])
    np.testing.assert_array_equal(net.backward(np.concatenate(dy)), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_one_hash(name: str) -> None:
    """Threads share out each block, of which the last one has fewer rows."""
    code = f"""
import hashlib
import chainrule as cr
from test_blocks import NETWORKS, rows
x, y = rows("float32")
for threads in (1, 2, 3, 7):
    net = NETWORKS[{name!r}]("float32")
    for count, batch_size in ((13, 11), (23, 19))[: 1 + VECTORS]:
        net.fit(x[:count], y[:count], loss="cross_entropy", optimizer=cr.Adam(0.01), epochs=1,
                batch_size=batch_size, num_threads=threads, verbose=0)
        digest = hashlib.sha256(net.predict(x[:count]).tobytes())
        for value in net.parameters.values():
            digest.update(value.tobytes())
        print(digest.hexdigest())
"""
    assert len(printed_by_each_instruction_set(code)) == 2


def test_a_divergence_names_the_convolution_in_which_it_began() -> None:
    """Its output is gone when the loss shows it, and the max pool behind it is infinite as well."""
    net = cr.Sequential(
        [
            cr.Input((20, 20, 3)),
            cr.Conv2D(40, 3),
            cr.MaxPooling(2),
            cr.Conv2D(24, 3, padding="same"),
            cr.MaxPooling(2),
            cr.Flatten(),
            cr.Dense(4),
        ],
        seed=1,
    )
    x, y = rows("float32")
    net.set_weights([np.full(w.shape, 1e20) for w in net.get_weights()])
    with pytest.raises(cr.DivergenceError) as error:
        net.fit(np.abs(x), y, loss="cross_entropy", batch_size=ROWS, epochs=1, verbose=0)
    assert error.value.layer == "2 (conv2d)"
