# SPDX-License-Identifier: Apache-2.0
"""A plain float64 NumPy network, written from the textbook formulas, to hold the library against.

It shares nothing with the library but the descriptions (configs) of layers, losses and optimizers.
Everything is worked out over whole arrays and in the most literal form of each formula, even where
that is slower or less stable than what the library does.
"""

from __future__ import annotations

import math

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def sigmoid(z):
    return np.exp(-np.logaddexp(0.0, -z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def _normal_cdf(z):
    return (1 + _erf(z / math.sqrt(2))) / 2


def _tanh_of_gelu(z):
    return np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))


def _gelu_tanh_slope(z, _):
    t = _tanh_of_gelu(z)
    inner = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * z**2)
    return (1 + t) / 2 + z / 2 * (1 - t**2) * inner


# kind: (f(z, config), f'(z, config)), elementwise
ACTIVATIONS = {
    "linear": (lambda z, _: z, lambda z, _: np.ones_like(z)),
    "relu": (lambda z, _: np.maximum(z, 0), lambda z, _: (z > 0) * 1.0),
    "leaky_relu": (
        lambda z, c: np.where(z > 0, z, c["negative_slope"] * z),
        lambda z, c: np.where(z > 0, 1.0, c["negative_slope"]),
    ),
    "elu": (
        lambda z, c: np.where(z > 0, z, c["alpha"] * np.expm1(np.minimum(z, 0))),
        lambda z, c: np.where(z > 0, 1.0, c["alpha"] * np.exp(np.minimum(z, 0))),
    ),
    "gelu": (
        lambda z, _: z * _normal_cdf(z),
        lambda z, _: _normal_cdf(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),
    ),
    "gelu_tanh": (lambda z, _: z / 2 * (1 + _tanh_of_gelu(z)), _gelu_tanh_slope),
    "silu": (
        lambda z, _: z * sigmoid(z),
        lambda z, _: sigmoid(z) + z * sigmoid(z) * sigmoid(-z),
    ),
    "sigmoid": (lambda z, _: sigmoid(z), lambda z, _: sigmoid(z) * sigmoid(-z)),
    "tanh": (lambda z, _: np.tanh(z), lambda z, _: 1 / np.cosh(z) ** 2),
    "selu": (
        lambda z, _: (
            1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
        ),
        lambda z, _: (
            1.0507009873554805 * np.where(z > 0, 1.0, 1.6732632423543772 * np.exp(np.minimum(z, 0)))
        ),
    ),
    "mish": (
        lambda z, _: z * np.tanh(np.logaddexp(0, z)),
        lambda z, _: (
            np.tanh(np.logaddexp(0, z))
            + z * sigmoid(z) / np.cosh(np.minimum(np.logaddexp(0, z), 300)) ** 2
        ),
    ),
    "hard_sigmoid": (
        lambda z, c: np.clip(c["alpha"] * z + c["beta"], 0, 1),
        lambda z, c: c["alpha"] * (np.abs(c["alpha"] * z + c["beta"] - 0.5) < 0.5),
    ),
    "hard_swish": (
        lambda z, _: z * np.clip(z + 3, 0, 6) / 6,
        lambda z, _: np.where(np.abs(z) < 3, z / 3 + 0.5, z > 0),
    ),
    "relu6": (lambda z, _: np.clip(z, 0, 6), lambda z, _: np.where((z > 0) & (z < 6), 1.0, 0.0)),
    "softsign": (lambda z, _: z / (1 + np.abs(z)), lambda z, _: (1 + np.abs(z)) ** -2.0),
    "softplus": (lambda z, _: np.logaddexp(0, z), lambda z, _: sigmoid(z)),
}


def activate(config, z):
    return softmax(z) if config["kind"] == "softmax" else ACTIVATIONS[config["kind"]][0](z, config)


def activation_gradient(config, z, dy):
    """Return dL/dz from dL/dy."""
    if config["kind"] != "softmax":
        return dy * ACTIVATIONS[config["kind"]][1](z, config)
    y = softmax(z)
    jacobians = np.einsum("ij,jk->ijk", y, np.eye(y.shape[1])) - np.einsum("ij,ik->ijk", y, y)
    return np.einsum("ij,ijk->ik", dy, jacobians)


class _Layer:
    """forward keeps what backward needs; backward sets `gradients` and returns dL/dx."""

    def __init__(self, config, parameters):
        self.config = config
        self.parameters = parameters
        self.gradients = {}


