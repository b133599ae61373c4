# SPDX-License-Identifier: Apache-2.0
"""Weights with which no part of a network goes unnoticed."""

import numpy as np

import chainrule as cr


def shaken(net: cr.Network | cr.Sequential, seed: int = 0):
    """Give every parameter a value that would show."""
    rng = np.random.default_rng(seed)
    values = {}
    for name, array in net.parameters.items():
        values[name] = rng.normal(size=array.shape) / np.sqrt(max(1, array.shape[0]))
        if "variance" in name:
            values[name] = rng.uniform(0.5, 2.0, size=array.shape)
    net.set_weights(values)
    return net
