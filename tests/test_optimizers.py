# SPDX-License-Identifier: Apache-2.0
"""Descriptions of optimizers and steps by hand; their formulas are compared with PyTorch's."""

from __future__ import annotations

import copy
import inspect
import math
import pickle
import re
from typing import Any

import numpy as np
import pytest

import chainrule as cr
from chainrule import _core, optimizers
from chainrule.layers import Dense
from chainrule.losses import MSE
from chainrule.optimizers import (
    SGD,
    Adadelta,
    AdaGrad,
    Adam,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)
from chainrule.schedules import Constant, Cosine, PerEpoch, PerStep, ReduceOnPlateau

rng = np.random.default_rng(2)
X = rng.normal(size=(6, 3))
Y = rng.normal(size=(6, 2))


def falling(epoch: int) -> float:
    return 0.5 / (1 + epoch)


class Net:
    """One linear layer, with what optimizers ask of a network."""

    def __init__(self) -> None:
        self.core = _core.Network64([Dense(2).config], 3, 1)
        self.rates: list[float] = []

    def _step(self, optimizer: Any, learning_rate: float) -> None:
        self.rates.append(learning_rate)
        self.core.step(optimizer, learning_rate)

    def backward(self) -> dict[str, np.ndarray]:
        outputs = self.core.forward(X, training=True)
        self.core.backward(MSE().gradient(outputs, Y))
        return {p.name: self.core.get_gradient(p.name) for p in self.core.parameters}

    def weights(self) -> dict[str, np.ndarray]:
        return {p.name: self.core.get_parameter(p.name) for p in self.core.parameters}


# Ours, torch.optim's name and options.
PAIRS: list[tuple[Optimizer, str, dict[str, Any]]] = [
    (SGD(0.1), "SGD", {"lr": 0.1}),
    (
        SGD(0.1, momentum=0.9, dampening=0.5, weight_decay=0.1),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1},
    ),
    (
        SGD(0.1, momentum=0.9, nesterov=True),
        "SGD",
        {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    ),
    (AdaGrad(), "Adagrad", {}),
    (
        AdaGrad(0.1, lr_decay=0.1, initial_accumulator=0.2, epsilon=1e-3),
        "Adagrad",
        {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.2, "eps": 1e-3},
    ),
    (RMSprop(), "RMSprop", {}),
    (
        RMSprop(rho=0.9, momentum=0.5, centered=True, weight_decay=0.1),
        "RMSprop",
        {"alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.1},
    ),
    (Adam(), "Adam", {}),
    (
        Adam(0.1, beta1=0.8, beta2=0.9, epsilon=1e-3, amsgrad=True, weight_decay=0.1),
        "Adam",
        {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "amsgrad": True, "weight_decay": 0.1},
    ),
    (AdamW(), "AdamW", {}),
    (AdamW(0.1, amsgrad=True), "AdamW", {"lr": 0.1, "amsgrad": True}),
    (NAdam(), "NAdam", {}),
    (
        NAdam(0.1, beta1=0.5, beta2=0.9, epsilon=1e-3, momentum_decay=0.1, weight_decay=0.1),
        "NAdam",
        {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "momentum_decay": 0.1, "weight_decay": 0.1},
    ),
    (
        NAdam(0.1, decoupled_weight_decay=True, weight_decay=0.1),
        "NAdam",
        {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.1},
    ),
    (RAdam(), "RAdam", {}),
    # From the second step on it divides.
    (
        RAdam(0.1, beta1=0.5, beta2=0.99, epsilon=1e-3, weight_decay=0.1),
        "RAdam",
        {"lr": 0.1, "betas": (0.5, 0.99), "eps": 1e-3, "weight_decay": 0.1},
    ),
    (
        RAdam(0.1, decoupled_weight_decay=True, weight_decay=0.1),
        "RAdam",
        {"lr": 0.1, "decoupled_weight_decay": True, "weight_decay": 0.1},
    ),
    (Adadelta(), "Adadelta", {}),
    (
        Adadelta(0.5, rho=0.8, epsilon=1e-3, weight_decay=0.1),
        "Adadelta",
        {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.1},
    ),
]


@pytest.mark.parametrize(("ours", "name", "options"), PAIRS, ids=[repr(p[0]) for p in PAIRS])
def test_steps_by_hand_are_pytorchs(
    ours: Optimizer, name: str, options: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    torch = pytest.importorskip("torch")
    net = Net()
    theirs = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in net.weights().items()}
    optimizer = getattr(torch.optim, name)(theirs.values(), **options)
    # NAdam's product of momenta has the default type.
    default = torch.get_default_dtype()
    request.addfinalizer(lambda: torch.set_default_dtype(default))
    torch.set_default_dtype(torch.float64)
    for _ in range(4):
        gradients = net.backward()
        for key, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[key])
        ours.step(net)
        optimizer.step()
        for key, value in net.weights().items():
            np.testing.assert_allclose(value, theirs[key].detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("beta2", [0.0, 0.5, 0.8, 0.999])
def test_radam_divides_from_the_step_on_that_pytorch_does(beta2: float) -> None:
    torch = pytest.importorskip("torch")
    net = Net()
    theirs = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in net.weights().items()}
    optimizer = torch.optim.RAdam(theirs.values(), lr=0.01, betas=(0.9, beta2))
    ours = RAdam(0.01, beta2=beta2)
    for _ in range(20):
        gradients = net.backward()
        for key, parameter in theirs.items():
            parameter.grad = torch.tensor(gradients[key])
        ours.step(net)
        optimizer.step()
        for key, value in net.weights().items():
            np.testing.assert_allclose(value, theirs[key].detach().numpy(), rtol=1e-11)


