# SPDX-License-Identifier: Apache-2.0
"""Learning-rate schedules against formulas in plain Python and torch.optim.lr_scheduler."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import schedules
from chainrule.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    OneCycle,
    PerEpoch,
    PerStep,
    Piecewise,
    ReduceOnPlateau,
    Schedule,
    Step,
)

STEPS = 40


def text_of_schedules(value: object) -> str | None:
    return repr(value) if isinstance(value, Schedule) else None


def tenth(epoch: int) -> float:
    return 0.1 / (1 + epoch)


@pytest.mark.parametrize(
    ("schedule", "rate"),
    [
        (Constant(0.3), lambda t: 0.3),
        (Step(0.3, gamma=0.5, period=3), lambda t: 0.3 * 0.5 ** (t // 3)),
        (Exponential(0.3, gamma=0.5, period=2), lambda t: 0.3 * 0.5 ** (t / 2)),
        (InverseTime(0.3, gamma=0.5, period=2), lambda t: 0.3 / (1 + 0.5 * t / 2)),
        (
            Piecewise([1.5, 4], [0.3, 0.2, 0.1]),
            lambda t: 0.3 if t < 1.5 else 0.2 if t < 4 else 0.1,
        ),
        (
            Cosine(0.3, epochs=6, minimum=0.1),
            lambda t: 0.2 + 0.1 * math.cos(math.pi * min(t, 6) / 6),
        ),
    ],
    ids=text_of_schedules,
)
@pytest.mark.parametrize("steps_per_epoch", [1, 4, 10])
def test_formulas(schedule: Schedule, rate: Callable[[float], float], steps_per_epoch: int) -> None:
    rates = schedule.rates(0, STEPS, steps_per_epoch)
    expected = [rate(step / steps_per_epoch) for step in range(STEPS)]
    np.testing.assert_allclose(rates, expected, rtol=1e-13)


def test_warmup_rises_evenly() -> None:
    rates = Cosine(0.8, epochs=2, warmup=1.5).rates(0, 8, steps_per_epoch=2)
    expected = [0.2, 0.4, 0.6, 0.8, 0.4 + 0.4 * math.cos(math.pi / 4), 0.4]
    np.testing.assert_allclose(rates[:6], expected, rtol=1e-13)


def test_rates_are_those_of_the_steps() -> None:
    schedule = OneCycle(0.1, epochs=5)
    rates = schedule.rates(7, 6, steps_per_epoch=4)
    assert rates.dtype == np.float64
    assert rates.tolist() == [schedule.rate(step, 4) for step in range(7, 13)]
    assert schedule.rates(0, 0, 4).shape == (0,)


def torch_rates(make: Callable[[Any, Any], Any], steps: int) -> list[float]:
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "steps", "make"),
    [
        (Step(0.1, gamma=0.5, period=3), STEPS, lambda s, o: s.StepLR(o, 3, gamma=0.5)),
        (Exponential(0.1, gamma=0.9), STEPS, lambda s, o: s.ExponentialLR(o, 0.9)),
        (
            Cosine(0.1, epochs=STEPS, minimum=0.01),
            STEPS,
            lambda s, o: s.CosineAnnealingLR(o, STEPS, eta_min=0.01),
        ),
        (
            Cosine(0.1, epochs=5, restart_factor=1),
            STEPS,
            lambda s, o: s.CosineAnnealingWarmRestarts(o, 5),
        ),
        (
            Cosine(0.1, epochs=5, minimum=0.02, restart_factor=2),
            STEPS,
            lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, T_mult=2, eta_min=0.02),
        ),
        (
            OneCycle(0.1, epochs=STEPS),
            STEPS - 1,
            lambda s, o: s.OneCycleLR(o, 0.1, total_steps=STEPS, cycle_momentum=False),
        ),
        (
            OneCycle(0.1, epochs=STEPS, warmup=0.5, div_factor=10, final_div_factor=100),
            STEPS - 1,
            lambda s, o: s.OneCycleLR(
                o,
                0.1,
                total_steps=STEPS,
                pct_start=0.5,
                div_factor=10,
                final_div_factor=100,
                cycle_momentum=False,
            ),
        ),
        (
            Piecewise([4, 9], [0.1, 0.05, 0.025]),
            STEPS,
            lambda s, o: s.MultiStepLR(o, [4, 9], gamma=0.5),
        ),
    ],
    ids=text_of_schedules,
)
def test_rates_are_pytorchs(
    schedule: Schedule, steps: int, make: Callable[[Any, Any], Any]
) -> None:
    expected = torch_rates(make, steps)
    np.testing.assert_allclose(schedule.rates(0, steps, 1), expected, rtol=1e-11, atol=1e-17)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1},
        {"patience": 0, "cooldown": 2},
        {"patience": 2, "threshold": 0.1, "minimum": 0.01},
    ],
)
def test_plateau_is_pytorchs(mode: str, options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(5).uniform(0.5, 1.0, 40)
    values[7] = math.nan
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer,
        mode=mode,
        factor=0.5,
        patience=options["patience"],
        threshold=options.get("threshold", 1e-4),
        cooldown=options.get("cooldown", 0),
        min_lr=options.get("minimum", 0.0),
    )
    ours = ReduceOnPlateau(0.1, gamma=0.5, monitor="value", mode=mode, **options)
    seen = set()
    for step, value in enumerate(values):
        theirs.step(value)
        expected = optimizer.param_groups[0]["lr"]
        assert ours.observe({"value": value}) == pytest.approx(expected, rel=1e-15)
        assert ours.rate(step, 1) == pytest.approx(expected, rel=1e-15)
        seen.add(expected)
    assert len(seen) > 3


def test_plateau_ignores_constant_values_in_both_modes() -> None:
    for mode in ("min", "max"):
        schedule = ReduceOnPlateau(0.1, monitor="v", mode=mode, patience=1)
        assert [schedule.observe({"v": 0.9}) for _ in range(3)] == [0.1, 0.1, 0.1 * 0.1]


def test_plateau_state_resumes() -> None:
    values = np.random.default_rng(6).uniform(0.5, 1.0, 30)
    for mode in ("min", "max"):
        unbroken = ReduceOnPlateau(0.1, monitor="v", mode=mode, gamma=0.5, patience=1, cooldown=1)
        fresh = ReduceOnPlateau(0.1, monitor="v", mode=mode, gamma=0.5, patience=1, cooldown=1)
        for value in values[:11]:
            unbroken.observe({"v": value})
        fresh.state = dict(unbroken.state)
        others = [fresh, copy.deepcopy(unbroken), pickle.loads(pickle.dumps(unbroken))]
        assert unbroken.state["rate"] < 0.1
        for value in values[11:]:
            rate = unbroken.observe({"v": value})
            assert [other.observe({"v": value}) for other in others] == [rate] * 3


def test_plateau_copies_remember_on_their_own() -> None:
    schedule = ReduceOnPlateau(0.1, monitor="v", patience=0)
    other = copy.deepcopy(schedule)
    for _ in range(3):
        schedule.observe({"v": 1.0})
    assert other.state == ReduceOnPlateau(0.1).state
    assert schedule.state != other.state
    assert schedule == other


def test_plateau_has_its_options() -> None:
    schedule = ReduceOnPlateau(0.1, monitor="loss", mode="max", cooldown=2)
    assert (schedule.monitor, schedule.mode, schedule.cooldown) == ("loss", "max", 2)
    assert schedule.config["monitor"] == "loss"
    assert Schedule.from_config(schedule.config) == schedule
    assert schedule != ReduceOnPlateau(0.1, monitor="loss", cooldown=2)


def test_plateau_needs_its_value() -> None:
    with pytest.raises(
        ValueError,
        match=re.escape(
            "monitors 'val_loss', which this training does not report; it reports: loss, accuracy"
        ),
    ):
        ReduceOnPlateau(0.1).observe({"loss": 1.0, "accuracy": 0.5})
    with pytest.raises(ValueError, match="it reports: nothing"):
        ReduceOnPlateau(0.1).observe({})


@pytest.mark.parametrize(
    "state", [{}, {"rate": 0.1}, {"rate": 1, "best": 1, "bad_epochs": 1, "x": 1}]
)
def test_bad_plateau_state(state: dict[str, float]) -> None:
    schedule = ReduceOnPlateau(0.1)
    before = schedule.state
    with pytest.raises(
        ValueError, match="the state of reduce_on_plateau has rate, best, bad_epochs"
    ):
        schedule.state = state
    assert schedule.state == before


def test_per_epoch_calls_once_an_epoch() -> None:
    calls: list[int] = []

    def function(epoch: int) -> float:
        calls.append(epoch)
        return 0.1 / (1 + epoch)

    schedule = PerEpoch(function)
    rates = schedule.rates(5, 6, steps_per_epoch=3)
    assert calls == [1, 2, 3]
    np.testing.assert_array_equal(rates, [0.05, 0.1 / 3, 0.1 / 3, 0.1 / 3, 0.025, 0.025])
    assert schedule.rate(5, 3) == 0.05
    assert schedule.rates(0, 0, 3).shape == (0,)


def test_per_step_counts_over_all_epochs() -> None:
    schedule = PerStep(lambda step: step)
    assert schedule.rates(5, 3, steps_per_epoch=2).tolist() == [5.0, 6.0, 7.0]


def test_functions_compare_and_copy_as_themselves() -> None:
    assert PerEpoch(tenth) == PerEpoch(tenth)
    assert hash(PerEpoch(tenth)) == hash(PerEpoch(tenth))
    assert PerEpoch(tenth) != PerStep(tenth)
    assert PerEpoch(tenth) != PerEpoch(lambda epoch: 0.1)
    assert PerEpoch(tenth) != Constant(0.1)
    assert copy.deepcopy(PerEpoch(tenth)) == PerEpoch(tenth)
    assert repr(PerEpoch(tenth)) == "PerEpoch(tenth)"
    with pytest.raises(TypeError, match="calls a Python function, which a config cannot hold"):
        _ = PerEpoch(tenth).config


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-0.1, ValueError, "the learning rate of {} 3 must be finite and >= 0, got -0.1"),
        (math.nan, ValueError, "the learning rate of {} 3 must be finite and >= 0, got nan"),
        (math.inf, ValueError, "the learning rate of {} 3 must be finite and >= 0, got inf"),
        (None, TypeError, "the learning rate of {} 3 must be a number, got None"),
        ("fast", TypeError, "the learning rate of {} 3 must be a number, got 'fast'"),
    ],
)
def test_bad_values_of_functions(value: Any, error: type[Exception], text: str) -> None:
    def function(count: int) -> Any:
        return value if count == 3 else 0.1

    for schedule, counts in ((PerEpoch(function), "epoch"), (PerStep(function), "step")):
        assert schedule.rates(0, 3, 1).tolist() == [0.1] * 3
        with pytest.raises(error, match=re.escape(text.format(counts))):
            schedule.rates(2, 5, 1)


@pytest.mark.parametrize("schedule", [Constant(0.1), PerEpoch(tenth), PerStep(tenth)], ids=repr)
def test_bad_steps(schedule: Schedule) -> None:
    with pytest.raises(ValueError, match="step must be >= 0, got -1"):
        schedule.rate(-1, 1)
    with pytest.raises(ValueError, match="steps_per_epoch must be >= 1, got 0"):
        schedule.rates(0, 2, 0)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Constant(0), ValueError, "constant: learning_rate must be > 0, got 0"),
        (lambda: Step(0.1, period=0), ValueError, "step: period must be > 0, got 0"),
        (lambda: Exponential(0.1, gamma=-1), ValueError, "exponential: gamma must be > 0, got -1"),
        (lambda: Cosine(0.1, 0), ValueError, "cosine: epochs must be > 0, got 0"),
        (
            lambda: Cosine(0.1, 2, minimum=0.2),
            ValueError,
            "cosine: minimum must be <= learning_rate, got minimum 0.2 and learning_rate 0.1",
        ),
        (
            lambda: Cosine(0.1, 2, restart_factor=0.5),
            ValueError,
            "cosine: restart_factor must be 0 or >= 1, got 0.5",
        ),
        (
            lambda: OneCycle(0.1, 2, warmup=2),
            ValueError,
            "one_cycle: warmup must be in [0, 1], got",
        ),
        (
            lambda: Piecewise([1], [0.1]),
            ValueError,
            "piecewise: values must be one more than boundaries, got 1 values and 1 boundaries",
        ),
        (
            lambda: Piecewise([2, 1], [1, 2, 3]),
            ValueError,
            "piecewise: boundaries must be strictly increasing, got 2 before 1",
        ),
        (lambda: ReduceOnPlateau(0.1, gamma=1), ValueError, "gamma must be in (0, 1), got 1"),
        (lambda: ReduceOnPlateau(0.1, patience=-1), ValueError, "patience must be >= 0, got -1"),
        (
            lambda: ReduceOnPlateau(0.1, mode="minn"),
            ValueError,
            "unknown reduce_on_plateau mode 'minn'; did you mean 'min'? valid: min, max",
        ),
        (
            lambda: ReduceOnPlateau(0.1, monitor=3),  # type: ignore[arg-type]
            TypeError,
            "reduce_on_plateau: monitor must be the name of a value, got 3",
        ),
        (lambda: PerEpoch(0.1), TypeError, "PerEpoch needs a function of the epoch, got 0.1"),
        (lambda: PerStep(Constant), TypeError, "PerStep needs a function of the step, got <class"),
        (lambda: schedules.get("linear"), ValueError, "unknown schedule 'linear'; "),
    ],
)
def test_bad_options(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()
