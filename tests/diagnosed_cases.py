# SPDX-License-Identifier: Apache-2.0
"""Data and a network that learns them, for what looks at networks."""

import numpy as np

import chainrule as cr

SCALE = cr.Rescaling(1 / 16)
CROSS = "cross_entropy"


def digits() -> tuple[np.ndarray, np.ndarray]:
    return cr.data.load_digits()


def waves() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(500, 8))
    return x, np.sin(x[:, 0]) + 0.5 * x[:, 1]


def shallow() -> list:
    return [SCALE, cr.Dense(64, "relu"), cr.Dense(10)]