def test_lion_steps_by_its_formula() -> None:
    net = Net()
    expected = net.weights()
    average = {name: np.zeros_like(value) for name, value in expected.items()}
    optimizer = Lion(0.01, beta1=0.8, beta2=0.9, weight_decay=0.1)
    for _ in range(4):
        for name, g in net.backward().items():
            direction = np.sign(0.8 * average[name] + 0.2 * g)
            expected[name] = expected[name] * (1 - 0.01 * 0.1) - 0.01 * direction
            average[name] = 0.9 * average[name] + 0.1 * g
        optimizer.step(net)
    for name, value in net.weights().items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-12)


@pytest.mark.parametrize("kind", _core.Optimizer.kinds())
def test_every_kind_is_a_class_with_the_defaults_of_the_core(kind: str) -> None:
    optimizer = optimizers.get(kind)
    cls = type(optimizer)
    assert cls.kind == kind
    assert getattr(cr, cls.__name__) is getattr(optimizers, cls.__name__) is cls
    assert cls.__name__ in cr.__all__
    assert cls.__name__ in optimizers.__all__
    assert cls().config == _core.Optimizer({"kind": kind}).config
    parameters = inspect.signature(cls).parameters
    shared = {"weight_decay": cls().weight_decay, "clip_value": None, "clip_norm": None}
    shared |= {"lazy": False, "weight_decay_schedule": None}
    assert {name: parameters[name].default for name in list(parameters)[-5:]} == shared
    with pytest.raises(TypeError, match="has no argument 'clipnorm'"):
        cls(clipnorm=1.0)
    with pytest.raises(ValueError, match=f"did you mean '{kind}'"):
        optimizers.get(kind + "_")


@pytest.mark.parametrize("clip_value", [None, 0.1])
@pytest.mark.parametrize("clip_norm", [None, 0.3])
def test_clipping(clip_value: float | None, clip_norm: float | None) -> None:
    net = Net()
    before, gradients = net.weights(), net.backward()
    if clip_value is not None:
        gradients = {k: g.clip(-clip_value, clip_value) for k, g in gradients.items()}
    if clip_norm is not None:
        norm = math.sqrt(sum((g**2).sum() for g in gradients.values()))
        gradients = {k: g * min(1.0, clip_norm / (norm + 1e-6)) for k, g in gradients.items()}
        assert norm > clip_norm or clip_value is not None
    SGD(1.0, clip_value=clip_value, clip_norm=clip_norm).step(net)
    for name, value in net.weights().items():
        np.testing.assert_allclose(value, before[name] - gradients[name], rtol=1e-12)


def test_options() -> None:
    optimizer = RMSprop(0.5, rho=0.7, epsilon=1e-4, momentum=0.1, centered=True, clip_value=2)
    assert optimizer.learning_rate == 0.5
    assert optimizer.schedule is None
    assert (optimizer.rho, optimizer.epsilon, optimizer.momentum) == (0.7, 1e-4, 0.1)
    assert optimizer.centered is True
    assert optimizer.weight_decay == 0.0
    assert optimizer.clip_value == 2.0
    assert optimizer.clip_norm is None
    assert AdamW().weight_decay == 0.01
    assert isinstance(AdamW(), Adam)


@pytest.mark.parametrize("given", [0.5, np.float64(0.5), np.array(0.5)])
def test_rates_may_be_any_number(given: Any) -> None:
    assert SGD(given).learning_rate == 0.5


@pytest.mark.parametrize(
    "given", [Cosine(0.1, 5), {"kind": "cosine", "learning_rate": 0.1, "epochs": 5}]
)
def test_schedules(given: Any) -> None:
    optimizer = Adam(given, beta1=0.5)
    assert optimizer.schedule == Cosine(0.1, 5)
    assert optimizer.learning_rate == 0.1
    assert optimizer.config["learning_rate"] == Cosine(0.1, 5).config
    assert repr(optimizer) == "Adam(learning_rate=Cosine(0.1, 5.0), beta1=0.5)"
    assert optimizer != Adam(0.1, beta1=0.5)
    for other in (
        optimizers.get(optimizer.config),
        copy.deepcopy(optimizer),
        pickle.loads(pickle.dumps(optimizer)),
    ):
        assert other == optimizer
        assert other.schedule == optimizer.schedule
        assert hash(other) == hash(optimizer)


