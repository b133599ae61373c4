# SPDX-License-Identifier: Apache-2.0
"""The library's networks, losses and optimizers in PyTorch's own words."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
F = torch.nn.functional

# Tensors this small are only slowed down by threads.
torch.set_num_threads(1)


class Function(torch.nn.Module):
    """A function of one tensor as a module."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


ACTIVATIONS = {
    "linear": lambda c: torch.nn.Identity(),
    "relu": lambda c: torch.nn.ReLU(),
    "leaky_relu": lambda c: torch.nn.LeakyReLU(c["negative_slope"]),
    "elu": lambda c: torch.nn.ELU(c["alpha"]),
    "gelu": lambda c: torch.nn.GELU(),
    "gelu_tanh": lambda c: torch.nn.GELU(approximate="tanh"),
    "silu": lambda c: torch.nn.SiLU(),
    "sigmoid": lambda c: torch.nn.Sigmoid(),
    "tanh": lambda c: torch.nn.Tanh(),
    # By default PyTorch rounds softplus(x) to x above 20, which is off by 1e-10.
    "softplus": lambda c: torch.nn.Softplus(threshold=60),
    "selu": lambda c: torch.nn.SELU(),
    "mish": lambda c: torch.nn.Mish(),
    # torch.nn.Hardsigmoid has 1 / 6 in single precision in its gradient.
    "hard_sigmoid": lambda c: Function(lambda z: torch.clamp(c["alpha"] * z + c["beta"], 0, 1)),
    "hard_swish": lambda c: torch.nn.Hardswish(),
    "relu6": lambda c: torch.nn.ReLU6(),
    "softsign": lambda c: torch.nn.Softsign(),
    "softmax": lambda c: torch.nn.Softmax(dim=1),
}

_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_variance": "running_var",
    "slope": "weight",
    "weight": "weight",
    "bias": "bias",
}


class TorchNetwork:
    """A `torch.nn.Sequential` with the layers and parameters of a `chainrule.Sequential`."""

    def __init__(self, net):
        self.dtype = getattr(torch, net.dtype)
        self._arrays = {}
        self._penalties = []
        modules = []
        columns = net.inputs
        for index, layer in enumerate(net.layers):
            module, *rest = self._modules(layer.config, columns)
            columns = layer.outputs(columns)
            modules += [module.to(self.dtype), *rest]
            for name, values in net.parameters.items():
                owner, array = name.split(".")
                if int(owner) == index:
                    self._arrays[name] = getattr(module, _NAMES[array])
                    self._set(name, values)
            if "l1" in layer.config:
                self._penalties.append((module.weight, layer.config["l1"], layer.config["l2"]))
        self.module = torch.nn.Sequential(*modules)

    @staticmethod
    def _modules(c, columns):
        if c["kind"] == "dense":
            linear = torch.nn.Linear(columns, c["units"], bias=c["use_bias"])
            return linear, ACTIVATIONS[c["activation"]["kind"]](c["activation"])
        if c["kind"] == "activation":
            return (ACTIVATIONS[c["activation"]["kind"]](c["activation"]),)
        if c["kind"] == "prelu":
            return (torch.nn.PReLU(columns),)
        affine = c["center"] or c["scale"]
        if c["kind"] == "batch_normalization":
            norm = torch.nn.BatchNorm1d(columns, c["epsilon"], 1 - c["momentum"], affine=affine)
        else:
            norm = torch.nn.LayerNorm(columns, c["epsilon"], elementwise_affine=affine)
        return (norm,)

    def _set(self, name, values):
        with torch.no_grad():
            self._arrays[name].copy_(torch.from_numpy(np.ascontiguousarray(values.T)))

    @staticmethod
    def _numpy(tensor):
        return tensor.detach().numpy().T.copy()

    @property
    def parameters(self):
        return {name: self._numpy(tensor) for name, tensor in self._arrays.items()}

    @property
    def gradients(self):
        return {n: self._numpy(t.grad) for n, t in self._arrays.items() if t.grad is not None}

    def tensor(self, x):
        return torch.tensor(np.asarray(x), dtype=self.dtype)

    def penalty(self):
        terms = [l1 * w.abs().sum() + l2 * w.square().sum() for w, l1, l2 in self._penalties]
        return sum(terms, torch.zeros((), dtype=self.dtype))

    def train_on_batch(self, x, y, loss, optimizer, *, clipping, **weights):
        """Take a step of a `torch.optim` optimizer; return the loss without the penalties."""
        optimizer.zero_grad()
        value = torch_loss(loss, self.module(self.tensor(x)), y, **weights)
        (value + self.penalty()).backward()
        if clipping["clip_value"]:
            torch.nn.utils.clip_grad_value_(self.module.parameters(), clipping["clip_value"])
        if clipping["clip_norm"]:
            torch.nn.utils.clip_grad_norm_(self.module.parameters(), clipping["clip_norm"])
        optimizer.step()
        return value.item()


def _log_cosh(z, t, reduction):
    d = z - t
    values = d + F.softplus(-2 * d) - math.log(2)
    return values.mean() if reduction == "mean" else values


def _hinge(z, t, reduction):
    values = torch.relu(1 - torch.where(t > 0, 1.0, -1.0) * z)
    return values.mean() if reduction == "mean" else values