class _Dense(_Layer):
    def forward(self, x, training):
        self.x = x
        self.z = x @ self.parameters["weight"] + self.parameters.get("bias", 0.0)
        return activate(self.config["activation"], self.z)

    def backward(self, dy):
        dz = activation_gradient(self.config["activation"], self.z, dy)
        self.gradients = {"weight": self.x.T @ dz}
        if "bias" in self.parameters:
            self.gradients["bias"] = dz.sum(axis=0)
        return dz @ self.parameters["weight"].T


class _Activation(_Layer):
    def forward(self, x, training):
        self.x = x
        return activate(self.config["activation"], x)

    def backward(self, dy):
        return activation_gradient(self.config["activation"], self.x, dy)


class _Normalizing(_Layer):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, where subclasses know the axis."""

    axis: int

    def _scale_and_shift(self, x, mean, variance):
        self.deviation = np.sqrt(variance + self.config["epsilon"])
        self.centred = x - mean
        self.normalized = self.centred / self.deviation
        p = self.parameters
        return p.get("gamma", 1.0) * self.normalized + p.get("beta", 0.0)

    def _keep_gradients(self, dy):
        both = {"gamma": (dy * self.normalized).sum(axis=0), "beta": dy.sum(axis=0)}
        self.gradients = {name: g for name, g in both.items() if name in self.parameters}

    def _through_statistics(self, dy):
        # Ioffe & Szegedy 2015, section 3: by way of the variance and the mean.
        n = dy.shape[self.axis]
        d_hat = dy * self.parameters.get("gamma", 1.0)
        d_variance = -(d_hat * self.centred).sum(self.axis, keepdims=True) / (2 * self.deviation**3)
        d_mean = -(d_hat / self.deviation).sum(self.axis, keepdims=True)
        d_mean += d_variance * (-2 * self.centred).mean(self.axis, keepdims=True)
        return d_hat / self.deviation + d_variance * 2 * self.centred / n + d_mean / n


class _BatchNormalization(_Normalizing):
    axis = 0

    def forward(self, x, training):
        self.training = training
        p = self.parameters
        if not training:
            return self._scale_and_shift(x, p["running_mean"], p["running_variance"])
        mean, variance = x.mean(0, keepdims=True), x.var(0, keepdims=True)
        keep, n = self.config["momentum"], len(x)
        if n > 1:
            unbiased = variance[0] * n / (n - 1)
            p["running_mean"] = keep * p["running_mean"] + (1 - keep) * mean[0]
            p["running_variance"] = keep * p["running_variance"] + (1 - keep) * unbiased
        return self._scale_and_shift(x, mean, variance)

    def backward(self, dy):
        self._keep_gradients(dy)
        if not self.training:
            return dy * self.parameters.get("gamma", 1.0) / self.deviation
        return self._through_statistics(dy)


class _LayerNormalization(_Normalizing):
    axis = 1

    def forward(self, x, training):
        return self._scale_and_shift(x, x.mean(1, keepdims=True), x.var(1, keepdims=True))

    def backward(self, dy):
        self._keep_gradients(dy)
        return self._through_statistics(dy)


class _PReLU(_Layer):
    def forward(self, x, training):
        self.x = x
        return np.where(x > 0, x, self.parameters["slope"] * x)

    def backward(self, dy):
        self.gradients["slope"] = np.where(self.x > 0, 0.0, dy * self.x).sum(axis=0)
        return np.where(self.x > 0, dy, self.parameters["slope"] * dy)


class _Rescaling(_Layer):
    def forward(self, x, training):
        return x * self.config["scale"] + self.config["offset"]

    def backward(self, dy):
        return dy * self.config["scale"]


class _Normalization(_Layer):
    def forward(self, x, training):
        return (x - self.parameters["mean"]) / np.sqrt(self.parameters["variance"])

    def backward(self, dy):
        return dy / np.sqrt(self.parameters["variance"])


_LAYERS = {
    "dense": _Dense,
    "activation": _Activation,
    "batch_normalization": _BatchNormalization,
    "layer_normalization": _LayerNormalization,
    "prelu": _PReLU,
    "rescaling": _Rescaling,
    "normalization": _Normalization,
}


class Network:
    """The same layers as a `chainrule.Sequential`, from the same parameters."""

    def __init__(self, net):
        own = {i: {} for i in range(len(net.layers))}
        for name, values in net.parameters.items():
            layer, array = name.split(".")
            own[int(layer)][array] = values.astype(np.float64)
        configs = [layer.config for layer in net.layers]
        self.layers = [_LAYERS[c["kind"]](c, own[i]) for i, c in enumerate(configs)]

    def _by_name(self, arrays):
        return {f"{i}.{n}": a for i, layer in enumerate(self.layers) for n, a in arrays(layer)}

    @property
    def parameters(self):
        return self._by_name(lambda layer: layer.parameters.items())

    @property
    def gradients(self):
        return self._by_name(lambda layer: layer.gradients.items())

    def forward(self, x, training=True):
        x = np.asarray(x, dtype=np.float64)
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def train_on_batch(self, x, y, loss, optimizer, sample_weight=None, class_weight=None):
        """Take one step of `optimizer`, an `Optimizer`, on `loss`, a config; return the loss."""
        value, dy = loss_and_gradient(loss, self.forward(x), y, sample_weight, class_weight)
        self.backward(dy)
        gradients = self.gradients
        for i, layer in enumerate(self.layers):
            w, c = layer.parameters.get("weight"), layer.config
            if w is not None:
                gradients[f"{i}.weight"] += c["l1"] * np.sign(w) + 2 * c["l2"] * w
        for name, values in optimizer.step(self.parameters, gradients).items():
            layer, array = name.split(".")
            self.layers[int(layer)].parameters[array] = values
        return value


def _elementwise_loss(config, z, t):
    """Return the loss of each output and its derivative."""
    kind, d = config["kind"], z - t
    if kind == "mse":
        return d**2, 2 * d
    if kind == "mae":
        return abs(d), np.sign(d)
    if kind == "huber":
        delta = config["delta"]
        far = delta * (abs(d) - delta / 2)
        return np.where(abs(d) <= delta, d**2 / 2, far), np.clip(d, -delta, delta)
    if kind == "log_cosh":
        return np.logaddexp(d, -d) - math.log(2), np.tanh(d)
    if kind == "binary_cross_entropy":
        return t * np.logaddexp(0, -z) + (1 - t) * np.logaddexp(0, z), sigmoid(z) - t
    if kind == "hinge":
        s = np.where(t > 0, 1.0, -1.0)
        return np.maximum(0, 1 - s * z), np.where(s * z < 1, -s, 0.0)
    if kind == "poisson":
        return np.exp(z) - t * z, np.exp(z) - t
    raise AssertionError(f"no formula for {kind}")


def _pinball(config, z, y):
    q = np.repeat(config["quantiles"], y.shape[1])
    t = np.tile(y, (1, len(config["quantiles"])))
    return np.where(t > z, q * (t - z), (1 - q) * (z - t)), np.where(t > z, -q, 1 - q)


def _cross_entropy(config, z, y, w, c):
    classes = z.shape[1]
    labels = y.ndim == 1
    t = np.eye(classes)[y] if labels else y
    q = (1 - config["label_smoothing"]) * t + config["label_smoothing"] / classes
    c = np.ones(classes) if c is None else np.asarray(c, dtype=np.float64)
    rows = -(c * q * np.log(softmax(z))).sum(axis=1)
    slopes = softmax(z) * (c * q).sum(axis=1, keepdims=True) - c * q
    total = (w * c[y]).sum() if labels else w.sum()
    return (w * rows).sum() / total, w[:, None] * slopes / total


def loss_and_gradient(config, outputs, y, sample_weight=None, class_weight=None):
    """Return the mean loss of raw outputs and its gradient with respect to them."""
    y = np.asarray(y)
    w = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    if config["kind"] == "cross_entropy":
        return _cross_entropy(config, outputs, y, w, class_weight)
    y = y.reshape(len(y), -1).astype(np.float64)
    elementwise = _pinball if config["kind"] == "quantile" else _elementwise_loss
    values, slopes = elementwise(config, outputs, y)
    if class_weight is not None:
        w = w * np.where(y[:, 0] > 0, class_weight[1], class_weight[0])
    gradient = w[:, None] * slopes / (outputs.shape[1] * w.sum())
    return (w * values.mean(axis=1)).sum() / w.sum(), gradient


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

    def _adam(self, w, g, memory, lr, beta1, beta2, epsilon, amsgrad):
        m = self._average(memory, "m", g, beta1) / (1 - beta1**self.t)
        v = self._average(memory, "v", g**2, beta2)
        if amsgrad:
            v = memory["max"] = np.maximum(memory.get("max", 0.0), v)
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


def relative_error(a, b):
    """Return max|a - b| / max|b|, the measure of every comparison in the suite."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert a.shape == b.shape
    return float(abs(a - b).max() / max(abs(b).max(), np.finfo(np.float64).tiny))
