# SPDX-License-Identifier: Apache-2.0
"""Rules of optimizers in float64 NumPy, for `reference`."""

from __future__ import annotations

import math

import numpy as np


def clip(config, gradients):
    """Clip gradients by value, then by their global norm."""
    if config["clip_value"]:
        bound = config["clip_value"]
        gradients = {name: np.clip(g, -bound, bound) for name, g in gradients.items()}
    if config["clip_norm"]:
        norm = math.sqrt(sum((g**2).sum() for g in gradients.values()))
        factor = min(1.0, config["clip_norm"] / (norm + 1e-6))
        gradients = {name: g * factor for name, g in gradients.items()}
    return gradients


class Optimizer:
    """The rule of a `chainrule.optimizers.Optimizer`'s config, as the papers and PyTorch state it.

    Each rule is a method that takes a parameter, its gradient and its own memory (a dict of arrays,
    zero at first) and returns the new parameter.
    """

    def __init__(self, config):
        self.config = config
        self.memory = {}
        self.t = 0

    def step(self, parameters, gradients):
        self.t += 1
        rule = getattr(self, f"_{self.config['kind']}")
        new = {}
        for name, g in clip(self.config, gradients).items():
            memory = self.memory.setdefault(name, {})
            w = parameters[name]
            decoupled = self.config["kind"] in ("adamw", "lion")
            if decoupled or self.config.get("decoupled_weight_decay"):
                w = w * (1 - self.config["learning_rate"] * self.config["weight_decay"])
            elif self.config["kind"] != "lamb":
                g = g + self.config["weight_decay"] * w
            new[name] = rule(w, g, memory, **self._options())
        return new

    def _options(self):
        others = ("kind", "weight_decay", "clip_value", "clip_norm", "learning_rate")
        options = {name: v for name, v in self.config.items() if name not in others}
        return {"lr": self.config["learning_rate"], **options}

    def _average(self, memory, name, value, rho):
        memory[name] = rho * memory.get(name, 0.0) + (1 - rho) * value
        return memory[name]

    def _sgd(self, w, g, memory, lr, momentum, dampening, nesterov):
        if not momentum:
            return w - lr * g
        b = momentum * memory["b"] + (1 - dampening) * g if "b" in memory else g
        memory["b"] = b
        return w - lr * (g + momentum * b if nesterov else b)

    def _adagrad(self, w, g, memory, lr, lr_decay, initial_accumulator, epsilon):
        memory["sum"] = memory.get("sum", initial_accumulator) + g**2
        return w - lr / (1 + (self.t - 1) * lr_decay) * g / (np.sqrt(memory["sum"]) + epsilon)

    def _rmsprop(self, w, g, memory, lr, rho, epsilon, momentum, centered):
        v = self._average(memory, "v", g**2, rho)
        if centered:
            v = v - self._average(memory, "mean", g, rho) ** 2
        d = g / (np.sqrt(v) + epsilon)
        memory["b"] = momentum * memory.get("b", 0.0) + d
        return w - lr * memory["b"]

    def _adam(self, w, g, memory, lr, beta1, beta2, epsilon, amsgrad, epsilon_hat=False):
        m = self._average(memory, "m", g, beta1) / (1 - beta1**self.t)
        v = self._average(memory, "v", g**2, beta2)
        if amsgrad:
            v = memory["max"] = np.maximum(memory.get("max", 0.0), v)
        if epsilon_hat:
            return w - lr * np.sqrt(1 - beta2**self.t) * m / (np.sqrt(v) + epsilon)
        return w - lr * m / (np.sqrt(v / (1 - beta2**self.t)) + epsilon)

    _adamw = _adam

    def _nadam(
        self, w, g, memory, lr, beta1, beta2, epsilon, momentum_decay, decoupled_weight_decay
    ):
        def mu(t):
            return beta1 * (1 - 0.5 * 0.96 ** (t * momentum_decay))

        product = np.prod([mu(t) for t in range(1, self.t + 1)])
        m = self._average(memory, "m", g, beta1)
        v = self._average(memory, "v", g**2, beta2)
        d = (1 - mu(self.t)) * g / (1 - product)
        d = d + mu(self.t + 1) * m / (1 - product * mu(self.t + 1))
        return w - lr * d / (np.sqrt(v / (1 - beta2**self.t)) + epsilon)

    def _radam(self, w, g, memory, lr, beta1, beta2, epsilon, decoupled_weight_decay):
        m = self._average(memory, "m", g, beta1) / (1 - beta1**self.t)
        v = self._average(memory, "v", g**2, beta2)
        correction = 1 - beta2**self.t
        n = 2 / (1 - beta2) - 1
        rho = n - 2 * self.t * beta2**self.t / correction
        if rho <= 5:
            return w - lr * m
        r = np.sqrt((rho - 4) * (rho - 2) * n / ((n - 4) * (n - 2) * rho))
        return w - lr * m * r * np.sqrt(correction) / (np.sqrt(v) + epsilon)

    def _lamb(self, w, g, memory, lr, beta1, beta2, epsilon):
        m = self._average(memory, "m", g, beta1) / (1 - beta1**self.t)
        v = self._average(memory, "v", g**2, beta2) / (1 - beta2**self.t)
        d = m / (np.sqrt(v) + epsilon) + self.config["weight_decay"] * w
        norms = np.linalg.norm(w), np.linalg.norm(d)
        return w - lr * (norms[0] / norms[1] if min(norms) > 0 else 1.0) * d

    def _adadelta(self, w, g, memory, lr, rho, epsilon):
        v = self._average(memory, "v", g**2, rho)
        d = np.sqrt(memory.get("u", 0.0) + epsilon) / np.sqrt(v + epsilon) * g
        self._average(memory, "u", d**2, rho)
        return w - lr * d

    def _lion(self, w, g, memory, lr, beta1, beta2):
        direction = np.sign(beta1 * memory.get("m", 0.0) + (1 - beta1) * g)
        self._average(memory, "m", g, beta2)
        return w - lr * direction
