# SPDX-License-Identifier: Apache-2.0
"""Gradients that are set by hand, for the next step of an optimizer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_networks import data, gradients_of, network, plain, same

import chainrule as cr


def test_gradients_added_up_over_parts_step_as_the_whole_batch_does() -> None:
    x, y = data()
    whole, parts = plain(), plain()
    gradients_of(whole, x, y, len(x))
    cr.Adam(0.01).step(whole)
    total: dict[str, Any] = {}
    for part in (slice(0, 5), slice(5, 16), slice(16, 24)):
        for name, gradient in gradients_of(parts, x[part], y[part], len(x)).items():
            total[name] = total.get(name, 0.0) + gradient
    cr.Adam(0.01).step(parts, gradients=total)
    for name, value in whole.parameters.items():
        np.testing.assert_allclose(parts.parameters[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("handed", [False, True])
def test_set_gradients_step_to_the_bits_of_the_same_gradients_from_backward(
    dtype: str, handed: bool
) -> None:
    x, y = data()
    one, other = plain(dtype), plain(dtype)
    given = gradients_of(one, x, y, len(x))
    optimizer = cr.SGD(0.1, momentum=0.9, clip_norm=0.5)
    optimizer.step(one)
    if handed:
        optimizer.step(other, gradients=given)
    else:
        other.gradients = given
        optimizer.step(other)
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(other.parameters[name], value)
    np.testing.assert_array_equal(other.gradients["0.weight"], given["0.weight"])


def test_gradients_that_are_not_given_stay_or_are_zero() -> None:
    x, y = data()
    net = plain()
    bias = np.array([1.0, 2.0])
    net.gradients = {"1.bias": bias}
    assert {name: bool(g.any()) for name, g in net.gradients.items()} == {
        "0.weight": False,
        "0.bias": False,
        "1.weight": False,
        "1.bias": True,
    }
    before = gradients_of(net, x, y, len(x))
    net.gradients = {"1.bias": bias}
    np.testing.assert_array_equal(net.gradients["1.bias"], bias)
    np.testing.assert_array_equal(net.gradients["0.weight"], before["0.weight"])


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ([np.ones(2)], TypeError, "gradients must map names of parameters to arrays, got"),
        ({"3.weights": np.ones(2)}, ValueError, "unknown parameter '3.weights'; did you mean"),
        ({"1.running_mean": np.zeros(7)}, ValueError, "unknown parameter '1.running_mean'"),
        ({"3.bias": np.ones(3)}, ValueError, r"3.bias has shape \(2,\), got \(3,\)"),
        ({"3.bias": ["a", "b"]}, TypeError, "3.bias"),
        ({"3.bias": [1.0, np.nan]}, ValueError, "the gradients for 3.bias contain NaN or infinity"),
        (
            {"0.bias": np.ones(7), "3.bias": [1.0, np.inf]},
            ValueError,
            "the gradients for 3.bias contain NaN or infinity",
        ),
    ],
)
def test_other_gradients_are_refused(given: Any, error: type[Exception], text: str) -> None:
    x, y = data()
    net = network()
    gradients_of(net, x, y, len(x))
    before, weights = net.gradients, net.get_weights()
    with pytest.raises(error, match=text):
        net.gradients = given
    with pytest.raises(error, match=text):
        cr.SGD(0.1).step(net, gradients=given)
    for name, value in before.items():
        np.testing.assert_array_equal(net.gradients[name], value)
    for old, new in zip(weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_step_with_some_gradients_takes_the_others_for_zero() -> None:
    x, y = data()
    one, other = plain(), plain()
    for net in (one, other):
        gradients_of(net, x, y, len(x))
    bias = np.array([1.0, 2.0])
    cr.Adam(0.1).step(one, gradients={"1.bias": bias})
    zeros = {name: np.zeros_like(g) for name, g in other.gradients.items()}
    cr.Adam(0.1).step(other, gradients={**zeros, "1.bias": bias})
    assert same(one, other)
    np.testing.assert_array_equal(one.parameters["0.weight"], plain().parameters["0.weight"])


def test_a_lazy_optimizer_takes_no_gradients() -> None:
    net = plain()
    net.gradients = {"1.bias": np.ones(2)}
    with pytest.raises(ValueError, match="lazy"):
        cr.Adam(0.1, lazy=True).step(net, gradients={"1.bias": np.zeros(2)})
    np.testing.assert_array_equal(net.gradients["1.bias"], np.ones(2))


def test_set_weights_checks_all_arrays_before_it_sets_one() -> None:
    net = plain()
    before = net.get_weights()
    good = [2 * w for w in before]
    bad = [*good[:3], np.array([1.0, np.nan])]
    with pytest.raises(ValueError, match=r"the values for 1\.bias contain NaN or infinity"):
        net.set_weights(bad)
    with pytest.raises(ValueError, match=r"the values for 0\.bias contain NaN or infinity"):
        net.set_weights({"0.weight": good[0], "0.bias": np.full(7, np.inf)})
    for old, new in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