def test_first_rate_is_the_schedules() -> None:
    assert Adam(Cosine(0.1, 5, warmup=4)).learning_rate == pytest.approx(0.02)


def test_copies_remember_the_plateau() -> None:
    optimizer = SGD(ReduceOnPlateau(0.1, monitor="loss", patience=0))
    other = copy.deepcopy(optimizer)
    assert isinstance(optimizer.schedule, ReduceOnPlateau)
    for _ in range(2):
        optimizer.schedule.observe({"loss": 1.0})
    for copied in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert copied.schedule.state == optimizer.schedule.state
        assert copied.schedule is not optimizer.schedule
    assert other.schedule is not None
    assert other.schedule.rate(0, 1) == 0.1


def test_functions() -> None:
    optimizer = SGD(falling, momentum=0.9)
    assert optimizer.schedule == PerEpoch(falling)
    assert optimizer.learning_rate == 0.5
    assert optimizer.config["learning_rate"] == 0.5
    assert repr(optimizer) == "SGD(learning_rate=PerEpoch(falling), momentum=0.9)"
    assert optimizer == SGD(PerEpoch(falling), momentum=0.9)
    assert optimizer != SGD(0.5, momentum=0.9)
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer
    assert optimizers.get(optimizer.config) == SGD(0.5, momentum=0.9)


def test_schedule_may_begin_at_zero() -> None:
    optimizer = SGD(PerStep(lambda step: 0.1 * step))
    assert optimizer.learning_rate == 0.0
    assert optimizers.get(optimizer.config).learning_rate > 0.0


def test_step_takes_a_rate() -> None:
    net = Net()
    for optimizer, rate, expected in [
        (SGD(0.1), None, 0.1),
        (SGD(0.1), 0.5, 0.5),
        (SGD(Constant(0.1)), 0.25, 0.25),
    ]:
        before, gradients = net.weights(), net.backward()
        optimizer.step(net, rate)
        assert net.rates.pop() == expected
        for name, value in net.weights().items():
            np.testing.assert_allclose(value, before[name] - expected * gradients[name], rtol=1e-12)


def test_step_with_a_schedule_needs_a_rate() -> None:
    net = Net()
    net.backward()
    with pytest.raises(ValueError, match="adam has a schedule: step needs learning_rate, such as"):
        Adam(Cosine(0.1, 5)).step(net)
    assert net.rates == []


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_step_refuses_bad_rates(rate: float) -> None:
    net = Net()
    net.backward()
    with pytest.raises(ValueError, match=f"learning_rate must be finite and > 0, got {rate}"):
        SGD(0.1).step(net, rate)
    assert net.rates == []


def test_step_needs_gradients() -> None:
    with pytest.raises(RuntimeError, match="call backward first"):
        SGD(0.1).step(Net())


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: SGD(0), ValueError, "sgd: learning_rate must be > 0, got 0"),
        (lambda: Adam(-1e-3), ValueError, "adam: learning_rate must be > 0, got -0.001"),
        (lambda: Adam(math.nan), ValueError, "adam: learning_rate must be finite and > 0, got nan"),
        (lambda: Adam("fast"), ValueError, "adam: learning_rate must be a number, got 'fast'"),
        (lambda: Adam(None), TypeError, "adam: learning_rate must not be None"),
        (
            lambda: Adam(Cosine),
            TypeError,
            "got the class Cosine, expected an instance: pass Cosine(...)",
        ),
        (lambda: Adam(lambda epoch: "x"), TypeError, "the learning rate of epoch 0 must be a num"),
        (lambda: Adam({"kind": "cosin"}), ValueError, "unknown schedule 'cosin'; did you mean"),
        (lambda: Adam(beta1=1.0), ValueError, "adam: beta1 must be in [0, 1), got 1"),
        (lambda: Adam(epsilon=0), ValueError, "adam: epsilon must be > 0, got 0"),
        (
            lambda: SGD(nesterov=True),
            ValueError,
            "sgd: nesterov needs momentum > 0 and dampening 0",
        ),
        (lambda: SGD(clip_norm=-1), ValueError, "sgd: clip_norm must be >= 0, got -1"),
        (
            lambda: RMSprop(weight_decay=-1),
            ValueError,
            "rmsprop: weight_decay must be >= 0, got -1",
        ),
        (lambda: optimizers.get("adamww"), ValueError, "did you mean 'adamw'?"),
        (
            lambda: optimizers.get({"kind": "sgd", "lr": 0.1}),
            ValueError,
            "unknown sgd option 'lr'; valid: clip_norm, clip_value, dampening, lazy, learning_rate",
        ),
    ],
)
def test_bad_options(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()
