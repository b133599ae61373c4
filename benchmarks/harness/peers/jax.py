# SPDX-License-Identifier: Apache-2.0
"""JAX with a whole epoch in one compiled scan, which is its quickest way on a CPU."""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.peers.library import Data, HeldTo, Library, Predictor, Weights
from harness.workloads import ImageNetwork, Inference, Network, Training

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


class Jax(Library):
    """JAX; the threads are as many as the processors that its process is bound to."""

    name = "JAX"
    packages = ("jax",)
    images = True
    # YNNPACK looks at the processor alone, whatever the flag says, so XLA makes products itself.
    isa_environment: ClassVar[HeldTo] = {
        "avx2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2 --xla_cpu_experimental_ynn_fusion_type="}
    }

    def trainer(self, work: Training, data: Data, weights: Weights, threads: int) -> _JaxTrainer:
        """Return a network that starts from some weights."""
        return _JaxTrainer(_jax(work.network.dtype), work, data, weights)

    def predictor(self, work: Inference, weights: Weights, threads: int) -> Predictor:
        """Return a compiled network of some weights."""
        jax = _jax(work.network.dtype)
        jnp = jax.numpy
        constants = [jnp.asarray(weight) for weight in weights]
        compiled = jax.jit(lambda x: _forward(jax, work.network, constants, x))
        batches = [jnp.asarray(batch) for batch in work.batches()]
        return Predictor(batches, lambda x: compiled(x).block_until_ready())

    def forget_compiled(self) -> None:
        """Let the next network be compiled again."""
        _compiled_epoch.cache_clear()
        importlib.import_module("jax").clear_caches()


class _JaxTrainer:
    def __init__(self, jax: Any, work: Training, data: Data, weights: Weights) -> None:
        self._jax = jax
        jnp = jax.numpy
        self._x, self._y = map(jnp.asarray, data)
        parameters = [jnp.asarray(weight) for weight in weights]
        moments = [[jnp.zeros_like(weight) for weight in parameters] for _ in range(2)]
        steps = jnp.zeros((), work.network.dtype)
        self._state: Any = (parameters, *moments, steps, jax.random.key(0))
        self._epoch = _compiled_epoch(
            work.network, work.loss, work.optimizer, work.learning_rate, work.batch_size
        )

    def train(self, epochs: int, *, shuffle: bool) -> None:
        for _ in range(epochs):
            self._state = self._epoch(self._state, self._x, self._y, shuffle)
        self._jax.block_until_ready(self._state)

    def weights(self) -> list[NDArray[Any]]:
        return [np.asarray(weight) for weight in self._state[0]]


@cache
def _compiled_epoch(
    network: Network, loss: str, optimizer: str, learning_rate: float, batch_size: int
) -> Any:
    """Return a function of state, x, y and whether to shuffle; networks alike share it."""
    jax: Any = importlib.import_module("jax")
    jnp = jax.numpy

    def mean_loss(weights: list[Any], x: Any, y: Any) -> Any:
        outputs = _forward(jax, network, weights, x)
        if loss == "mse":
            return jnp.mean((outputs - y) ** 2)
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(outputs), y[:, None], axis=1))

    def sgd(weight: Any, gradient: Any, m: Any, v: Any, steps: Any) -> Any:
        return weight - learning_rate * gradient, m, v

    def adam(weight: Any, gradient: Any, m: Any, v: Any, steps: Any) -> Any:
        m = _BETA1 * m + (1.0 - _BETA1) * gradient
        v = _BETA2 * v + (1.0 - _BETA2) * gradient**2
        root = jnp.sqrt(v / (1.0 - _BETA2**steps)) + _EPSILON
        return weight - learning_rate / (1.0 - _BETA1**steps) * m / root, m, v

    update = sgd if optimizer == "sgd" else adam

    def epoch(state: Any, x: Any, y: Any, shuffle: bool) -> Any:
        *state, key = state
        key, order_key = jax.random.split(key)
        rows = len(x)
        order = jax.random.permutation(order_key, rows) if shuffle else jnp.arange(rows)

        def step(state: Any, batch: Any) -> Any:
            weights, ms, vs, steps = state
            steps = steps + 1.0
            gradients = jax.grad(mean_loss)(weights, x[batch], y[batch])
            parts = zip(weights, gradients, ms, vs, strict=True)
            new = [update(*part, steps) for part in parts]
            columns = ([entry[i] for entry in new] for i in range(3))
            return (*columns, steps), None

        whole = rows - rows % batch_size
        state, _ = jax.lax.scan(step, tuple(state), order[:whole].reshape(-1, batch_size))
        if whole < rows:
            state, _ = step(state, order[whole:])
        return (*state, key)

    return jax.jit(epoch, donate_argnums=0, static_argnums=3)


def _jax(dtype: str) -> Any:
    jax: Any = importlib.import_module("jax")
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_enable_x64", dtype == "float64")
    return jax


def _forward(jax: Any, network: Network, weights: Weights, x: Any) -> Any:
    maximum = jax.numpy.maximum
    if isinstance(network, ImageNetwork):
        x = x.reshape(-1, *network.image)
        for _ in network.convolutions:
            kernel, bias, *weights = weights
            x = maximum(_pool(jax, _convolve(jax, x, kernel) + bias), 0.0)
        x = x.reshape(len(x), -1)
    for layer in range(0, len(weights), 2):
        x = x @ weights[layer] + weights[layer + 1]
        if layer < len(weights) - 2:
            x = maximum(x, 0.0)
    return x


def _convolve(jax: Any, x: Any, kernel: Any) -> Any:
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=layout)


def _pool(jax: Any, x: Any) -> Any:
    square = (1, 2, 2, 1)
    return jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, square, square, "VALID")