def _quantile(c):
    def loss(z, t, reduction):
        q = torch.tensor(c["quantiles"], dtype=z.dtype).repeat_interleave(t.shape[1])
        d = t.repeat(1, len(c["quantiles"])) - z
        values = torch.maximum(q * d, (q - 1) * d)
        return values.mean() if reduction == "mean" else values

    return loss


def _poisson(z, t, reduction):
    return F.poisson_nll_loss(z, t, log_input=True, full=False, reduction=reduction)


def _huber(c):
    return lambda z, t, reduction: F.huber_loss(z, t, delta=c["delta"], reduction=reduction)


# Those that PyTorch lacks are written with its operations and differentiated by it.
_LOSSES = {
    "mse": lambda c: lambda z, t, reduction: F.mse_loss(z, t, reduction=reduction),
    "mae": lambda c: lambda z, t, reduction: F.l1_loss(z, t, reduction=reduction),
    "huber": _huber,
    "log_cosh": lambda c: _log_cosh,
    "binary_cross_entropy": lambda c: (
        lambda z, t, reduction: F.binary_cross_entropy_with_logits(z, t, reduction=reduction)
    ),
    "hinge": lambda c: _hinge,
    "quantile": _quantile,
    "poisson": lambda c: _poisson,
}


def torch_loss(config, z, y, sample_weight=None, class_weight=None):
    """Return the mean loss by PyTorch's function, by rows only where they have weights."""
    w = None if sample_weight is None else torch.tensor(sample_weight, dtype=z.dtype)
    y = torch.tensor(np.asarray(y))
    if config["kind"] == "cross_entropy":
        c = None if class_weight is None else torch.tensor(class_weight, dtype=z.dtype)
        labels = y.ndim == 1
        options = {"weight": c, "label_smoothing": config["label_smoothing"]}
        y = y if labels else y.to(z.dtype)
        if w is None:
            return F.cross_entropy(z, y, **options)
        rows = F.cross_entropy(z, y, reduction="none", **options)
        total = w if c is None or not labels else w * c[y]
        return (w * rows).sum() / total.sum()
    y = y.reshape(len(y), -1).to(z.dtype)
    loss = _LOSSES[config["kind"]](config)
    if w is None:
        return loss(z, y, reduction="mean")
    return (w * loss(z, y, reduction="none").mean(dim=1)).sum() / w.sum()


class Lion(torch.optim.Optimizer):
    """Algorithm 2 of Chen et al. (2023), which torch.optim lacks."""

    def __init__(self, params, lr, betas, weight_decay):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                m = self.state[p].setdefault("m", torch.zeros_like(p))
                update = torch.sign(beta1 * m + (1 - beta1) * p.grad) + group["weight_decay"] * p
                p -= group["lr"] * update
                m.copy_(beta2 * m + (1 - beta2) * p.grad)


class Lamb(torch.optim.Optimizer):
    """LAMB as its paper writes it, which torch.optim lacks."""

    def __init__(self, parameters, **options):
        super().__init__(parameters, options)

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            beta1, beta2 = group["betas"]
            for p in group["params"]:
                state = self.state[p]
                t = state["t"] = state.get("t", 0) + 1
                m = state["m"] = beta1 * state.get("m", 0.0) + (1 - beta1) * p.grad
                v = state["v"] = beta2 * state.get("v", 0.0) + (1 - beta2) * p.grad**2
                d = m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + group["eps"])
                d += group["weight_decay"] * p
                norms = p.norm(), d.norm()
                p -= group["lr"] * (norms[0] / norms[1] if min(norms) > 0 else 1.0) * d


class NAdam(torch.optim.NAdam):
    """NAdam whose product of momenta, which has the default type, is one of doubles."""

    def step(self):
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            super().step()
        finally:
            torch.set_default_dtype(default)


class EpsilonHat:
    """Adam or AdamW with epsilon beside the root before its correction, if that is wanted."""

    def __init__(self, parameters, *, eps, epsilon_hat=False, **options):
        super().__init__(parameters, eps=eps, **options)
        self.epsilon_hat, self.epsilon, self.t = epsilon_hat, eps, 0

    def step(self):
        self.t += 1
        for group in self.param_groups if self.epsilon_hat else ():
            group["eps"] = self.epsilon / (1 - group["betas"][1] ** self.t) ** 0.5
        super().step()


class Adam(EpsilonHat, torch.optim.Adam):
    pass


class AdamW(EpsilonHat, torch.optim.AdamW):
    pass


_OPTIMIZERS = {
    "sgd": torch.optim.SGD,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "adadelta": torch.optim.Adadelta,
    "nadam": NAdam,
    "radam": torch.optim.RAdam,
    "lion": Lion,
    "lamb": Lamb,
}


def torch_optimizer(config, parameters):
    """Return torch.optim's optimizer for the config of a `chainrule.optimizers.Optimizer`."""
    c = {n: v for n, v in config.items() if n not in ("kind", "clip_value", "clip_norm")}
    c["lr"] = c.pop("learning_rate")
    if "beta1" in c:
        c["betas"] = (c.pop("beta1"), c.pop("beta2"))
    if "epsilon" in c:
        c["eps"] = c.pop("epsilon")
    if config["kind"] == "rmsprop":
        c["alpha"] = c.pop("rho")
    if "initial_accumulator" in c:
        c["initial_accumulator_value"] = c.pop("initial_accumulator")
    return _OPTIMIZERS[config["kind"]](parameters, **c)
