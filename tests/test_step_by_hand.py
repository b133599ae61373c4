# SPDX-License-Identifier: Apache-2.0
"""A step by hand is made as a whole or, where it would make NaN or infinity, not at all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule import _core
from chainrule.network.model_file import from_bytes, to_bytes

RNG = np.random.default_rng(5)
X = RNG.normal(size=(6, 3))
DY = RNG.normal(size=(6, 2))


def network(dtype: str = "float32", **dense: Any) -> cr.Sequential:
    # 20 units are no whole number of vectors, so there is padding.
    layers = [cr.Input(3), cr.Dense(20, activation="tanh", **dense), cr.Dense(2, **dense)]
    return cr.Sequential(layers, seed=1, dtype=dtype)


def backward(net: cr.Sequential, scale: float) -> None:
    net.forward(X, training=True)
    largest = float(np.finfo(net.dtype).max)
    with np.errstate(all="ignore"):
        net.backward(np.clip(DY * scale, -largest, largest).astype(net.dtype))


def state(net: cr.Sequential) -> dict[str, Any]:
    core = net._built_core()
    found: dict[str, Any] = {
        "counters": (core.optimizer_kind, core.steps, core.total_steps, core.epochs)
    }
    for name, values in net.gradients.items():
        found["gradient " + name] = values.tobytes()
    for p in core.parameters:
        found[p.name] = core.get_parameter(p.name).tobytes()
        for slot in core.optimizer_slots:
            found[slot + p.name] = core.get_slot(slot, p.name).tobytes()
    return found


def is_finite(net: cr.Sequential) -> bool:
    core = net._built_core()
    return all(np.isfinite(core.get_parameter(p.name)).all() for p in core.parameters)


OPTIMIZERS = [
    cr.SGD(0.1),
    cr.SGD(0.1, momentum=0.9),
    cr.SGD(0.1, momentum=0.9, nesterov=True),
    cr.optimizers.AdaGrad(0.1),
    cr.optimizers.RMSprop(0.1, momentum=0.5, centered=True),
    cr.Adam(0.1),
    cr.Adam(0.1, amsgrad=True),
    cr.optimizers.AdamW(0.1),
    cr.optimizers.Adadelta(0.1),
    cr.NAdam(0.1),
    cr.RAdam(0.1, beta2=0.9),
    cr.LAMB(0.1),
    cr.optimizers.Lion(0.1),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_step_that_would_make_nan_is_not_made(
    optimizer: cr.optimizers.Optimizer, before: int, dtype: str
) -> None:
    net, twin = network(dtype), network(dtype)
    for _ in range(before):
        for each in (net, twin):
            backward(each, 1.0)
            optimizer.step(each)
    backward(net, 3e38 if dtype == "float32" else 1e308)
    # Sums of such numbers overflow.
    assert not all(np.isfinite(values).all() for values in net.gradients.values())
    held = state(net)
    for _ in range(2):
        with pytest.raises(cr.DivergenceError, match=r"would make .* NaN or infin") as caught:
            optimizer.step(net)
        assert caught.value.layer in ("0 (dense)", "1 (dense)")
        assert state(net) == held
    from_bytes(to_bytes(net)).predict(X)
    # It goes on as if nothing had been.
    for each in (net, twin):
        backward(each, 1.0)
        optimizer.step(each)
    assert state(net) == state(twin)


@pytest.mark.parametrize("other", [cr.Adam(1e-3), cr.SGD(0.1)])
def test_a_refused_step_keeps_the_memory_of_another_optimizer(other: Any) -> None:
    net = network()
    backward(net, 1.0)
    other.step(net)
    backward(net, 1.0)
    held = state(net)
    with pytest.raises(cr.DivergenceError):
        cr.SGD(3e38, momentum=0.5).step(net)
    assert state(net) == held


def test_a_rate_that_is_too_large_after_many_ordinary_steps() -> None:
    net, twin = network(), network()
    adam = cr.Adam(1e-3)
    for step in range(200):
        for each in (net, twin):
            backward(each, 1.0)
            adam.step(each)
        if step % 50 == 7:
            backward(net, 1.0)
            held = state(net)
            with pytest.raises(cr.DivergenceError):
                cr.Adam(3e38).step(net)
            assert state(net) == held
    assert state(net) == state(twin)


def test_squares_beyond_float32_are_no_divergence() -> None:
    """As in fit, a step whose squares overflow leaves the weights alone."""
    net = network()
    adam = cr.Adam(1e-3)
    backward(net, 1e25)
    weights = [values.copy() for values in net.get_weights()]
    adam.step(net)
    assert is_finite(net)
    for after, before in zip(net.get_weights(), weights, strict=True):
        np.testing.assert_allclose(after, before, atol=2e-3)
    assert to_bytes(from_bytes(to_bytes(net))) == to_bytes(net)


exponents = st.floats(-12, 3) | st.floats(-40, 38) | st.floats(-300, 300)
numbers = exponents.map(lambda exponent: 10.0**exponent)
fractions = st.sampled_from([0.0, 0.5, 0.9, 0.99, 0.999, 1 - 1e-7, 1 - 2.0**-53])
decays = st.just(0.0) | numbers


@st.composite
def optimizers(draw: st.DrawFn) -> cr.optimizers.Optimizer:
    kind = draw(st.sampled_from(_core.Optimizer.kinds()))
    cls = type(cr.optimizers.get(kind))
    options: dict[str, Any] = {
        "learning_rate": draw(numbers),
        "weight_decay": draw(decays),
        "clip_value": draw(st.none() | numbers),
        "clip_norm": draw(st.none() | numbers),
    }
    ranges: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("momentum", "rho", "beta1", "beta2"), fractions),
        **dict.fromkeys(
            ("centered", "amsgrad", "epsilon_hat", "decoupled_weight_decay"), st.booleans()
        ),
        **dict.fromkeys(("lr_decay", "initial_accumulator", "momentum_decay"), decays),
        "dampening": st.sampled_from([0.0, 0.5, 1.0]),
        "epsilon": numbers,
    }
    options |= {name: draw(range_) for name, range_ in ranges.items() if hasattr(cls, name)}
    if cls is cr.SGD:
        options["nesterov"] = options["momentum"] > 0 and options["dampening"] == 0
    only_where_true = options.keys() & {"epsilon_hat"}
    assert {*cls().config, *only_where_true} == {"kind", *options}
    return cls(**options)


@given(
    st.sampled_from(["float32", "float64"]),
    decays,
    decays,
    st.lists(optimizers(), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), st.just(0.0) | numbers), min_size=1, max_size=12),
)
@settings(max_examples=100, deadline=None)
def test_no_step_leaves_a_number_that_is_not_finite(
    dtype: str,
    l1: float,
    l2: float,
    chosen: list[cr.optimizers.Optimizer],
    steps: list[tuple[int, float]],
) -> None:
    """Whatever options and gradients are, each step is finite or refused."""
    net = network(dtype, l1=l1, l2=l2)
    for which, scale in steps:
        optimizer = chosen[which % len(chosen)]
        backward(net, scale)
        held = state(net)
        try:
            optimizer.step(net)
        except cr.DivergenceError:
            assert state(net) == held
        else:
            assert is_finite(net)
            core = net._built_core()
            for slot in core.optimizer_slots:
                for p in core.parameters:
                    assert not np.isnan(core.get_slot(slot, p.name)).any()
