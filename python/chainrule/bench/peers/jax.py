# SPDX-License-Identifier: Apache-2.0
"""JAX with a whole epoch in one compiled scan, which is its quickest way on a CPU."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.bench.workload import Workload

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class _JaxPeer:
    def __init__(self, workload: Workload, threads: int) -> None:
        self._jax: Any = importlib.import_module("jax")
        self._jax.config.update("jax_platforms", "cpu")
        jnp = self._jax.numpy
        x, y = workload.data()
        self._x, self._y = jnp.asarray(x), jnp.asarray(y)
        weights = [jnp.asarray(weight) for weight in workload.weights()]
        zeros = [jnp.zeros_like(weight) for weight in weights]
        self._state: Any = (weights, zeros, [jnp.zeros_like(z) for z in zeros], jnp.float32(0.0))
        self._key = self._jax.random.key(0)
        self._batch_size = workload.batch_size
        self._epoch = self._compiled_epoch(workload)

    def train(self, epochs: int, *, shuffle: bool) -> None:
        rows = len(self._x)
        for _ in range(epochs):
            if shuffle:
                self._key, key = self._jax.random.split(self._key)
                order = self._jax.random.permutation(key, rows)
            else:
                order = self._jax.numpy.arange(rows)
            self._state = self._epoch(self._state, self._x, self._y, order)
        self._jax.block_until_ready(self._state)

    def weights(self) -> list[NDArray[Any]]:
        return [np.asarray(weight) for weight in self._state[0]]

    def _compiled_epoch(self, workload: Workload) -> Any:
        jax, jnp = self._jax, self._jax.numpy

        def loss(weights: list[Any], x: Any, y: Any) -> Any:
            for layer in range(0, len(weights), 2):
                x = x @ weights[layer] + weights[layer + 1]
                if layer < len(weights) - 2:
                    x = jnp.maximum(x, 0.0)
            if workload.loss == "mse":
                return jnp.mean((x - y) ** 2)
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1))

        def sgd(weight: Any, gradient: Any, m: Any, v: Any, steps: Any) -> Any:
            return weight - workload.learning_rate * gradient, m, v

        def adam(weight: Any, gradient: Any, m: Any, v: Any, steps: Any) -> Any:
            m = _BETA1 * m + (1.0 - _BETA1) * gradient
            v = _BETA2 * v + (1.0 - _BETA2) * gradient**2
            root = jnp.sqrt(v / (1.0 - _BETA2**steps)) + _EPSILON
            return weight - workload.learning_rate / (1.0 - _BETA1**steps) * m / root, m, v

        update = sgd if workload.optimizer == "sgd" else adam

        def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
            def step(state: Any, batch: Any) -> Any:
                weights, ms, vs, steps = state
                steps = steps + 1.0
                gradients = jax.grad(loss)(weights, x[batch], y[batch])
                parts = zip(weights, gradients, ms, vs, strict=True)
                new = [update(*part, steps) for part in parts]
                columns = ([entry[i] for entry in new] for i in range(3))
                return (*columns, steps), None

            return jax.lax.scan(step, state, order.reshape(-1, self._batch_size))[0]

        return jax.jit(epoch, donate_argnums=0)


make = _JaxPeer


def version() -> str:
    """Return the version."""
    return str(importlib.import_module("jax").__version__)
